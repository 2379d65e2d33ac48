# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is claimed of NetworkPolicies, and what is concluded from the cells that were asked. Pure.

This plugin util is PRIVATE to the collection. A check says whether policies are enforced. Where they are ignored, what
they would close must be open: the same cases, which would all fail there as checks of an enforcing network.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils._cni_backend import pod_network
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_policy_where as where
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_claim import Claim
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_policy_cases import Case, cases
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_policy_ground import MARK
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_verdict import line
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_wire import Outcome

ENFORCED, IGNORED = "enforced", "ignored"
BEFORE, AFTER, GONE = "before", "after", "gone"
# What is claimed beside the cases: title and command.
AROUND = {
    BEFORE: ("without a policy every cell is open", "kubectl get networkpolicies --all-namespaces"),
    AFTER: ("when all policies are deleted every cell is open again", "kubectl get networkpolicies --all-namespaces"),
    GONE: ("nothing of the cases is left in the cluster", f"kubectl get namespaces --selector={MARK}"),
}


@dataclasses.dataclass(frozen=True)
class Played:
    """What a case showed: of each step what was asked, how many cells it closes, and what was closed, once it ended."""

    asked: list[Outcome]
    closes: int
    reopened: list[Outcome]


@dataclasses.dataclass(frozen=True)
class Seen:
    """All of a check: every cell before and after, the cases by name, and what is left in the cluster.

    misplaced has, of each direction, why packets were not dropped where they must be.
    """

    before: list[Outcome]
    after: list[Outcome]
    played: t.Mapping[str, Played]
    left: list[str]
    misplaced: t.Mapping[str, list[str]] = dataclasses.field(default_factory=dict)

    @property
    def records(self) -> list[Data]:
        """Every cell for the report; a protocol with its port, for a target has several."""
        asked = [one for played in self.played.values() for one in played.asked]
        return [{**one.record, "protocol": by_port(one)} for one in (*self.before, *asked, *self.after)]


def claims(topology: Data) -> list[tuple[str, Claim]]:
    """Of each check of policies one a case, and what holds before and after all of them; with the check's name."""
    return [
        (name, claim)
        for name, check in topology["checks"].items()
        if "policy" in check
        for claim in _claims(topology, check)
    ]


def _claims(topology: Data, check: Data) -> list[Claim]:
    plugin = pod_network(topology)["cni"]["name"]
    around = {key: Claim("", key, title, command) for key, (title, command) in AROUND.items()}
    told = [Claim("", case.name, _title(case, plugin, check), _command(case)) for case in cases()]
    return [around[BEFORE], *told, *_places(topology, check), around[AFTER], around[GONE]]


def _places(topology: Data, check: Data) -> list[Claim]:
    """Where packets are dropped: of two nodes on the right one."""
    tried = check["policy"] == ENFORCED and len(topology["nodes"]) > 1
    return [Claim("", way.key, way.title, where.COMMAND) for way in where.WAYS] if tried else []


def _title(case: Case, plugin: str, check: Data) -> str:
    if check["policy"] == IGNORED:
        return f"{case.name}: {plugin} enforces nothing, so what this would close is open"
    return f"{case.name}: {case.shows}"


def _command(case: Case) -> str:
    return f"kubectl get networkpolicies --all-namespaces | grep {case.name}"


def faults(key: str, seen: Seen) -> list[str]:
    """Why a claim does not hold; empty when it does."""
    around = {BEFORE: seen.before, AFTER: seen.after}
    if key == GONE:
        return seen.left
    if key in seen.misplaced:
        return seen.misplaced[key]
    if key in around:
        return _wrong(around[key]) if around[key] else ["no probe was made"]
    played = seen.played[key]
    if not (played.closes and played.asked):
        return ["it closes no cell, so it shows nothing"]
    return _wrong(played.asked) + [f"without it: {fault}" for fault in _wrong(played.reopened)]


def by_port(outcome: Outcome) -> str:
    probe = outcome.probe
    port = probe.target.ports.get(probe.protocol)
    return f"{probe.protocol}/{port}" if port else probe.protocol


def _wrong(outcomes: list[Outcome]) -> list[str]:
    return [line(outcome.record) for outcome in outcomes if not outcome.record["ok"]]
