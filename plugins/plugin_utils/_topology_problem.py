# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with a topology file: where, what, and how to put it right. PRIVATE to the collection."""

from __future__ import annotations

import difflib
import typing as t


class Problem(t.NamedTuple):
    """One thing to put right; the path is the user's own, such as ``segments.lan.cidr``."""

    path: str
    problem: str
    fix: str

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}; {self.fix}"


def did_you_mean(word: str, known: t.Iterable[str]) -> str:
    """The fix for an unknown word: the nearest known one if any is near, and all of them."""
    words = sorted(known)
    if len(words) == 1:
        return f"use {words[0]}"
    near = difflib.get_close_matches(word, words, n=1)
    choice = f"use one of {', '.join(words)}"
    return f"did you mean {near[0]}? Otherwise {choice}" if near else choice


def join_path(path: str, *parts: str | int) -> str:
    """``join_path("checks", "x", "protocols", 1)`` is ``checks.x.protocols[1]``."""
    for part in parts:
        if isinstance(part, int):
            path += f"[{part}]"
        else:
            path += f".{part}" if path else part
    return path
