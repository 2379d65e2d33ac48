# SPDX-License-Identifier: GPL-3.0-or-later
"""Calico with VXLAN: each promise of a node holds on a state as Felix makes it, and not when one value is another."""

from __future__ import annotations

import calico_node as bare
import pytest
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_backend import claims, peers
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_calico import TUNNEL_MAC, TUNNELS, tunnel_mac
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import ProofError
from calico_vxlan_node import CALI, DEVICE, ETH0, KNOWN, MACS, NODE, OBJECTS, STATE, TOPOLOGY, device, noted

found, changed, more, fewer = NODE.found, NODE.changed, NODE.more, NODE.fewer


def with_device(**values: object) -> dict:
    return {"links": [ETH0, device(**values), STATE["links"][2]]}


def test_claims():
    cases = [claim.case for claim in claims(TOPOLOGY) if claim.node == "n1"]
    own = ["blocks", "addresses", "attached", "gateway", "device", "no-bgp"]
    others = [f"{key}-{peer}" for peer in ("n2", "n3") for key in ("route", "neighbour", "fdb")]
    assert cases == [f"n1-{case}" for case in (*own, *others, "nothing-else", "leftovers")]
    assert all("{" not in claim.title + claim.command for claim in claims(TOPOLOGY))


def test_what_holds():
    assert found() == {}


def test_nodes_as_calico_has_them():
    assert tunnel_mac("remotehostname") == "66:3e:ca:a4:db:65"  # as in Calico's felix/calc/states_for_test.go
    assert {name: (peer.mac, peer.address) for name, peer in KNOWN.items()} == {
        name: (mac, f"10.244.{name[1]}.64") for name, mac in MACS.items()
    }
    given = [noted(item, **{TUNNEL_MAC: "02:00:00:00:00:07"}) if item["kind"] == "Node" else item for item in OBJECTS]
    assert {peer.mac for peer in peers(given, TOPOLOGY).values()} == {"02:00:00:00:00:07"}


def test_a_node_without_an_address_for_its_device_is_an_error():
    with pytest.raises(ProofError, match=f"node n1 has no annotation {TUNNELS['vxlan']}"):
        peers([*bare.OBJECTS[:3], *OBJECTS[3:]], TOPOLOGY)


