# SPDX-License-Identifier: GPL-3.0-or-later
"""Each promise of calico-route-reflector holds on what a client and a reflector of it printed, and not otherwise."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_backend import claim_faults, claims, peers
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_snapshot import Snapshot
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_compile import compile_topology
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_validate import validate

DATA = Path(__file__).parent / "data/calico_reflected"
NAME = "calico-route-reflector"
FILE = Path(__file__).parents[3] / "inventories" / NAME / "topology.yml"
TOPOLOGY = compile_topology(validate(FILE.read_text(), NAME, [])[0])
KNOWN = peers(json.loads((DATA / "objects.json").read_text()), TOPOLOGY)
CLIENT, REFLECTOR = ("cp1", "w1")


def found(node: str, *words: str) -> set[str]:
    """The claims of a node that do not hold, when one word is another."""
    text = (DATA / f"{node}.snapshot").read_text()
    assert all(word in text for word in words[:1])
    seen = Snapshot(node, text.replace(*words) if words else text)
    return {c.case for c in claims(TOPOLOGY) if c.node == node and claim_faults(c, seen, TOPOLOGY, KNOWN)}


@pytest.mark.parametrize("node", [CLIENT, REFLECTOR])
def test_all_of_it_holds(node: str):
    assert found(node) == set()


CASES = {
    "another cluster": (
        (CLIENT, "BGP.cluster_list: 244.0.0.1", "BGP.cluster_list: 244.0.0.2"),
        {"cp1-reflected-w1", "cp1-reflected-w2", "cp1-reflected-w3", "cp1-nothing-else"},
    ),
    "another originator": (
        (CLIENT, "BGP.originator_id: 172.30.27.14", "BGP.originator_id: 172.30.27.12"),
        {"cp1-reflected-w3", "cp1-nothing-else"},
    ),
    "the reflector as next hop": (
        (CLIENT, "via 172.30.27.14 on eth0 [Node_172_30_27_12", "via 172.30.27.12 on eth0 [Node_172_30_27_12"),
        {"cp1-reflected-w3"},
    ),
    "the kernel's route by the reflector": (
        (CLIENT, '"gateway":"172.30.27.14"', '"gateway":"172.30.27.12"'),
        {"cp1-route-w3"},
    ),
    "a session with the other client": (
        (CLIENT, "Neighbor address: 172.30.27.13", "Neighbor address: 172.30.27.14"),
        {
            *("cp1-session-w2", "cp1-prefix-w2", "cp1-no-session-w3", "cp1-nothing-else"),
            *("cp1-reflected-w1", "cp1-reflected-w3"),
        },
    ),
    "a session that is not up": (
        (REFLECTOR, "Established\n    Neighbor address: 172.30.27.13", "Active\n    Neighbor address: 172.30.27.13"),
        {"w1-session-w2"},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_one_word_is_noticed(case: str):
    words, broken = CASES[case]
    assert found(*words) == broken
