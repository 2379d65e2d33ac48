# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node keeps of one that is gone, or of another backend, is found, on what a node of a real cluster printed."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_flannel import peers
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_leftovers import leftover_faults
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_snapshot import Snapshot

HERE = Path(__file__).parent
TOPOLOGY = json.loads((HERE.parent / "topology/golden/flannel-vxlan.json").read_text())
KNOWN = peers(json.loads((HERE / "data/flannel-vxlan/objects.json").read_text()), "vxlan")
TEXT = (HERE / "data/flannel-vxlan/w1.snapshot").read_text()
W2 = KNOWN["w2"]


def state(part: str = "links", *rows: dict) -> Snapshot:
    """The state of w1 as it was recorded, with rows of one part that were not there."""
    snapshot = Snapshot("w1", TEXT)
    snapshot.parts[part] = (json.dumps([*snapshot.table(part), *rows]), 0)
    return snapshot


def without_w2() -> dict:
    topology = copy.deepcopy(TOPOLOGY)
    del topology["nodes"]["w2"]
    return topology


def test_nothing_is_left_on_a_node_whose_peers_are_all_there():
    assert leftover_faults(state(), TOPOLOGY, KNOWN) == []


def test_all_that_is_there_for_a_node_is_left_over_when_it_is_gone():
    known = {name: peer for name, peer in KNOWN.items() if name != "w2"}
    assert leftover_faults(state(), without_w2(), known) == [
        f"route to {W2.subnet} by flannel.1 is to no node's pods",
        f"neighbour {W2.address} on flannel.1 is no node's",
        f"FDB entry {W2.mac} on flannel.1 leads to {W2.underlay}, which is no node's address",
    ]


def test_a_node_that_left_the_topology_alone_is_named():
    found = leftover_faults(state(), without_w2(), KNOWN)
    assert found[0] == "flannel knows w2, which is not in the topology"
    assert len(found) == 4


LEFT = {
    "a route of host-gw": (
        ("routes", {"dst": "10.244.9.0/24", "gateway": "172.30.10.19", "dev": "eth0"}),
        ["route to 10.244.9.0/24 by eth0 is to no node's pods"],
    ),
    "a route in another table": (
        ("routes", {"dst": "10.244.9.7", "dev": "eth0", "table": "100"}),
        ["route to 10.244.9.7 by eth0 is to no node's pods"],
    ),
    "a neighbour": (
        (
            "neighbours",
            {"dst": "10.244.9.0", "dev": "flannel.1", "lladdr": "02:00:00:00:00:09", "state": ["PERMANENT"]},
        ),
        ["neighbour 10.244.9.0 on flannel.1 is no node's"],
    ),
    "an FDB entry": (
        ("fdb", {"mac": "02:00:00:00:00:09", "ifname": "flannel.1", "dst": "172.30.10.19", "state": "permanent"}),
        ["FDB entry 02:00:00:00:00:09 on flannel.1 leads to 172.30.10.19, which is no node's address"],
    ),
    "a device of the backend udp": (("links", {"ifname": "flannel0"}), ["the device flannel0 is of another backend"]),
    "a device of another VNI": (("links", {"ifname": "flannel.7"}), ["the device flannel.7 is of another backend"]),
    "nothing: a route to all pods is for the backend to judge": (("routes", {"dst": "10.244.0.0/16", "dev": "x"}), []),
    "nothing: a pod that the kernel knows": (
        ("neighbours", {"dst": "10.244.9.2", "dev": "cni0", "state": ["STALE"]}),
        [],
    ),
    "nothing: a question that nobody answered": (
        ("neighbours", {"dst": "10.244.9.2", "dev": "eth0", "state": ["FAILED"]}),
        [],
    ),
    "nothing: an underlay address that the kernel learned": (
        ("neighbours", {"dst": "172.30.10.19", "dev": "eth0", "lladdr": "02:00:00:00:00:19", "state": ["STALE"]}),
        [],
    ),
}


@pytest.mark.parametrize("case", LEFT)
def test_what_is_left_over(case: str):
    (part, row), faults = LEFT[case]
    assert leftover_faults(state(part, row), TOPOLOGY, KNOWN) == faults
