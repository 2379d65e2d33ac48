# SPDX-License-Identifier: GPL-3.0-or-later
"""What counts as seen as expected, and what never does."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Endpoint, Probe
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_verdict import OBSERVED, judge, line, summary

SOURCE = Endpoint("a-w1", "pods", "w1", "10.244.1.2")
TARGET = Endpoint("a-w2", "pods", "w2", "10.244.2.2", ports={"tcp": 8080}, answers=("a-x7k2p",))
PROBE = Probe("pods-reach-pods", SOURCE, TARGET, "tcp", key="k")
ANSWER = {"observed": "ok", "ms": 0.7, "source": "10.244.1.2", "server": "a-x7k2p", "detail": ""}


def test_an_answer_from_the_right_pod_is_ok():
    assert judge(PROBE, ANSWER) == {
        "check": "pods-reach-pods",
        "control": None,
        "from": "a-w1",
        "to": "a-w2",
        "protocol": "tcp",
        "target": "10.244.2.2:8080",
        "expect": "ok",
        "observed": "ok",
        "ms": 0.7,
        "source": "10.244.1.2",
        "server": "a-x7k2p",
        "expect_source": None,
        "detail": "",
        "ok": True,
    }


@pytest.mark.parametrize("expect", OBSERVED)
def test_an_error_satisfies_nothing(expect):
    probe = dataclasses.replace(PROBE, expect=(expect,))
    assert not judge(probe, {**ANSWER, "observed": "error"})["ok"]


def test_a_word_that_is_not_known_is_an_error():
    record = judge(dataclasses.replace(PROBE, expect=("blocked",)), {**ANSWER, "observed": "blocked"})
    assert (record["observed"], record["ok"]) == ("error", False)


@pytest.mark.parametrize("observed", ["timeout", "unreachable"])
def test_one_of_several_outcomes_is_enough(observed):
    probe = dataclasses.replace(PROBE, expect=("timeout", "unreachable"), control="flannel.1 down on w1")
    record = judge(probe, {"observed": observed, "ms": 1500.0, "detail": "timed out"})
    assert (record["ok"], record["expect"]) == (True, "timeout or unreachable")
    assert not judge(probe, ANSWER)["ok"]


@pytest.mark.parametrize(
    ("probe", "result", "why"),
    [
        ({}, {"server": "b-99999"}, "answered by b-99999, not a-x7k2p"),
        ({"expect_source": "172.30.10.12"}, {}, "source address 10.244.1.2 seen, not 172.30.10.12"),
        ({"protocol": "dns"}, {"addresses": ["10.96.0.9"]}, "resolved to ['10.96.0.9'], not 10.244.2.2"),
        (
            {"protocol": "srv", "target": Endpoint("_web._tcp.s.", "dns", None, "", answers=("81 b.", "80 a."))},
            {"addresses": ["80 a."]},
            "resolved to ['80 a.'], not 80 a. and 81 b.",
        ),
        (
            {"protocol": "icmp", "size": 1451, "expect": ("too-big",)},
            {"observed": "too-big"},
            "a router on the way refused the packet; the machine itself should have",
        ),
    ],
)
def test_a_wrong_answer_is_not_ok_and_says_why(probe, result, why):
    record = judge(dataclasses.replace(PROBE, **probe), {**ANSWER, **result})
    assert (record["ok"], record["detail"]) == (False, why)


def test_too_big_at_the_sender_is_what_an_exact_mtu_means():
    probe = dataclasses.replace(PROBE, protocol="icmp", size=1451, expect=("too-big",))
    record = judge(probe, {"observed": "too-big", "local": True, "ms": 0.1, "detail": "Message too long"})
    assert (record["ok"], record["target"]) == (True, "10.244.2.2, 1451 bytes, DF")


def test_a_failing_cell_is_one_line():
    record = judge(
        dataclasses.replace(PROBE, control="x"), {"observed": "timeout", "ms": 1500.0, "detail": "timed out"}
    )
    assert line(record) == (
        "pods-reach-pods [x]: a-w1 -> a-w2 (10.244.2.2:8080) tcp: expected ok, observed timeout (timed out)"
    )


def test_what_could_not_be_decided_is_counted_as_error():
    probes = [{"ok": True, "observed": "ok"}, {"ok": False, "observed": "timeout"}, {"ok": False, "observed": "error"}]
    asserts = [{"ok": True, "error": False}, {"ok": False, "error": True}]
    assert summary(probes, asserts) == {"passed": 2, "failed": 1, "errors": 2, "skipped": 0}