CASES = {
    "no device": ({"links": [ETH0, STATE["links"][2]]}, {"n1-device": [f"there is no {DEVICE}"]}),
    "another VNI": (with_device(id=1), {"n1-device": [f"{DEVICE}: id is 1, must be 4096"]}),
    "another port": (with_device(port=8472), {"n1-device": [f"{DEVICE}: port is 8472, must be 4789"]}),
    "it learns": (with_device(learning=True), {"n1-device": [f"{DEVICE}: learning is True, must be False"]}),
    "it sends from elsewhere": (
        with_device(local="10.0.0.1"),
        {"n1-device": [f"{DEVICE}: local is '10.0.0.1', must be '172.30.24.11'"]},
    ),
    "it is down": (with_device(flags=["BROADCAST"]), {"n1-device": [f"{DEVICE}: up is False, must be True"]}),
    "another MTU": (with_device(mtu=1500), {"n1-device": [f"{DEVICE}: mtu is 1500, must be 1450"]}),
    "another MAC": (
        with_device(address="66:00:00:00:00:00"),
        {"n1-device": [f"{DEVICE}: MAC is '66:00:00:00:00:00', must be '{MACS['n1']}'"]},
    ),
    "another address": (
        with_device(addr_info=[]),
        {"n1-device": [f"{DEVICE}: address is [], must be ['10.244.1.64']"]},
    ),
    "a route without the device": (
        changed("routes", 3, gateway="172.30.24.12", dev="eth0", flags=[]),
        {
            "n1-route-n2": [
                "route to 10.244.2.64/26: gateway is '172.30.24.12', must be '10.244.2.64'",
                f"route to 10.244.2.64/26: dev is 'eth0', must be '{DEVICE}'",
                "route to 10.244.2.64/26: flags is [], must be ['onlink']",
            ]
        },
    ),
    "nothing: no direct route to a device's address": (fewer("routes", 5), {}),
    "a route to a device's address by another": (
        changed("routes", 5, gateway="172.30.24.12", dev="eth0", scope=None),
        {
            "n1-route-n2": [
                f"route to 10.244.2.64: dev is 'eth0', must be '{DEVICE}'",
                "route to 10.244.2.64: scope is None, must be 'link'",
                "route to 10.244.2.64: gateway is '172.30.24.12', must be None",
            ]
        },
    ),
    "no route": (fewer("routes", 4), {"n1-route-n3": ["route to 10.244.3.64/26: 0 entries, must be one"]}),
    "a route of a node that is gone": (
        more("routes", {"dst": "10.244.9.64/26", "gateway": "10.244.9.64", "dev": DEVICE, "flags": ["onlink"]}),
        {
            "n1-nothing-else": ["routes: 10.244.9.64/26 belongs to no node of the topology"],
            "n1-leftovers": [f"route to 10.244.9.64/26 by {DEVICE} is to no node's pods"],
        },
    ),
    "a blackhole that BIRD made": (
        changed("routes", 1, protocol="bird"),
        {
            "n1-blocks": ["route to 10.244.1.64/26: protocol is 'bird', must be '80'"],
            "n1-no-bgp": ["route to 10.244.1.64/26 is BIRD's"],
        },
    ),
    "no neighbour": (fewer("neighbours", 0), {"n1-neighbour-n2": ["neighbour 10.244.2.64: 0 entries, must be one"]}),
    "a neighbour that was asked for": (
        changed("neighbours", 1, state=["REACHABLE"]),
        {"n1-neighbour-n3": ["neighbour 10.244.3.64: state is ['REACHABLE'], must be ['PERMANENT']"]},
    ),
    "no FDB entry": (fewer("fdb", 1), {"n1-fdb-n2": [f"FDB {MACS['n2']}: 0 entries, must be one"]}),
    "an FDB entry to another node": (
        changed("fdb", 1, dst="172.30.24.13"),
        {"n1-fdb-n2": [f"FDB {MACS['n2']}: dst is '172.30.24.13', must be '172.30.24.12'"]},
    ),
    "an FDB entry that floods": (
        more("fdb", {"mac": "00:00:00:00:00:00", "ifname": DEVICE, "dst": "172.30.24.12", "state": "permanent"}),
        {"n1-nothing-else": ["fdb: 00:00:00:00:00:00 belongs to no node of the topology"]},
    ),
    "BIRD": ({"bgp": bare.BGP}, {"n1-no-bgp": ["BIRD runs: BIRD 1.6.8 ready."]}),
    "IPIP beside it": (
        more("links", {"ifname": "tunl0", "flags": ["UP"]}),
        {"n1-leftovers": ["the device tunl0 is of another backend"]},
    ),
    "a pod's link is larger": (
        {"links": [ETH0, device(), CALI]},
        {"n1-attached": ["cali123: mtu is 1500, must be 1450"]},
    ),
    "IPAM has the device's address for nobody": (
        {"known": peers([*OBJECTS[:3], bare.block(1, a65="web"), *OBJECTS[4:]], TOPOLOGY)},
        {"n1-addresses": ["10.244.1.64 of the device: IPAM has it for nobody"]},
    ),
    "IPAM has the device's address for a pod": (
        {"known": peers([*OBJECTS[:3], bare.block(1, a64="db", a65="web"), *OBJECTS[4:]], TOPOLOGY)},
        {"n1-addresses": ["10.244.1.64 of the device: IPAM has it for default/db"]},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_one_value_is_noticed(case: str):
    parts, faults = CASES[case]
    assert found(**parts) == faults
