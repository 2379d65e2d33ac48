# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers and Services of the cases in a cluster, what keeps them from it, and a Deployment that follows or not."""

from __future__ import annotations

import contextlib
import json
import types
import typing as t

import pytest
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_svc_lab as lab_of
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_svc_rollout as rollout_of
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data, ProofError
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_services import OWNER
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_svc_cases import cases
from service_network import ENDS, RUNNING, TOPOLOGY, api, ground, outcomes, snapshot

PODS = {"moving-1": "10.244.1.4", "moving-2": "10.244.1.5"}


def pod(name: str, address: str, ready: str = "True", **labels: str) -> Data:
    conditions = [{"type": "Ready", "status": ready}]
    return {
        "kind": "Pod",
        "metadata": {"name": name, "labels": labels},
        "status": {"podIP": address, "conditions": conditions},
    }


def endpoints(pods: t.Mapping[str, str]) -> list[Data]:
    """The Deployment's Service and its EndpointSlice, and those of another."""
    ports = [{"name": name, "protocol": name.upper(), "port": 80} for name in ("tcp", "udp")]
    service = {"kind": "Service", "metadata": {"name": "moving"}, "spec": {"clusterIP": "10.96.1.99", "ports": ports}}
    ends = [{"addresses": [one], "conditions": {"ready": True}} for one in pods.values()]
    body = {"ports": [{"name": "tcp", "port": 8080}, {"name": "udp", "port": 8081}], "endpoints": ends or None}
    slices = {"kind": "EndpointSlice", "metadata": {"name": "moving-x", "labels": {OWNER: "moving"}}, **body}
    other = {"kind": "Service", "metadata": {"name": "external-name"}, "spec": {"externalName": "x"}}
    return [service, slices, other]


class Cluster:
    """Answers kubectl by what is in it; `late` replies are of before."""

    def __init__(self, pods: list[dict[str, str]]) -> None:
        self.states = pods
        self.calls: list[str] = []

    @property
    def pods(self) -> dict[str, str]:
        return self.states[0]

    def run(self, command: str) -> str:
        self.calls.append(command.partition("--namespace=reftopo-services ")[2] or command)
        if "get pods" in command:
            found = [pod(name, address, app="moving") for name, address in self.pods.items()]
        else:
            found = endpoints(self.pods)
            found = found[1:2] if "get endpointslices" in command else found
        if "restart" in command and len(self.states) > 1:
            self.states.pop(0)
        return "" if " get " not in command else json.dumps({"items": found})


def lab(machine: t.Any, views: t.Mapping[str, t.Any] | None = None) -> t.Any:
    return types.SimpleNamespace(
        topology=TOPOLOGY,
        endpoints=ENDS,
        control_plane=machine,
        machines={"cp1": machine, "w1": machine, "host": machine},
        snapshots=lambda *names: {name: snapshot(number, name) for number, name in enumerate(names)},
        views=lambda _services, _snapshots: views or {},
        ask_once=lambda probes, *_limits: outcomes(probes),
    )


def printed(*items: Data) -> str:
    return json.dumps({"items": items})


def script(*answers: str) -> t.Any:
    """A machine that prints these, one after the other, and then the last."""
    given = list(answers)
    return types.SimpleNamespace(run=lambda _command: given.pop(0) if len(given) > 1 else given[0])


SERVERS = [pod(name, end.address) for name, end in RUNNING.items() if name != "outside"]


def test_the_ground_is_there_when_all_servers_are_ready(monkeypatch):
    monkeypatch.setattr(lab_of, "PAUSE", 0.0)
    late = printed(*SERVERS[1:], pod("one", "10.244.1.9", ready="False"))
    services = [api(number, case) for number, case in enumerate(cases(), 1)]
    found = lab_of._ground(lab(script(late, printed(*SERVERS), printed(*services))))
    assert found.servers == RUNNING
    assert (found.near, found.far, {*found.snapshots}) == ("w1", "cp1", {"w1", "cp1"})
    assert found.askers["pod near"].name == "a-w1"
    assert {*found.services} == {case.name for case in cases()}


def test_servers_that_never_are_ready_are_named(monkeypatch):
    monkeypatch.setattr(lab_of, "READY_TIMEOUT", 0.0)
    with pytest.raises(ProofError, match="not ready after 0 s: host, two"):
        lab_of._ground(lab(script(printed(SERVERS[0]))))


