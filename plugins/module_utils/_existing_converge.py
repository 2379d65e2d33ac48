# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One call of the module existing_host: look, plan, and do it.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils._existing_apply import Applier
from ansible_collections.reftopo.lab.plugins.module_utils._existing_check import problems
from ansible_collections.reftopo.lab.plugins.module_utils._existing_model import Desired, Source
from ansible_collections.reftopo.lab.plugins.module_utils._existing_observe import Run, observe
from ansible_collections.reftopo.lab.plugins.module_utils._existing_plan import (
    kept,
    lacking,
    plan_absent,
    plan_end,
    plan_present,
    record_of,
)
from ansible_collections.reftopo.lab.plugins.module_utils._existing_record import ExistingError
from ansible_collections.reftopo.lab.plugins.module_utils._step import Step

Params = t.Mapping[str, t.Any]
Result = dict[str, t.Any]


def present(params: Params, run: Run, check_mode: bool) -> Result:
    """Make a node of this host, unless contents have to be brought first; the module's result.

    Raises:
        ExistingError: it cannot be one, or a step failed.
    """
    desired, incoming = desired_of(params), params["brought"]["incoming"]
    observed = observe(run, desired, params["needs"])
    found = problems(observed, desired)
    if found:
        lines = "".join(f"\n  {line}" for line in found)
        raise ExistingError(f"This host cannot be the node {desired.name} of {desired.owner}:{lines}")
    steps, needed = plan_present(observed, desired), sorted({one.sha256 for one in lacking(observed, desired)})
    applier = Applier(run, desired, record_of(observed, desired), incoming or "")
    if not check_mode and not (needed and incoming is None):
        applier.apply(steps)
    facts = {"container": observed.facts.container, "emulated": observed.facts.emulated}
    return {**_told(steps, applier), "lacking": needed, "kept": [], **facts}


def absent(params: Params, run: Run, check_mode: bool) -> Result:
    """Take back what was put on this host; the module's result.

    Raises:
        ExistingError: it is a node of another topology, or a step failed.
    """
    observed = observe(run, None)
    if observed.record and observed.record.owner != params["owner"]:
        raise ExistingError(f"This host is a node of the topology {observed.record.owner}: nothing of it is touched.")
    if observed.record and observed.facts.lacks:
        raise ExistingError(f"no {', '.join(observed.facts.lacks)}: what was put there cannot be taken back without.")
    applier, ending = Applier(run, None, observed.record, ""), plan_end(observed)
    if ending and not check_mode:
        applier.apply(ending)
        observed = observe(run, None)  # as it is when nobody changes it any more
    rest = plan_absent(observed)
    if not check_mode:
        applier.apply(rest)
    steps = ending + rest
    return {**_told(steps, applier), "lacking": [], "kept": kept(observed)}


def _told(steps: list[Step], applier: Applier) -> Result:
    return {"steps": [str(step) for step in steps], "commands": applier.commands}


def sources(given: Params) -> dict[str, Source]:
    """What the action plugin said of files."""
    return {name: Source(one["sha256"], int(str(one["mode"]), 8), one["size"]) for name, one in given.items()}


def desired_of(params: Params) -> Desired:
    """What the host is to have, of module parameters."""
    node, brought = params["node"], params["brought"]
    interface, values = next(iter(node["interfaces"].items()))
    return Desired(
        owner=params["owner"],
        name=node["name"],
        role=node["role"],
        machine=brought["machine"],
        files=sources(brought["contents"]),
        images=sources(brought["images"]),
        packages=tuple(params["packages"]),
        units=tuple(params["units"]),
        links=tuple(params["links"]),
        interface={"name": interface, "address": values["address"], "mtu": values["mtu"]},
        networks=params["networks"],
        ports=params["ports"],
    )
