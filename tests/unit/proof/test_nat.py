# SPDX-License-Identifier: GPL-3.0-or-later
"""What tracked connections say of address translation, and what does not count as translated."""

from __future__ import annotations

import pytest
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_nat as nat

NAT = [
    {"action": "masquerade", "source": "172.18.0.0/24", "not_out": "docker0"},
    {"action": "dnat", "protocol": "tcp", "port": 9090, "to": "172.18.0.11:8080"},
    {"action": "masquerade", "source": "172.18.0.0/24", "destination": "172.18.0.0/24"},
    {"action": "snat", "source": "172.18.0.0/24", "to": "192.0.2.1"},
]
INTERFACES = {"docker0": {"address": "172.18.0.1/24"}, "eth0": {"address": "172.30.43.11/24"}}
TOPOLOGY = {
    "namespaces": {
        "m1": {"netns": "reftopo.t.m1", "nat": NAT, "interfaces": INTERFACES},
        "c1": {"netns": "reftopo.t.c1"},
    }
}
OUT, PORT, HAIRPIN, FIXED = nat.claims(TOPOLOGY)
TRACKED = """\
ipv4     2 tcp      6 117 TIME_WAIT src=172.18.0.11 dst=172.30.43.201 sport=4 dport=8080 \
src=172.30.43.201 dst=172.30.43.11 sport=8080 dport=4 [ASSURED] mark=0 zone=0 use=2
tcp      6 117 TIME_WAIT src=172.30.43.201 dst=172.30.43.11 sport=5 dport=9090 \
src=172.18.0.11 dst=172.30.43.201 sport=8080 dport=5 [ASSURED] mark=0 use=1
ipv4     2 udp      17 27 src=172.18.0.12 dst=172.30.43.11 sport=6 dport=9090 \
src=172.18.0.11 dst=172.18.0.1 sport=8080 dport=6 mark=0 use=2
ipv4     2 icmp     1 29 src=172.18.0.11 dst=172.30.43.201 type=8 code=0 id=7 \
src=172.30.43.201 dst=192.0.2.1 type=0 code=0 id=7 mark=0 use=2
"""


def test_a_claim_for_each_rule():
    assert [claim.title for claim in nat.claims(TOPOLOGY)] == [
        "answers to connections from 172.18.0.0/24 come back to this machine",
        "connections to tcp port 9090 are answered by 172.18.0.11:8080",
        "answers to connections from 172.18.0.0/24 to 172.18.0.0/24 come back to this machine",
        "answers to connections from 172.18.0.0/24 come back to 192.0.2.1",
    ]


def test_what_was_tracked_before_is_forgotten_where_there_are_rules():
    assert nat.forget(TOPOLOGY) == [("m1", "ip netns exec reftopo.t.m1 conntrack -F")]


def test_connections_are_read_with_and_without_the_family():
    assert [(protocol, came.dport, answers.dst) for protocol, came, answers in nat.flows(TRACKED)] == [
        ("tcp", "8080", "172.30.43.11"),
        ("tcp", "9090", "172.30.43.201"),
        ("udp", "9090", "172.18.0.1"),
        ("icmp", "", "192.0.2.1"),
    ]


@pytest.mark.parametrize("claim", [OUT, PORT, HAIRPIN, FIXED])
def test_what_was_translated_is_found(claim: nat.Claim):
    assert nat.faults(claim, TOPOLOGY, TRACKED) == []
    assert nat.faults(claim, TOPOLOGY, "") == ["none of 0 tracked connections is translated so"]


def test_what_another_rule_translated_does_not_count():
    """What goes back into docker0 gets the address there, never by a rule for what leaves by another link."""
    (hairpin,) = (line for line in TRACKED.splitlines() if "dst=172.18.0.1 " in line)
    assert nat.faults(HAIRPIN, TOPOLOGY, hairpin) == []
    assert nat.faults(OUT, TOPOLOGY, hairpin) == ["none of 1 tracked connections is translated so"]


@pytest.mark.parametrize(("link", "held"), [("eth0", True), ("docker0", False)])
def test_the_link_that_it_leaves_by_gives_the_address(link: str, held: bool):
    (first,) = (line for line in TRACKED.splitlines() if "dst=172.30.43.11 sport=8080" in line)
    claim = OUT._replace(rule={"action": "masquerade", "source": "172.18.0.0/24", "out": link})
    assert (nat.faults(claim, TOPOLOGY, first) == []) is held


@pytest.mark.parametrize(
    ("claim", "old", "new"),
    [
        (OUT, "dst=172.30.43.11 sport=8080", "dst=172.18.0.11 sport=8080"),
        (PORT, "src=172.18.0.11 dst=172.30.43.201 sport=8080", "src=172.30.43.11 dst=172.30.43.201 sport=9090"),
        (PORT, "tcp ", "udp "),
        (HAIRPIN, "dst=172.18.0.1 ", "dst=172.18.0.12 "),
        (FIXED, "dst=192.0.2.1", "dst=192.0.2.2"),
    ],
)
def test_what_was_not_translated_is_not(claim: nat.Claim, old: str, new: str):
    kept = [line for line in TRACKED.replace(old, new).splitlines() if new in line]
    assert kept
    assert nat.faults(claim, TOPOLOGY, "\n".join(kept)) == [f"none of {len(kept)} tracked connections is translated so"]
