# SPDX-License-Identifier: GPL-3.0-or-later
"""What calico-bgp promises of a router outside holds on what BIRD printed there and on a node, and not otherwise."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_peering as peering
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_backend import claim_faults, claims, peers
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_bird import prefixes, sessions
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_peering_seen import Router, Seen
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_snapshot import Snapshot
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_compile import compile_topology
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_validate import validate

DATA = Path(__file__).parent / "data/calico_peered"
NAME = "calico-bgp"
FILE = Path(__file__).parents[3] / "inventories" / NAME / "topology.yml"
TOPOLOGY = compile_topology(validate(FILE.read_text(), NAME, [])[0])
KNOWN = peers(json.loads((DATA / "objects.json").read_text()), TOPOLOGY)
NETWORKS = {"10.96.0.0/16": 11, "10.244.80.192/26": 13, "10.244.176.0/26": 11, "10.244.190.64/26": 12}
ROUTES = [
    {"dst": network, "gateway": f"172.30.25.{number}", "dev": "eth0", "protocol": "bird", "flags": []}
    for network, number in NETWORKS.items()
]


def text(name: str, *words: str) -> str:
    """What was printed, with one word replaced."""
    found = (DATA / name).read_text()
    assert all(word in found for word in words[:1])
    return found.replace(*words, 1) if words else found


def found(name: str = "", *words: str) -> set[str]:
    """The claims of the router that do not hold, of those that are judged by what BIRD says, and of w1."""
    said = {one: text(one, *(words if one == name else ())) for one in ("tor-protocols.txt", "tor-routes.txt")}
    router = Router(sessions(said["tor-protocols.txt"]), prefixes(said["tor-routes.txt"]), ROUTES, {})
    w1 = Snapshot("w1", text("w1.snapshot", *(words if name == "w1.snapshot" else ())))
    seen = Seen(TOPOLOGY, KNOWN, {"w1": w1}, {"tor": router}, [], {}, {}, [], {}, {})
    told = [one for one in peering.claims(TOPOLOGY) if one.key in ("heard", "blocks", "services", "way", "else")]
    told += [one for one in peering.claims(TOPOLOGY) if (one.node, one.key) == ("w1", "session")]
    own = [one for one in claims(TOPOLOGY) if one.node == "w1" and claim_faults(one, w1, TOPOLOGY, KNOWN)]
    return {one.case for one in told if peering.faults(one, seen)} | {one.case for one in own}


def test_all_of_it_holds():
    assert found() == set()


CASES = {
    "a session of the router that is down": (
        (
            "tor-protocols.txt",
            "Established\n    Neighbor address: 172.30.25.12",
            "Active\n    Neighbor address: 172.30.25.12",
        ),
        {"w1-heard-tor"},
    ),
    "one of the node": (
        (
            "w1.snapshot",
            "Established\n    Neighbor address: 172.30.25.202",
            "Active\n    Neighbor address: 172.30.25.202",
        ),
        {"w1-session-tor"},
    ),
    "the teller as next hop": (
        ("tor-routes.txt", "via 172.30.25.12 on eth0 [node0", "via 172.30.25.11 on eth0 [node0"),
        {"w1-blocks-tor"},
    ),
    "another AS in the path": (("tor-routes.txt", "BGP.as_path: 64512", "BGP.as_path: 64512 64514"), {"w1-blocks-tor"}),
    "services' network of another length": (
        ("tor-routes.txt", "10.96.0.0/16", "10.96.0.0/17"),
        {*(f"{node}-services-tor" for node in ("cp1", "w1", "w2")), "else-tor"},
    ),
    "a network that nodes tell each other": (
        ("w1.snapshot", "10.96.0.0/16", "10.97.0.0/16"),
        {"w1-nothing-else"},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_one_word_is_noticed(case: str):
    words, broken = CASES[case]
    assert found(*words) == broken
