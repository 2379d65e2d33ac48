# SPDX-License-Identifier: GPL-3.0-or-later
"""What a router outside of calico_node's cluster had and saw, as it must be."""

from __future__ import annotations

from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_peering_lab as lab
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_bird import Prefix, Session
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Endpoint, Probe
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_pcap import Packet
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_peering_seen import Router, Seen
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_verdict import judge
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_wire import Outcome
from calico_node import BGP, KNOWN, NODES, TOPOLOGY, snapshot

TOR, SERVICES = "172.30.24.201", "10.96.0.0/16"
CNI = {**TOPOLOGY["cluster"]["cni"], "password": True, "peers": {"tor": {"as_number": 64513, "address": TOR}}}
CLUSTER = {**TOPOLOGY["cluster"], "cni": CNI, "service_cidr": SERVICES}
LAB = {**TOPOLOGY, "cluster": CLUSTER}
NODE = {name: node["address"] for name, node in NODES.items()}
BLOCKS = {node: peer.subnets[0] for node, peer in KNOWN.items()}
SPOKEN = BGP + (
    "\nGlobal_172_30_24_201 BGP      master   up     22:56:38    Established   \n"
    "  BGP state:          Established\n"
    f"    Neighbor address: {TOR}\n"
    "    Neighbor AS:      64513\n"
)
UP, DOWN = (
    snapshot(bgp=text) for text in (SPOKEN, SPOKEN.replace(f"Established\n    Neighbor address: {TOR}", "Active"))
)
SIGNED, BARE = bytes([19, 18, *range(16), 1, 1]), bytes([2, 4, 5, 180])  # options; the second is the largest segment


def segment(source: str, destination: str, options: bytes = b"", flags: int = 0x10) -> Packet:
    """A segment of TCP to BGP's port, with these options."""
    header = bytes([0, 80, 0, 179, *(0 for _byte in range(8)), (20 + len(options)) // 4 << 4, flags, *(0,) * 6])
    return Packet(source, destination, "tcp", 40, fragment=False, destination_port=179, data=header + options)


def told(network: str, via: str) -> list[Prefix]:
    """A network as every node tells it, or as the one with an address does where it is the services'."""
    attributes = {"BGP.next_hop": via, "BGP.as_path": "64512"}
    tellers = [number for number, node in enumerate(NODE) if network != SERVICES or NODE[node] == via]
    return [Prefix(network, f"node{number}", via, "eth0", attributes) for number in tellers]


def route(network: str, via: str) -> dict:
    return {"dst": network, "gateway": via, "dev": "eth0", "protocol": "bird", "flags": []}


SESSIONS = [Session(f"node{number}", address, "64512", "Established") for number, address in enumerate(NODE.values())]
PREFIXES = [
    *(one for node, block in BLOCKS.items() for one in told(block, NODE[node])),
    *(one for address in NODE.values() for one in told(SERVICES, address)),
]
WAYS = [*(route(block, NODE[node]) for node, block in BLOCKS.items()), route(SERVICES, NODE["n1"])]
ROUTER = Router(SESSIONS, PREFIXES, WAYS, {"TCPMD5Failure": 0})
REFUSED = Router([one._replace(state="Connect") for one in SESSIONS], [], [], {"TCPMD5Failure": 7})
WIRE = {
    node: [segment(own, other, SIGNED) for other in (*NODE.values(), TOR) if other != own] for node, own in NODE.items()
}


def outcome(expect: tuple[str, ...], observed: str) -> Outcome:
    target = Endpoint("a-n1", "pods", "n1", "10.244.1.65", ports={"tcp": 8080}, answers=("a",))
    probe = Probe("c", Endpoint("tor", "namespaces", None, TOR), target, "tcp", expect)
    result = {"observed": observed, "ms": 1.0, "server": "a"}
    return Outcome(probe, result, judge(probe, result))


SEEN = Seen(
    LAB,
    KNOWN,
    dict.fromkeys(NODE, UP),
    {"tor": ROUTER},
    [outcome(("ok",), "ok")],
    WIRE,
    {"tor": []},
    [outcome(lab.SILENCE, "timeout")],
    {"tor": REFUSED},
    dict.fromkeys(NODE, DOWN),
)
