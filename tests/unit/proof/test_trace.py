# SPDX-License-Identifier: GPL-3.0-or-later
"""Who forwards a packet: what counts as an answer, and which way is the right one."""

from __future__ import annotations

import dataclasses
import struct

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils._probe_trace import answer
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_ends as ends
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_plan as plan
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Endpoint, Hop, Probe
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_verdict import judge

HEADER = bytes([0x45]) + bytes(19)


def icmp(kind: int, identifier: int) -> bytes:
    return struct.pack("!BBHHH", kind, 0, 0, identifier, 1)


@pytest.mark.parametrize(
    ("packet", "said"),
    [
        (HEADER + icmp(0, 7), "ok"),
        (HEADER + icmp(0, 8), None),
        (HEADER + icmp(11, 0) + HEADER + icmp(8, 7), "exceeded"),
        (HEADER + icmp(11, 7) + HEADER + icmp(8, 9), None),
        (HEADER + icmp(3, 0) + HEADER + icmp(8, 7), "unreachable"),
        (HEADER + icmp(8, 7), None),
    ],
    ids=["reply", "another's reply", "time exceeded", "another's", "unreachable", "a request"],
)
def test_answer(packet: bytes, said: str | None):
    assert answer(packet, 7) == said


A = {"address": "10.0.0.1", "interfaces": {}}
SOURCE, TARGET = (Endpoint(name, "namespaces", None, "10.0.0.1") for name in ("a", "b"))
HOPS = (Hop("m1", frozenset({"10.1.0.1", "10.2.0.1"})), Hop("m2", frozenset({"10.2.0.2"})))
PROBE = Probe("across", SOURCE, TARGET, "trace", hops=HOPS)


@pytest.mark.parametrize(
    ("found", "detail"),
    [
        (["10.2.0.1", "10.2.0.2"], "by them"),
        (["10.2.0.2", "10.2.0.1"], "forwarded by 10.2.0.2, 10.2.0.1, not m1, m2"),
        (["10.1.0.1"], "forwarded by 10.1.0.1, not m1, m2"),
        ([], "forwarded by nobody, not m1, m2"),
    ],
)
def test_the_way_is_judged_by_who_forwards(found: list[str], detail: str):
    record = judge(PROBE, {"observed": "ok", "ms": 1.0, "hops": found, "detail": "by them"})
    assert (record["ok"], record["detail"]) == (detail == "by them", detail)


def test_silence_is_silence_on_any_way():
    silent = dataclasses.replace(PROBE, expect=("timeout",))
    assert judge(silent, {"observed": "timeout", "ms": 1.0, "detail": "silence after 10.1.0.1"})["ok"]


def test_machines_by_name():
    m1 = {"interfaces": {"br0": {"address": "10.1.0.1/24"}, "eth0": {"address": "10.2.0.1/24"}}}
    topology = {"nodes": {}, "namespaces": {"m1": m1, "a": A, "b": A}}
    check = {"from": ["a"], "to": ["b"], "hops": ["m1"], "protocols": ["tcp"]}
    assert ends.hops(topology, check) == HOPS[:1]
    assert plan.protocols(check) == ["tcp", "trace"]
    assert plan.names(topology, ["a"]) == {"a": None}
    found = {"nodes": [], "namespaces": [SOURCE, TARGET]}
    probes = plan.reach_probes({**topology, "checks": {"x": check}}, "x", found)
    assert [(probe.protocol, probe.hops) for probe in probes] == [("tcp", ()), ("trace", HOPS[:1])]
