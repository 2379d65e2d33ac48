# SPDX-License-Identifier: GPL-3.0-or-later
"""A node n1 of a cluster with Calico and BGP, its two neighbours, and its only pod; one value of it changed at a time.

What BIRD says (tests/unit/proof/data/calico) was printed by BIRD 1.6.8; the rest is as a node's commands print it.
"""

from __future__ import annotations

import copy
import dataclasses
import json
from pathlib import Path

from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_backend import claim_faults, claims, peers
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_calico import ADDRESS
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_snapshot import PARTS, Snapshot

DATA = Path(__file__).parents[1] / "unit/proof/data/calico"
BGP, ROUTES = ((DATA / f"{name}.txt").read_text() for name in ("protocols", "routes"))
NODES = {
    name: {
        "address": f"172.30.24.1{number}",
        "proxy_mode": "nftables",
        "interfaces": {"eth0": {"mac": f"02:00:00:00:00:0{number}", "mtu": 1500}},
    }
    for number, name in enumerate(("n1", "n2", "n3"), 1)
}
CNI = {"name": "calico", "backend": "bgp", "as_number": 64512, "device": "", "overhead": 0, "mtu": 1500}
TOPOLOGY = {"nodes": NODES, "namespaces": {}, "cluster": {"pod_cidr": "10.244.0.0/16", "cni": CNI}}
MAC = "ee:ee:ee:ee:ee:ee"


def pod(name: str, address: str, node: str = "n1", **spec: object) -> dict:
    metadata, status = {"namespace": "default", "name": name}, {"phase": "Running", "podIP": address}
    return {"kind": "Pod", "metadata": metadata, "spec": {"nodeName": node, **spec}, "status": status}


def block(number: int, **allocated: str) -> dict:
    """A node's block of addresses; what is allocated are the last bytes of addresses, with a letter before them."""
    places: list[int | None] = [None] * 64
    for attribute, place in enumerate(allocated):
        places[int(place[1:]) - 64] = attribute
    attributes = [
        {"secondary": {"namespace": "default", "node": f"n{number}", "pod": pod}} for pod in allocated.values()
    ]
    spec = {"cidr": f"10.244.{number}.64/26", "affinity": f"host:n{number}", "allocations": places}
    return {"kind": "IPAMBlock", "spec": {**spec, "attributes": attributes}}


OBJECTS = [
    *(
        {"kind": "Node", "metadata": {"name": name, "annotations": {ADDRESS: f"{node['address']}/24"}}}
        for name, node in NODES.items()
    ),
    *(block(1, a65="web"), block(2), block(3)),
    pod("web", "10.244.1.65"),
    pod("proxy", "172.30.24.11", hostNetwork=True),
]
KNOWN = peers(OBJECTS, TOPOLOGY)
STATE = {
    "bgp": BGP,
    "prefixes": ROUTES,
    "links": [
        {"ifname": "eth0", "ifindex": 2, "flags": ["UP"], "mtu": 1500},
        {
            "ifname": "cali123",
            "ifindex": 7,
            "link_index": 3,
            "flags": ["UP"],
            "mtu": 1500,
            "address": MAC,
            "linkinfo": {"info_kind": "veth"},
        },
    ],
    "routes": [
        {"dst": "default", "dev": "eth0", "protocol": "152", "scope": "link", "flags": []},
        {"type": "blackhole", "dst": "10.244.1.64/26", "protocol": "bird", "flags": []},
        {"dst": "10.244.1.65", "dev": "cali123", "scope": "link", "flags": []},
        {"dst": "10.244.2.64/26", "gateway": "172.30.24.12", "dev": "eth0", "protocol": "bird", "flags": []},
        {"dst": "10.244.3.64/26", "gateway": "172.30.24.13", "dev": "eth0", "protocol": "bird", "flags": []},
        {"dst": "172.30.24.0/24", "dev": "eth0", "protocol": "kernel", "scope": "link", "flags": []},
    ],
    "pods": [
        {
            "links": [
                {"ifname": "lo", "ifindex": 1, "addr_info": [{"family": "inet", "local": "127.0.0.1", "prefixlen": 8}]},
                {
                    "ifname": "eth0",
                    "ifindex": 3,
                    "link_index": 7,
                    "mtu": 1500,
                    "linkinfo": {"info_kind": "veth"},
                    "addr_info": [{"family": "inet", "local": "10.244.1.65", "prefixlen": 32}],
                },
            ],
            "routes": [
                {"dst": "default", "gateway": "169.254.1.1", "dev": "eth0", "flags": []},
                {"dst": "169.254.1.1", "dev": "eth0", "scope": "link", "flags": []},
            ],
            "neighbours": [{"dst": "169.254.1.1", "dev": "eth0", "lladdr": MAC, "state": ["STALE"]}],
        }
    ],
    "proxy_arp": "/proc/sys/net/ipv4/conf/cali123/proxy_arp 1",
}


def printed(node: str, state: dict) -> Snapshot:
    """A node's state as its commands print it: text, or what is to be JSON; parts that are not given are empty."""
    texts = {part: state.get(part, []) for part in PARTS}
    told = {part: text if isinstance(text, str) else json.dumps(text) for part, text in texts.items()}
    return Snapshot(node, "".join(f"@@reftopo {part}\n{text}\n@@reftopo rc 0\n" for part, text in told.items()))


@dataclasses.dataclass(frozen=True)
class Node:
    """n1 in a topology, with what Calico says of all nodes, and n1's own state as its commands print it."""

    topology: dict
    known: dict
    state: dict

    def snapshot(self, **parts: object) -> Snapshot:
        """n1's state, with parts replaced."""
        return printed("n1", {**self.state, **parts})

    def found(self, known: dict | None = None, **parts: object) -> dict[str, list[str]]:
        """The faults of each claim of n1 that has some."""
        seen, known = self.snapshot(**parts), self.known if known is None else known
        told = [claim for claim in claims(self.topology) if claim.node == "n1"]
        faults = {claim.case: claim_faults(claim, seen, self.topology, known) for claim in told}
        return {case: texts for case, texts in faults.items() if texts}

    def changed(self, part: str, number: int, **values: object) -> dict:
        rows = copy.deepcopy(self.state[part])
        rows[number].update(values)
        return {part: rows}

    def more(self, part: str, *rows: dict) -> dict:
        return {part: [*self.state[part], *rows]}

    def fewer(self, part: str, number: int) -> dict:
        return {part: [row for place, row in enumerate(self.state[part]) if place != number]}


NODE = Node(TOPOLOGY, KNOWN, STATE)
snapshot, found, changed, more, fewer = NODE.snapshot, NODE.found, NODE.changed, NODE.more, NODE.fewer


def inside(kind: str, number: int, **values: object) -> dict:
    """Another value of a row in the pod's namespace."""
    pods = copy.deepcopy(STATE["pods"])
    pods[0][kind][number].update(values)
    return {"pods": pods}


def replaced(part: str, *pairs: tuple[str, str]) -> dict:
    text = STATE[part]
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    return {part: text}
