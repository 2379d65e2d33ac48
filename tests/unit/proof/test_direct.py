# SPDX-License-Identifier: GPL-3.0-or-later
"""flannel's DirectRouting: of each pair of nodes the way that their segments say, and every sign of the other one."""

from __future__ import annotations

import copy
import dataclasses
import json

import pytest
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_plan as plan
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_wire as wire
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_backend import claim_faults, claims
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_capture import CAPTURE_CLAIMS, capture_claims
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_claim import Peer
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Endpoint, Probe
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_outer import capture_filter
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_pcap import Packet
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_proxy_asked import Asked
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_snapshot import PARTS, Snapshot
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_verdict import judge
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_way import mechanism, way

PLACES = {"cp1": ("a", 11, "36:00"), "w1": ("a", 12, "36:01"), "w2": ("b", 11, "36:02")}
CIDRS = {"a": "172.30.18.0/24", "b": "172.30.19.0/24"}
NODES = {
    name: {
        "name": name,
        "address": f"{CIDRS[place][:-4]}{host}",
        "interfaces": {"eth0": {"segment": place, "mtu": 1500, "mac": f"02:00:00:00:{place * 2}:{host}"}},
    }
    for name, (place, host, _mac) in PLACES.items()
}
KNOWN = {
    name: Peer(name, f"10.244.{number}.0/24", NODES[name]["address"], f"{mac}:00:00:00:00")
    for number, (name, (_place, _host, mac)) in enumerate(PLACES.items())
}
CNI = {"name": "flannel", "backend": "vxlan", "vni": 1, "port": 8472, "direct_routing": True, "device": "flannel.1"}
CLUSTER = {"pod_cidr": "10.244.0.0/16", "node_prefix": 24, "cni": {**CNI, "mtu": 1450, "overhead": 50}}
TOPOLOGY = {"nodes": NODES, "segments": {name: {"cidr": cidr} for name, cidr in CIDRS.items()}, "cluster": CLUSTER}
PODS = [Endpoint(f"a-{name}", "pods", name, f"{KNOWN[name].subnet[:-4]}2") for name in NODES]
SERVER_NODES = [Endpoint(name, "nodes", name, node["address"]) for name, node in NODES.items()]

# What w1 has, as flannel 0.28 left it there.
STATE = {
    "links": [
        {
            "ifname": "flannel.1",
            "flags": ["UP"],
            "mtu": 1450,
            "address": KNOWN["w1"].mac,
            "linkinfo": {
                "info_kind": "vxlan",
                "info_data": {"id": 1, "port": 8472, "local": "172.30.18.12", "link": "eth0", "learning": False},
            },
            "addr_info": [{"family": "inet", "local": "10.244.1.0", "prefixlen": 32}],
        }
    ],
    "routes": [
        {"dst": "default", "gateway": "172.30.18.254", "dev": "eth0"},
        {"dst": "10.244.1.0/24", "dev": "cni0", "protocol": "kernel"},
        {"dst": "10.244.1.0", "type": "local", "dev": "flannel.1"},
        {"dst": "10.244.0.0/24", "gateway": "172.30.18.11", "dev": "eth0", "flags": []},
        {"dst": "10.244.2.0/24", "gateway": "10.244.2.0", "dev": "flannel.1", "flags": ["onlink"]},
    ],
    "neighbours": [{"dst": "10.244.2.0", "dev": "flannel.1", "lladdr": KNOWN["w2"].mac, "state": ["PERMANENT"]}],
    "fdb": [{"mac": KNOWN["w2"].mac, "ifname": "flannel.1", "dst": "172.30.19.11", "state": "permanent"}],
}


def found(**parts) -> dict[str, list[str]]:
    """The faults of each claim of w1 that has some, with parts of its state replaced."""
    state = {**STATE, **parts}
    text = "".join(f"@@reftopo {part}\n{json.dumps(state.get(part, []))}\n@@reftopo rc 0\n" for part in PARTS)
    faults = {
        c.case: claim_faults(c, Snapshot("w1", text), TOPOLOGY, KNOWN) for c in claims(TOPOLOGY) if c.node == "w1"
    }
    return {case: texts for case, texts in faults.items() if texts}


