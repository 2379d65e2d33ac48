# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes this machine's link state until standard input closes, by the engine of the module link_state.

    python -m …._proof_change hold STATES     STATES: broken and healthy input of link_state, packed
    python -m …._proof_change left STATES     print what is still to be done for the healthy one, line by line

This plugin util is PRIVATE to the collection. It is a process of its own so that it repairs even when the suite is
killed, and because it needs root where the suite does not.
"""

from __future__ import annotations

import base64
import json
import os
import shlex
import signal
import subprocess
import sys
import zlib

from ansible_collections.reftopo.lab.plugins.module_utils._link_apply import converge
from ansible_collections.reftopo.lab.plugins.module_utils._link_spec import desired_state
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_commands import HELD, pack
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data


def command(action: str, broken: Data, healthy: Data) -> str:
    """The shell command that runs this file with the Python and the search path of this process."""
    path = os.pathsep.join(os.path.abspath(entry) for entry in sys.path)
    states = pack({"broken": broken, "healthy": healthy})
    return shlex.join(["env", f"PYTHONPATH={path}", sys.executable, "-m", __name__, action, states])


def run(argv: list[str], data: str | None = None) -> tuple[int, str, str]:
    """What AnsibleModule.run_command does."""
    done = subprocess.run(argv, input=data, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def hold(broken: Data, healthy: Data) -> None:
    """Break, say so, wait for the end of standard input, and repair, even what is broken only in part."""
    for end in (signal.SIGHUP, signal.SIGPIPE, signal.SIGTERM, signal.SIGINT):
        signal.signal(end, signal.SIG_IGN)
    try:
        converge(run, desired_state(broken), check_mode=False)
        os.write(2, f"{HELD}\n".encode())
        sys.stdin.read()
    finally:
        converge(run, desired_state(healthy), check_mode=False)


def main() -> None:
    """The command line, as this file's docstring has it."""
    action, packed = sys.argv[1:]
    states = json.loads(zlib.decompress(base64.b64decode(packed)))
    if action == "hold":
        hold(**states)
    else:
        for step in converge(run, desired_state(states["healthy"]), check_mode=True).commands:
            print(step)


if __name__ == "__main__":
    main()
