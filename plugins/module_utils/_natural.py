# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order in which people count. PRIVATE to the collection."""

from __future__ import annotations

import re


def natural(name: str) -> list[str | int]:
    """Sort key under which w2 comes before w10."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name)]
