# SPDX-License-Identifier: GPL-3.0-or-later
"""Where packets are dropped, from what two nodes printed before and after."""

from __future__ import annotations

import pytest
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_policy_where as where
from policy_network import lane

RULE = '-m comment --comment "cali:abc" -m comment --comment "End of tier default. Drop if no policies passed packet"'
LANE = lane(1)
INGRESS, EGRESS = where.WAYS


def node(**packets: int) -> str:
    """What a node prints that has dropped some packets in each chain; x/a is its pod, behind cali1."""
    drop = f"{RULE} -m mark --mark 0x0/0x20000 -j DROP"
    rules = [f"[{count}:60] -A cali-{chain.replace('_', '-')} {drop}" for chain, count in packets.items()]
    others = ["[9:9] -A cali-tw-cali1 -m conntrack --ctstate INVALID -j DROP", "[7:7] -A cali-FORWARD -j DROP"]
    routes = [f"{LANE.addresses['x/a']} dev cali1 scope link", "10.244.1.20 dev cali9 scope link"]
    return "\n".join(
        ["*filter", *(rule.replace("tw_", "tw-").replace("fw_", "fw-") for rule in rules + others), *routes]
    )


CASES = {
    "at the target": (INGRESS, {"tw_cali1": 4}, {"tw_cali1": 8}, {}, {}, []),
    "at the source": (EGRESS, {"fw_cali1": 0}, {"fw_cali1": 4}, {}, {}, []),
    "nowhere": (INGRESS, {"tw_cali1": 4}, {"tw_cali1": 4}, {}, {}, ["cali-tw-cali1 on cp1 dropped nothing"]),
    "no rule": (INGRESS, {}, {}, {}, {}, ["cali-tw-cali1 on cp1 dropped nothing"]),
    "a new rule": (INGRESS, {}, {"tw_cali1": 4}, {}, {}, []),
    "at the other end": (
        INGRESS,
        {"tw_cali1": 4},
        {"tw_cali1": 4},
        {"fw_cali2": 0},
        {"fw_cali2": 4},
        ["cali-tw-cali1 on cp1 dropped nothing", "cali-fw-cali2 on w1 dropped packets, too"],
    ),
    "in both": (
        EGRESS,
        {"fw_cali1": 0},
        {"fw_cali1": 4},
        {"tw_cali2": 1},
        {"tw_cali2": 2},
        ["cali-tw-cali2 on w1 dropped packets, too"],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_where_packets_are_dropped(name: str) -> None:
    way, before, after, other_before, other_after, wanted = CASES[name]
    found = where.faults(
        way,
        LANE,
        {"cp1": node(**before), "w1": node(**other_before)},
        {"cp1": node(**after), "w1": node(**other_after)},
    )
    assert found == wanted


def test_a_pod_that_its_node_does_not_know() -> None:
    texts = {"cp1": "*filter", "w1": node()}
    assert where.faults(INGRESS, LANE, texts, texts) == ["cp1 has no route to x/a, 10.244.1.2"]


@pytest.mark.parametrize("nodes", [("n1", "n2"), ("n1", "n2", "n3")])
def test_the_two_pods_are_on_two_nodes(nodes: tuple[str, ...]) -> None:
    for way in where.WAYS:
        assert lane(1, nodes).node(way.source) != lane(1, nodes).node(way.target)