def test_the_way_is_the_pairs():
    assert mechanism(CNI) == "vxlan-direct"
    assert (way(TOPOLOGY, "cp1", "w1"), way(TOPOLOGY, "w1", "w2")) == ("host-gw", "vxlan")
    cases = [claim.case for claim in claims(TOPOLOGY) if claim.node == "w1"]
    assert cases == [
        "w1-subnet",
        "w1-device",
        "w1-route-cp1",
        *(f"w1-{key}-w2" for key in ("route", "neighbour", "fdb")),
        "w1-nothing-else",
        "w1-leftovers",
    ]
    assert found() == {}


ROUTES = STATE["routes"]
THROUGH = {"dst": "10.244.0.0/24", "gateway": "10.244.0.0", "dev": "flannel.1", "flags": ["onlink"]}
BARE = {"dst": "10.244.2.0/24", "gateway": "172.30.18.254", "dev": "eth0", "flags": []}
STATES = {
    "VXLAN within a segment": (
        {"routes": [*ROUTES[:3], THROUGH, ROUTES[4]]},
        {
            "w1-route-cp1": [
                "route to 10.244.0.0/24: gateway is '10.244.0.0', must be '172.30.18.11'",
                "route to 10.244.0.0/24: dev is 'flannel.1', must be 'eth0'",
                "route to 10.244.0.0/24: flags is ['onlink'], must be []",
            ],
            "w1-nothing-else": ["routes: 10.244.0.0/24 belongs to no node of the topology"],
        },
    ),
    "bare to another segment": (
        {"routes": [*ROUTES[:4], BARE]},
        {
            "w1-route-w2": [
                "route to 10.244.2.0/24: gateway is '172.30.18.254', must be '10.244.2.0'",
                "route to 10.244.2.0/24: dev is 'eth0', must be 'flannel.1'",
                "route to 10.244.2.0/24: flags is [], must be ['onlink']",
            ],
            "w1-nothing-else": ["route to 10.244.2.0/24 belongs to no node of the topology"],
        },
    ),
    "an entry for a neighbour that needs none": (
        {"fdb": [*STATE["fdb"], {"mac": KNOWN["cp1"].mac, "ifname": "flannel.1", "dst": "172.30.18.11"}]},
        {"w1-nothing-else": [f"fdb: {KNOWN['cp1'].mac} belongs to no node of the topology"]},
    ),
    "a route of a node that is gone": (
        {"routes": [*ROUTES, {"dst": "10.244.9.0/24", "gateway": "172.30.18.19", "dev": "eth0"}]},
        {
            "w1-nothing-else": ["route to 10.244.9.0/24 belongs to no node of the topology"],
            "w1-leftovers": ["route to 10.244.9.0/24 by eth0 is to no node's pods"],
        },
    ),
}


@pytest.mark.parametrize("name", STATES)
def test_one_change_of_the_state_is_named(name):
    parts, faults = STATES[name]
    assert found(**copy.deepcopy(parts)) == faults


def packet(source: Endpoint, target: Endpoint, key: str, in_vxlan: bool) -> Packet:
    """A probe's packet as it must be on the wire between two nodes, in VXLAN or bare."""
    mac = NODES[str(target.node)]["interfaces"]["eth0"]["mac"]
    inner = Packet(source.address, target.address, "icmp", 84, False, None, key.encode(), to_mac=mac)
    if not in_vxlan:
        return inner
    ends = (NODES[str(source.node)]["address"], NODES[str(target.node)]["address"])
    return Packet(*ends, "udp", 134, False, 8472, key.encode(), vni=1, inner=inner)


def evidence(turned: tuple[str, str] | None = None) -> wire.Evidence:
    """A ping between all pods and between all nodes, as it must be; two nodes that are `turned` take the other way."""
    outcomes, captures = [], {name: [] for name in NODES}
    for source, target in [(a, b) for ends in (PODS, SERVER_NODES) for a in ends for b in ends]:
        probe = Probe("reach", source, target, "icmp")
        result = {"observed": "ok", "ms": 1.0}
        outcomes.append(wire.Outcome(probe, result, judge(probe, result)))
        pair = (str(source.node), str(target.node))
        if source.node != target.node:
            in_vxlan = source.kind == "pods" and (way(TOPOLOGY, *pair) == "vxlan") != (pair == turned)
            for node in pair:
                captures[node].append(packet(source, target, probe.key, in_vxlan))
    return wire.Evidence(TOPOLOGY, PODS, outcomes, captures)


def wrong(seen: wire.Evidence) -> dict[str, list[str]]:
    """What speaks against each stream of ICMP and each claim of a capture."""
    faults = {s.case: wire.stream_faults(s, seen) for s in wire.streams(TOPOLOGY) if s.protocol == "icmp"}
    faults |= {
        f"{node}-{key}": CAPTURE_CLAIMS[key][1](node, seen) for node in NODES for key in capture_claims(TOPOLOGY)
    }
    return {case: texts for case, texts in faults.items() if texts}


