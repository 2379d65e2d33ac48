# SPDX-License-Identifier: GPL-3.0-or-later
"""What preflight prints for machines good and bad, word for word (golden/*.txt)."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils._preflight_checks import checks, topology_errors
from ansible_collections.reftopo.lab.plugins.module_utils._preflight_model import (
    PROBLEM,
    Facts,
    Folder,
    Link,
    Machine,
    Stranger,
    Trial,
    Wire,
)
from preflight_machines import CONVERGED, GIB, GOOD, TOPOLOGY, TWO_TOPOLOGIES, told_as_in

GOLDEN = Path(__file__).parent / "golden"

ONLY_NAMESPACES = {
    "name": "small",
    "segments": {"lan": {"cidr": "172.30.10.0/24"}},
    "nodes": {},
    "link_state": {"links": {"rt-00000001": {"mark": "lan"}}},
    "needs": ["bridge"],
}
# What a host carries of a topology that is on several.
PART = {
    **ONLY_NAMESPACES,
    "underlay": {
        "path": "hosts.h1",
        "address": "192.0.2.2",
        "mtu": 1500,
        "tunnels": {"lan": {"vni": 9000001, "port": 61825}, "wan": {"vni": 9000002, "port": 61825}},
    },
}
OF_A_HOST = dataclasses.replace(
    GOOD,
    addresses={"192.0.2.2": "eth0"},
    links={
        "lo": Link(mtu=65536),
        "eth0": Link(mtu=1500),
        "vxlan7": Link("vxlan", "", 7, 61825, 1450),
        "rt-0000000e": Link("vxlan", "small", 9000001, 61825, 1450),
    },
    bound=frozenset({123, 61825}),
)
# The address is behind a translation, or its link has less; the port and an identifier are somebody else's.
TRANSLATED = dataclasses.replace(
    OF_A_HOST, addresses={"10.0.0.2": "eth0"}, bound=frozenset({61825}), links={"lo": Link()}
)
NARROW = dataclasses.replace(
    OF_A_HOST,
    links={"eth0": Link(mtu=1400), "vxlan7": Link("vxlan", "other", 9000002, 61825, 1450)},
)
BAD = dataclasses.replace(
    GOOD,
    trials={"bridge": Trial(True), "nftables": Trial(True), "vxlan": Trial(False, "Error: Unknown device type.")},
    versions={"ip": "6.1.0", "bridge": "6.1.0", "podman": "3.4.4"},
    installable=False,
    links={"rt-00000001": Link("bridge"), "rt-00000002": Link("veth", "other")},
    wires={"lan": Wire("rt-00000001", ("vnet3",), (Stranger("172.30.10.12", "52:54:00:00:00:07", "vnet3"),))},
    routes=(("172.30.0.0/16", "docker0"), ("172.30.10.255", "docker0"), ("10.0.0.0/8", "vpn0"), ("10.96.0.7", "vpn0")),
    domains={"reftopo.small.w1": Machine("small")},
    folders={"w7": Folder()},
    record={"cluster": {**TOPOLOGY["cluster"], "pod_cidr": "10.1.0.0/16"}, "nodes": {}},
    containers={"reftopo.small.cp1": Machine("", True), "reftopo.small.w1": Machine("other", True)},
    disk_free=3 * GIB,
    memory_available=2 * GIB,
    cpus=1,
    cgroup="none",
    capabilities=frozenset({"CAP_NET_ADMIN"}),
)
FRESH = dataclasses.replace(
    GOOD,
    trials={"bridge": Trial(True), "nftables": Trial(None, missing="nft"), "vxlan": Trial(True)},
    versions={"ip": "6.1.0", "bridge": "6.1.0"},
)
NO_PACKAGES = dataclasses.replace(FRESH, installable=False, trials={**FRESH.trials, "bridge": Trial(True)})
# A bridge that is up already, and a machine of somebody else's that was plugged in there since.
STRANGER = dataclasses.replace(CONVERGED, wires={"lan": Wire("rt-00000001", ("vnet3",))})
STRANGER_DOWN = dataclasses.replace(CONVERGED, wires={"lan": Wire("rt-00000001", ("vnet3",), down=True)})
NOBODY_ELSE = dataclasses.replace(CONVERGED, wires={"lan": Wire("rt-00000001")})
NOT_ROOT = dataclasses.replace(GOOD, trials=None, capabilities=frozenset())
ERRORS = [
    {
        "path": "segments.lan.cidr",
        "problem": "300.1.1.0/24 is not a network",
        "fix": "write one such as 172.30.10.0/24",
    },
    {"path": "nodes.w1.rol", "problem": "unknown key", "fix": "did you mean role?"},
]
BY_HAND = {
    **ONLY_NAMESPACES,
    "nodes": {"n1": {"provider": "container", "cni": {}, "pods": {}}},
    "needs": ["bridge", "nftables"],
}
VMS = {
    **TOPOLOGY,
    "nodes": {
        "cp1": {"role": "control-plane", "provider": "vm"},
        "w1": {"role": "worker", "provider": "vm"},
        "w2": {"role": "worker", "provider": "container"},
    },
    "needs": ["bridge", "nftables", "tun", "vxlan"],
}
WITH_QEMU = dataclasses.replace(
    GOOD,
    trials={name: Trial(True) for name in VMS["needs"]},
    versions={**GOOD.versions, "virsh": "9.0.0", "qemu-img": "7.2.22", "qemu-system-x86_64": "7.2.22"},
)
VMS_IN_THE_WAY = dataclasses.replace(
    WITH_QEMU,
    containers={"reftopo.small.cp1": Machine("small", True)},
    domains={"reftopo.small.w1": Machine(), "reftopo.small.w2": Machine("small")},
    memory_available=2 * GIB,
    kvm=True,  # an emulated one needs a GiB more
)
# A node in mode ipvs that is a container, on a kernel without it.
IPVS = {
    **TOPOLOGY,
    "cluster": {**TOPOLOGY["cluster"], "proxy_modes": {"cp1": "nftables", "w1": "ipvs"}},
    "needs": ["bridge", "iptables", "ipvs", "nftables", "vxlan"],
}
WITHOUT_IPVS = dataclasses.replace(
    GOOD,
    trials={
        **dict.fromkeys(IPVS["needs"], Trial(True)),
        "ipvs": Trial(False, "modprobe: FATAL: Module ip_vs not found in directory /lib/modules/6.12.0"),
    },
)
# Nodes of Calico with IPIP that are containers, on a kernel without it.
IPIP = {
    **TOPOLOGY,
    "cluster": {**TOPOLOGY["cluster"], "cni": {"name": "calico", "backend": "ipip"}},
    "needs": ["bridge", "ipip", "ipset", "iptables", "nftables"],
}
WITHOUT_IPIP = dataclasses.replace(
    GOOD,
    trials={**dict.fromkeys(IPIP["needs"], Trial(True)), "ipip": Trial(False, "Error: Unknown device type.")},
)
# Nodes whose provider was left to be chosen.
CHOSEN = {
    **VMS,
    "nodes": {
        **VMS["nodes"],
        "w1": {**VMS["nodes"]["w1"], "provider_why": "this machine's kernel lacks ipvs (Module ip_vs not found)"},
        "w2": {**VMS["nodes"]["w2"], "provider_why": "this machine's kernel lacks nothing of what it needs: vxlan"},
    },
}

CASES = {
    "good": checks(GOOD, TOPOLOGY),
    "everything-wrong": checks(BAD, TOPOLOGY),
    "converged": checks(CONVERGED, TOPOLOGY),
    "fresh": checks(FRESH, TOPOLOGY),
    "no-packages": checks(NO_PACKAGES, TOPOLOGY),
    "not-root": checks(NOT_ROOT, TOPOLOGY),
    "stranger": checks(STRANGER, TOPOLOGY),
    "stranger-not-asked": checks(STRANGER_DOWN, TOPOLOGY),
    "two-topologies": checks(TWO_TOPOLOGIES, TOPOLOGY),
    "pods-by-hand": checks(dataclasses.replace(GOOD, cpus=1), BY_HAND),
    "vms": checks(WITH_QEMU, VMS),
    "providers-chosen": checks(WITH_QEMU, CHOSEN),
    "vms-in-the-way": checks(VMS_IN_THE_WAY, VMS),
    "vms-without-qemu": checks(dataclasses.replace(WITH_QEMU, versions=GOOD.versions, installable=False), VMS),
    "ipvs": checks(WITHOUT_IPVS, IPVS),
    "ipip": checks(WITHOUT_IPIP, IPIP),
    "only-namespaces": checks(GOOD, ONLY_NAMESPACES),
    "unknown-need": checks(GOOD, {**ONLY_NAMESPACES, "needs": ["bridge", "warpdrive"]}),
    "one-of-several-hosts": checks(OF_A_HOST, PART),
    "one-of-several-hosts-translated": checks(TRANSLATED, PART),
    "one-of-several-hosts-narrow": checks(NARROW, PART),
    "topology-errors": topology_errors(ERRORS),
}


@pytest.mark.parametrize("case", CASES)
def test_case(case: str):
    told_as_in(GOLDEN / f"{case}.txt", CASES[case])


def test_a_bridge_with_nobody_else_on_it_is_not_spoken_of():
    assert checks(NOBODY_ELSE, TOPOLOGY) == CASES["converged"]


def test_every_golden_file_has_its_case():
    assert {path.stem for path in GOLDEN.glob("*.txt")} == set(CASES)


OF_HOSTS = {"addresses", "bound"}  # what matters to a host among several alone


@pytest.mark.parametrize("change", [f.name for f in dataclasses.fields(Facts) if f.name not in OF_HOSTS])
def test_each_bad_fact_is_a_problem_of_its_own(change: str):
    """Of a good machine each fact is made bad alone; only what makes others worse may go without a problem."""
    facts = dataclasses.replace(GOOD, **{change: getattr(BAD, change)})
    found = [line for line in checks(facts, TOPOLOGY) if line.verdict == PROBLEM]
    alone = {"installable", "cache_ready", "folders", "kvm"}
    assert bool(found) != (change in alone), found


def test_nftables_beside_a_cluster_of_iptables_is_needed_by_namespaces():
    cluster = {**TOPOLOGY["cluster"], "proxy_mode": "iptables", "proxy_modes": {"cp1": "iptables", "w1": "iptables"}}
    lines = checks(GOOD, {**TOPOLOGY, "cluster": cluster})
    assert [line.needed_by for line in lines if line.what == "kernel: nftables"] == ["namespaces"]
