# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever is described converges in one run, stays so in the next, and survives being killed at any step."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils._link_apply import apply, converge, observe
from ansible_collections.reftopo.lab.plugins.module_utils._link_model import LinkStateError
from ansible_collections.reftopo.lab.plugins.module_utils._link_plan import plan
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from link_inputs import inputs

# The same examples every time, and no folder written. The machine is as before after each of them.
bounded = settings(
    derandomize=True,
    database=None,
    deadline=None,
    phases=(Phase.generate,),  # add Phase.shrink to find the smallest input that fails; it takes minutes
    max_examples=20,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
OWNER = "t-random"


def delete(machine: t.Any, *owners: str) -> None:
    for owner in owners or (OWNER,):
        machine.result(owner=owner, state="deleted", allow_uplink=True)


def reach(machine: t.Any, wanted: dict[str, t.Any]) -> t.Any:
    """What a run leads to; the next one has nothing to do."""
    machine.result(**wanted, allow_uplink=True)
    assert machine.result(**wanted)["commands"] == []
    return machine.shape()


@bounded
@given(first=inputs(), second=inputs())
def test_one_run_leads_there_and_back(first: dict[str, t.Any], second: dict[str, t.Any], machine: t.Any):
    """From nothing, from the other and back: the same; nothing is left, and it is as gathered and verified say."""
    pristine = machine.snapshot()
    try:
        there = reach(machine, first)
        assert machine.result(**first, state="verified")["changed"] is False
        gathered = machine.result(owner=OWNER, state="gathered")["gathered"]
        assert machine.result(**gathered)["commands"] == []
        assert machine.result(**first, state="merged")["commands"] == []
        reach(machine, second)
        assert reach(machine, first) == there
    finally:
        delete(machine)
    assert machine.snapshot() == pristine


@bounded
@given(first=inputs(), second=inputs(), data=st.data())
def test_killed_and_run_again(first: dict[str, t.Any], second: dict[str, t.Any], data: st.DataObject, machine: t.Any):
    pristine = machine.snapshot()
    try:
        there = reach(machine, second)
        reach(machine, first)
        steps = plan(observe(machine.run, OWNER), machine.desired(second))
        apply(machine.run, steps[: data.draw(st.integers(0, len(steps)), "steps done")])
        assert reach(machine, second) == there
    finally:
        delete(machine)
    assert machine.snapshot() == pristine


@bounded
@given(mine=inputs("t-mine"), yours=inputs("t-yours", first=100))
def test_two_owners_do_not_touch_each_other(mine: dict[str, t.Any], yours: dict[str, t.Any], machine: t.Any):
    pristine = machine.snapshot()
    for wanted in (mine, yours):  # the machine's own routing table is one for both
        wanted["routes"] = []
    try:
        reach(machine, mine)
        alone = machine.snapshot()
        reach(machine, yours)
        assert machine.result(**mine)["commands"] == []
        delete(machine, "t-yours")
        assert machine.snapshot() == alone
    finally:
        delete(machine, "t-mine", "t-yours")
    assert machine.snapshot() == pristine


@bounded
@given(wanted=inputs(), data=st.data())
def test_a_step_that_is_left_out_is_noticed(wanted: dict[str, t.Any], data: st.DataObject, machine: t.Any):
    """The control: without one of its commands, the same run is an error.

    Not so without those that only make sure: a bridge's MTU that is written again, and a table that is made anew.
    """
    desired = machine.desired(wanted)
    steps = [step for step in plan(observe(machine.run, OWNER), desired) if not step.path.endswith((".mtu", ".nat"))]
    assume(steps)
    left_out = data.draw(st.sampled_from(steps), "left out")

    def run(command: list[str], data: str = "") -> tuple[int, str, str]:
        lines = data.splitlines(keepends=True)
        here = left_out.netns in command or not (left_out.netns or "-n" in command)
        return machine.run(command, "".join(line for line in lines if not (here and line == f"{left_out.command}\n")))

    try:
        with pytest.raises(LinkStateError):
            converge(run, desired, check_mode=False)
    finally:
        delete(machine)
