# SPDX-License-Identifier: GPL-3.0-or-later
"""The backends without VXLAN: what is claimed of nodes, what of packets, and each value that speaks against it."""

from __future__ import annotations

import copy
import dataclasses
import json

import pytest
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_commands as commands
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_plan as plan
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_backend import claim_faults, claims
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_capture import capture_claims
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_claim import Peer
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_flannel import peers
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Endpoint, ProofError
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_outer import Outer, capture_filter, packet_faults
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_pcap import Packet, Tunnel, ip_packet, ipv4, plain
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_snapshot import PARTS, Snapshot
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_wire import streams

NODES = {
    name: {"address": f"172.30.11.1{number}", "interfaces": {"eth0": {"mac": f"02:00:00:00:00:0{number}"}}}
    for number, name in enumerate(("n1", "n2", "n3"), 1)
}
KNOWN = {name: Peer(name, f"10.244.{number}.0/24", NODES[name]["address"]) for number, name in enumerate(NODES)}
CNI = {
    "host-gw": {"name": "flannel", "backend": "host-gw", "device": "", "mtu": 1500},
    "udp": {"name": "flannel", "backend": "udp", "port": 8285, "device": "flannel0", "mtu": 1472},
}
OWN = {"dst": "10.244.0.0/24", "dev": "cni0", "protocol": "kernel"}
DEFAULT = {"dst": "default", "dev": "eth0"}
ROUTES = {
    "host-gw": [
        *(DEFAULT, OWN, {"dst": "10.244.0.1", "type": "local", "dev": "cni0"}),
        {"dst": "10.244.1.0/24", "gateway": "172.30.11.12", "dev": "eth0", "flags": []},
        {"dst": "10.244.2.0/24", "gateway": "172.30.11.13", "dev": "eth0", "flags": []},
    ],
    "udp": [
        *(DEFAULT, OWN, {"dst": "10.244.0.0/16", "dev": "flannel0", "flags": []}),
        {"dst": "10.244.0.0", "type": "local", "dev": "flannel0"},
    ],
}
DEVICE = {
    "ifname": "flannel0",
    "flags": ["UP"],
    "mtu": 1472,
    "linkinfo": {"info_kind": "tun"},
    "addr_info": [{"family": "inet", "local": "10.244.0.0", "prefixlen": 32}],
}
LINKS = {"host-gw": [{"ifname": "eth0"}], "udp": [{"ifname": "eth0"}, DEVICE]}


def topology(backend: str) -> dict:
    return {"nodes": NODES, "cluster": {"pod_cidr": "10.244.0.0/16", "cni": CNI[backend]}}


def found(backend: str, routes=None, links=None) -> dict[str, list[str]]:
    """The faults of each claim of n1 that has some."""
    parts = {
        "routes": ROUTES[backend] if routes is None else routes,
        "links": LINKS[backend] if links is None else links,
    }
    text = "".join(f"@@reftopo {part}\n{json.dumps(parts.get(part, []))}\n@@reftopo rc 0\n" for part in PARTS)
    given, state = topology(backend), Snapshot("n1", text)
    faults = {c.case: claim_faults(c, state, given, KNOWN) for c in claims(given) if c.node == "n1"}
    return {case: texts for case, texts in faults.items() if texts}


def changed(rows, number, **values):
    rows = copy.deepcopy(rows)
    rows[number].update(values)
    return rows


def test_claims():
    cases = [claim.case for claim in claims(topology("host-gw")) if claim.node == "n1"]
    assert cases == ["n1-subnet", "n1-no-device", "n1-route-n2", "n1-route-n3", "n1-nothing-else", "n1-leftovers"]
    cases = [claim.case for claim in claims(topology("udp")) if claim.node == "n1"]
    assert cases == ["n1-subnet", "n1-device", "n1-route", "n1-nothing-else", "n1-leftovers"]


