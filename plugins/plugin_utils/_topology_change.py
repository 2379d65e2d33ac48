# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes of the host's link state by which checks break it. PRIVATE to the collection."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils._link_model import LinkStateError, State
from ansible_collections.reftopo.lab.plugins.module_utils._link_spec import desired_state
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_problem import Problem

Data = dict[str, t.Any]

# What of the link state a check may change: the owner's name is its mark, and `state` says what to do with the rest.
PARTS = ("links", "routes", "namespaces")


def merge_patch(target: t.Any, patch: t.Any) -> t.Any:
    """The target with a JSON merge patch applied (RFC 7396 section 2); neither is changed."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged


def title(change: Data) -> str:
    """A change in words: each place and its new value."""
    return ", ".join(f"{path}: {'removed' if v is None else json.dumps(v)}" for path, v in _leaves(change))


def _leaves(change: Data, path: str = "") -> t.Iterator[tuple[str, t.Any]]:
    for key, value in change.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{path}{key}.")
        else:
            yield f"{path}{key}".removeprefix("namespaces."), value


def link_state_problems(compiled: Data) -> t.Iterator[Problem]:
    """What link_state would refuse, of the topology itself or else of a check's change; and changes that break nothing.

    The topology must be valid otherwise. Places of what namespaces say in link_state's own words are those in the file.
    """
    healthy, problems = _read(compiled["link_state"])
    yield from problems
    for host in compiled.get("hosts", {}).values():
        yield from _read(host["part"]["link_state"])[1] if "part" in host else ()
    for name, check in compiled["checks"].items() if healthy else ():
        if "change" in check.get("break", {}):
            path = f"checks.{name}.break.change"
            yield from _change_problems(path, check["break"], healthy, compiled["namespaces"])


def _change_problems(path: str, broken: Data, healthy: State, machines: Data) -> t.Iterator[Problem]:
    unknown = [key for key in broken["change"] if key not in PARTS]
    for key in unknown:
        yield Problem(f"{path}.{key}", "unknown key", f"use {', '.join(PARTS)}")
    if unknown:
        return
    for name in broken["change"].get("namespaces") or {}:
        if (host := machines.get(name, {}).get("host")) is not None:
            what = f"{name} is on {host}, and a change is one of this machine's link state"
            yield Problem(f"{path}.namespaces.{name}", what, "break what is here, or give host and segment")
    state, problems = _read(broken["link_state"], f"{path}.")
    yield from problems
    if state == healthy:
        yield Problem(path, "changes nothing, so it could not fail", "change or remove something that is there")


def _read(link_state: Data, path: str = "") -> tuple[State | None, list[Problem]]:
    """The state that is described, or what is wrong with it, below a path in the file."""
    try:
        return desired_state(link_state), []
    except LinkStateError as error:
        return None, [Problem(f"{path}{one.path}", one.problem, one.fix) for one in error.problems]
