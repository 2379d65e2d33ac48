# SPDX-License-Identifier: GPL-3.0-or-later
"""A topology's life: predicted, killed while it comes up, repaired, with a neighbour, and gone without a trace."""

from __future__ import annotations

import os
import re
import signal

import pytest
import residue
from topologies import Topology, becomes, sh

W1 = "  w1: {role: worker, segment: lan}\n"
W2, OTHER_W2 = (W1.replace("w1: {", f"w2: {{{mode}") for mode in ("", "proxy_mode: nftables, "))
IMAGE = "{.spec.template.spec.containers[0].image}"
NODE_OF = "{.items[*].spec.nodeName}"


def changes(before: residue.Snapshot, busy: Topology | None = None) -> list[str]:
    """What is different on this machine. Of a topology that is up, files change and SSH connections end meanwhile."""
    own = re.compile(rf"/nodes/{busy.name}/|^files: - .*/\.ansible/cp/|^processes: - \d+ ssh$" if busy else "(?!)")
    return [line for line in residue.settled_diff(before) if not own.search(line)]


def test_check_mode_tells_what_would_be_made_and_makes_nothing(at_first: residue.Snapshot, a: Topology):
    told = a.play(["playbooks/up.yml"], "--check", "--diff")
    assert set(told.changed) == {"host.life-a", "cp1.life-a", "w1.life-a"}
    for words in ("generate id_ed25519", "172.31.81.11/24", "container: running", "admin.conf", "kubeadm init"):
        assert words in told.output
    assert changes(at_first) == []
    assert not a.state().exists()


# A run that is killed is followed by one that gets further: each has to go on from what is there.


def test_killed_while_links_are_made_with_modules_that_live_on(a: Topology):
    first = residue.Path("/run/netns", a.container("cp1"))
    with a.started(first.exists) as run:
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()


def test_killed_while_nodes_start(a: Topology):
    with a.started((a.folder("cp1") / "image").exists):
        pass


def test_killed_while_kubeadm_works_which_goes_on(a: Topology):
    certificate = a.folder("cp1") / "upper/etc/kubernetes/pki/apiserver.crt"
    with a.started((certificate.parent.parent / "manifests/etcd.yaml").exists):
        pass
    made = certificate.read_bytes()
    assert a.processes("cp1", "kubeadm")
    assert not a.is_member("cp1")
    a.play(["playbooks/cluster.yml"])
    assert a.ready()
    assert certificate.read_bytes() == made  # it was waited for, not begun anew


def test_then_nothing_is_left_to_do(a: Topology):
    assert a.up().changed == {}
    told = a.up("--check", "--diff")
    assert told.changed == {}
    assert "\n+++" not in told.output


def test_an_add_on_that_was_deleted_is_applied_again(a: Topology):
    a.kubectl("delete", "daemonset", "--namespace=kube-flannel", "flannel")
    assert set(a.up("--check").changed) == {"cp1.life-a"}
    assert set(a.up().changed) == {"cp1.life-a"}
    assert "flannel" in a.kubectl("get", "daemonsets", "--namespace=kube-flannel", "--output=name")
    assert becomes(lambda: a.overlay("w1"))


def test_a_link_that_was_deleted_comes_back_with_what_was_on_it(a: Topology):
    sh("ip", "link", "delete", a.link("w1"))
    assert set(a.up().changed) == {"host.life-a"}
    assert becomes(lambda: a.overlay("w1"))
    assert a.up().changed == {}


def test_a_node_that_was_stopped_is_started_and_check_mode_does_not_wait_for_it(a: Topology):
    sh("podman", "stop", a.container("cp1"))
    link = a.link("w1")
    sh("ip", "link", "delete", link)
    told = a.up("--check", "--diff")
    assert set(told.changed) == {"host.life-a"}  # the cluster cannot be asked meanwhile
    assert link in told.output
    assert a.up().changed["host.life-a"] == 2
    assert becomes(lambda: a.overlay("w1"))
    assert a.up().changed == {}


def kept(pods: dict[str, str]) -> dict[str, str]:
    """Without those that are made again for another configuration."""
    return {name: since for name, since in pods.items() if not name.startswith(("flannel-", "kube-proxy-"))}


def test_a_node_that_is_added_joins_and_the_others_go_on(a: Topology):
    a.change({W1: W1 + W2.replace("{", "{proxy_mode: iptables, ")})
    told = a.up("--check", "--diff")
    assert set(told.changed) == {"host.life-a", "cp1.life-a", "w2.life-a"}
    assert "+  w2.conf: |" in told.output
    a.change({"proxy_mode: iptables, ": ""})
    told = a.up("--check", "--diff")
    assert set(told.changed) == {"host.life-a", "w2.life-a"}
    assert "kubeadm join" in told.output
    before = a.starts("cp1", "w1"), a.pods()
    assert set(a.up().changed) == {"host.life-a", "w2.life-a"}
    assert a.members() == {"cp1": "True", "w1": "True", "w2": "True"}
    assert a.starts("cp1", "w1") == before[0]
    assert before[1].items() <= a.pods().items()


