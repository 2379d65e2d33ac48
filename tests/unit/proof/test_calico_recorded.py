# SPDX-License-Identifier: GPL-3.0-or-later
"""Each promise of the topology calico-bgp holds on what a node of it printed, and no longer when a word is another."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_backend import claim_faults, claims, peers
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_snapshot import Snapshot
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_compile import compile_topology
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_validate import validate

DATA = Path(__file__).parent / "data/calico"
FILE = Path(__file__).parents[3] / "inventories/calico-bgp/topology.yml"
TOPOLOGY = compile_topology(validate(FILE.read_text(), "calico-bgp", [])[0])
KNOWN = peers(json.loads((DATA / "objects.json").read_text()), TOPOLOGY)
TEXT = (DATA / "w1.snapshot").read_text()


def found(text: str) -> set[str]:
    """The claims of w1 that do not hold."""
    seen = Snapshot("w1", text)
    return {c.case for c in claims(TOPOLOGY) if c.node == "w1" and claim_faults(c, seen, TOPOLOGY, KNOWN)}


def test_all_of_it_holds():
    assert found(TEXT) == set()
    assert {name: peer.subnets for name, peer in KNOWN.items()} == {
        "cp1": ("10.244.176.0/26",),
        "w1": ("10.244.190.64/26",),
        "w2": ("10.244.80.192/26",),
    }


CASES = {
    "a session that waits": (
        (
            "BGP state:          Established\n    Neighbor address: 172.30.25.13",
            "BGP state:          Passive\n    Neighbor address: 172.30.25.13",
        ),
        {"w1-session-w2"},
    ),
    "a prefix by a session with another node": (
        ("via 172.30.25.13 on eth0 [Mesh_172_30_25_13", "via 172.30.25.11 on eth0 [Mesh_172_30_25_11"),
        {"w1-prefix-w2"},
    ),
    "a route by another node": (
        ('"dst":"10.244.80.192/26","gateway":"172.30.25.13"', '"dst":"10.244.80.192/26","gateway":"172.30.25.11"'),
        {"w1-route-w2"},
    ),
    "a route of nobody's": (
        ('{"dst":"10.244.80.192/26"', '{"dst":"10.244.9.0/26","dev":"eth0"},{"dst":"10.244.80.192/26"'),
        {"w1-nothing-else", "w1-leftovers"},
    ),
    "no blackhole": (('{"type":"blackhole",', '{"type":"prohibit",'), {"w1-blocks"}),
    "a gateway with another MAC": (
        (
            '"dst":"169.254.1.1","dev":"eth0","lladdr":"ee:ee:ee:ee:ee:ee"',
            '"dst":"169.254.1.1","dev":"eth0","lladdr":"ee:ee:ee:ee:ee:00"',
        ),
        {"w1-gateway"},
    ),
    "no proxy ARP": (("/proxy_arp 1", "/proxy_arp 0"), {"w1-gateway"}),
    "pods' links are called otherwise": (('"ifname":"cali', '"ifname":"veth'), {"w1-attached", "w1-gateway"}),
    "a tunnel": (
        ('"ifname":"eth0","flags"', '"ifname":"vxlan.calico","flags"'),
        {"w1-attached", "w1-gateway", "w1-no-device", "w1-leftovers"},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_one_word_is_noticed(case: str):
    (old, new), broken = CASES[case]
    assert old in TEXT
    assert found(TEXT.replace(old, new)) == broken
