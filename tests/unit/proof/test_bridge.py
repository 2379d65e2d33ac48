# SPDX-License-Identifier: GPL-3.0-or-later
"""What a bridge has learned, and what does not count as learned."""

from __future__ import annotations

import pytest
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_bridge import Learned, claims, faults

CLAIM = Learned("m1", "reftopo.t.m1", "br0", "ns1", "ns1.eth0", "02:00:00:00:00:01")
ROW = {"mac": CLAIM.mac, "ifname": "ns1.eth0", "master": "br0", "flags": [], "state": ""}


def test_one_claim_for_each_interface_on_a_bridge_in_a_namespace():
    interface = {"segment": "lan", "at": "m1", "peer": "ns1.eth0", "mac": CLAIM.mac}
    topology = {
        "segments": {"lan": {"bridges": {"m1": "br0"}}},
        "namespaces": {
            "m1": {"name": "m1", "netns": "reftopo.t.m1", "interfaces": {"br0": {"segment": "lan", "kind": "bridge"}}},
            "ns1": {"name": "ns1", "interfaces": {"eth0": interface, "eth1": {"segment": "other", "peer": "rt-1"}}},
        },
    }
    assert claims(topology) == [CLAIM]
    assert CLAIM.command == "bridge -n reftopo.t.m1 fdb show br br0"


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([ROW], []),
        ([], ["br0 has no entry for 02:00:00:00:00:01"]),
        ([{**ROW, "master": "br1"}], ["br0 has no entry for 02:00:00:00:00:01"]),
        ([{**ROW, "ifname": "ns2.eth0"}], ["02:00:00:00:00:01 is at port ns2.eth0"]),
        ([{**ROW, "state": "static"}], ["the entry is static, not learned"]),
    ],
)
def test_what_speaks_against_it(rows, said):
    assert faults(CLAIM, rows) == said
