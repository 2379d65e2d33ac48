# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands that a benchmark runs and that must succeed."""

from __future__ import annotations

import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]


def run(command: list[str], given: str | None = None) -> str:
    """A command's output; its failure ends the benchmark with what it printed."""
    done = subprocess.run(command, check=False, cwd=ROOT, input=given, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)[:300]} failed:\n{done.stdout[-4000:]}\n{done.stderr[-2000:]}")
    return done.stdout