def test_another_backend_and_mode_of_kube_proxy_take_over_and_nothing_is_left_of_the_old(a: Topology):
    before = kept(a.pods())
    a.change(
        {
            "backend: vxlan": "backend: udp",
            "mechanism: vxlan": "mechanism: udp",
            "proxy_mode: nftables": "proxy_mode: iptables",
            W2: OTHER_W2,
        }
    )
    members = {"cp1.life-a", "w1.life-a", "w2.life-a"}
    told = a.up("--check", "--diff")
    assert set(told.changed) == members | {"host.life-a"}
    changes = ("cni.backend from 'vxlan' to 'udp'", "+    mode: iptables", "+  w2.conf: |")
    assert [words for words in changes if words not in told.output] == []
    assert set(a.up().changed) == members | {"host.life-a"}
    a.play(["playbooks/verify.yml"])  # on each node one backend and one mode, in which pods reach pods and services
    assert kept(a.pods()).items() >= before.items()


@pytest.fixture(scope="module")
def moving(topologies: dict[str, Topology]) -> str:
    """A pod on w2 that its controller wants to run somewhere, in a cluster with the backend host-gw."""
    a = topologies["life-a"]
    a.change({"backend: udp": "backend: host-gw", "mechanism: udp": "mechanism: host-gw"})
    assert set(a.up().changed) == {"host.life-a", "cp1.life-a", "w1.life-a", "w2.life-a"}
    image = a.kubectl("get", "daemonset", "--namespace=reftopo-verify", "a", f"--output=jsonpath={IMAGE}")
    a.kubectl("cordon", "w1")
    a.kubectl("create", "deployment", "moving", f"--image={image}", "--", "/agnhost", "pause")
    a.kubectl("rollout", "status", "deployment/moving", "--timeout=240s")
    a.kubectl("uncordon", "w1")
    assert a.kubectl("get", "pods", "--selector=app=moving", f"--output=jsonpath={NODE_OF}") == "w2"
    return "deployment/moving"


def test_a_removal_is_predicted_and_killed_on_its_way(a: Topology, moving: str):
    a.change({OTHER_W2: ""})
    told = a.up("--check", "--diff")
    assert set(told.changed) == {"host.life-a", "cp1.life-a"}
    gone = ("is drained, leaves the cluster and is removed", "default/moving-", a.container("w2"), a.link("w2"))
    assert [words for words in (*gone, "-  w2.conf: |") if words not in told.output] == []
    assert a.members()["w2"] == "True"
    with a.started((a.folder("w2") / "leaving").exists):
        pass


def test_then_it_is_ended_and_nothing_is_left_of_the_node(a: Topology, moving: str):
    before = a.starts("cp1")
    assert {"host.life-a", "cp1.life-a"} <= set(a.up().changed)
    assert a.members() == {"cp1": "True", "w1": "True"}
    assert a.starts("cp1") == before
    a.kubectl("rollout", "status", moving, "--timeout=240s")
    assert a.kubectl("get", "pods", "--all-namespaces", "--field-selector=spec.nodeName=w2", "--output=name") == ""
    assert not a.folder("w2").exists()
    assert a.container("w2") not in sh("podman", "ps", "--all", "--format={{.Names}}") + sh("ip", "netns", "list")
    a.play(["playbooks/verify.yml"])  # no node has a route or neighbour of w2, nor anything of the backend udp
    a.kubectl("delete", moving, "--cascade=foreground")


def test_back_to_the_first_backend_and_mode(a: Topology):
    a.change(
        {
            "backend: host-gw": "backend: vxlan",
            "mechanism: host-gw": "mechanism: vxlan",
            "proxy_mode: iptables": "proxy_mode: nftables",
        }
    )
    a.up()
    a.play(["playbooks/verify.yml"])  # also no chain of iptables is left
    assert a.up().changed == {}


@pytest.fixture(scope="module")
def neighbour(topologies: dict[str, Topology]) -> residue.Snapshot:
    """This machine while only life-a is up."""
    return residue.settled()


def test_a_node_that_goes_down_while_the_cluster_is_initialised(neighbour: residue.Snapshot, b: Topology):
    etcd = b.folder("cp1") / "upper/etc/kubernetes/manifests/etcd.yaml"
    with b.started(etcd.exists):
        b.kill("cp1")
    assert not b.is_member("cp1")


def test_a_node_that_goes_down_while_it_joins(b: Topology):
    with b.started((b.folder("w1") / "kubelet/config.yaml").exists):
        b.kill("w1")
    assert not b.is_member("w1")


def test_two_topologies_at_once(neighbour: residue.Snapshot, a: Topology, b: Topology):
    b.up()
    assert a.ready()
    b.play(["playbooks/verify.yml"])  # its services are translated by iptables, life-a's by nftables
    assert changes(neighbour, a) != []


def test_a_join_that_was_interrupted_when_the_node_was_ready_already(b: Topology):
    sh("podman", "exec", b.container("w1"), "rm", "/etc/kubernetes/reftopo/member.json")
    assert set(b.up().changed) == {"w1.life-b"}
    assert b.ready()


def test_destroy_without_the_file_leaves_the_neighbour_alone(neighbour: residue.Snapshot, a: Topology, b: Topology):
    b.forget()
    assert b.destroy().changed == {"localhost": 3}
    assert changes(neighbour, a) == []
    assert a.ready()
    assert b.destroy().changed == {}


def test_destroy_in_the_middle_of_a_run(neighbour: residue.Snapshot, a: Topology, b: Topology):
    b = Topology.make(b.name, 82, b.log.parent)
    etcd = b.folder("cp1") / "upper/etc/kubernetes/manifests/etcd.yaml"
    with b.started(etcd.exists):
        pass
    b.forget()
    b.destroy()
    assert changes(neighbour, a) == []
    assert a.up().changed == {}


def test_nothing_is_left(at_first: residue.Snapshot, a: Topology):
    a.forget()
    a.destroy()
    assert changes(at_first) == []
    assert a.destroy().changed == {}
