# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a failure says when a disk is full, and what can be done about it.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import os
import re

# As the C library (strerror(3): ENOSPC, EDQUOT), Go's programs and apt-get have it.
SAID = re.compile(r"no space left on device|disk quota exceeded|don't have enough free space", re.IGNORECASE)
MIB = 1024**2


def end_of(output: str, lines: int) -> str:
    """The last lines of what a command said; of those that tell of a full disk the first, before all others."""
    said = output.strip().splitlines()
    full = [line for line in said if SAID.search(line)]
    return "\n".join([*full[:1], *[line for line in said if line not in full][-lines:]])


def explained(error: Exception, cache: str) -> str:
    """What an error says; where it is that a disk is full, with what is free where the cache is, and with a remedy."""
    if not SAID.search(str(error)):
        return str(error)
    place = os.path.realpath(cache)
    while not os.path.ismount(place):
        place = os.path.dirname(place)
    status = os.statvfs(place)
    free = f"{status.f_bavail * status.f_frsize // MIB} MiB and {status.f_favail} inodes free"
    return (
        f"{error}\nA disk is full. {cache} is on the file system at {place}, which has {free}, now that what was "
        "unfinished is removed. Free some, or name a folder on another file system in REFTOPO_CACHE, and run this "
        "again: what was complete is not made anew."
    )
