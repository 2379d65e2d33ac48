# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Preflight's table and its list of problems, as text. PRIVATE to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils._preflight_model import PROBLEM, Check

HEADER = ("what", "needed by", "found", "verdict")


def table(checks: t.Iterable[Check]) -> str:
    """One line a check, columns aligned."""
    rows = [HEADER, *((check.what, check.needed_by, check.found, check.verdict) for check in checks)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADER))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)


def problems(name: str, checks: t.Iterable[Check]) -> str:
    """Every problem with its fix, numbered; empty when there is none."""
    found = [check for check in checks if check.verdict == PROBLEM]
    if not found:
        return ""
    count = "1 problem" if len(found) == 1 else f"{len(found)} problems"
    lines = [
        f"{number}. {check.what} ({check.needed_by}): {check.found}\n   fix: {check.fix}"
        for number, check in enumerate(found, 1)
    ]
    return "\n".join([f"{name}: {count}, nothing was changed", *lines])
