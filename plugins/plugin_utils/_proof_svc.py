# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is claimed of Services, and what is concluded from all that was asked of them. Pure.

This plugin util is PRIVATE to the collection. What kube-proxy's rules are, how they spread, remember clients, refuse
without endpoints and lead a pod to itself is claimed by the checks with `mechanism: proxy` and not again here.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_svc_follow as follow
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_svc_path as ways
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_claim import Claim
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import NAMES, Data
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_policy import by_port
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_svc_cases import Case, cases
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_svc_objects import MARK, MOVING
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_verdict import line
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_wire import Outcome

SCALE, ROLL, FLOW, CONTROL, PATHS, GONE = "scaled", "rolled", "flow", "recreated", "paths", "gone"
RECREATE = "strategy Recreate"  # the control of a rolling update
ROLLOUT = f"kubectl -n {MARK} rollout restart deployment/{MOVING}"
# What is claimed beside the cases: title and command.
AROUND = {
    PATHS: (ways.TITLE, "nft list table ip kube-proxy; iptables-save"),
    SCALE: (
        "a Deployment is scaled: EndpointSlices, the rules of every node and who answers follow; at none it is refused",
        f"kubectl -n {MARK} scale deployment/{MOVING} --replicas=3",
    ),
    ROLL: ("a Deployment is rolled while it is asked all the time: no request fails", ROLLOUT),
    FLOW: (
        "a flow of UDP to a pod that goes is led to another, and connection tracking has nothing of the old one",
        "conntrack -L -p udp",
    ),
    CONTROL: (f"the same with {RECREATE}, which ends all pods first: requests fail, and it is noticed", ROLLOUT),
    GONE: ("nothing of the cases is left in the cluster", f"kubectl get namespaces --selector={MARK}"),
}


@dataclasses.dataclass(frozen=True)
class Played:
    """What a case showed: what was asked, and the same once its Service was deleted."""

    asked: list[Outcome]
    without: list[Outcome]


@dataclasses.dataclass(frozen=True)
class Seen:
    """All of a check: the cases by name, the Deployment scaled, rolled and recreated, and what is left of them."""

    played: t.Mapping[str, Played]
    scaled: t.Sequence[follow.Scaled]
    rolled: follow.Rolled
    recreated: follow.Rolled
    left: list[str]
    paths: list[Data] = dataclasses.field(default_factory=list)

    @property
    def records(self) -> list[Data]:
        """Every cell for the report; a protocol with its port, for a Service has several."""
        asked = [one for played in self.played.values() for one in (*played.asked, *played.without)]
        asked += [one for step in self.scaled for one in step.outcomes]
        return [{**one.record, "protocol": by_port(one)} for one in asked]

    def requests(self, check: str) -> list[Data]:
        """What was asked all the while the Deployment was rolled, and with the control, for the report."""
        told = follow.series(self.rolled) + follow.series(self.recreated, RECREATE)
        return [{"check": check, "name": f"{MOVING} is rolled", "to": MOVING, **one} for one in told]


def claims(topology: Data) -> list[tuple[str, Claim]]:
    """Of each check of Services one a case, and what else is seen; with the check's name."""
    told = [Claim("", case.name, f"{case.name}: {case.shows}", _command(case)) for case in cases()]
    told += [Claim("", key, title, command) for key, (title, command) in AROUND.items()]
    return [(name, claim) for name, check in topology["checks"].items() if "services" in check for claim in told]


def _command(case: Case) -> str:
    return f"kubectl -n {MARK} describe service {case.name}"


def faults(key: str, seen: Seen) -> list[str]:
    """Why a claim does not hold; empty when it does."""
    judges: dict[str, t.Callable[[], list[str]]] = {
        SCALE: lambda: follow.scale_faults(seen.scaled) if seen.scaled else ["nothing was scaled"],
        ROLL: lambda: follow.roll_faults(seen.rolled),
        FLOW: lambda: follow.flow_faults(seen.rolled),
        CONTROL: lambda: follow.control_faults(seen.recreated),
        PATHS: lambda: ways.faults(seen.paths),
        GONE: lambda: seen.left,
    }
    return judges[key]() if key in judges else _case_faults(seen.played[key])


def _case_faults(played: Played) -> list[str]:
    if not (played.asked and played.without):
        return ["nothing was asked, or nothing was asked again without it"]
    wrong = _wrong(played.asked) + unmet(played.asked)
    return wrong + [f"without it: {fault}" for fault in _wrong(played.without)]


def _wrong(outcomes: list[Outcome]) -> list[str]:
    return [line(outcome.record) for outcome in outcomes if not outcome.record["ok"]]


def unmet(outcomes: list[Outcome]) -> list[str]:
    """Of each cell who of those that it leads to never answered."""
    return [fault for cell in _cells(outcomes) for fault in _unmet(cell)]


def _cells(outcomes: list[Outcome]) -> list[list[Outcome]]:
    """The outcomes of each cell: who asks which port of what."""
    found: dict[tuple[str, str, str], list[Outcome]] = {}
    for one in outcomes:
        found.setdefault((one.probe.source.name, one.probe.target.name, by_port(one)), []).append(one)
    return list(found.values())


def _unmet(cell: list[Outcome]) -> list[str]:
    """Who of those that a cell leads to never answered."""
    probe = cell[0].probe
    if probe.expect != ("ok",) or probe.protocol in NAMES:
        return []
    met = {one.result.get("server") for one in cell}
    where = f"{by_port(cell[0])} from {probe.source.name} to {probe.target.name}"
    return [f"{where}: {name} never answered" for name in probe.target.answers if name not in met]
