# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What plans are made of whose steps are an action on one thing.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """One thing to do; ``action`` is a method of the plan's applier, ``subject`` what it is done to."""

    action: str
    subject: str

    def __str__(self) -> str:
        return f"{self.action} {self.subject}"
