# SPDX-License-Identifier: GPL-3.0-or-later
"""What makes a node image ends with the module that started it, also when that is killed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils._node_image import ISOLATED

PATIENCE = 5.0  # seconds


def processes(argument: str) -> list[int]:
    """Process IDs of those `sleep` commands that have the argument."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if path.read_bytes().split(b"\0")[:2] == [b"sleep", argument.encode()]:
                found.append(int(path.parent.name))
    return found


def becomes(condition: Callable[[], bool]) -> bool:
    """Whether a condition comes true in time."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def kill_the_parent_of(prefix: tuple[str, ...], argument: str) -> None:
    """Start a process that runs ``sleep`` and waits for it, as a module does, and kill that process alone."""
    script = f"import subprocess; subprocess.run([*{prefix!r}, 'sleep', {argument!r}])"
    with subprocess.Popen([sys.executable, "-c", script]) as module:
        assert becomes(lambda: len(processes(argument)) == 1)
        module.kill()


def test_a_killed_module_leaves_no_process() -> None:
    kill_the_parent_of(ISOLATED, "31415.1")
    assert becomes(lambda: processes("31415.1") == [])


def test_control_a_command_that_is_not_isolated_stays() -> None:
    kill_the_parent_of((), "31415.2")
    time.sleep(0.5)
    (survivor,) = processes("31415.2")
    os.kill(survivor, signal.SIGKILL)


def test_mounts_stay_inside(tmp_path: Path) -> None:
    subprocess.run([*ISOLATED, "mount", "-t", "tmpfs", "t-nodes", str(tmp_path)], check=True)
    assert not tmp_path.is_mount()
    subprocess.run(["mount", "-t", "tmpfs", "t-nodes", str(tmp_path)], check=True)  # the control
    assert tmp_path.is_mount()
    subprocess.run(["umount", str(tmp_path)], check=True)


def test_a_failure_is_the_command_s_own() -> None:
    with pytest.raises(subprocess.CalledProcessError, match="status 3"):
        subprocess.run([*ISOLATED, "sh", "-c", "exit 3"], check=True)