@pytest.mark.parametrize("backend", CNI)
def test_what_holds(backend):
    assert found(backend) == {}


HOST_GW = ROUTES["host-gw"]
CASES = {
    "by another node": (
        ("host-gw", changed(HOST_GW, 3, gateway="172.30.11.13")),
        {"n1-route-n2": ["route to 10.244.1.0/24: gateway is '172.30.11.13', must be '172.30.11.12'"]},
    ),
    "onlink": (
        ("host-gw", changed(HOST_GW, 3, flags=["onlink"])),
        {"n1-route-n2": ["route to 10.244.1.0/24: flags is ['onlink'], must be []"]},
    ),
    "no route": (("host-gw", HOST_GW[:-1]), {"n1-route-n3": ["route to 10.244.2.0/24: 0 entries, must be one"]}),
    "a route of a node that is gone": (
        ("host-gw", [*HOST_GW, {"dst": "10.244.9.0/24", "gateway": "172.30.11.19", "dev": "eth0"}]),
        {
            "n1-nothing-else": ["route to 10.244.9.0/24 belongs to no node of the topology"],
            "n1-leftovers": ["route to 10.244.9.0/24 by eth0 is to no node's pods"],
        },
    ),
    "a device": (
        ("host-gw", None, [{"ifname": "flannel.1"}]),
        {
            "n1-no-device": ["there is a device flannel.1"],
            "n1-leftovers": ["the device flannel.1 is of another backend"],
        },
    ),
    "a small MTU": (
        ("udp", None, changed(LINKS["udp"], 1, mtu=1400)),
        {"n1-device": ["flannel0: mtu is 1400, must be 1472"]},
    ),
    "no device at all": (("udp", None, []), {"n1-device": ["there is no flannel0"]}),
    "the device is another": (
        ("udp", changed(ROUTES["udp"], 2, dev="eth0")),
        {
            "n1-route": ["route to 10.244.0.0/16: dev is 'eth0', must be 'flannel0'"],
            "n1-nothing-else": ["route to 10.244.0.0/16 by eth0 leads to some of the pods"],
        },
    ),
    "some pods another way": (
        ("udp", [*ROUTES["udp"], {"dst": "10.244.1.0/24", "dev": "eth0"}]),
        {"n1-nothing-else": ["route to 10.244.1.0/24 by eth0 leads to some of the pods"]},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_one_change_is_named(name):
    arguments, faults = CASES[name]
    assert found(*arguments) == faults


def test_peers_say_no_mac_without_vxlan():
    note = "flannel.alpha.coreos.com/public-ip"
    node = {
        "kind": "Node",
        "metadata": {"name": "n2", "annotations": {note: "172.30.11.12"}},
        "spec": {"podCIDR": "10.244.1.0/24"},
    }
    assert peers([node], "host-gw") == {"n2": KNOWN["n2"]}
    with pytest.raises(ProofError, match="backend-data"):
        peers([node], "vxlan")


INSIDE = Packet("10.244.0.2", "10.244.1.2", "icmp", 84, False, None, b"")
BARE = Packet("10.244.0.2", "10.244.1.2", "icmp", 84, False, None, b"", to_mac="02:00:00:00:00:02")
IN_UDP = Packet("172.30.11.11", "172.30.11.12", "udp", 112, False, 8285, b"", inner=INSIDE)
PODS = {"10.244.0.2", "10.244.1.2"}
MACS = {"10.244.0.2": "02:00:00:00:00:01", "10.244.1.2": "02:00:00:00:00:02"}
PACKETS = {
    "bare, as it must": ("host-gw", BARE, {}, []),
    "to another node": (
        "host-gw",
        BARE,
        {"to_mac": "02:00:00:00:00:03"},
        ["a frame to 02:00:00:00:00:03, not to 02:00:00:00:00:02, which has 10.244.1.2"],
    ),
    "masqueraded": (
        "host-gw",
        BARE,
        {"source": "172.30.11.11"},
        ["addresses 172.30.11.11 and 10.244.1.2, not the pods'"],
    ),
    "in flannel's UDP": ("host-gw", IN_UDP, {}, ["udp packet from 172.30.11.11 to 172.30.11.12 in a tunnel"]),
    "in IP": ("host-gw", BARE, {"protocol": "4"}, ["4 packet from 10.244.0.2 to 10.244.1.2 in a tunnel"]),
    "in pieces": ("host-gw", BARE, {"fragment": True}, ["a fragment"]),
    "in UDP, as it must": ("udp", IN_UDP, {}, []),
    "bare where UDP is due": ("udp", BARE, {}, ["bare icmp packet from 10.244.0.2 to 10.244.1.2"]),
    "to another address": (
        "udp",
        IN_UDP,
        {"destination": "172.30.11.13"},
        ["outer addresses 172.30.11.11 and 172.30.11.13, not the nodes'"],
    ),
    "VXLAN where UDP is due": ("udp", IN_UDP, {"vni": 1}, ["VNI 1, not None"]),
}


@pytest.mark.parametrize("name", PACKETS)
def test_packets(name):
    backend, packet, values, faults = PACKETS[name]
    outer = Outer(backend, CNI[backend], {"172.30.11.11", "172.30.11.12"}, PODS, MACS)
    assert packet_faults(dataclasses.replace(packet, **values), outer) == faults


# An IPv4 header and ICMP, once on Ethernet and once in UDP to port 8285.
ICMP = bytes.fromhex("4500001c000040004001" + "0000" + "0af40002" + "0af40102") + b"\x08\x00\x00\x00\x00\x00\x00\x00"
UDP = bytes.fromhex("45000038000040004011" + "0000" + "ac1e0b0b" + "ac1e0b0c" + "205d205d" + "0024" + "0000") + ICMP
ETHERNET = bytes.fromhex("020000000002" + "020000000001" + "0800")


def test_flannels_udp_is_read():
    packet = ipv4(ETHERNET + UDP, Tunnel(8285, "udp"))
    assert packet and packet.inner == ip_packet(ICMP)
    assert (packet.inner.source, packet.inner.destination, packet.to_mac) == (
        "10.244.0.2",
        "10.244.1.2",
        "02:00:00:00:00:02",
    )
    other = ipv4(ETHERNET + UDP, Tunnel(8286, "udp"))
    assert other and other.inner is None


@pytest.mark.parametrize("payload", [b"", ICMP[:19], b"\x60" + ICMP[1:]])
def test_what_is_no_packet_is_not_taken_for_one(payload):
    assert plain(payload).packet is None


def test_what_is_claimed_of_a_capture_depends_on_the_backend():
    assert capture_claims(topology("host-gw")) == ["sees-bare", "no-tunnel", "no-local"]
    assert capture_claims(topology("udp")) == ["sees-bare", "no-bare", "no-other-tunnel", "no-local"]
    assert streams(topology("udp"))[0].title == "icmp from pods on n1 to pods on n2 travels in UDP and nothing else"
    assert capture_filter(topology("host-gw")["cluster"]) == "net 10.244.0.0/16"
    assert capture_filter(topology("udp")["cluster"]) == "udp port 8285"


def test_hidden_routes_touch_one_pair_of_nodes():
    ends = {name: Endpoint(name, "pods", name, "10.244.0.2") for name in NODES}
    broken = {"node": "n1", "routes": ["n2"]}
    touched = {
        (source, target) for source in NODES for target in NODES if plan.touched(broken, ends[source], ends[target])
    }
    assert touched == {("n1", "n2"), ("n2", "n1")}


def test_hiding_and_showing_again():
    command = commands.hide_routes(["10.244.1.0/24"])
    assert "rule add priority 1 to 10.244.1.0/24 unreachable" in command
    assert "rule del priority 1 to 10.244.1.0/24 unreachable" in command
