# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Has a machine's probe agent run probes.

This plugin util is PRIVATE to the collection.
"""

from __future__ import annotations

import json
import typing as t

from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_commands as commands
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_plan as plan
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_lab import Machine
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data, Probe, ProofError

# Probes for one call of the agent. Its jobs are one argument of a command, which has 131072 bytes at most (Linux,
# execve(2), MAX_ARG_STRLEN); packed a job has some 35, most of them its random key.
MOST = 2000


def call_agent(machine: Machine, probes: list[Probe], timeout: float, parallel: int) -> list[Data]:
    """The agent's results, by so many calls that each one's jobs fit in its command line."""
    parts = [probes[first : first + MOST] for first in range(0, len(probes), MOST)]
    return [result for part in parts for result in _call_agent(machine, part, timeout, parallel)]


def _call_agent(machine: Machine, probes: list[Probe], timeout: float, parallel: int) -> list[Data]:
    """The results of one call; when the agent could not run at all, every one of its probes is an error."""
    try:
        jobs = [plan.job(probe, timeout) for probe in probes]
        results = json.loads(machine.run(commands.agent(jobs, parallel)))
        if len(results) != len(probes):
            raise ProofError(f"{machine.name}: {len(results)} results for {len(probes)} probes")
        return t.cast("list[Data]", results)
    except (ProofError, ValueError, OSError) as problem:
        return [{"observed": "error", "ms": None, "detail": str(problem)}] * len(probes)
