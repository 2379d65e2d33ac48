# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plays the cases of NetworkPolicies, several at once, and asks every cell at every step.

This plugin util is PRIVATE to the collection. How cells are asked and objects changed is handed in.
"""

from __future__ import annotations

import dataclasses
import itertools
import time
import typing as t

from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data, Probe
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_policy import Played
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_policy_cases import OPEN, Case, Step
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_policy_ground import (
    Ground,
    Lane,
    cells,
    probes,
    verdicts,
)
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_policy_objects import difference, objects
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_wire import Outcome

EFFECTIVE = 30.0  # seconds until policies must be in force
AT_A_LOSS = 3.0  # the same once some were not: a network that enforces nothing is told in minutes
PAUSE = 0.3
IN_VAIN = 2.0  # seconds in which policies that nothing enforces could have come into force
Ask = t.Callable[[list[Probe]], list[Outcome]]


class Place(t.NamedTuple):
    """A case at one of its steps, in a lane."""

    lane: Lane
    case: Case
    step: Step


@dataclasses.dataclass
class Stage:
    """The running pods, what each lane has in the cluster, and which of its cells are open."""

    check: str
    enforced: bool
    ground: Ground
    image: str
    ask: Ask
    change: t.Callable[[list[Data], list[Data]], None]  # applies some objects and deletes others
    had: dict[int, list[Data]] = dataclasses.field(default_factory=dict)
    allows: dict[int, list[bool]] = dataclasses.field(default_factory=dict)
    patience: float = dataclasses.field(default_factory=lambda: EFFECTIVE)

    def bring(self, places: list[Place]) -> None:
        """Bring lanes to steps of cases, all of them by one command."""
        applied, deleted = [], []
        for lane, case, step in places:
            now = objects(lane, self.image, case.name, step, self.ground.words(lane))
            more, less = difference(self.had[lane.number], now)
            applied, deleted, self.had[lane.number] = applied + more, deleted + less, now
        self.change(applied, deleted)

    def show(self, places: list[Place]) -> list[list[Outcome]]:
        """Bring lanes to steps and ask all of their cells; the outcomes place by place.

        First those that the step opens or closes, until they are as they must be: then it is in force, and what it must
        leave alone is asked.
        """
        self.bring(places)
        if not self.enforced:
            time.sleep(IN_VAIN)
        first, then = [], []
        for lane, case, step in places:
            now = verdicts(self.ground, lane, step)
            asked = self._probes(lane, case.title(step), now)
            changed = [one != other for one, other in zip(now, self.allows[lane.number])]
            first.append([probe for probe, verdict in zip(asked, changed) if verdict])
            then.append([probe for probe, verdict in zip(asked, changed) if not verdict and self.enforced])
            self.allows[lane.number] = now
        return [one + other for one, other in zip(self._effective(first), self._effective(then))]

    def leave(self, places: list[Place]) -> list[list[Outcome]]:
        """Delete the policies of cases, and ask what they closed."""
        self.bring([Place(lane, case, OPEN) for lane, case, _step in places])
        asked = []
        for lane, case, _step in places:
            closed, self.allows[lane.number] = self.allows[lane.number], [True] * len(self.allows[lane.number])
            everything = self._probes(lane, f"{case.name}: deleted", self.allows[lane.number])
            asked.append([probe for probe, was in zip(everything, closed) if not was])
        return self._effective(asked)

    def everything(self, control: str) -> list[Outcome]:
        """All cells of all lanes, which must be open."""
        lanes = self.ground.lanes
        self.allows = {lane.number: [True] * len(cells(self.ground, lane)) for lane in lanes}
        asked = [self._probes(lane, control, self.allows[lane.number]) for lane in lanes]
        return [outcome for outcomes in self._effective(asked) for outcome in outcomes]

    def _probes(self, lane: Lane, control: str, allowed: list[bool]) -> list[Probe]:
        expected = ["ok" if one or not self.enforced else "timeout" for one in allowed]
        return probes(self.check, control, cells(self.ground, lane), expected)

    def _effective(self, wanted: list[list[Probe]]) -> list[list[Outcome]]:
        """Groups of probes asked together, those that differ again and again until their time is up."""
        outcomes = effective(self.ask, [probe for group in wanted for probe in group], self.patience)
        if not all(outcome.record["ok"] for outcome in outcomes):
            self.patience = min(self.patience, AT_A_LOSS)
        found = iter(outcomes)
        return [list(itertools.islice(found, len(group))) for group in wanted]


def effective(ask: Ask, wanted: list[Probe], limit: float) -> list[Outcome]:
    """Ask until every cell is as it must be, for some seconds; those that never came say so."""
    began = time.monotonic()
    outcomes = ask(wanted) if wanted else []
    while wrong := [index for index, outcome in enumerate(outcomes) if not outcome.record["ok"]]:
        if time.monotonic() - began > limit:
            break
        time.sleep(PAUSE)
        for index, outcome in zip(wrong, ask([outcomes[index].probe.again() for index in wrong])):
            outcomes[index] = outcome
    for index in wrong:
        record = outcomes[index].record
        record["detail"] = f"{record['detail']}, also after {limit:g} s".lstrip(", ")
    return outcomes


def play(stage: Stage, group: t.Sequence[Case]) -> dict[str, Played]:
    """Play some cases at once, each in a lane of its own, step by step."""
    pairs = list(zip(stage.ground.lanes, group))
    found: dict[str, list[Outcome]] = {case.name: [] for case in group}
    closes = dict.fromkeys(found, 0)
    for number in range(max(len(case.steps) for case in group)):
        places = [Place(lane, case, case.steps[number]) for lane, case in pairs if number < len(case.steps)]
        for place, outcomes in zip(places, stage.show(places)):
            found[place.case.name] += outcomes
            closes[place.case.name] += stage.allows[place.lane.number].count(False)
    reopened = stage.leave([Place(lane, case, OPEN) for lane, case in pairs])
    return {case.name: Played(found[case.name], closes[case.name], again) for case, again in zip(group, reopened)}


def groups(found: t.Sequence[Case], lanes: int) -> list[list[Case]]:
    """The cases that are played at once: those with as many steps together."""
    ordered = sorted(found, key=lambda case: len(case.steps))
    return [ordered[start : start + lanes] for start in range(0, len(ordered), lanes)]
