# SPDX-License-Identifier: GPL-3.0-or-later
"""What is concluded of Services from what was asked: here all is as it must be, but for one thing."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_svc as svc
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_svc_ground as ground_of
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_svc_cases import cases
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_svc_follow import Rolled
from ansible_collections.reftopo.lab.plugins.plugin_utils._report_model import read_results
from service_network import TOPOLOGY, Lie, ground, outcomes

GROUND = ground()
NOTHING = Rolled({}, {}, {}, [], (set(), set()))


def seen(lie: Lie = lambda _probe, result: result) -> svc.Seen:
    played = {}
    for case in cases():
        asked = ground_of.probes(GROUND, "services", case)
        again = ground_of.without(GROUND, asked, case)
        played[case.name] = svc.Played(outcomes(asked, lie), outcomes(again, lie))
    return svc.Seen(played, [], NOTHING, NOTHING, [])


def faults(lie: Lie) -> dict[str, list[str]]:
    found = seen(lie)
    told = {case.name: svc.faults(case.name, found) for case in cases()}
    return {name: lines for name, lines in told.items() if lines}


def test_a_network_that_does_as_it_must():
    assert faults(lambda _probe, result: result) == {}


def test_a_source_that_is_not_kept_is_told():
    def lie(probe, result):
        kept = probe.target.name == "external-local at w1" and probe.source.name == "outside"
        return {**result, "source": "10.244.1.1"} if kept and probe.expect == ("ok",) else result

    assert [*faults(lie)] == ["external-local"]
    assert "source address 10.244.1.1 seen, not 172.30.32.201" in faults(lie)["external-local"][0]


def test_a_node_without_an_endpoint_that_leads_on_is_told():
    def lie(probe, result):
        right = {"observed": "ok", "ms": 1.0, "server": "one", "source": probe.source.address}
        return right if "internal-local" in str(probe.control) and probe.expect == ("timeout",) else result

    assert all("expected timeout, observed ok" in line for line in faults(lie)["internal-local"])
    assert len(faults(lie)["internal-local"]) == 3


@pytest.mark.parametrize("protocol", ["tcp", "dns"])
def test_what_goes_on_answering_without_its_service_is_told(protocol):
    def lie(probe, result):
        deleted = probe.control == "cluster-ip: deleted" and probe.protocol == protocol
        answer = {"observed": "ok", "ms": 1.0, "server": "one", "source": "", "addresses": list(probe.target.answers)}
        return answer if deleted else result

    found = faults(lie)
    assert [*found] == ["cluster-ip"]
    assert all(line.startswith("without it: services [cluster-ip: deleted]") for line in found["cluster-ip"])


def test_a_pod_that_is_never_led_to_is_told():
    found = faults(lambda _probe, result: {**result, "server": "one"} if result.get("server") == "two" else result)
    assert found["ports"][0].startswith("services [ports]: a-w1 -> ports (10.96.1.3:81) tcp: expected ok")
    assert "tcp/80 from a-w1 to ports: two never answered" in found["ports"]


def test_what_broke_is_never_as_it_must_be():
    found = faults(lambda _probe, result: {**result, "observed": "error"})
    assert {*found} == {case.name for case in cases()}


def test_a_case_of_which_nothing_was_asked_shows_nothing():
    empty = svc.Seen({"cluster-ip": svc.Played([], [])}, [], NOTHING, NOTHING, ["namespace/reftopo-services is there"])
    assert svc.faults("cluster-ip", empty) == ["nothing was asked, or nothing was asked again without it"]
    assert svc.faults("scaled", empty) == ["nothing was scaled"]
    assert svc.faults("rolled", empty) == ["nobody asked"]
    assert svc.faults("flow", empty) == ["nobody asked"]
    assert svc.faults("recreated", empty) == ["no request failed although all pods were ended before new ones began"]
    assert svc.faults("paths", empty) == ["no way was followed"]
    assert svc.faults("gone", empty) == empty.left


def test_claims_are_one_a_case_and_what_is_around_them():
    told = svc.claims(TOPOLOGY)
    assert {name for name, _claim in told} == {"services"}
    around = ["paths", "scaled", "rolled", "flow", "recreated", "gone"]
    assert [claim.case for _name, claim in told] == [*(case.name for case in cases()), *around]


def test_records_tell_ports_apart():
    found = {record["protocol"] for record in seen().records if record["to"] == "ports"}
    assert found == {"tcp/80", "udp/80", "tcp/81", "tcp/9", "udp/9"}


def test_requests_of_a_rollout_and_of_its_control_are_told_to_the_report():
    rolled = Rolled(
        {"p": "1"}, {"q": "2"}, {"a-w1": [("p", 30), ("q", 30)]}, [("p", 9), ("q", 9)], (set(), set()), "a-cp1"
    )
    recreated = dataclasses.replace(rolled, requests={"a-w1": [("p", 30), ("refused", 4), ("q", 30)]})
    told = svc.Seen({}, [], rolled, recreated, []).requests("services")
    assert [(one["control"], one["from"], one["protocol"], one["failed"]) for one in told] == [
        (None, "a-w1", "tcp", 0),
        (None, "a-cp1", "udp", 0),
        ("strategy Recreate", "a-w1", "tcp", 4),
    ]
    small = {"topology": {"name": "x", "segments": {}, "nodes": {}}, "started": "", "elapsed": 0, "versions": {}}
    lists = {key: [] for key in ("endpoints", "probes", "asserts")}
    counts = dict.fromkeys(("failed", "errors", "skipped"), 0)
    read = read_results({**small, **lists, "summary": counts, "requests": told})
    assert [(one.origin, one.to, one.state) for one in read.requests][-1] == ("a-w1", "moving", "reached")
