# SPDX-License-Identifier: GPL-3.0-or-later
"""Routers outside: each promise of sessions, prefixes, routes and signatures stops to hold when one value changes."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_peering as peering
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_peering_lab as lab
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_bird import Session
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_peering_seen import is_reset, signed
from calico_node import KNOWN
from calico_router import (
    BARE,
    CLUSTER,
    CNI,
    DOWN,
    LAB,
    NODE,
    PREFIXES,
    REFUSED,
    ROUTER,
    SEEN,
    SERVICES,
    SESSIONS,
    SIGNED,
    TOR,
    UP,
    WAYS,
    WIRE,
    outcome,
    route,
    segment,
    told,
)


def found(**changes: object) -> dict[str, list[str]]:
    """The faults of each claim that has some."""
    seen = dataclasses.replace(SEEN, **changes)
    faults = {claim.case: peering.faults(claim, seen) for claim in peering.claims(LAB)}
    return {case: texts for case, texts in faults.items() if texts}


def router(**changes: object) -> dict:
    return {"routers": {"tor": dataclasses.replace(ROUTER, **changes)}}


def wrong(**changes: object) -> dict:
    return {"wrong": {"tor": dataclasses.replace(REFUSED, **changes)}}


def test_claims():
    cases = [claim.case for claim in peering.claims(LAB)]
    of_a_node = [f"n1-{key}-tor" for key in ("session", "heard", "blocks", "services")]
    assert cases[:4] == of_a_node
    assert cases[12:] == [
        "way-tor",
        "else-tor",
        "reach-tor",
        "silent-tor",
        "n1-signed",
        "n2-signed",
        "n3-signed",
        "wrong-tor",
    ]
    assert all("{" not in claim.title for claim in peering.claims(LAB))
    plain = {**LAB, "cluster": {**CLUSTER, "cni": {**CNI, "password": False}}}
    assert [claim.case for claim in peering.claims(plain)] == cases[:16]


def test_what_holds():
    assert found() == {}
    assert peering.whole(ROUTER, LAB, KNOWN)


CASES = {
    "a node whose session is not established": (
        {"nodes": {**SEEN.nodes, "n2": DOWN}},
        {"n2-session-tor": ["session with 172.30.24.201: 0 entries, must be one"]},
    ),
    "a session that the router does not have, and why": (
        router(
            sessions=[SESSIONS[0]._replace(state="Active", error="Socket: Connection timed out"), *SESSIONS[1:]],
            dropped={"TCPMD5Failure": 0, "TCPMD5NotFound": 3},
        ),
        {
            "n1-heard-tor": [
                "session with 172.30.24.11: state is 'Active', must be 'Established'; Active, Socket: Connection timed "
                "out; the kernel dropped 3 segments without a signature (TCPMD5NotFound)"
            ]
        },
    ),
    "a block by another next hop": (
        router(prefixes=[PREFIXES[0]._replace(via=NODE["n2"]), *PREFIXES[1:]]),
        {"n1-blocks-tor": ["10.244.1.64/26 by n1: via is '172.30.24.12', must be '172.30.24.11'"]},
    ),
    "a block that one node does not tell of": (
        router(prefixes=PREFIXES[1:]),
        {"n1-blocks-tor": ["10.244.1.64/26 by n1: 0 entries, must be one"]},
    ),
    "a block that is not in the kernel": (
        router(routes=WAYS[1:]),
        {"n1-blocks-tor": ["route to 10.244.1.64/26: 0 entries, must be one"]},
    ),
    "services that one node does not tell of": (
        router(prefixes=PREFIXES[:-1]),
        {"n3-services-tor": ["10.96.0.0/16 by n3: 0 entries, must be one"]},
    ),
    "services by somebody else": (
        router(routes=[*WAYS[:-1], route(SERVICES, "172.30.24.99")]),
        {"way-tor": ["it is by 172.30.24.99, no node"]},
    ),
    "another session and another network": (
        router(
            sessions=[*SESSIONS, Session("x", "172.30.24.99", "64512", "Established")],
            prefixes=[*PREFIXES, *told("10.9.0.0/16", NODE["n1"])],
        ),
        {
            "else-tor": [
                "session with 172.30.24.99, no node",
                "10.9.0.0/16 is not a block of a node's and not the services'",
            ]
        },
    ),
    "no answer": (
        {"outcomes": [outcome(("ok",), "timeout")]},
        {"reach-tor": ["c: tor -> a-n1 (10.244.1.65:8080) tcp: expected ok, observed timeout"]},
    ),
    "no probe": ({"outcomes": []}, {"reach-tor": ["no probe was made"]}),
    "a route that stays": (
        {"left": {"tor": WAYS[:1]}},
        {"silent-tor": ["the kernel of tor still has a route to 10.244.1.64/26"]},
    ),
    "an answer without BIRD": (
        {"unanswered": [outcome(lab.SILENCE, "ok")]},
        {"silent-tor": ["c: tor -> a-n1 (10.244.1.65:8080) tcp: expected timeout or unreachable, observed ok"]},
    ),
    "a segment without a signature": (
        {"segments": {**WIRE, "n1": [*WIRE["n1"], segment(TOR, NODE["n1"], BARE)]}},
        {"n1-signed": ["a segment from 172.30.24.201 to 172.30.24.11 without a signature"]},
    ),
    "nothing: a reset without one": (
        {"segments": {**WIRE, "n1": [*WIRE["n1"], segment(TOR, NODE["n1"], flags=0x14)]}},
        {},
    ),
    "a session of which nothing was seen": (
        {"segments": {**WIRE, "n1": WIRE["n1"][1:]}},
        {"n1-signed": ["no signed segment between 172.30.24.11 and 172.30.24.12"]},
    ),
    "a session with another password": (
        {**wrong(sessions=SESSIONS[:1]), "refusing": dict.fromkeys(NODE, DOWN) | {"n1": UP}},
        {"wrong-tor": ["tor has a session with 172.30.24.11", "n1 has a session with 172.30.24.201"]},
    ),
    "a network with another password": (
        wrong(prefixes=PREFIXES[:1]),
        {"wrong-tor": ["tor has learned 10.244.1.64/26"]},
    ),
    "another reason than the password": (
        wrong(dropped={"TCPMD5Failure": 0}),
        {"wrong-tor": ["no segment with a wrong signature came: something else keeps sessions down"]},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_one_change_is_named(name: str):
    changes, faults = CASES[name]
    assert found(**changes) == faults


MISSING = {"sessions": SESSIONS[1:], "prefixes": PREFIXES[1:], "routes": WAYS[1:]}


@pytest.mark.parametrize("part", MISSING)
def test_a_router_is_waited_for_until_it_has_all(part: str):
    assert not peering.whole(dataclasses.replace(ROUTER, **{part: MISSING[part]}), LAB, KNOWN)


def test_the_report_says_why_a_session_is_down():
    records = {
        (one["control"], one["from"], one["to"]): one for one in SEEN.records("peers") if one["protocol"] == "bgp"
    }
    assert len(records) == 6
    up, down = records[(None, "tor", "n2")], records[("another password on tor", "tor", "n2")]
    assert (up["target"], up["expect"], up["observed"], up["ok"]) == ("172.30.24.12:179", "ok", "ok", True)
    assert (down["expect"], down["observed"], down["ok"]) == ("timeout", "timeout", True)
    assert down["detail"] == "Connect; the kernel dropped 7 segments with a wrong signature (TCPMD5Failure)"


def test_options_are_followed():
    assert [signed(segment(TOR, TOR, bytes([1, 1, *SIGNED[:18], 0, 0]))), signed(segment(TOR, TOR, BARE))] == [
        True,
        False,
    ]
    assert not signed(segment(TOR, TOR, bytes([0, *SIGNED[:3]])))
    assert not signed(segment(TOR, TOR, bytes([8, 0, 1, 1])))  # a length of 0 does not stop it
    assert [is_reset(segment(TOR, TOR, flags=flags)) for flags in (0x14, 0x02)] == [True, False]


def test_a_router_speaks_with_every_node_and_is_told_nothing():
    text = lab.config(LAB, "tor", "secret")
    assert text.count("neighbor") == 3
    assert "neighbor 172.30.24.13 as 64512;" in text
    assert "local as 64513;" in text
    assert 'password "secret";' in text
    assert "export none;" in text
    assert "password" not in lab.config(LAB, "tor", "")


def test_counters_of_the_kernel():
    text = "TcpExt: A TCPMD5NotFound TCPMD5Failure\nTcpExt: 1 2 3\nIpExt: B\nIpExt: 4\n"
    assert lab.counters(text) == {"TCPMD5NotFound": 2, "TCPMD5Failure": 3}
