# SPDX-License-Identifier: GPL-3.0-or-later
"""Results as the suite writes them, made to measure: nodes, pods, what is broken."""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

import pytest

Data = dict[str, t.Any]
PROTOCOLS = ("icmp", "tcp", "udp")
LOST = {"expect": "timeout or unreachable", "observed": "timeout", "ms": None, "source": None}


def make_topology(nodes: int = 3, namespaces: int = 1, name: str = "flannel-vxlan") -> Data:
    """A compiled topology of one control plane and workers on one segment."""
    names = ["cp1", *(f"w{number}" for number in range(1, nodes))]
    machines = {
        key: {
            "name": key,
            "role": "control-plane" if key == "cp1" else "worker",
            "address": f"172.30.10.{11 + index}",
            "interfaces": {"eth0": {"segment": "lan", "address": f"172.30.10.{11 + index}/24", "mtu": 1500}},
        }
        for index, key in enumerate(names)
    }
    outside = {
        f"outside{number or ''}": {
            "name": f"outside{number or ''}",
            "address": f"172.30.10.{101 + number}",
            "interfaces": {"eth0": {"segment": "lan", "address": f"172.30.10.{101 + number}/24", "mtu": 1500}},
        }
        for number in range(namespaces)
    }
    lan = {"kind": "bridge", "bridge": "rt-1a2b3c4d", "cidr": "172.30.10.0/24", "gateway": "172.30.10.1", "mtu": 1500}
    cni = {
        "name": "flannel",
        "backend": "vxlan",
        "vni": 1,
        "port": 8472,
        "device": "flannel.1",
        "overhead": 50,
        "mtu": 1450,
    }
    return {
        "name": name,
        "description": "Every pod reaches every pod; packets between nodes travel in VXLAN and in nothing else.",
        "segments": {"lan": lan},
        "nodes": machines,
        "namespaces": outside,
        "cluster": {"kubernetes": "v1.37.2", "pod_cidr": "10.244.0.0/16", "node_prefix": 24, "cni": cni},
    }


def make_endpoints(topology: Data, pods: int = 2) -> list[Data]:
    """`pods` pods on each node, the nodes, the namespaces, two services."""
    made = [
        {"name": f"{kind}-{node}", "kind": "pod", "node": node, "address": f"10.244.{index}.{2 + number}"}
        for index, node in enumerate(topology["nodes"])
        for number, kind in enumerate(["client", "server", "third", "fourth", "fifth", "sixth"][:pods])
    ]
    made += [
        {"name": name, "kind": "node", "node": name, "address": node["address"]}
        for name, node in topology["nodes"].items()
    ]
    made += [
        {"name": name, "kind": "namespace", "node": None, "address": machine["address"]}
        for name, machine in topology["namespaces"].items()
    ]
    made += [{"name": "echo", "kind": "service", "node": None, "address": "10.96.7.7"}]
    return made


def probe(origin: Data, to: Data, protocol: str, **changes: t.Any) -> Data:
    """One cell that came out as it must."""
    target = to["address"] if protocol == "icmp" else f"{to['address']}:8080"
    cell = {
        "check": "pods-reach-pods", "control": None, "from": origin["name"], "to": to["name"], "protocol": protocol,
        "target": target, "expect": "ok", "observed": "ok", "ms": 0.3, "source": origin["address"], "ok": True,
    }  # fmt: skip
    return cell | changes


def cells(endpoints: list[Data]) -> t.Iterator[Data]:
    """The healthy state: pods to pods, to the service, its name and the outside; nodes to pods."""
    pods = [endpoint for endpoint in endpoints if endpoint["kind"] == "pod"]
    names = {"name": "echo.default.svc.cluster.local", "address": "10.96.0.10"}
    for origin in pods:
        for to in pods:
            yield from (probe(origin, to, protocol) for protocol in PROTOCOLS)
            if to["node"] != origin["node"]:
                yield from mtu_probes(origin, to)
        for to in endpoints:
            if to["kind"] == "service":
                yield from (probe(origin, to, protocol, check="pods-reach-services") for protocol in PROTOCOLS[1:])
            if to["kind"] == "namespace":
                yield from (probe(origin, to, protocol, check="pods-reach-outside") for protocol in PROTOCOLS)
        yield probe(origin, names, "dns", check="names-resolve", target=names["name"], source=None)
    for origin in endpoints:
        if origin["kind"] == "node":
            yield from (probe(origin, to, protocol, check="nodes-reach-pods") for to in pods for protocol in PROTOCOLS)