def test_all_cases_are_asked_and_asked_again_without_their_services():
    cluster = Cluster([{}])
    asked = lab_of._asked(lab(cluster), ground(), "services")
    without = lab_of._without(lab(cluster), ground(), asked)
    assert [*asked] == [*without] == [case.name for case in cases()]
    assert all(one.record["ok"] for found in (*asked.values(), *without.values()) for one in found)
    assert cluster.calls[0].endswith("delete --filename=- >/dev/null")
    assert all(case.name in cluster.calls[0] for case in cases())


def test_a_server_that_a_node_hears_of_late_is_waited_for(monkeypatch):
    monkeypatch.setattr(lab_of, "PAUSE", 0.0)
    rounds: list[int] = []

    def hide(probe, told):
        return {**told, "server": "one"} if len(rounds) < 3 and probe.target.answers == ("one", "two") else told

    running = lab(Cluster([{}]))
    running.ask_once = lambda probes, *_limits: rounds.append(len(probes)) or outcomes(probes, hide)
    asked = lab_of._asked(running, ground(), "services")
    assert not lab_of.unmet(asked["ports"])
    assert len(rounds) == 3 and rounds[0] > rounds[1] == rounds[2] == len(asked["ports"])


def made(cluster: Cluster, views: t.Mapping[str, t.Any] | None = None) -> rollout_of.Rollout:
    return rollout_of.Rollout(lab(cluster, views), ground(), "services")


@pytest.mark.parametrize(("pods", "expect"), [(PODS, "ok"), ({}, "refused")])
def test_a_deployment_is_scaled_and_asked(monkeypatch, pods, expect):
    monkeypatch.setattr(rollout_of.rules, "service_faults", lambda _view, _name: [])
    monkeypatch.setattr(rollout_of.rules, "refusal_faults", lambda _view, _name: [])
    cluster = Cluster([pods])
    step = made(cluster, {"w1": None}).scale(len(pods))
    assert cluster.calls[0] == f"scale deployment/moving --replicas={len(pods)}"
    assert (step.pods, len(step.ends), step.misled) == (tuple(pods), len(pods), [])
    assert {one.record["expect"] for one in step.outcomes} == {expect}
    assert {(one.probe.source.name, one.probe.protocol) for one in step.outcomes} == {
        (name, protocol) for name in ("a-w1", "a-cp1") for protocol in ("tcp", "udp")
    }


def test_rules_that_do_not_follow_are_told(monkeypatch):
    monkeypatch.setattr(rollout_of, "FOLLOWS", 0.0)
    monkeypatch.setattr(rollout_of.rules, "service_faults", lambda _view, name: [f"{name}: leads to nobody"])
    assert made(Cluster([PODS]), {"w1": None}).scale(2).misled == ["w1: moving: leads to nobody"]
    assert made(Cluster([PODS])).scale(3).misled == ["the API has 2 ready endpoints"]


@pytest.fixture
def askers(monkeypatch):
    """Askers that print this when they end."""

    @contextlib.contextmanager
    def held(wanted):
        yield [
            types.SimpleNamespace(output=json.dumps([[protocol, 1]]).encode()) for protocol in ("near", "far", "udp")
        ]

    monkeypatch.setattr(rollout_of, "held_together", held)
    monkeypatch.setattr(rollout_of, "AFTERWARDS", 0.0)


def test_a_deployment_is_exchanged_while_it_is_asked(monkeypatch, askers):
    new = {"moving-3": "10.244.1.6", "moving-4": "10.244.1.7"}
    monkeypatch.setattr(rollout_of, "tracked", lambda _text, address, port: {f"{address}:{port}"})
    monkeypatch.setattr(rollout_of, "TRACKED", "conntrack get pods")  # something that the cluster answers
    seen = made(Cluster([PODS, new])).roll()
    assert (seen.old, seen.new) == (PODS, new)
    assert seen.requests == {"a-w1": [("near", 1)], "a-cp1": [("far", 1)]}
    assert (seen.flow, seen.tracked) == ([("udp", 1)], ({"10.96.1.99:80"}, {"10.96.1.99:80"}))


def test_the_control_ends_all_pods_first(monkeypatch, askers):
    monkeypatch.setattr(rollout_of, "TRACKED", "conntrack")
    cluster = Cluster([PODS, {"moving-3": "10.244.1.6", "moving-4": "10.244.1.7"}])
    made(cluster).recreate()
    assert '"type": "Recreate"' in cluster.calls[0]


def test_pods_that_are_never_exchanged_are_told(monkeypatch, askers):
    monkeypatch.setattr(rollout_of, "EXCHANGED", 0.0)
    with pytest.raises(ProofError, match="moving: not rolled after 0 s"):
        made(Cluster([PODS])).roll()
