# SPDX-License-Identifier: GPL-3.0-or-later
"""Calico with IPIP: packets on the wire, and both ways at once with CrossSubnet."""

from __future__ import annotations

import copy
import dataclasses
import struct

import calico_ipip_node as ipip
import calico_node as bare
import pytest
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_backend import MECHANISMS, claims, peers
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_capture import CAPTURE_CLAIMS, capture_claims
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Endpoint, Probe
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_outer import Outer, capture_filter, packet_faults
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_pcap import Packet, Tunnel, ip_packet, ipv4
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_suite import Lab
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_wire import Evidence, Outcome, frame, streams
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_way import mechanism, way

TUNNEL = Tunnel(None, "ipip")
UNDERLAY, PODS = ["172.30.24.11", "172.30.24.12"], ["10.244.1.65", "10.244.2.65"]


def ip(ends: list[str], protocol: int, payload: bytes, fragment: int = 0) -> bytes:
    """An IPv4 packet between two addresses."""
    source, target = (bytes(int(byte) for byte in end.split(".")) for end in ends)
    return (
        struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 0, fragment, 64, protocol, 0) + source + target + payload
    )


INNER = ip(PODS, 1, b"\x08\x00the key of a probe")
OUTER = ip(UNDERLAY, 4, INNER)
ETHERNET = bytes.fromhex("020000000002" + "020000000001" + "0800")


def read(data: bytes, tunnel: Tunnel | None = TUNNEL) -> Packet:
    packet = ipv4(ETHERNET + data, tunnel)
    assert packet
    return packet


def test_ipip_is_read():
    packet = read(OUTER)
    assert packet.inner == ip_packet(INNER)
    assert (packet.protocol, packet.source, packet.inner.source, packet.length) == ("4", UNDERLAY[0], PODS[0], 60)


@pytest.mark.parametrize(
    "data",
    [INNER, ip(UNDERLAY, 4, b"\x60" + INNER[1:]), ip(UNDERLAY, 4, INNER, fragment=0x0010), ip(UNDERLAY, 47, INNER)],
)
def test_what_is_none_is_not_taken_for_it(data: bytes):
    assert read(data).inner is None
    assert read(OUTER, Tunnel(4789)).inner is None
    assert read(OUTER, None).inner is None


WIRE = read(OUTER)
PACKETS = {
    "in IPIP, as it must": (WIRE, []),
    "bare": (read(INNER), ["bare icmp packet from 10.244.1.65 to 10.244.2.65"]),
    "in VXLAN": (
        dataclasses.replace(WIRE, protocol="udp", destination_port=4789, inner=None),
        ["bare udp packet from 172.30.24.11 to 172.30.24.12"],
    ),
    "of another node": (
        read(ip(["172.30.24.13", UNDERLAY[1]], 4, INNER)),
        ["outer addresses 172.30.24.13 and 172.30.24.12, not the nodes'"],
    ),
    "of the tunnel's address": (
        read(ip(UNDERLAY, 4, ip(["10.244.1.64", PODS[1]], 1, b"key"))),
        ["inner addresses 10.244.1.64 and 10.244.2.65, not the pods'"],
    ),
    "a first fragment": (read(ip(UNDERLAY, 4, INNER, fragment=0x2000)), ["a fragment"]),
}


@pytest.mark.parametrize("case", PACKETS)
def test_packets(case: str):
    packet, faults = PACKETS[case]
    assert packet_faults(packet, Outer("ipip", ipip.CNI, {*UNDERLAY}, {*PODS}, {})) == faults


# n1 and n2 are in one segment, n3 is in another.
NODES = copy.deepcopy(bare.NODES)
for name, node in NODES.items():
    node["interfaces"]["eth0"]["segment"] = "b" if name == "n3" else "a"
CROSS = {**ipip.CNI, "direct_routing": True}
SEGMENTS = {"a": {"cidr": "172.30.24.0/28"}, "b": {"cidr": "172.30.24.16/28"}}
TOPOLOGY = {
    "nodes": NODES,
    "namespaces": {},
    "segments": SEGMENTS,
    "cluster": {"pod_cidr": "10.244.0.0/16", "cni": CROSS},
}
WITHIN = {"dst": "10.244.2.64/26", "gateway": "172.30.24.12", "dev": "eth0", "protocol": "80", "flags": ["onlink"]}
ROUTES = ipip.STATE["routes"]
STATE = {**ipip.STATE, "routes": [*(row for row in ROUTES if not row["dst"].startswith("10.244.2.")), WITHIN]}
KNOWN = peers(ipip.objects(ipip.pool(ipip="CrossSubnet")), TOPOLOGY)
NODE = bare.Node(TOPOLOGY, KNOWN, STATE)


