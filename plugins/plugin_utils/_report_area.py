# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a cell is about: the areas of a report, and the states that each was asked in. PRIVATE to the collection."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import NAMES
from ansible_collections.reftopo.lab.plugins.plugin_utils._report_model import Probe, Results

# In the order of the report. Keys that a check has are a key or a mechanism of the topology's file.
AREAS = {
    "pods": "Pods",
    "services": "Services",
    "load-balancer": "Load balancer",
    "ingress": "Ingress",
    "dns": "Names",
    "policy": "NetworkPolicies",
    "hosts": "Hosts",
}
_OF_CHECKS = ("policy", "services", "dns", "load-balancer", "ingress")
CASES = ("policy", "services", "dns", "ingress")  # keys or mechanisms of checks that go through cases

Kind = t.Literal["as built", "case", "control", "afterwards"]


@dataclass(frozen=True)
class State:
    """The cells of an area in one state of the lab; `control` is None for the healthy lab.

    `parts` are the states' names where it is several, none of which asks what another one does.
    """

    area: str
    control: str | None
    kind: Kind
    probes: list[Probe]
    parts: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """A heading for it."""
        if self.control is None or self.parts:
            return self.control or "As built"
        return f"{self.kind.capitalize()}: {self.control}"

    @property
    def open(self) -> tuple[int, int]:
        """Of the probes that had to succeed, how many did and how many there are."""
        return _kept([probe for probe in self.probes if probe.expect == "ok"])

    @property
    def cut(self) -> tuple[int, int]:
        """Of the probes that had to fail, the same."""
        return _kept([probe for probe in self.probes if probe.expect != "ok"])

    @property
    def kept(self) -> bool:
        """Whether all probes came out as they must."""
        return all(probe.state in ("reached", "blocked") for probe in self.probes)


def states(results: Results) -> list[State]:
    """Return all states of all areas, in the order of AREAS; of an area the healthy lab comes first."""
    kinds = {endpoint["name"]: endpoint["kind"] for endpoint in results.endpoints}
    found: dict[tuple[str, str | None], list[Probe]] = {}
    for probe in results.probes:
        found.setdefault((_area(probe, results, kinds), probe.control), []).append(probe)
    made = [State(area, control, _kind(results, control, probes), probes) for (area, control), probes in found.items()]
    joined = _joined([state for state in made if _has(results, state, "services")])
    made = [*joined, *(state for state in made if not _has(results, state, "services"))]
    return sorted(made, key=lambda state: ([*AREAS].index(state.area), state.control is not None))


def _has(results: Results, state: State, key: str) -> bool:
    """Whether a state is one of a check with a key."""
    return key in results.topology.get("checks", {}).get(state.probes[0].check, {})


def _joined(cases: list[State]) -> list[State]:
    """Cases that ask a Service of their own fit in one table, and so do their controls; what does not stays alone."""
    parts: dict[Kind, list[State]] = {"case": [], "control": []}
    taken: dict[Kind, set[tuple[str, ...]]] = {"case": set(), "control": set()}
    alone = []
    for state in cases:
        cells = {(probe.origin, probe.to, probe.protocol) for probe in state.probes}
        if state.kind not in parts or cells & taken[state.kind]:
            alone.append(state)
            continue
        parts[state.kind].append(state)
        taken[state.kind] |= cells
    return [*(_as_one(kind, states) for kind, states in parts.items() if states), *alone]


def _as_one(kind: Kind, states: list[State]) -> State:
    if len(states) == 1:
        return states[0]
    probes = [probe for state in states for probe in state.probes]
    return State(states[0].area, f"{len(states)} {kind}s", kind, probes, tuple(str(state.control) for state in states))


def areas(results: Results) -> list[dict[str, t.Any]]:
    """Return for each area how many cells came out how, in the healthy lab and its cases, and in controls."""
    counted: dict[str, dict[str, t.Any]] = {}
    for state in states(results):
        entry = counted.setdefault(state.area, {"area": state.area, "name": AREAS[state.area], "states": []})
        found = [probe.state for probe in state.probes]
        numbers = {key: found.count(key) for key in ("reached", "blocked", "failed", "error")}
        entry["states"].append(
            {"names": [*state.parts] or [state.control], "kind": state.kind, "cells": len(found), **numbers}
        )
    return list(counted.values())


def _area(probe: Probe, results: Results, kinds: dict[str, str]) -> str:
    """A check may name its area; else it is that of a cell's ends. What is no endpoint is some front of a Service."""
    check = results.topology.get("checks", {}).get(probe.check, {})
    for area in _OF_CHECKS:
        if area in (check.get("mechanism"), *check):
            return area
    if probe.protocol in NAMES:
        return "dns"
    ends = kinds.get(probe.origin), kinds.get(probe.to, "service")
    return "services" if ends[1] == "service" else "pods" if "pod" in ends else "hosts"


def _kind(results: Results, control: str | None, probes: list[Probe]) -> Kind:
    """Where a check breaks something, cells must fail until it is repaired; a control of cases is all of one kind."""
    if control is None:
        return "as built"
    check = results.topology.get("checks", {}).get(probes[0].check, {})
    must_fail = sum(probe.expect != "ok" for probe in probes)
    if not {*CASES} & {*check, check.get("mechanism")}:
        return "control" if must_fail else "afterwards"
    open_again = check.get("policy") == "enforced" and not must_fail
    return "control" if must_fail == len(probes) or open_again else "case"


def _kept(probes: list[Probe]) -> tuple[int, int]:
    return sum(probe.state in ("reached", "blocked") for probe in probes), len(probes)
