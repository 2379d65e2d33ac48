# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each state of the module link_state does. PRIVATE to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils import _link_render
from ansible_collections.reftopo.lab.plugins.module_utils._link_apply import Result, Run, bring, converge, observe
from ansible_collections.reftopo.lab.plugins.module_utils._link_drift import drift
from ansible_collections.reftopo.lab.plugins.module_utils._link_gather import gathered
from ansible_collections.reftopo.lab.plugins.module_utils._link_guard import Guard
from ansible_collections.reftopo.lab.plugins.module_utils._link_merge import merged_state
from ansible_collections.reftopo.lab.plugins.module_utils._link_model import LinkStateError, State
from ansible_collections.reftopo.lab.plugins.module_utils._link_observe import (
    observe_rules,
    observe_sysctls,
    suppose_ageing,
)
from ansible_collections.reftopo.lab.plugins.module_utils._link_plan import plan
from ansible_collections.reftopo.lab.plugins.module_utils._link_spec import desired_state

Data = dict[str, t.Any]


def result(run: Run, params: Data, check_mode: bool, session: str = "") -> Data:
    """The module's result; `session` is the machine's address in the running SSH session."""
    if params["state"] in WITHOUT_CHANGES:
        return {"changed": False, **WITHOUT_CHANGES[params["state"]](run, params)}
    guard = Guard(session, params["allow_uplink"])
    if params["state"] == "merged":
        return _changed(merge(run, params, check_mode, guard))
    return _changed(converge(run, desired_state(params), check_mode, guard))


def merge(run: Run, params: Data, check_mode: bool, guard: Guard) -> Result:
    """Add to what the owner has, and change of it, what the parameters describe."""
    current = observe(run, params["owner"])
    desired = merged_state(params, current)
    current = suppose_ageing(observe_rules(run, observe_sysctls(run, current, desired), desired), desired)
    return bring(run, current, desired, check_mode, guard)


def _changed(done: Result) -> Data:
    states = {"before": done.before, "after": done.after}
    return {"changed": bool(done.commands), "commands": done.commands, **states, "diff": states}


def _gathered(run: Run, params: Data) -> Data:
    desired_state(params)
    return {"gathered": gathered(observe(run, params["owner"]))}


def _rendered(_run: Run, params: Data) -> Data:
    desired = desired_state(params)
    commands = [str(step) for step in plan(State(desired.owner), desired)]
    return {"rendered": _link_render.wanted(desired), "commands": commands}


def _verified(run: Run, params: Data) -> Data:
    desired = desired_state(params)
    current = observe(run, desired.owner, wanted=desired)
    problems = drift(current, desired, params)
    if problems:
        raise LinkStateError("the machine is not as described, nothing was changed:", problems)
    return {"before": _link_render.observed(current, desired), "after": _link_render.wanted(desired), "commands": []}


WITHOUT_CHANGES: dict[str, t.Callable[[Run, Data], Data]] = {
    "gathered": _gathered,
    "rendered": _rendered,
    "verified": _verified,
}
