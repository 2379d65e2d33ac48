# SPDX-License-Identifier: GPL-3.0-or-later
"""Calico with BGP: each promise of sessions, prefixes and routes holds, and stops holding when one value is changed."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_backend import claims, peers
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_bird import Session, prefixes, sessions
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import ProofError
from calico_node import BGP, KNOWN, OBJECTS, ROUTES, TOPOLOGY, block, changed, fewer, found, more, replaced


def test_claims():
    cases = [claim.case for claim in claims(TOPOLOGY) if claim.node == "n1"]
    own = ["blocks", "addresses", "attached", "gateway", "no-device"]
    others = [f"{key}-{peer}" for peer in ("n2", "n3") for key in ("session", "prefix", "route")]
    assert cases == [f"n1-{case}" for case in (*own, *others, "nothing-else", "leftovers")]
    assert all("{" not in claim.title + claim.command for claim in claims(TOPOLOGY))


def test_what_holds():
    assert found() == {}


def test_what_bird_says_is_read():
    assert sessions(BGP) == [
        Session(f"Mesh_172_30_24_1{number}", f"172.30.24.1{number}", "64512", "Established") for number in (2, 3)
    ]
    read = {one.network: (one.protocol, one.via, one.device) for one in prefixes(ROUTES)}
    assert read == {
        "0.0.0.0/0": ("kernel1", "", "eth0"),
        "172.30.24.0/24": ("direct1", "", "eth0"),
        "10.244.2.64/26": ("Mesh_172_30_24_12", "172.30.24.12", "eth0"),
        "10.244.3.64/26": ("Mesh_172_30_24_13", "172.30.24.13", "eth0"),
        "10.244.1.64/26": ("static1", "", "blackhole"),
        "10.244.1.65/32": ("kernel1", "", "cali123"),
    }
    assert (sessions(""), prefixes("")) == ([], [])


def test_what_is_not_understood_is_an_error():
    with pytest.raises(ProofError, match=r"not understood: '10\.0\.0\.0/8  multipath"):
        prefixes("10.0.0.0/8  multipath [Mesh_1 12:00:00] * (100/0) [i]")


CASES = {
    "a session that is not established": (
        replaced(
            "bgp",
            (
                "BGP state:          Established\n    Neighbor address: 172.30.24.12",
                "BGP state:          Active\n    Neighbor address: 172.30.24.12",
            ),
        ),
        {"n1-session-n2": ["session with 172.30.24.12: state is 'Active', must be 'Established'"]},
    ),
    "another AS": (
        replaced(
            "bgp",
            (
                "Neighbor address: 172.30.24.13\n    Neighbor AS:      64512",
                "Neighbor address: 172.30.24.13\n    Neighbor AS:      64513",
            ),
        ),
        {"n1-session-n3": ["session with 172.30.24.13: as_number is '64513', must be '64512'"]},
    ),
    "a session with somebody else": (
        replaced("bgp", ("Neighbor address: 172.30.24.13", "Neighbor address: 172.30.24.99")),
        {
            "n1-session-n3": ["session with 172.30.24.13: 0 entries, must be one"],
            "n1-prefix-n3": ["10.244.3.64/26 in BIRD: 0 entries, must be one"],
            "n1-nothing-else": ["session Mesh_172_30_24_13 with 172.30.24.99, no other node"],
        },
    ),
    "BIRD does not run": (
        {"bgp": "", "prefixes": ""},
        {
            **{f"n1-session-n{n}": [f"session with 172.30.24.1{n}: 0 entries, must be one"] for n in (2, 3)},
            **{f"n1-prefix-n{n}": [f"10.244.{n}.64/26 in BIRD: 0 entries, must be one"] for n in (2, 3)},
        },
    ),
    "a prefix by another next hop": (
        replaced("prefixes", ("BGP.next_hop: 172.30.24.12", "BGP.next_hop: 172.30.24.13")),
        {"n1-prefix-n2": ["10.244.2.64/26 in BIRD: BGP.next_hop is '172.30.24.13', must be '172.30.24.12'"]},
    ),
    "a prefix of another AS": (
        replaced(
            "prefixes",
            ("BGP.as_path: \n\tBGP.next_hop: 172.30.24.12", "BGP.as_path: 64513\n\tBGP.next_hop: 172.30.24.12"),
        ),
        {"n1-prefix-n2": ["10.244.2.64/26 in BIRD: BGP.as_path is '64513', must be ''"]},
    ),
    "a prefix of no node": (
        replaced("prefixes", ("10.244.2.64/26  ", "10.244.9.64/26  ")),
        {
            "n1-prefix-n2": ["10.244.2.64/26 in BIRD: 0 entries, must be one"],
            "n1-nothing-else": ["10.244.9.64/26 by Mesh_172_30_24_12 is no node's block"],
        },
    ),
    "a route by another node": (
        changed("routes", 3, gateway="172.30.24.13"),
        {"n1-route-n2": ["route to 10.244.2.64/26: gateway is '172.30.24.13', must be '172.30.24.12'"]},
    ),
    "a route that Felix made": (
        changed("routes", 4, protocol="80", flags=["onlink"]),
        {
            "n1-route-n3": [
                "route to 10.244.3.64/26: protocol is '80', must be 'bird'",
                "route to 10.244.3.64/26: flags is ['onlink'], must be []",
            ]
        },
    ),
    "no route": (fewer("routes", 3), {"n1-route-n2": ["route to 10.244.2.64/26: 0 entries, must be one"]}),
    "a route of a node that is gone": (
        more("routes", {"dst": "10.244.9.64/26", "gateway": "172.30.24.19", "dev": "eth0"}),
        {
            "n1-nothing-else": ["route to 10.244.9.64/26 is to no node's block"],
            "n1-leftovers": ["route to 10.244.9.64/26 by eth0 is to no node's pods"],
        },
    ),
    "a tunnel": (
        more("links", {"ifname": "vxlan.calico", "flags": ["UP"]}),
        {"n1-no-device": ["vxlan.calico is in use"], "n1-leftovers": ["the device vxlan.calico is of another backend"]},
    ),
    "a tunnel for IPIP with an address": (
        more("links", {"ifname": "tunl0", "flags": [], "addr_info": [{"local": "10.244.1.64"}]}),
        {"n1-no-device": ["tunl0 is in use"], "n1-leftovers": ["the device tunl0 is of another backend"]},
    ),
    "nothing: the tunnel that the kernel makes of itself": (
        more("links", {"ifname": "tunl0", "flags": ["NOARP"], "addr_info": []}),
        {},
    ),
    "flannel's bridge": (
        more("links", {"ifname": "cni0", "flags": ["UP"]}),
        {"n1-leftovers": ["the device cni0 is of another backend"]},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_one_change_is_named(name: str):
    parts, faults = CASES[name]
    assert found(**parts) == faults


def test_a_second_block_is_claimed_as_the_first():
    second = {"kind": "IPAMBlock", "spec": {**block(2)["spec"], "cidr": "10.244.7.0/26"}}
    assert found(peers([*OBJECTS, second], TOPOLOGY)) == {
        "n1-prefix-n2": ["10.244.7.0/26 in BIRD: 0 entries, must be one"],
        "n1-route-n2": ["route to 10.244.7.0/26: 0 entries, must be one"],
    }


def test_a_node_without_calico_is_an_error():
    with pytest.raises(ProofError, match="node n1 has no annotation"):
        peers([{"kind": "Node", "metadata": {"name": "n1"}}], TOPOLOGY)
    with pytest.raises(ProofError, match="node n1 has no block"):
        peers(OBJECTS[:1], TOPOLOGY)


def test_a_node_that_left_is_named():
    known = {**KNOWN, "n4": dataclasses.replace(KNOWN["n3"], node="n4")}
    assert found(known)["n1-leftovers"] == ["calico knows n4, which is not in the topology"]
    assert found({"n1": KNOWN["n1"]})["n1-blocks"] == ["calico knows no node n2", "calico knows no node n3"]
