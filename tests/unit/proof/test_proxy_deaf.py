# SPDX-License-Identifier: GPL-3.0-or-later
"""What is concluded from a pod that does not listen: what must follow does, but for one thing."""

from __future__ import annotations

import collections
import itertools
import subprocess
import types
import typing as t

import pytest
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_commands as commands
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_control as control
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_proxy_deaf as deafness
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_proxy_rules as rules
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data, Endpoint, Probe
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_services import Service
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_snapshot import Snapshot
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_verdict import judge
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_wire import Outcome

TOPOLOGY = {"nodes": {name: {"proxy_mode": "iptables"} for name in ("n1", "n2")}, "cluster": {}}
NAMES = ("a-n1", "b-n1", "a-n2", "b-n2")
PODS = [
    Endpoint(name, "pods", name[2:], f"10.99.{name[-1]}.{2 + (name[0] == 'b')}", name[2:], answers=(f"{name}-x",))
    for name in NAMES
]
DEAF = PODS[-1]
Answer = t.Callable[[Probe, Data], Data]


def described(name: str, *pods: Endpoint) -> Service:
    """A service as the API describes it with these endpoints."""
    ends = tuple(f"{pod.address}:8080" for pod in pods)
    return Service(name, "10.98.0.1", {"tcp": 80}, {}, {"tcp": ends})


def views(*listed: Endpoint) -> dict[str, rules.View]:
    """Both nodes where agnhost has these endpoints."""
    found = {"agnhost": described("agnhost", *listed), "listed": described("listed", *PODS)}
    return {node: rules.View(TOPOLOGY, Snapshot(node, ""), found, [], []) for node in TOPOLOGY["nodes"]}


def seen(change: Answer, deaf: dict[str, rules.View], back: dict[str, rules.View]) -> deafness.Deaf:
    """Everybody answers in turn, but for the pod that does not listen, which agnhost does not lead to."""
    found = {"agnhost": PODS[:-1], "listed": PODS}
    turns: dict[t.Any, t.Iterator[Endpoint]] = collections.defaultdict(lambda: itertools.cycle(PODS))
    for source, service in itertools.product(("a-n1", "a-n2"), found):
        turns[source, service] = itertools.cycle(found[service])
    outcomes = []
    services = {name: described(name, *pods) for name, pods in found.items()}
    for probe in deafness.probes("proxy", {"pods": PODS}, services, "b-n2 does not listen"):
        pod = next(turns[probe.source.name, probe.target.name])
        answer: Data = {"observed": "ok", "server": pod.answers[0], "source": probe.source.address, "ms": 1.0}
        result = change(probe, {"observed": "refused", "ms": 1.0} if pod == DEAF else answer)
        outcomes.append(Outcome(probe, result, judge(probe, result)))
    return deafness.Deaf(DEAF, outcomes, deaf, back, PODS)


def nothing(_probe: Probe, result: Data) -> Data:
    return result


def heard(_probe: Probe, result: Data) -> Data:
    return {"observed": "ok", "server": "b-n2-x", "ms": 1.0} if result["observed"] == "refused" else result


def avoided(probe: Probe, result: Data) -> Data:
    hit = result["observed"] == "refused"
    return {"observed": "ok", "server": "a-n1-x", "source": probe.source.address, "ms": 1.0} if hit else result


def silent(probe: Probe, result: Data) -> Data:
    hit = (probe.source.name, probe.target.name) == ("a-n1", "listed") and result["observed"] == "refused"
    return {"observed": "timeout", "ms": 1500.0} if hit else result


def failing(probe: Probe, result: Data) -> Data:
    return (
        {"observed": "refused", "ms": 1.0} if (probe.source.name, probe.target.name) == ("a-n2", "agnhost") else result
    )


OUT, IN = views(*PODS[:-1]), views(*PODS)
CASES = {
    "as it must": ((nothing, OUT, IN), {}),
    "it listens all the time": (
        (heard, OUT, IN),
        dict.fromkeys(("n1-listed", "n2-listed"), "b-n2 answered, though it must not listen"),
    ),
    "listed does not lead to it": (
        (avoided, OUT, IN),
        dict.fromkeys(("n1-listed", "n2-listed"), "none of 45 connections was refused"),
    ),
    "silence": ((silent, OUT, IN), {"n1-listed": "expected ok or refused, observed timeout"}),
    "agnhost leads to it": ((failing, OUT, IN), {"n2-taken-out": "expected ok, observed refused"}),
    "it is not taken out": (
        (nothing, IN, IN),
        dict.fromkeys(
            ("n1-taken-out", "n1-listed", "n2-taken-out", "n2-listed"),
            "the API lists 10.99.2.3:8080 as ready endpoint of agnhost",
        ),
    ),
    "it stays out": (
        (nothing, OUT, OUT),
        dict.fromkeys(("n1-back", "n2-back"), "the API does not list 10.99.2.3:8080 as ready endpoint of agnhost"),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_one_change_is_named(name, monkeypatch):
    """The rules themselves are another test's; here they follow the API."""
    monkeypatch.setattr(rules, "service_faults", lambda _view, _service: [])
    arguments, wanted = CASES[name]
    state = seen(*arguments)
    found = {claim.case: faults for claim in deafness.claims(TOPOLOGY) if (faults := deafness.faults(claim, state))}
    assert set(found) == set(wanted)
    assert {case: text for case, text in wanted.items() if not any(text in fault for fault in found[case])} == {}


def test_rules_that_do_not_follow_are_a_fault(monkeypatch):
    monkeypatch.setattr(rules, "service_faults", lambda view, service: [f"{service}: {view.snapshot.machine}"])
    claims = [claim for claim in deafness.claims(TOPOLOGY) if claim.node == "n1"]
    found = [deafness.faults(claim, seen(nothing, OUT, IN)) for claim in claims]
    assert found == [["agnhost: n1", "listed: n1"]] * 3


def test_a_pod_that_is_not_there_cannot_be_deafened():
    """No namespace has the address, so nothing is changed, and the suite is not told that it was."""
    command = commands.deafen("192.0.2.1", 8080)
    done = subprocess.run(["sh", "-c", command], input="", capture_output=True, text=True, check=False)
    assert commands.HELD not in done.stderr


@pytest.mark.parametrize(
    ("read", "judged"), [(["right"], "right"), (["late", "late", "right"], "right"), (["late"] * 3, "late")]
)
def test_rules_that_do_not_follow_yet_are_read_again_for_a_time(
    monkeypatch: pytest.MonkeyPatch, read: list[str], judged: str
):
    views = [dict.fromkeys(TOPOLOGY["nodes"], word) for word in read]
    lab = types.SimpleNamespace(topology=TOPOLOGY, views_now=lambda: views.pop(0) if views else dict(last))
    last = views[-1]
    monkeypatch.setattr(rules, "faults", lambda _key, view: [] if view == "right" else ["another endpoint"])
    monkeypatch.setattr(control, "FOLLOW_TIMEOUT", 1.0)
    assert set(control.following(lab, views.pop(0)).values()) == {judged}  # type: ignore[arg-type]
    assert views == []
