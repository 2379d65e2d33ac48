# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What something was built with against what the topology says now.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import typing as t

Change = tuple[str, t.Any, t.Any]  # a setting's path, its value then, and now


def flatten(data: t.Any, path: str = "") -> dict[str, t.Any]:
    """Leaves of nested dictionaries by dotted path; lists are leaves."""
    if not isinstance(data, t.Mapping):
        return {path: data}
    leaves: dict[str, t.Any] = {}
    for key, value in data.items():
        leaves.update(flatten(value, f"{path}.{key}" if path else str(key)))
    return leaves


def changes(record: t.Mapping[str, t.Any], settings: t.Mapping[str, t.Any]) -> list[Change]:
    """Settings that differ from those that something was built with."""
    was, wanted = flatten(record), flatten(settings)
    paths = sorted(was.keys() | wanted.keys())
    return [(path, was.get(path), wanted.get(path)) for path in paths if was.get(path) != wanted.get(path)]


def told(what: str, changed: t.Iterable[Change]) -> list[str]:
    """Settings that ``what`` was built with and now differ, one text each, both values named."""
    return [f"{path}: {what} was built with {was!r}, the topology says {wanted!r}" for path, was, wanted in changed]


def drift(what: str, record: t.Mapping[str, t.Any], settings: t.Mapping[str, t.Any]) -> list[str]:
    """Settings that differ from those that ``what`` was built with, one text each, both values named."""
    return told(what, changes(record, settings))
