# SPDX-License-Identifier: GPL-3.0-or-later
"""Calico with IPIP: each promise of a node holds on a state as Felix makes it, and not when one value is another."""

from __future__ import annotations

import calico_node as bare
import pytest
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_backend import claims, peers
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_calico import TUNNELS
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import ProofError
from calico_ipip_node import (
    CALI,
    DEVICE,
    ETH0,
    KNOWN,
    NODE,
    STATE,
    TOPOLOGY,
    device,
    objects,
    pool,
    through,
)

found, changed, more, fewer = NODE.found, NODE.changed, NODE.more, NODE.fewer


def with_device(**values: object) -> dict:
    return {"links": [ETH0, device(**values), STATE["links"][2]]}


def test_claims():
    cases = [claim.case for claim in claims(TOPOLOGY) if claim.node == "n1"]
    own = ["blocks", "addresses", "attached", "gateway", "pool", "device", "no-bgp"]
    assert cases == [f"n1-{case}" for case in (*own, "route-n2", "route-n3", "nothing-else", "leftovers")]
    assert all("{" not in claim.title + claim.command for claim in claims(TOPOLOGY))


def test_what_holds():
    assert found() == {}


def test_nodes_as_calico_has_them():
    assert {name: (peer.mac, peer.address) for name, peer in KNOWN.items()} == {
        name: ("", f"10.244.{name[1]}.64") for name in KNOWN
    }


def test_a_node_without_an_address_for_its_device_is_an_error():
    with pytest.raises(ProofError, match=f"node n1 has no annotation {TUNNELS['ipip']}"):
        peers([*bare.OBJECTS, pool()], TOPOLOGY)


def pooled(*pools: dict) -> dict:
    return {"known": peers(objects(*pools), TOPOLOGY)}


CASES = {
    "no pool": (pooled(), {"n1-pool": ["no pool holds 10.244.1.64/26"]}),
    "nothing: a pool of other addresses": (pooled(pool(), pool("10.245.0.0/16", "Never")), {}),
    "a pool without IPIP": (
        pooled(pool(ipip="Never", vxlan="Always")),
        {
            "n1-pool": [
                "10.244.0.0/16: IPIP is 'Never', must be 'Always'",
                "10.244.0.0/16: VXLAN is 'Always', must be 'Never'",
            ]
        },
    ),
    "a pool of CrossSubnet": (
        pooled(pool(ipip="CrossSubnet")),
        {"n1-pool": ["10.244.0.0/16: IPIP is 'CrossSubnet', must be 'Always'"]},
    ),
    "no device": ({"links": [ETH0, STATE["links"][2]]}, {"n1-device": [f"there is no {DEVICE}"]}),
    "the kernel's own device": (
        with_device(flags=["NOARP"], addr_info=[]),
        {
            "n1-device": [
                f"{DEVICE}: address is [], must be ['10.244.1.64']",
                f"{DEVICE}: up is False, must be True",
            ]
        },
    ),
    "another MTU": (with_device(mtu=1500), {"n1-device": [f"{DEVICE}: mtu is 1500, must be 1480"]}),
    "one other end": (
        with_device(remote="172.30.24.12"),
        {"n1-device": [f"{DEVICE}: remote is '172.30.24.12', must be 'any'"]},
    ),
    # As with a pool that says IPIP, where the kernel has none and BIRD of Debian makes the routes.
    "a bare route": (
        changed("routes", 3, dev="eth0", protocol="bird", flags=[]),
        {
            "n1-no-bgp": ["route to 10.244.2.64/26 is BIRD's"],
            "n1-route-n2": [
                f"route to 10.244.2.64/26: dev is 'eth0', must be '{DEVICE}'",
                "route to 10.244.2.64/26: protocol is 'bird', must be '80'",
                "route to 10.244.2.64/26: flags is [], must be ['onlink']",
            ],
        },
    ),
    "a route by another node": (
        changed("routes", 3, gateway="172.30.24.13"),
        {"n1-route-n2": ["route to 10.244.2.64/26: gateway is '172.30.24.13', must be '172.30.24.12'"]},
    ),
    "nothing: a route to a device's address": (more("routes", through("10.244.2.64", 2)), {}),
    "a route to a device's address by another node": (
        more("routes", through("10.244.2.64", 3)),
        {"n1-route-n2": ["route to 10.244.2.64: gateway is '172.30.24.13', must be '172.30.24.12'"]},
    ),
    "no route": (fewer("routes", 4), {"n1-route-n3": ["route to 10.244.3.64/26: 0 entries, must be one"]}),
    "a route of a node that is gone": (
        more("routes", through("10.244.9.64/26", 9)),
        {
            "n1-nothing-else": ["route to 10.244.9.64/26 belongs to no node that is reached by it"],
            "n1-leftovers": [f"route to 10.244.9.64/26 by {DEVICE} is to no node's pods"],
        },
    ),
    "a route to something else": (
        more("routes", through("192.0.2.0/24", 2)),
        {"n1-nothing-else": ["route to 192.0.2.0/24 belongs to no node that is reached by it"]},
    ),
    "a blackhole that BIRD made": (
        changed("routes", 1, protocol="bird"),
        {
            "n1-blocks": ["route to 10.244.1.64/26: protocol is 'bird', must be '80'"],
            "n1-no-bgp": ["route to 10.244.1.64/26 is BIRD's"],
        },
    ),
    "BIRD": ({"bgp": bare.BGP}, {"n1-no-bgp": ["BIRD runs: BIRD 1.6.8 ready."]}),
    "VXLAN beside it": (
        more("links", {"ifname": "vxlan.calico", "flags": ["UP"]}),
        {"n1-leftovers": ["the device vxlan.calico is of another backend"]},
    ),
    "a pod's link is larger": (
        {"links": [ETH0, device(), CALI]},
        {"n1-attached": ["cali123: mtu is 1500, must be 1480"]},
    ),
    "IPAM has the device's address for a pod": (
        {"known": peers([*objects(pool())[:3], bare.block(1, a64="db", a65="web"), *objects(pool())[4:]], TOPOLOGY)},
        {"n1-addresses": ["10.244.1.64 of the device: IPAM has it for default/db"]},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_one_value_is_noticed(case: str):
    parts, faults = CASES[case]
    assert found(**parts) == faults
