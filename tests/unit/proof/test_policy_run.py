# SPDX-License-Identifier: GPL-3.0-or-later
"""Cases of NetworkPolicies played on a network of lies: what it does is as promised, but for one thing."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_policy as proof
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_policy_run as run
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data, Probe
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_policy_cases import Case, cases
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_policy_ground import Lane
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_policy_objects import (
    dns_ends,
    objects,
    running,
)
from policy_network import DNS, Network, ground

GROUND = ground()
LANES = GROUND.lanes


def staged(network: Network, enforced: bool = True) -> run.Stage:
    stage = run.Stage("policies", enforced, GROUND, "agnhost", network.ask, network.change)
    stage.had = {lane.number: objects(lane, "agnhost") for lane in LANES}
    network.change([item for items in stage.had.values() for item in items], [])
    return stage


def seen(network: Network, chosen: t.Sequence[Case], enforced: bool = True) -> proof.Seen:
    stage = staged(network, enforced)
    before, played = stage.everything("before"), {}
    for group in run.groups(chosen, len(LANES)):
        played.update(run.play(stage, group))
    return proof.Seen(before, stage.everything("after"), played, [])


def faults(found: proof.Seen) -> dict[str, list[str]]:
    told = {key: proof.faults(key, found) for key in (proof.BEFORE, *found.played, proof.AFTER)}
    return {key: lines for key, lines in told.items() if lines}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("EFFECTIVE", 0.05), ("AT_A_LOSS", 0.0), ("PAUSE", 0.0), ("IN_VAIN", 0.0)):
        monkeypatch.setattr(run, name, value)


def test_a_network_that_enforces_nothing_is_told_in_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "AT_A_LOSS", 0.01)
    found = faults(seen(Network(enforces=False), named("deny-ingress", "deny-egress", "union")))
    assert [lines[0].rpartition("(")[2] for lines in found.values()] == [
        "also after 0.05 s)",
        "also after 0.05 s)",
        "also after 0.01 s)",
    ]


def named(*names: str) -> list[Case]:
    return [case for case in cases() if case.name in names]


def test_all_cases_on_a_network_that_enforces() -> None:
    network = Network()
    assert faults(seen(network, cases())) == {}
    assert not [key for key in network.objects if key[0] == "NetworkPolicy"]


def test_policies_that_come_into_force_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "EFFECTIVE", 5.0)
    assert faults(seen(Network(late=3), named("deny-ingress", "a-policy-changes", "from-every-namespace"))) == {}


def test_what_a_step_leaves_alone_is_asked_when_it_is_in_force(monkeypatch: pytest.MonkeyPatch) -> None:
    """A policy that comes late and closes too much would pass if everything was asked at once."""
    monkeypatch.setattr(run, "EFFECTIVE", 0.5)
    late = Network(late=2)

    def too_much(probe: Probe, observed: str) -> str:
        return (
            "timeout" if late.rounds > 2 and "deny" in str(probe.control) and probe.target.name == "y/a" else observed
        )

    late.lie = too_much
    found = faults(seen(late, named("deny-ingress")))
    assert "y/b -> y/a" in "\n".join(found["deny-ingress"])


def test_a_network_that_enforces_nothing_fails_every_case() -> None:
    found = faults(seen(Network(enforces=False), cases()))
    assert list(found) == [case.name for case in sorted(cases(), key=lambda case: len(case.steps))]
    assert all("expected timeout, observed ok (also after" in lines[0] for lines in found.values())


def test_where_policies_are_ignored_what_they_would_close_is_open() -> None:
    network = Network(enforces=False)
    found = seen(network, cases(), enforced=False)
    assert faults(found) == {}
    assert all(played.asked and played.closes for played in found.played.values())


def test_policies_that_should_be_ignored_and_are_not() -> None:
    found = faults(seen(Network(), cases(), enforced=False))
    assert set(found) == {case.name for case in cases()}


@pytest.mark.parametrize(
    ("observed", "words"),
    [
        ("error", "expected timeout, observed error"),
        ("refused", "expected timeout, observed refused"),
        ("unreachable", "expected timeout, observed unreachable"),
    ],
)
def test_only_silence_is_closed(observed: str, words: str) -> None:
    network = Network(lie=lambda _probe, was: observed if was == "timeout" else was)
    assert words in faults(seen(network, named("deny-ingress")))["deny-ingress"][0]


def test_one_cell_that_stays_open_is_named() -> None:
    def lie(probe: Probe, was: str) -> str:
        cell = (probe.source.name, probe.target.name, probe.protocol, probe.target.ports.get(probe.protocol))
        return "ok" if cell == ("y/a", "x/b", "udp", 8091) else was

    found = faults(seen(Network(lie=lie), named("deny-ingress")))
    assert found == {
        "deny-ingress": [
            "policies [deny-ingress]: y/a -> x/b (10.244.1.3:8091) udp: "
            "expected timeout, observed ok (also after 0.05 s)"
        ]
    }


def test_what_stays_closed_without_the_policy_is_named() -> None:
    def lie(probe: Probe, was: str) -> str:
        stays = str(probe.control).endswith("deleted") and probe.source.name == "y/a" and probe.protocol == "tcp"
        return "timeout" if stays else was

    found = faults(seen(Network(lie=lie), named("deny-ingress")))
    assert all(fault.startswith("without it: policies [deny-ingress: deleted]: y/a") for fault in found["deny-ingress"])


@pytest.mark.parametrize("state", [proof.BEFORE, proof.AFTER])
def test_a_lab_that_is_not_open_without_policies(state: str) -> None:
    network = Network(lie=lambda probe, was: "timeout" if probe.control == state and probe.protocol == "dns" else was)
    assert set(faults(seen(network, named("deny-ingress")))) == {state}


def test_a_case_that_closes_nothing_shows_nothing() -> None:
    empty = proof.Seen([], [], {"one": proof.Played([], 0, [])}, ["namespace/reftopo-policy-1-x is still there"])
    assert proof.faults("one", empty) == ["it closes no cell, so it shows nothing"]
    assert proof.faults(proof.BEFORE, empty) == ["no probe was made"]
    assert proof.faults(proof.GONE, empty) == empty.left


def test_every_cell_is_asked_once_when_all_is_well() -> None:
    network = Network()
    seen(network, named("deny-ingress"))
    assert network.asked == 2 * 2 * 174 + 174 + 42  # before and after in both lanes, the case, and what it closed


def test_records_tell_ports_apart() -> None:
    found = {record["protocol"] for record in seen(Network(), named("deny-ingress")).records}
    assert found == {"tcp/8080", "tcp/8090", "udp/8081", "udp/8091", "dns"}


def claimed(policy: str, nodes: int) -> list[str]:
    topology = {"cluster": {"cni": {"name": "flannel"}}, "checks": {"a": {"policy": policy}, "b": {"mtu": "exact"}}}
    told = proof.claims({**topology, "nodes": dict.fromkeys(range(nodes))})
    assert {name for name, _claim in told} == {"a"}
    return [claim.case for _name, claim in told]


def test_claims_are_one_a_case_and_what_is_around_them() -> None:
    names = [case.name for case in cases()]
    assert claimed("ignored", 2) == claimed("enforced", 1) == ["before", *names, "after", "gone"]
    assert claimed("enforced", 2) == ["before", *names, "where-ingress", "where-egress", "after", "gone"]


def pod(name: str, ready: str, address: str | None = "10.244.1.2") -> Data:
    return {
        "metadata": {"name": name, "namespace": "kube-system", "labels": {"k8s-app": "kube-dns"}},
        "spec": {
            "nodeName": "cp1",
            "containers": [{"ports": [{"name": "dns", "protocol": "UDP", "containerPort": 53}]}],
        },
        "status": {"podIP": address, "conditions": [{"type": "Ready", "status": ready}]},
    }


def test_pods_that_are_not_ready_have_no_address() -> None:
    items = [pod("x-a-1", "True"), pod("x-b-1", "False"), pod("y-a-1", "True", None), pod("y-b-2", "True")]
    assert running(items, Lane(1, ("cp1",))).addresses == {"x/a": "10.244.1.2"}


def test_who_answers_for_names() -> None:
    assert dns_ends([pod("one", "True", "10.244.9.9"), pod("two", "False")]) == (DNS,)
