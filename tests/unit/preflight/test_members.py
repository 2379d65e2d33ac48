# SPDX-License-Identifier: GPL-3.0-or-later
"""What preflight says of nodes and a cluster that are there, word for word (golden/members/*.txt)."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils._preflight_checks import checks
from ansible_collections.reftopo.lab.plugins.module_utils._preflight_members import gone
from ansible_collections.reftopo.lab.plugins.module_utils._preflight_model import PROBLEM, Folder, Machine
from preflight_machines import CONVERGED, GOOD, TOPOLOGY, TWO_TOPOLOGIES, told_as_in

GOLDEN = Path(__file__).parent / "golden/members"
NODES = {
    "cp1": {"role": "control-plane", "provider": "container", "address": "172.30.10.11"},
    "w1": {"role": "worker", "provider": "container", "address": "172.30.10.12"},
}
W2 = {"role": "worker", "provider": "container", "address": "172.30.10.13"}
MEMBERS = {**TOPOLOGY, "nodes": NODES}
RECORD = {"cluster": {**TOPOLOGY["cluster"], "workers": ["w1", "w2"]}, "nodes": {**NODES, "w2": W2}}
ONE_GOES = dataclasses.replace(
    CONVERGED,
    containers={f"reftopo.small.{name}": Machine("small", True) for name in ("cp1", "w1", "w2")},
    domains={"reftopo.other.w9": Machine("other", True)},
    folders={name: Folder() for name in ("cp1", "w1", "w2")},
    record=RECORD,
)
# w2 as a virtual machine whose removal was interrupted twice: as it left the cluster, and before that as it was made.
INTERRUPTED = dataclasses.replace(
    ONE_GOES,
    containers={f"reftopo.small.{name}": Machine("small", True) for name in ("cp1", "w1")},
    folders={**ONE_GOES.folders, "w1": Folder(leaving=True)},
)
NO_CLUSTER_YET = dataclasses.replace(ONE_GOES, record={})
CANNOT_LEAVE = dataclasses.replace(
    ONE_GOES, containers={**ONE_GOES.containers, "reftopo.small.cp1": Machine("small", False)}
)
# cp1 was renamed, w1 got its role, what was w2's address before, and everything of the cluster changed.
ANOTHER_CLUSTER = {
    **TOPOLOGY,
    "nodes": {"cp2": {**NODES["cp1"]}, "w1": {**W2, "role": "control-plane"}, "w2": W2},
    "cluster": {
        **TOPOLOGY["cluster"],
        "pod_cidr": "10.245.0.0/16",
        "cni": {"name": "calico", "backend": "bgp", "as_number": 64512, "overhead": 0, "mtu": 1500},
    },
}
UDP = {"name": "flannel", "backend": "udp", "port": 8285, "overhead": 28}
SWITCHED = {**MEMBERS, "nodes": RECORD["nodes"], "cluster": {**TOPOLOGY["cluster"], "cni": {**UDP, "mtu": 1472}}}
SHORTER = {**SWITCHED, "cluster": {**TOPOLOGY["cluster"], "cni": {**UDP, "mtu": 1372}}}
IPVS = {
    **TOPOLOGY["cluster"],
    "proxy_mode": "iptables",
    "proxy_modes": {"cp1": "iptables", "w1": "ipvs", "w2": "iptables"},
    "proxy_scheduler": "rr",
}
IPTABLES = {**TOPOLOGY["cluster"], "proxy_mode": "iptables", "proxy_modes": dict.fromkeys(RECORD["nodes"], "iptables")}
RUNS_IPVS = dataclasses.replace(ONE_GOES, record={**RECORD, "cluster": IPVS})
SCHEDULED = {**IPVS, "proxy_scheduler": "lc", "proxy_modes": {**IPVS["proxy_modes"], "w2": "nftables"}}
OTHER_SERVERS = {"upstream": ["172.30.10.201"], "stub_domains": {}}
HAS_SERVERS = dataclasses.replace(ONE_GOES, record={**RECORD, "cluster": {**RECORD["cluster"], "dns": OTHER_SERVERS}})
CASES = {
    "one-goes": checks(ONE_GOES, MEMBERS),
    "interrupted": checks(INTERRUPTED, MEMBERS),
    "no-cluster-yet": checks(NO_CLUSTER_YET, MEMBERS),
    "cannot-leave": checks(CANNOT_LEAVE, MEMBERS),
    "another-cluster": checks(ONE_GOES, ANOTHER_CLUSTER),
    "no-cluster-any-more": checks(ONE_GOES, {k: v for k, v in MEMBERS.items() if k != "cluster"}),
    "another-backend": checks(ONE_GOES, SWITCHED),
    "another-backend-and-mtu": checks(ONE_GOES, SHORTER),
    "another-mode": checks(RUNS_IPVS, {**SWITCHED, "cluster": SCHEDULED}),
    "other-dns-servers": checks(ONE_GOES, {**MEMBERS, "cluster": {**TOPOLOGY["cluster"], "dns": OTHER_SERVERS}}),
    "dns-servers-left-out": checks(HAS_SERVERS, MEMBERS),
    "another-mode-refused": checks(RUNS_IPVS, {**SWITCHED, "cluster": IPTABLES}),
}


@pytest.mark.parametrize("case", CASES)
def test_case(case: str):
    told_as_in(GOLDEN / f"{case}.txt", CASES[case])


def test_every_golden_file_has_its_case():
    assert {path.stem for path in GOLDEN.glob("*.txt")} == set(CASES)


GONE = {
    "what the topology has not": (ONE_GOES, MEMBERS, ["w2"]),
    "what has only its folder left, and what was put back in the middle": (INTERRUPTED, MEMBERS, ["w1", "w2"]),
    "nothing, where all is as it was": (ONE_GOES, {**MEMBERS, "nodes": RECORD["nodes"]}, []),
    "nothing of another topology's": (TWO_TOPOLOGIES, MEMBERS, []),
    "nothing, where nothing is": (GOOD, MEMBERS, []),
}


@pytest.mark.parametrize("case", GONE)
def test_gone(case: str):
    facts, topology, names = GONE[case]
    assert gone(facts, topology) == names


def test_a_node_that_joins_and_another_mode_of_kube_proxy_are_no_problem():
    more = {**RECORD["nodes"], "w3": {**W2, "address": "172.30.10.14"}}
    cluster = {**RECORD["cluster"], "workers": ["w1", "w2", "w3"], "proxy_mode": "iptables"}
    lines = checks(ONE_GOES, {**TOPOLOGY, "nodes": more, "cluster": cluster})
    assert [line for line in lines if line.verdict == PROBLEM and line.what != "kernel: nftables"] == []
