# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the SSH session arrived by which the module is run. PRIVATE to the collection."""

from __future__ import annotations

import typing as t
from pathlib import Path

VARIABLE = "SSH_CONNECTION"  # client address, client port, server address, server port: ssh(1)


def session_address(environment: t.Mapping[str, str], proc: Path = Path("/proc"), process: str = "self") -> str:
    """The machine's own address in the SSH session, "" outside of one.

    sudo drops the variable (env_reset in sudoers(5)), so the processes above this one are asked as well.
    """
    given = environment.get(VARIABLE) or next(filter(None, _above(proc, process)), "")
    fields = given.split()
    return fields[2] if len(fields) == 4 else ""


def _above(proc: Path, process: str) -> t.Iterator[str]:
    """The variable in the environment of each process from this one up, "" where it has none."""
    try:
        while process != "0":
            pairs = (proc / process / "environ").read_bytes().decode(errors="replace").split("\0")
            yield next((pair.partition("=")[2] for pair in pairs if pair.startswith(f"{VARIABLE}=")), "")
            # The second field of stat, the program's name in parentheses, may contain anything: proc(5).
            process = (proc / process / "stat").read_text(errors="replace").rpartition(")")[2].split()[1]
    except OSError:  # it has ended, or is not ours to read
        return
