# SPDX-License-Identifier: GPL-3.0-or-later
"""The cases of NetworkPolicies: each closes something, each step is seen to come into force, none is twice."""

from __future__ import annotations

import collections
import ipaddress
import typing as t

import pytest
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_commands as commands
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_plan as plan
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_policy_ground as grounds
from ansible_collections.reftopo.lab.plugins.plugin_utils._policy_model import End, PolicyError
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import ProofError
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_policy_cases import (
    OPEN,
    PODS,
    Case,
    Step,
    cases,
    policies,
)
from policy_network import DNS, NAME, NODES, ground, lane

ALL = {"namespace": "x", "podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def closed(step: Step) -> list[bool]:
    return [not verdict for verdict in grounds.verdicts(ground(), lane(1), step)]


def test_there_are_enough_of_all_kinds() -> None:
    assert len(cases()) >= 45
    text = str([step.policies for case in cases() for step in case.steps])
    for word in ("In", "NotIn", "Exists", "DoesNotExist", "except", "endPort", "namespaceSelector", "SCTP"):
        assert f"'{word}'" in text, word
    assert any(step.pods for case in cases() for step in case.steps)
    assert any(step.namespaces for case in cases() for step in case.steps)


def test_names_are_there_once() -> None:
    """Also without what is behind the colon of a step, for outcomes are told apart by it."""
    assert max(collections.Counter(case.name for case in cases()).values()) == 1
    states = [case.title(step) for case in cases() for step in case.steps]
    assert len(set(states)) == len(states)


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_each_step_opens_or_closes_a_cell(case: Case) -> None:
    """Else nobody could tell when it is in force; and what closes nothing would pass where nothing enforces."""
    states = [closed(OPEN), *(closed(step) for step in case.steps)]
    assert all(one != other for one, other in zip(states, states[1:]))
    assert any(states[1])


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_a_policy_that_changes_in_place_names_its_types(case: Case) -> None:
    """What the API server adds to one that does not would stay there when the policy changes."""
    if len(case.steps) > 1:
        assert all("policyTypes" in policy for step in case.steps for policy in step.policies)


def test_no_two_cases_are_the_same() -> None:
    """By their policies, which may close the same cells."""
    texts = [str(case.steps) for case in cases()]
    assert len(set(texts)) == len(texts)


def test_a_case_without_a_policy_is_all_open() -> None:
    assert not any(closed(OPEN))


def test_what_the_first_case_closes_is_known_by_hand() -> None:
    """deny-ingress in x: its two pods for everybody but themselves and their own nodes."""
    cells = [cell for cell, shut in zip(grounds.cells(ground(), lane(1)), closed(cases()[0].steps[0])) if shut]
    counts = collections.Counter((cell.source.name, cell.target.name) for cell in cells)
    others = {(source, target): 4 for target in ("x/a", "x/b") for source in PODS if source != target}
    assert counts == {**others, ("w1", "x/a"): 1, ("cp1", "x/b"): 1}


def test_every_cell_is_there() -> None:
    cells = grounds.cells(ground(), lane(1))
    counts = collections.Counter((cell.source.kind, cell.target.kind) for cell in cells)
    assert counts == {
        ("pods", "pods"): 6 * 6 * 4,
        ("pods", "namespaces"): 6 * 2,
        ("pods", "dns"): 6,
        ("nodes", "pods"): 2 * 6,
    }
    assert len({(cell.source.name, cell.target.name, cell.protocol, cell.port) for cell in cells}) == len(cells)


@pytest.mark.parametrize("nodes", [("n1",), ("n1", "n2"), ("n1", "n2", "n3")])
def test_pods_of_a_namespace_are_on_one_node_and_on_two(nodes: tuple[str, ...]) -> None:
    pairs = [(lane(number, nodes).node("x/a"), lane(number, nodes).node("x/b")) for number in (1, 2)]
    assert {one == other for one, other in pairs} == ({True, False} if len(nodes) > 1 else {True})
    assert {lane(number, nodes).node(pod) for number in (1, 2) for pod in PODS} == set(nodes)


def test_words_are_filled_in_everywhere() -> None:
    step = Step("", ({"namespace": "x", "podSelector": {}, "ingress": [{"from": ["{y}", "{z/b}/32"]}]},), {}, {})
    (policy,) = policies(step, ground().words(lane(1)))
    assert policy.namespace == "reftopo-policy-1-x"
    assert policy.spec["ingress"] == [{"from": ["reftopo-policy-1-y", "10.244.1.7/32"]}]


def test_a_word_that_nothing_stands_for() -> None:
    with pytest.raises(PolicyError, match=r"nothing stands for \{w/a\}; there are x, y"):
        policies(Step("", ({"namespace": "x", "podSelector": "{w/a}"},), {}, {}), ground().words(lane(1)))


def test_without_a_machine_outside_nobody_has_its_address() -> None:
    alone = grounds.Ground((lane(1),), NODES, None, NAME, (DNS,), "10.244.0.0/16")
    assert ipaddress.ip_address(alone.words(lane(1))["outside"]) in ipaddress.ip_network("192.0.2.0/24")
    assert not [cell for cell in grounds.cells(alone, lane(1)) if cell.target.kind == "namespaces"]


def test_pods_of_the_dns_that_differ_are_told() -> None:
    """A name is answered by any of them, so nothing could be expected."""
    other = End("10.244.9.10", "w1", "kube-system", {}, DNS.namespace_labels)
    step = Step("", ({**ALL, "egress": [{"to": [{"ipBlock": {"cidr": "10.244.9.9/32"}}]}]},), {}, {})
    with pytest.raises(ProofError, match="may ask only some of the 2 pods of kubernetes"):
        grounds.verdicts(ground(DNS, other), lane(1), step)


def test_probes_are_those_of_the_cells() -> None:
    cells: list[t.Any] = grounds.cells(ground(), lane(1))
    probes = grounds.probes("policies", "state", cells, ["timeout"] * len(cells))
    assert {probe.expect for probe in probes} == {("timeout",)}
    assert {probe.expect_source for probe in probes if probe.source.name == "x/a"} == {"10.244.1.2", None}
    assert {probe.expect_source for probe in probes if probe.target.name == "outside"} == {None}


def test_all_lanes_on_one_node_fit_a_command_line() -> None:
    """The kernel's limit for one argument (execve(2), MAX_ARG_STRLEN), quoted twice on the way."""
    lanes = [lane(number, ("n1",)) for number in range(1, grounds.LANES + 1)]
    cells = [cell for one in lanes for cell in grounds.cells(ground(), one)]
    jobs = [plan.job(probe, 1.0) for probe in grounds.probes("policies", "state", cells, ["ok"] * len(cells))]
    assert len(commands.agent(jobs)) < 131072 / 2
