# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a Service follows its endpoints: when a Deployment is scaled, and while it is rolled. Pure.

This plugin util is PRIVATE to the collection. Sources: Kubernetes, pkg/proxy/conntrack/cleanup.go (entries of UDP to an
endpoint that does not serve any more are deleted) and pkg/proxy/topology.go (endpoints that end are used when all do).
"""

from __future__ import annotations

import dataclasses
import json
import typing as t

from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data, ProofError
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_nat import flows
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_verdict import line
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_wire import Outcome

FEWEST = 40  # questions during a rolling update; less says nothing
Runs = list[tuple[str, int]]  # who answered, or what came in place of an answer, and how often; in order


@dataclasses.dataclass(frozen=True)
class Scaled:
    """What there was at a number of replicas: their names, the API's ready endpoints, and where rules go wrong."""

    replicas: int
    pods: tuple[str, ...]
    ends: tuple[str, ...]
    misled: list[str]
    outcomes: list[Outcome]


@dataclasses.dataclass(frozen=True)
class Rolled:
    """What was asked while all pods were made anew: the pods before and after, address by name, and who answered whom.

    tracked are the addresses that a node's connection tracking leads the flow of UDP to, before and after; flow_from is
    who asked by it.
    """

    old: t.Mapping[str, str]
    new: t.Mapping[str, str]
    requests: t.Mapping[str, Runs]
    flow: Runs
    tracked: tuple[set[str], set[str]]
    flow_from: str = ""


def runs(text: str) -> Runs:
    """What the steady asker printed (plugins/module_utils/_probe_steady.py).

    Raises:
        ProofError: it printed something else, for instance because it broke.
    """
    try:
        return [(str(word), int(count)) for word, count in json.loads(text)]
    except (TypeError, ValueError) as problem:
        raise ProofError(f"what asked all the while broke: {text.strip()[-200:]!r}") from problem


def tracked(text: str, address: str, port: int) -> set[str]:
    """The addresses that connection tracking leads flows of UDP to a Service's port to."""
    return {
        answers.src
        for protocol, came, answers in flows(text)
        if (protocol, came.dst, came.dport) == ("udp", address, str(port))
    }


def scale_faults(steps: t.Sequence[Scaled]) -> list[str]:
    """Whether endpoints, rules and answers follow at each step."""
    return [f"{step.replicas} replicas: {fault}" for step in steps for fault in _step_faults(step)]


def _step_faults(step: Scaled) -> list[str]:
    wrong = [] if len(step.ends) == step.replicas else [f"the API has {len(step.ends)} ready endpoints"]
    wrong += step.misled or []
    if not step.outcomes:
        return [*wrong, "nothing was asked"]
    wrong += [line(one.record) for one in step.outcomes if not one.record["ok"]]
    return wrong + [fault for who in _askers(step.outcomes) for fault in _unmet(step, who)]


def _askers(outcomes: list[Outcome]) -> list[tuple[str, str]]:
    return list(dict.fromkeys((one.probe.source.name, one.probe.protocol) for one in outcomes))


def _unmet(step: Scaled, who: tuple[str, str]) -> list[str]:
    """Pods that an asker was never led to."""
    met = {one.result.get("server") for one in step.outcomes if (one.probe.source.name, one.probe.protocol) == who}
    return [f"{who[1]} from {who[0]}: {pod} never answered" for pod in step.pods if pod not in met]


def roll_faults(seen: Rolled) -> list[str]:
    """Whether every request had an answer while the pods were exchanged, and whether they were."""
    same = sorted({*seen.old} & {*seen.new})
    wrong = [f"{name} was not made anew" for name in same]
    if not seen.requests:
        return [*wrong, "nobody asked"]
    return wrong + [f"{who}: {fault}" for who, found in seen.requests.items() for fault in _lost(found, seen)]


def _lost(found: Runs, seen: Rolled) -> list[str]:
    count, lost = sum(number for _word, number in found), failures(found, seen)
    if count < FEWEST:
        return [f"only {count} requests were made, must be {FEWEST} or more"]
    words = ", ".join(f"{word} {number}" for word, number in lost)
    wrong = [f"of {count} requests failed: {words}"] if lost else []
    names = {word for word, _number in found}
    wrong += [] if names & {*seen.old} else ["no pod of before answered"]
    return wrong + ([] if found[-1][0] in seen.new else [f"the last answer was {found[-1][0]}, of no new pod"])


def failures(found: Runs, seen: Rolled) -> Runs:
    """Runs in which no pod answered."""
    return [(word, number) for word, number in found if word not in {**seen.old, **seen.new}]


def flow_faults(seen: Rolled) -> list[str]:
    """Whether the flow of UDP stayed with one pod while that served, then went on to a new one, and is tracked so."""
    if not seen.flow:
        return ["nobody asked"]
    before, after = seen.tracked
    met = {word for word, _number in seen.flow if word in seen.old}
    wrong = [] if len(met) == 1 else [f"it must have stayed with one pod of before, but met {sorted(met) or 'none'}"]
    last = seen.flow[-1][0]
    wrong += [] if last in seen.new else [f"its last answer was {last}, of no new pod"]
    wrong += [] if before & {*seen.old.values()} else ["connection tracking did not have it before, so says nothing"]
    return wrong + [f"connection tracking still leads to {one}" for one in sorted(after - {*seen.new.values()})]


def control_faults(seen: Rolled) -> list[str]:
    """Whether requests are seen to fail where nothing keeps them from it; a question that broke is no failure seen."""
    if any(word != "error" for found in seen.requests.values() for word, _number in failures(found, seen)):
        return []
    return ["no request failed although all pods were ended before new ones began"]


def series(seen: Rolled, control: str | None = None) -> list[Data]:
    """What was asked all the while, for the report: of each asker how often, and how often no pod answered.

    control says what the rollout was made without; then some requests must fail, of one asker at least. Nothing is
    expected of the flow then: its pod is gone before there is another.
    """
    told = []
    for who, found in seen.requests.items():
        faults = control_faults(seen) if control else _lost(found, seen)
        told.append({"from": who, "expect": "some fail" if control else "none fails", **_counted(seen, found, faults)})
    if not control:
        flow = {"from": seen.flow_from, "protocol": "udp", "expect": "the flow goes on to a new pod"}
        told.append({**_counted(seen, seen.flow, flow_faults(seen)), **flow})
    return [{**one, "control": control} for one in told]


def _counted(seen: Rolled, found: Runs, faults: list[str]) -> Data:
    return {
        "protocol": "tcp",
        "asked": sum(number for _word, number in found),
        "failed": sum(number for _word, number in failures(found, seen)),
        "runs": [list(run) for run in found],
        "before": sorted(seen.old),
        "after": sorted(seen.new),
        "ok": not faults,
        "detail": "; ".join(faults),
    }
