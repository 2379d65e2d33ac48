# SPDX-License-Identifier: GPL-3.0-or-later
"""Calico's CrossSubnet: of each pair of nodes the way that their segments say, and every sign of the other one."""

from __future__ import annotations

import copy

import calico_node as bare
import calico_vxlan_node as vxlan
import pytest
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_backend import claims
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_capture import capture_claims
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_way import mechanism, way

# n1 and n2 are in one segment, n3 is in another.
NODES = copy.deepcopy(bare.NODES)
for name, node in NODES.items():
    node["interfaces"]["eth0"]["segment"] = "b" if name == "n3" else "a"
CNI = {**vxlan.CNI, "direct_routing": True}
TOPOLOGY = {"nodes": NODES, "namespaces": {}, "cluster": {"pod_cidr": "10.244.0.0/16", "cni": CNI}}
DEVICE = vxlan.DEVICE
WITHIN = {"gateway": "172.30.24.12", "dev": "eth0", "protocol": "80", "flags": ["onlink"]}
ROUTES = vxlan.STATE["routes"]
OTHERS = [row for row in ROUTES if not row["dst"].startswith("10.244.2.")]
STATE = {**vxlan.STATE, "routes": [*OTHERS, {"dst": "10.244.2.64/26", **WITHIN}]}
NODE = bare.Node(TOPOLOGY, vxlan.KNOWN, STATE)


def test_claims():
    assert mechanism(CNI) == "vxlan-direct"
    assert (way(TOPOLOGY, "n1", "n2"), way(TOPOLOGY, "n1", "n3")) == ("direct", "vxlan")
    told = [claim for claim in claims(TOPOLOGY) if claim.node == "n1"]
    own = ["blocks", "addresses", "attached", "gateway", "device", "no-bgp"]
    others = [f"{key}-{peer}" for peer in ("n2", "n3") for key in ("route", "neighbour", "fdb")]
    assert [claim.case for claim in told] == [f"n1-{case}" for case in (*own, *others, "nothing-else", "leftovers")]
    assert told[-2].title == "vxlan.calico knows nobody else, and no other route leads to pods"
    assert " ".join(capture_claims(TOPOLOGY)) == "sees-bare no-bare-across no-other-tunnel no-tunnel-within no-local"


def test_what_holds():
    assert NODE.found() == {}
    first_heard_of_the_device = {"dst": "10.244.2.64", **WITHIN}
    assert NODE.found(**NODE.more("routes", first_heard_of_the_device)) == {}


CASES = {
    "VXLAN within a segment": (
        {"routes": ROUTES},
        {
            "n1-route-n2": [
                "route to 10.244.2.64/26: gateway is '10.244.2.64', must be '172.30.24.12'",
                "route to 10.244.2.64/26: dev is 'vxlan.calico', must be 'eth0'",
                "route to 10.244.2.64/26: protocol is None, must be '80'",
                *(
                    f"route to 10.244.2.64: {key} is {value}"
                    for key, value in (
                        ("gateway", "None, must be '172.30.24.12'"),
                        ("dev", "'vxlan.calico', must be 'eth0'"),
                        ("protocol", "None, must be '80'"),
                        ("flags", "[], must be ['onlink']"),
                    )
                ),
            ]
        },
    ),
    "bare to another segment": (
        {
            "routes": [
                *(row for row in STATE["routes"] if row["dst"] != "10.244.3.64/26"),
                {"dst": "10.244.3.64/26", **WITHIN},
            ]
        },
        {
            "n1-route-n3": [
                "route to 10.244.3.64/26: gateway is '172.30.24.12', must be '10.244.3.64'",
                "route to 10.244.3.64/26: dev is 'eth0', must be 'vxlan.calico'",
            ],
            "n1-nothing-else": ["route to 10.244.3.64/26 belongs to no node of this segment"],
        },
    ),
    "no route within": (
        {"routes": STATE["routes"][:-1]},
        {"n1-route-n2": ["route to 10.244.2.64/26: 0 entries, must be one"]},
    ),
    "a device that does not know a neighbour": (
        {"neighbours": STATE["neighbours"][1:], "fdb": [STATE["fdb"][0], STATE["fdb"][2]]},
        {
            "n1-neighbour-n2": ["neighbour 10.244.2.64: 0 entries, must be one"],
            "n1-fdb-n2": [f"FDB {vxlan.MACS['n2']}: 0 entries, must be one"],
        },
    ),
    "a device that knows a stranger": (
        NODE.more(
            "neighbours", {"dst": "10.244.9.64", "dev": DEVICE, "lladdr": "66:00:00:00:00:09", "state": ["PERMANENT"]}
        ),
        {
            "n1-nothing-else": ["neighbours: 10.244.9.64 belongs to no node of the topology"],
            "n1-leftovers": ["neighbour 10.244.9.64 on vxlan.calico is no node's"],
        },
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_one_change_is_named(name: str):
    parts, faults = CASES[name]
    assert NODE.found(**parts) == faults