def mtu_probes(origin: Data, to: Data) -> t.Iterator[Data]:
    """A packet of the path's MTU passes, one byte more does not."""
    fits, too_big = (f"{to['address']}, {size} bytes, DF" for size in (1450, 1451))
    yield probe(origin, to, "icmp", check="path-mtu-is-exact", target=fits)
    yield (
        probe(origin, to, "icmp", check="path-mtu-is-exact", target=too_big)
        | LOST
        | {"expect": "too-big", "observed": "too-big"}
    )


def broken_cells(endpoints: list[Data], node: str) -> t.Iterator[Data]:
    """The control: with the overlay down on one node, its pods reach no pod elsewhere, and none reaches them."""
    pods = [endpoint for endpoint in endpoints if endpoint["kind"] == "pod"]
    for origin in pods:
        for to in pods:
            cut = origin["node"] != to["node"] and node in (origin["node"], to["node"])
            for protocol in PROTOCOLS:
                yield probe(
                    origin,
                    to,
                    protocol,
                    check="without-overlay",
                    control=f"flannel.1 down on {node}",
                    **(LOST if cut else {}),
                )


PHASES = {"host": 2.1, "nodes": 3.4, "cluster": 18.9, "workload": 6.0, "checks": 31.2}
ASSERTS = [
    {
        "check": "overlay-is-vxlan", "name": "outer header is UDP 8472, VNI 1", "node": "w1", "ok": True,
        "detail": "18 of 18 packets, from 172.30.10.12 to 172.30.10.13", "command": "tcpdump -ni eth0 udp port 8472",
    },
    {
        "check": "overlay-is-vxlan", "name": "no pod address outside of VXLAN", "node": "w1", "ok": True,
        "detail": "0 packets; 18 in VXLAN at the same time", "command": "tcpdump -ni eth0 net 10.244.0.0/16",
    },
    {
        "check": "overlay-is-vxlan", "name": "route to each other node's pods by flannel.1", "node": "w2", "ok": True,
        "detail": "10.244.0.0/24 via 10.244.0.0 dev flannel.1 onlink", "command": "ip route show dev flannel.1",
    },
    {
        "check": "path-mtu-is-exact", "name": "1450 bytes pass, 1451 do not", "node": "cp1", "ok": True,
        "detail": "1450: ok; 1451: message too long", "command": "ping -M do -s 1422 10.244.1.2",
    },
]  # fmt: skip


@pytest.fixture
def make_results() -> t.Callable[..., Data]:
    """Results of a run in which everything held; `change` may break some of it."""

    def make(nodes: int = 3, pods: int = 2, control: bool = True, **changes: t.Any) -> Data:
        topology = make_topology(nodes)
        endpoints = make_endpoints(topology, pods)
        probes = [*cells(endpoints), *(broken_cells(endpoints, "w1") if control else [])]
        results = {
            "topology": topology, "started": "2026-01-01T10:00:00Z", "elapsed": 31.2,
            "versions": {"kubernetes": "v1.37.2", "flannel": "v0.26.7", "containerd": "2.1.4"},
            "endpoints": endpoints, "probes": probes, "asserts": [dict(item) for item in ASSERTS],
            "summary": {"passed": len(probes) + len(ASSERTS), "failed": 0, "errors": 0, "skipped": 0},
            "phases": [
                {"name": name, "seconds": seconds}
                for name, seconds in PHASES.items()
            ],
        }  # fmt: skip
        return results | changes

    return make


@pytest.fixture
def small() -> Data:
    """Two pods on two nodes, one cell each way, one claim: small enough for golden files."""
    topology = make_topology(2, namespaces=0, name="small")
    endpoints = [endpoint for endpoint in make_endpoints(topology, pods=1) if endpoint["kind"] == "pod"]
    there, back = probe(*endpoints, "tcp"), probe(*endpoints[::-1], "tcp")
    return {
        "topology": topology, "started": "2026-01-01T10:00:00Z", "elapsed": 1.5, "versions": {"kubernetes": "v1.37.2"},
        "endpoints": endpoints, "probes": [there, back], "asserts": [dict(ASSERTS[0])],
        "summary": {"passed": 3, "failed": 0, "errors": 0, "skipped": 0},
    }  # fmt: skip


@pytest.fixture
def golden() -> t.Callable[[str | Path, str], None]:
    """Compare a text with a golden file of this folder, or with any other file.

    After an intended change: REFTOPO_GOLDEN=write, and read the difference.
    """

    def compare(name: str | Path, text: str) -> None:
        path = Path(__file__).parent / "golden" / name
        if os.environ.get("REFTOPO_GOLDEN") == "write":
            path.write_text(text, encoding="utf-8")
        assert text == path.read_text(encoding="utf-8")

    return compare
