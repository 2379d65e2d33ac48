# SPDX-License-Identifier: GPL-3.0-or-later
"""What the processors of this machine have worked."""

from __future__ import annotations

import os
import pathlib

TICKS = os.sysconf("SC_CLK_TCK")


def busy() -> float:
    """Seconds that all processors have worked since the machine started: not idle, not waiting (proc_stat(5))."""
    fields = pathlib.Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    user, nice, system, _idle, _wait, interrupts, soft = map(int, fields[:7])
    return (user + nice + system + interrupts + soft) / TICKS
