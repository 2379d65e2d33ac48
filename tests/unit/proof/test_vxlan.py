# SPDX-License-Identifier: GPL-3.0-or-later
"""Each promise of flannel's VXLAN backend holds on the recorded node, and stops holding when its entry is changed."""

from __future__ import annotations

import pytest
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_backend import claim_faults, claims
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_flannel import peers
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import ProofError

ROUTE = '"dst":"10.99.2.0/24","gateway":"10.99.2.0","dev":"flannel.1"'
FDB = '"mac":"02:00:00:00:00:02","ifname":"flannel.1","dst":"172.30.99.12"'
NEIGHBOUR = '"dst":"10.99.2.0","dev":"flannel.1","lladdr":"02:00:00:00:00:02"'
# claim, what is changed in the recorded state of n1, and the fault that must be named
MUTATIONS = [
    (
        "subnet",
        '"dst":"10.99.1.0/24","dev":"cni0"',
        '"dst":"10.99.1.0/24","dev":"eth0"',
        "dev is 'eth0', must be 'cni0'",
    ),
    ("subnet", '"dst":"10.99.1.0/24"', '"dst":"10.99.3.0/24"', "route to 10.99.1.0/24: 0 entries, must be one"),
    ("device", '"ifname":"flannel.1"', '"ifname":"flannel.9"', "there is no flannel.1"),
    ("device", '"info_kind":"vxlan"', '"info_kind":"geneve"', "kind is 'geneve', must be 'vxlan'"),
    ("device", '"id":1,"local"', '"id":7,"local"', "id is 7, must be 1"),
    ("device", '"port":8472', '"port":4789', "port is 4789, must be 8472"),
    ("device", '"local":"172.30.99.11","link"', '"local":"172.30.99.19","link"', "local is '172.30.99.19', must be"),
    ("device", '"link":"eth0","port_range"', '"link":"eth1","port_range"', "link is 'eth1', must be 'eth0'"),
    ("device", '"learning":false', '"learning":true', "learning is True, must be False"),
    ("device", '"address":"02:00:00:00:00:01"', '"address":"02:00:00:00:00:99"', "MAC is '02:00:00:00:00:99', must be"),
    ("device", '"local":"10.99.1.0"', '"local":"10.99.1.7"', "address is ['10.99.1.7'], must be ['10.99.1.0']"),
    ("route", ROUTE, ROUTE.replace('"10.99.2.0"', '"172.30.99.12"'), "gateway is '172.30.99.12', must be '10.99.2.0'"),
    ("route", ROUTE, ROUTE.replace("flannel.1", "eth0"), "dev is 'eth0', must be 'flannel.1'"),
    ("route", '"flags":["onlink"]', '"flags":[]', "flags is [], must be ['onlink']"),
    ("route", '"dst":"10.99.2.0/24"', '"dst":"10.99.7.0/24"', "route to 10.99.2.0/24: 0 entries, must be one"),
    ("neighbour", NEIGHBOUR, NEIGHBOUR.replace("00:02", "00:77"), "lladdr is '02:00:00:00:00:77', must be"),
    ("neighbour", "PERMANENT", "STALE", "state is ['STALE'], must be ['PERMANENT']"),
    ("neighbour", NEIGHBOUR, NEIGHBOUR.replace("flannel.1", "eth0"), "neighbour 10.99.2.0: 0 entries, must be one"),
    ("fdb", FDB, FDB.replace("99.12", "99.19"), "dst is '172.30.99.19', must be '172.30.99.12'"),
    ("fdb", FDB, FDB.replace("00:02", "00:77"), "FDB 02:00:00:00:00:02: 0 entries, must be one"),
    (
        "nothing-else",
        FDB,
        FDB.replace("02:00:00:00:00:02", "00:00:00:00:00:00"),
        "fdb: 00:00:00:00:00:00 belongs to no",
    ),
    ("nothing-else", '"dst":"10.99.2.0/24"', '"dst":"10.99.7.0/24"', "routes: 10.99.7.0/24 belongs to no node"),
    (
        "nothing-else",
        NEIGHBOUR,
        NEIGHBOUR.replace("10.99.2.0", "10.99.9.0"),
        "neighbours: 10.99.9.0 belongs to no node",
    ),
]


def faults(topology, objects, state, key):
    claim = next(claim for claim in claims(topology) if (claim.node, claim.key) == ("n1", key))
    return claim_faults(claim, state, topology, peers(objects, "vxlan"))


@pytest.mark.parametrize("node", ["n1", "n2"])
def test_all_claims_hold_on_recorded_nodes(topology, objects, snapshot, node):
    held = [claim for claim in claims(topology) if claim.node == node]
    keys = ["subnet", "device", "route", "neighbour", "fdb", "nothing-else", "leftovers"]
    assert [claim.key for claim in held] == keys
    assert [claim_faults(claim, snapshot(node), topology, peers(objects, "vxlan")) for claim in held] == [[]] * len(
        held
    )


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: f"{mutation[0]}-{mutation[3]}")
def test_a_changed_entry_breaks_its_claim(topology, objects, snapshot, mutation):
    key, old, new, fault = mutation
    found = faults(topology, objects, snapshot("n1", (old, new)), key)
    assert any(fault in one for one in found), found


def test_a_device_that_is_down_is_no_device(topology, objects, snapshot):
    link = '"ifname":"flannel.1","flags":["BROADCAST","MULTICAST","UP"'
    state = snapshot("n1", (link, link.replace(',"UP"', "")))
    assert "flannel.1: up is False, must be True" in faults(topology, objects, state, "device")


def test_a_node_that_is_not_in_the_cluster_breaks_every_claim(topology, objects, snapshot):
    left = [item for item in objects if item["metadata"]["name"] != "n2"]
    assert faults(topology, left, snapshot(), "device") == ["flannel knows no node n2"]


def test_a_node_without_flannel_is_named(objects):
    objects[-1]["metadata"]["annotations"] = {}
    with pytest.raises(ProofError, match=r"node n2 has no annotation flannel.alpha.coreos.com/public-ip"):
        peers(objects, "vxlan")
