# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods by hand on a real node: made, left alone, mended, changed and removed. The tests share a node, in order."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from topologies import Topology, sh

NAME, NODE = "t-byhand", "reftopo.t-byhand.n1"
FILE = """\
name: t-byhand
description: Pods of one node; made by a test.
segments:
  lan: {{cidr: 172.31.97.0/24}}
nodes:
  n1:
    segment: lan
    cni:
      cniVersion: 1.0.0
      name: pods
      plugins:
        - type: bridge
          isGateway: true
          ipMasq: true
          ipMasqBackend: nftables
          mtu: {mtu}
          ipam: {{type: host-local, ranges: [[{{subnet: 10.97.0.0/24}}]]}}
    pods:
      web: {{server: {{tcp: 8080, udp: 8081}}, sidecar: {{tcp: 8090, udp: {udp}}}}}
{more}
"""
CLIENT = "      client: {shell: {tcp: 8070, udp: 8071}}"


def write(topology: Topology, mtu: int = 1500, udp: int = 8091, more: str = CLIENT) -> None:
    (topology.inventory / NAME / "topology.yml").write_text(FILE.format(mtu=mtu, udp=udp, more=more))


def on_node(command: str) -> str:
    return sh("podman", "exec", NODE, "sh", "-c", command)


def tasks() -> dict[str, str]:
    """The PIDs of running containers by id."""
    rows = [line.split() for line in on_node("ctr -n k8s.io tasks list 2>/dev/null").splitlines()[1:]]
    return {row[0]: row[1] for row in rows if row[2] == "RUNNING"}


def steps(topology: Topology, *options: str) -> list[str]:
    """What a run does to the node's pods, or would do: the module's own words."""
    output = topology.play(["playbooks/pods.yml"], "--diff", *options).output
    words = ("remove ", "write ", "make ", "clear ", "start ")
    return [line for line in output.splitlines() if line.startswith(words)]


@pytest.fixture(scope="module")
def pods(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Topology]:
    folder = tmp_path_factory.mktemp("pods")
    topology = Topology(NAME, folder / "inventories", folder / "log")
    (topology.inventory / NAME).mkdir(parents=True)
    write(topology)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REFTOPO_STATE", str(tmp_path_factory.mktemp("state")))
        topology.destroy()  # of a run that was killed
        try:
            topology.play(["playbooks/nodes.yml"])
            yield topology
        finally:
            topology.destroy()


NEW = [
    "write /etc/cni/net.d/10-pods.conflist",
    *("make web", "start web.server", "start web.sidecar"),
    *("make client", "start client.shell"),
]


def test_predicted_and_made(pods):
    assert steps(pods, "--check") == NEW
    assert tasks() == {}
    assert steps(pods) == NEW
    assert set(tasks()) == {"web", "web.server", "web.sidecar", "client", "client.shell"}


def test_a_second_run_changes_nothing(pods):
    before = tasks()
    assert steps(pods) == []
    assert steps(pods, "--check") == []
    assert tasks() == before


def test_a_container_that_ended_comes_back_into_its_pod(pods):
    before = tasks()
    on_node(f"kill -9 {before['web.server']}")
    assert steps(pods) == ["clear web.server: it has ended", "start web.server"]
    after = tasks()
    assert {name for name in after if after[name] != before[name]} == {"web.server"}
    assert on_node(f"readlink /proc/{after['web.server']}/ns/net") == on_node(f"readlink /proc/{after['web']}/ns/net")


def test_a_pod_whose_namespaces_are_gone_is_made_anew(pods):
    on_node(f"kill -9 {tasks()['client']}")
    why = "its pause container has ended, and the namespaces with it"
    assert steps(pods) == [f"remove client: {why}", "make client", "start client.shell"]
    assert on_node("nft list ruleset").count("id: client") == 1
    assert on_node("ls /var/lib/cni/networks/pods").count("10.97.0.") == 2


def test_what_check_finds_is_mended(pods):
    on_node(f"nsenter --net --target {tasks()['web']} ip link delete eth0")
    first, *rest = steps(pods)
    assert first.startswith("remove web: CNI plugin bridge, CHECK of web: ")
    assert rest == ["make web", "start web.server", "start web.sidecar"]


@pytest.mark.parametrize("at", ["before the network", "before the containers"])
def test_a_run_that_was_killed_is_continued(pods, at):
    """What such a run leaves: a record without a result, or a pod without containers."""
    if at == "before the network":
        record = json.loads(on_node("cat /var/lib/reftopo/pods/web.json"))
        text = json.dumps({**record, "result": None})
        on_node(f"echo '{text}' > /var/lib/reftopo/pods/web.json")
        expected = [
            "remove web: its network was not attached to the end",
            "make web",
            "start web.server",
            "start web.sidecar",
        ]
    else:
        on_node("ctr -n k8s.io tasks delete --force web.sidecar && ctr -n k8s.io containers delete web.sidecar")
        expected = ["start web.sidecar"]
    assert steps(pods) == expected
    assert steps(pods) == []


def test_a_pod_that_changes_is_made_anew_alone(pods):
    before = tasks()
    write(pods, udp=8092)
    assert steps(pods) == [
        "remove web: it was made of something else",
        *("make web", "start web.server", "start web.sidecar"),
    ]
    assert tasks()["client"] == before["client"]


def test_another_network_is_for_all_pods(pods):
    write(pods, udp=8092, mtu=1400)
    why = "it was made of something else"
    assert steps(pods) == [f"remove client: {why}", f"remove web: {why}", *NEW]
    assert "mtu 1400" in on_node(f"nsenter --net --target {tasks()['web']} ip link show eth0")


def test_a_pod_that_is_not_wanted_goes_without_a_trace_and_others_stay(pods):
    image = "registry.k8s.io/pause:3.10.2"
    on_node(f"ctr -n k8s.io run --detach --null-io {image} theirs")
    write(pods, udp=8092, mtu=1400, more="")
    assert steps(pods) == ["remove client: it is not wanted"]
    assert set(tasks()) == {"web", "web.server", "web.sidecar", "theirs"}
    left = on_node(
        "nft list ruleset; ls /var/lib/cni/networks/pods /var/lib/reftopo/pods; ctr -n k8s.io containers list -q"
    )
    assert "client" not in left
    assert left.count("10.97.0.") == 3  # web's rule (address and network) and lease


def test_a_plugin_that_is_not_there_is_told_before_anything_is_touched(pods):
    before = tasks()
    on_node("mv /opt/cni/bin/host-local /opt/cni/bin/gone")
    try:
        with pytest.raises(
            AssertionError, match=r"network.plugins: not in /opt/cni/bin: host-local. Install them, or use"
        ):
            steps(pods)
    finally:
        on_node("mv /opt/cni/bin/gone /opt/cni/bin/host-local")
    assert tasks() == before