def test_both_ways_at_once_hold():
    assert " ".join(capture_claims(TOPOLOGY)) == "sees-bare no-bare-across no-other-tunnel no-tunnel-within no-local"
    assert wrong(evidence()) == {}
    titles = {stream.case: stream.title for stream in wire.streams(TOPOLOGY)}
    assert titles["w1-cp1-tcp"].endswith("travels bare, to the other node's MAC address")
    assert titles["w1-w2-tcp"].endswith("travels in VXLAN")
    assert titles["w1-service-tcp"].endswith("travels bare within the segment, and in VXLAN to others")
    assert capture_filter(CLUSTER) == "udp port 8472 or net 10.244.0.0/16"


def test_vxlan_within_a_segment_is_named():
    text = "udp packet from 172.30.18.12 to 172.30.18.11"
    assert wrong(evidence(("w1", "cp1"))) == {
        "w1-cp1-icmp": [f"w1: {text} in a tunnel", f"cp1: {text} in a tunnel"],
        "w1-no-tunnel-within": [f"{text}, port 8472"],
        "cp1-no-tunnel-within": [f"{text}, port 8472"],
    }


def test_a_bare_packet_across_segments_is_named():
    text = "bare icmp packet from 10.244.1.2 to 10.244.2.2"
    assert wrong(evidence(("w1", "w2"))) == {
        "w1-w2-icmp": [f"w1: {text}", f"w2: {text}"],
        "w1-no-bare-across": [text],
        "w2-no-bare-across": [text],
    }


def test_a_bare_packet_between_a_pod_and_another_segment_is_named():
    seen = evidence()
    stray = dataclasses.replace(packet(PODS[1], PODS[0], "", False), destination="172.30.19.11")
    seen.captures["w1"].append(stray)
    assert wrong(seen) == {"w1-no-bare-across": ["bare icmp packet from 10.244.1.2 to 172.30.19.11"]}


def test_the_largest_packets_by_pair():
    mtu = plan.mtu_probes(TOPOLOGY, "mtu", {"pods": PODS, "nodes": SERVER_NODES})
    frames = {
        (p.source.node, p.target.node): wire.frame(wire.Outcome(p, {}, {}), TOPOLOGY)
        for p in mtu
        if p.expect == ("ok",)
    }
    assert (frames["w1", "cp1"], frames["w1", "w2"]) == (1450, 1500)
    anywhere = {(p.source.name, p.target.name) for p in mtu if p.refused_anywhere}
    assert anywhere == {("w1", "a-cp1"), ("cp1", "a-w1")}, "only from nodes, and only bare"


def test_who_refuses_a_packet_that_is_too_large():
    probe = Probe("mtu", SERVER_NODES[1], PODS[0], "icmp", ("too-big",), size=1451, refused_anywhere=True)
    told = {"observed": "too-big", "ms": 1.0}
    assert judge(probe, told)["ok"]
    assert not judge(dataclasses.replace(probe, refused_anywhere=False), told)["ok"]


EXPECT = {"same-node": "ok", "cross-node": "refused", "cross-segment": ["timeout", "unreachable"]}


@pytest.mark.parametrize(
    ("target", "expect"), [("w1", ("ok",)), ("cp1", ("refused",)), ("w2", ("timeout", "unreachable"))]
)
def test_expectations_by_where_nodes_are(target, expect):
    to = next(pod for pod in PODS if pod.node == target)
    assert plan.expected(TOPOLOGY, {"expect": EXPECT}, PODS[1], to, False) == expect
    without = {key: value for key, value in EXPECT.items() if key != "cross-segment"}
    assert plan.expected(TOPOLOGY, {"expect": without}, PODS[1], PODS[2], False) == ("refused",)


def test_what_masquerades_towards_a_pod():
    text = "".join(f"@@reftopo {part}\n{json.dumps(STATE.get(part, []))}\n@@reftopo rc 0\n" for part in PARTS)
    asked = Asked(TOPOLOGY, [], {"w1": Snapshot("w1", text)}, PODS)
    assert asked.masquerade("w1", PODS[2]) == "10.244.1.0", "flannel.1's, across segments"
    assert asked.masquerade("w1", PODS[0]) == "172.30.18.12", "eth0's, within one"
