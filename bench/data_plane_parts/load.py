# SPDX-License-Identifier: GPL-3.0-or-later
"""Throughput by iperf3, round trips, and the seconds of processors that they take on the whole machine."""

from __future__ import annotations

import contextlib
import json
import pathlib
import subprocess
import sys
import time
import typing as t

from command import run
from lab import PORTS, End, mtu
from processors import busy

HERE = pathlib.Path(__file__).resolve().parent
TRIPS = str(HERE / "round_trips.py")
IDLE = 3.0  # seconds
# What is measured of a path, with its unit. Of the first two more is better.
METRICS = {
    "tcp": "Gbit/s",
    "udp": "Gbit/s",
    "tcp trip": "µs",
    "udp trip": "µs",
    "tcp cpu": "s/GB",
    "udp cpu": "s/GB",
}
HEADERS = 20 + 8  # bytes of IPv4 and UDP before the payload


def idle_rate() -> float:
    """Seconds of processors a second that the machine takes without load: the cluster, and what else runs."""
    began, at = busy(), time.monotonic()
    time.sleep(IDLE)
    return (busy() - began) / (time.monotonic() - at)


@contextlib.contextmanager
def server(end: End, words: list[str], says: str) -> t.Iterator[None]:
    """A server in a namespace for as long as the block runs; it has said that it listens."""
    with subprocess.Popen(end.command(*words), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            lines = []
            for line in process.stdout or ():
                lines.append(line)
                if says in line:
                    break
            else:
                sys.exit(f"{' '.join(words)} failed:\n{''.join(lines)}")
            yield
        finally:
            process.terminate()


def trips_server(end: End) -> contextlib.AbstractContextManager[None]:
    """The server of round trips."""
    return server(end, [sys.executable, "-u", TRIPS, "serve", str(PORTS["trips"])], "ready")


def measure(ends: tuple[End, End], address: str, seconds: float, idle: float) -> dict[str, float]:
    """Every metric of the path from the first end to an address at which the second one answers."""
    found: dict[str, float] = {}
    for protocol in ("tcp", "udp"):
        rate, cpu = throughput(ends, address, protocol, seconds, idle)
        found |= {protocol: rate, f"{protocol} cpu": cpu}
    with trips_server(ends[1]):
        for protocol in ("tcp", "udp"):
            found[f"{protocol} trip"] = trips(ends[0], "ask", protocol, str(seconds), str(PORTS["trips"]), address)
    return found


def throughput(ends: tuple[End, End], address: str, protocol: str, seconds: float, idle: float) -> tuple[float, float]:
    """Gbit/s that arrive, and seconds of processors for each gigabyte of them beyond what the idle machine takes.

    UDP is sent as fast as one process can, in packets of the sender's MTU; what is lost does not count.
    """
    port, load = str(PORTS["load"]), []
    if protocol == "udp":
        load = ["--udp", "--bitrate", "0", "--length", str(mtu(ends[0]) - HEADERS)]
    with server(ends[1], ["iperf3", "--server", "--one-off", "--forceflush", "--port", port], "listening"):
        began, at = busy(), time.monotonic()
        command = ["iperf3", "--client", address, "--port", port, "--time", f"{seconds:g}", "--json", *load]
        received = json.loads(run(ends[0].command(*command)))["end"]["sum_received"]
        took = busy() - began - idle * (time.monotonic() - at)
    return received["bits_per_second"] / 1e9, took / (received["bytes"] / 1e9)


def trips(end: End, *words: str) -> float:
    """The median of what round_trips.py measures in a namespace, in microseconds."""
    return float(json.loads(run(end.command(sys.executable, TRIPS, *words)))["median"])
