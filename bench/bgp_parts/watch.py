# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel and BIRD have, read from /proc without a process: routes of a namespace, processor time, memory."""

from __future__ import annotations

import pathlib
import socket
import struct
import sys
import time
import typing as t

from speakers import BLOCKS

PATIENCE = 300.0  # seconds
POLL = 0.002


def blocks(pid: int) -> set[str]:
    """The first addresses of the blocks to which a process's network namespace has routes (proc_net_route(5))."""
    lines = pathlib.Path(f"/proc/{pid}/net/route").read_text().splitlines()[1:]
    found = (socket.inet_ntoa(struct.pack("=I", int(line.split()[1], 16))) for line in lines)
    network = str(BLOCKS.network_address).rpartition(".")[0].rpartition(".")[0]
    return {address for address in found if address.startswith(f"{network}.")}


def wait(condition: t.Callable[[], bool], what: str) -> float:
    """Seconds until a condition holds."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > PATIENCE:
            sys.exit(f"{what}: not within {PATIENCE:g} s")
        time.sleep(POLL)
    return time.monotonic() - began


def processors(pids: t.Iterable[int]) -> float:
    """Seconds that processes have worked (Linux, Documentation/scheduler/sched-stats.rst: /proc/PID/schedstat)."""
    return sum(int(pathlib.Path(f"/proc/{pid}/schedstat").read_text().split()[0]) for pid in pids) / 1e9


def memory(pid: int) -> float:
    """MiB of a process, with its share of what it has in common with others (proc_pid_smaps(5): Pss)."""
    lines = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