def test_the_wire():
    assert Lab(ipip.TOPOLOGY, {}).carrier("n1") == TUNNEL
    assert capture_claims(ipip.TOPOLOGY) == ["sees-bare", "no-bare", "no-other-tunnel", "no-local"]
    assert streams(ipip.TOPOLOGY)[0].title == "icmp from pods on n1 to pods on n2 travels in IPIP"
    assert capture_filter(ipip.TOPOLOGY["cluster"]) == "ip proto 4"


def test_both_ways_at_once():
    assert {"ipip", "ipip-direct"} <= {*MECHANISMS}
    assert mechanism(CROSS) == "ipip-direct"
    assert (way(TOPOLOGY, "n1", "n2"), way(TOPOLOGY, "n1", "n3")) == ("direct", "ipip")
    told = [claim for claim in claims(TOPOLOGY) if claim.node == "n1"]
    own = ["blocks", "addresses", "attached", "gateway", "pool", "device", "no-bgp"]
    assert [claim.case for claim in told] == [
        f"n1-{case}" for case in (*own, "route-n2", "route-n3", "nothing-else", "leftovers")
    ]
    assert told[-2].title == "tunl0 leads to nodes of other segments alone, and no other route leads to pods"
    assert " ".join(capture_claims(TOPOLOGY)) == "sees-bare no-bare-across no-other-tunnel no-tunnel-within no-local"
    titles = {stream.case: stream.title for stream in streams(TOPOLOGY)}
    assert titles["n1-n2-tcp"].endswith("travels bare, to the other node's MAC address")
    assert titles["n1-service-tcp"].endswith("travels bare within the segment, and in IPIP to others")
    assert capture_filter(TOPOLOGY["cluster"]) == "ip proto 4 or net 10.244.0.0/16"


def test_what_holds():
    assert NODE.found() == {}
    assert NODE.found(**NODE.more("routes", {**WITHIN, "dst": "10.244.2.64"})) == {}


CASES = {
    "IPIP within a segment": (
        {"routes": ROUTES},
        {
            "n1-route-n2": [
                "route to 10.244.2.64/26: dev is 'tunl0', must be 'eth0'",
            ],
            "n1-nothing-else": ["route to 10.244.2.64/26 belongs to no node that is reached by it"],
        },
    ),
    "bare to another segment": (
        {
            "routes": [
                *(row for row in STATE["routes"] if row["dst"] != "10.244.3.64/26"),
                {**WITHIN, "dst": "10.244.3.64/26"},
            ]
        },
        {
            "n1-route-n3": [
                "route to 10.244.3.64/26: gateway is '172.30.24.12', must be '172.30.24.13'",
                "route to 10.244.3.64/26: dev is 'eth0', must be 'tunl0'",
            ],
            "n1-nothing-else": ["route to 10.244.3.64/26 belongs to no node of this segment"],
        },
    ),
    "a pool of IPIP everywhere": (
        {"known": peers(ipip.objects(ipip.pool()), TOPOLOGY)},
        {"n1-pool": ["10.244.0.0/16: IPIP is 'Always', must be 'CrossSubnet'"]},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_one_change_is_named(case: str):
    parts, faults = CASES[case]
    assert NODE.found(**parts) == faults


def evidence(topology: dict, *packets: Packet) -> Evidence:
    return Evidence(topology, [Endpoint("web", "pods", "n1", PODS[0])], [], {"n1": list(packets)})


VXLAN = dataclasses.replace(WIRE, protocol="udp", destination_port=4789, inner=None)
FOREIGN = {
    "no-bare": (read(INNER), "bare icmp packet from 10.244.1.65 to 10.244.2.65"),
    "no-other-tunnel": (VXLAN, "udp packet from 172.30.24.11 to 172.30.24.12, port 4789"),
    "no-tunnel-within": (WIRE, "4 packet from 172.30.24.11 to 172.30.24.12, port None"),
}


@pytest.mark.parametrize("key", FOREIGN)
def test_what_no_capture_may_have(key: str):
    packet, fault = FOREIGN[key]
    judge, topology = CAPTURE_CLAIMS[key][1], TOPOLOGY if key == "no-tunnel-within" else ipip.TOPOLOGY
    own = [] if key == "no-tunnel-within" else [WIRE]
    assert judge("n1", evidence(topology, *own)) == []
    assert judge("n1", evidence(topology, *own, packet)) == [fault]


@pytest.mark.parametrize(("node", "length"), [("n2", 1480), ("n3", 1500)])
def test_the_length_of_the_largest_packet(node: str, length: int):
    ends = [Endpoint(name, "pods", name, PODS[0]) for name in ("n1", node)]
    assert frame(Outcome(Probe("c", *ends, "icmp"), {}, {}), TOPOLOGY) == length
