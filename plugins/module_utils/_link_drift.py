# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state verified: every difference by its place in the input. PRIVATE to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils import _link_render
from ansible_collections.reftopo.lab.plugins.module_utils._link_identity import identity
from ansible_collections.reftopo.lab.plugins.module_utils._link_kind import KINDS
from ansible_collections.reftopo.lab.plugins.module_utils._link_model import Problem, State, place
from ansible_collections.reftopo.lab.plugins.module_utils._link_plan import conflicts, plan

Data = dict[str, t.Any]

FIX = "correct the input, or run it with state: overridden"


def drift(current: State, desired: State, params: Data) -> list[Problem]:
    """Everything that state overridden would change or that is in its way; lists are numbered as in the parameters."""
    problems = conflicts(current, desired)
    left = set(current.stale) - set(desired.namespaces)
    problems += [Problem(place(name), "is a file, left by a run that was interrupted", FIX) for name in sorted(left)]
    have, want = _link_render.observed(current, desired), _link_render.wanted(desired)
    problems += _mapping(have, want, params, "")
    # What the input has no word for, as an unknown rule in the owner's table
    steps = plan(current, desired) if not problems else []
    return problems + [Problem(step.path, f"'{step}' is still to be done", FIX) for step in steps]


def _mapping(have: Data, want: Data, given: t.Any, path: str) -> t.Iterator[Problem]:
    defaults = _defaults(want.get("kind"))
    for key in {**want, **have}:
        where = f"{path}.{key}" if path else str(key)
        inside = given.get(key) if isinstance(given, dict) else None
        unset = defaults.get(key) if key not in have or key not in want else None
        yield from _value(key, have.get(key, unset), want.get(key, unset), inside, where)


def _defaults(kind: t.Any) -> Data:
    """What an option is that is not shown; of a mapping that is no link, nothing is asked that is in here."""
    options = KINDS.get(kind, ()) if isinstance(kind, str) else ()
    return {"up": True, "hairpin": False, **{option.name: option.default for option in options if option.default != ""}}


def _value(key: str, have: t.Any, want: t.Any, given: t.Any, path: str) -> t.Iterator[Problem]:
    if have == want:
        return
    if isinstance(have, list) or isinstance(want, list):
        yield from _list(key, have or [], want or [], given, path)
    elif isinstance(have, dict) and isinstance(want, dict):
        yield from _mapping(have, want, given, path)
    elif isinstance(want, dict):
        yield Problem(path, "is missing", FIX)
    elif isinstance(have, dict):
        yield Problem(path, "is there, but not in the input", FIX)
    else:
        yield Problem(path, f"is {_shown(have)}, not {_shown(want)}", FIX)


def _list(name: str, have: list[t.Any], want: list[t.Any], given: t.Any, path: str) -> t.Iterator[Problem]:
    numbered = {identity(name, entry): (f"[{number}]", entry) for number, entry in enumerate(_entries(given))}
    found = {identity(name, entry): entry for entry in have}
    wanted = {identity(name, entry): entry for entry in want}
    for known, entry in wanted.items():
        number, inside = numbered.get(known, ("", None))
        where = path + number
        if known not in found:
            yield Problem(where, f"{_shown(entry)} is missing", FIX)
        elif isinstance(entry, dict):
            yield from _mapping(found[known], entry, inside, where)
        else:
            yield from _value(name, found[known], entry, None, where)
    for known, entry in found.items():
        if known not in wanted:
            yield Problem(path, f"{_shown(entry)} is there, but not in the input", FIX)
    if found == wanted and list(found) != list(wanted):
        yield Problem(path, "is in another order", FIX)


def _entries(given: t.Any) -> list[t.Any]:
    """A list of the input, which may be written as one word with commas."""
    return given.split(",") if isinstance(given, str) else given if isinstance(given, list) else []


def _shown(value: t.Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_shown(part)}" for key, part in value.items()) + "}"
    return "unset" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
