# SPDX-License-Identifier: GPL-3.0-or-later
"""Machines join a network without Kubernetes and leave it: every other one's routes follow, and nothing else does."""

from __future__ import annotations

import json
import typing as t

import pytest
import residue
from topologies import Topology, sh

NAME = "life-members"
PLAYBOOKS = ("playbooks/nodes.yml", "playbooks/pods.yml")
NODE = "  m{number}: {{segment: lan, pods: {{p{number}: {{server: {{tcp: 8080, udp: 8081}}}}}}}}\n"
FILE = """\
name: life-members
description: Machines with a pod each; made by a test.
segments:
  lan: {{cidr: 172.31.83.0/24}}
pod_network:
  pod_cidr: 10.183.0.0/16
  cni: {{name: flannel, backend: {backend}}}
  etcd: m1
checks:
  pods-reach-pods: {{from: pods, to: pods}}
  records: {{mechanism: etcd}}
  way: {{mechanism: {backend}}}
nodes:
"""


def write(topology: Topology, machines: int, backend: str = "host-gw") -> None:
    nodes = "".join(NODE.format(number=number) for number in range(1, machines + 1))
    topology.write(FILE.format(backend=backend) + nodes)


def inside(topology: Topology, node: str, *command: str) -> str:
    return sh("podman", "exec", topology.container(node), *command)


def routes(topology: Topology, node: str) -> dict[str, str]:
    """A machine's routes to the pods of others: subnet and next hop."""
    rows = json.loads(inside(topology, node, "ip", "-j", "route"))
    return {row["dst"]: row["gateway"] for row in rows if row["dst"].startswith("10.183.") and "gateway" in row}


def subnet(topology: Topology, node: str) -> str:
    """What a machine leased."""
    lines = dict(line.split("=") for line in inside(topology, node, "cat", "/run/flannel/subnet.env").split())
    return lines["FLANNEL_SUBNET"].replace(".1/", ".0/")


def started(topology: Topology, node: str) -> str:
    """When flanneld was started, and which processes its pods are."""
    since = inside(topology, node, "systemctl", "show", "--property=ExecMainPID", "flanneld")
    # ctr warns on standard error, with the time, and containerd lists tasks in no order
    return since + inside(topology, node, "sh", "-c", "ctr -n k8s.io tasks list 2>/dev/null | sort")


@pytest.fixture(scope="module")
def lab(at_first: residue.Snapshot, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Topology]:
    """Two machines with a pod each; whatever happens, nothing is left."""
    folder = tmp_path_factory.mktemp("members")
    topology = Topology(NAME, folder / "inventories", folder / f"{NAME}.log")
    write(topology, 2)
    topology.destroy()  # of a run that was killed
    try:
        topology.play(PLAYBOOKS)
        yield topology
    finally:
        topology.destroy()


def test_a_machine_that_joins_gets_a_subnet_and_every_other_a_route(lab: Topology):
    first, second = subnet(lab, "m1"), subnet(lab, "m2")
    assert routes(lab, "m1") == {second: "172.31.83.12"}
    untouched = [started(lab, node) for node in ("m1", "m2")]
    write(lab, 3)
    assert set(lab.play(PLAYBOOKS, "--check").changed) == {"host.life-members", "m3.life-members"}
    assert set(lab.play(PLAYBOOKS).changed) == {"host.life-members", "m3.life-members"}
    third = subnet(lab, "m3")
    assert routes(lab, "m1") == {second: "172.31.83.12", third: "172.31.83.13"}
    assert routes(lab, "m2") == {first: "172.31.83.11", third: "172.31.83.13"}
    assert routes(lab, "m3") == {first: "172.31.83.11", second: "172.31.83.12"}
    assert [started(lab, node) for node in ("m1", "m2")] == untouched
    lab.play(["playbooks/verify.yml"])


def test_another_backend_is_refused_before_anything_is_touched(lab: Topology):
    write(lab, 3, backend="vxlan")
    with pytest.raises(AssertionError, match=r"Backend\.Type: it was built with 'host-gw', the topology says 'vxlan'"):
        lab.play(PLAYBOOKS)
    write(lab, 3)
    assert lab.play(PLAYBOOKS).changed == {}


def test_a_machine_that_leaves_loses_its_lease_and_every_other_its_route(lab: Topology):
    write(lab, 2)
    assert set(lab.play(PLAYBOOKS).changed) == {"host.life-members", "m1.life-members"}
    assert routes(lab, "m1") == {subnet(lab, "m2"): "172.31.83.12"}
    assert routes(lab, "m2") == {subnet(lab, "m1"): "172.31.83.11"}
    lab.play(["playbooks/verify.yml"])
    assert lab.play(PLAYBOOKS).changed == {}


def test_nothing_is_left(at_first: residue.Snapshot, lab: Topology):
    lab.forget()
    lab.destroy()
    assert residue.settled_diff(at_first) == []
