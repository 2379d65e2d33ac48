# SPDX-License-Identifier: GPL-3.0-or-later
"""A topology, and machines as preflight sees them, that several tests are about."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from ansible_collections.reftopo.lab.plugins.module_utils._preflight_model import (
    PROBLEM,
    Check,
    Facts,
    Link,
    Machine,
    Trial,
)
from ansible_collections.reftopo.lab.plugins.module_utils._preflight_table import problems, table

GIB = 1024**3

TOPOLOGY = {
    "name": "small",
    "segments": {"lan": {"cidr": "172.30.10.0/24", "bridge": "rt-00000001", "gateway": "172.30.10.1"}},
    "nodes": {
        "cp1": {
            "role": "control-plane",
            "provider": "container",
            "interfaces": {"eth0": {"segment": "lan", "address": "172.30.10.11/24"}},
        },
        "w1": {
            "role": "worker",
            "provider": "container",
            "interfaces": {"eth0": {"segment": "lan", "address": "172.30.10.12/24"}},
        },
    },
    "cluster": {
        "pod_cidr": "10.244.0.0/16",
        "service_cidr": "10.96.0.0/16",
        "proxy_mode": "nftables",
        "proxy_modes": {"cp1": "nftables", "w1": "nftables"},
        "cni": {"name": "flannel", "backend": "vxlan", "overhead": 50, "mtu": 1450},
    },
    "link_state": {"links": {"rt-00000001": {"mark": "lan"}, "rt-00000002": {"mark": "cp1.eth0"}}},
    "needs": ["bridge", "nftables", "vxlan"],
}
GOOD = Facts(
    trials={name: Trial(True) for name in TOPOLOGY["needs"]},
    versions={"ip": "6.1.0", "bridge": "6.1.0", "podman": "4.3.1", "runc": "1.1.5"},
    installable=True,
    links={"lo": Link(), "eth0": Link()},
    routes=(("192.0.2.0/24", "eth0"), ("192.0.2.2", "eth0"), ("fe80::/64", "eth0")),
    disk_free=100 * GIB,
    memory_available=6 * GIB,
    cpus=4,
    cgroup="v2",
    capabilities=frozenset({"CAP_NET_ADMIN", "CAP_SYS_ADMIN", "CAP_SYS_RESOURCE"}),
)
CONVERGED = dataclasses.replace(
    GOOD,
    links={
        "rt-00000001": Link("bridge", "small"),
        "rt-00000002": Link("veth", "small"),
    },
    routes=(("172.30.10.0/24", "rt-00000001"), ("172.30.10.1", "rt-00000001")),
    containers={"reftopo.small.cp1": Machine("small", True), "reftopo.small.w1": Machine("small", False)},
    disk_free=3 * GIB,
    cache_ready=True,
    memory_available=1 * GIB,
    cgroup="hybrid",
    capabilities=frozenset({"CAP_NET_ADMIN", "CAP_SYS_ADMIN"}),
)
TWO_TOPOLOGIES = dataclasses.replace(
    GOOD,
    links={"rt-0000000f": Link("bridge", "other")},
    routes=(("172.30.10.0/24", "rt-0000000f"),),
    containers={
        "reftopo.small.cp1": Machine("small", True),
        "reftopo.small.w1": Machine("small", True),
        "reftopo.other.cp1": Machine("other", True),
    },
)


def told_as_in(golden: Path, lines: list[Check]) -> None:
    """A table is word for word that of a golden file; every problem in it has a fix, and nothing else has."""
    assert f"{table(lines)}\n\n{problems('small', lines)}\n" == golden.read_text()
    for line in lines:
        assert bool(line.fix) == (line.verdict == PROBLEM), line
