# SPDX-License-Identifier: GPL-3.0-or-later
"""Throughput by iperf3, round trips, and the seconds of processors that they take on the whole machine."""

from __future__ import annotations

import contextlib
import functools
import json
import pathlib
import subprocess
import sys
import typing as t

from command import run
from lab import PORTS, End, mtu
from processors import busy

HERE = pathlib.Path(__file__).resolve().parent
TRIPS = str(HERE / "round_trips.py")
# What is measured of a path, with its unit. Of the first two more is better.
METRICS = {
    "tcp": "Gbit/s",
    "udp": "Gbit/s",
    "tcp trip": "µs",
    "udp trip": "µs",
    "tcp cpu": "s/GB",
    "udp cpu": "s/GB",
}
# Where the pod itself is connected to. Not the services' port: to a port that lately had a connection to a service, the
# pod's answers are that one's to IPVS, which gives them the service's address (ip_vs_core.c, ip_vs_out_hook).
DIRECT = 5203
HEADERS = 20 + 8  # bytes of IPv4 and UDP before the payload


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
    return server(end, [sys.executable, "-u", TRIPS, "serve", str(PORTS["trips"]), str(DIRECT)], "ready")


def throughput(protocol: str, ends: tuple[End, End], address: str, seconds: float) -> dict[str, float]:
    """Gbit/s that arrive at an address of the second end, and seconds of all processors for each gigabyte of them.

    UDP is sent as fast as one process can, in packets of the smaller MTU of both ends; what is lost does not count.
    """
    port, load = str(PORTS["load"]), []
    if protocol == "udp":
        load = ["--udp", "--bitrate", "0", "--length", str(min(map(mtu, ends)) - HEADERS)]
    with server(ends[1], ["iperf3", "--server", "--one-off", "--forceflush", "--port", port], "listening"):
        began = busy()
        command = ["iperf3", "--client", address, "--port", port, "--time", f"{seconds:g}", "--json", *load]
        said = json.loads(run(ends[0].command(*command)))
        took = busy() - began
    if "error" in said:  # of which iperf3 tells with exit status 0, too
        sys.exit(f"{' '.join(command)} failed: {said['error']}")
    received = said["end"]["sum_received"]
    return {protocol: received["bits_per_second"] / 1e9, f"{protocol} cpu": took / (received["bytes"] / 1e9)}


def round_trip(protocol: str, ends: tuple[End, End], address: str, seconds: float) -> dict[str, float]:
    """Microseconds of one byte there and back, the median."""
    with trips_server(ends[1]):
        return {f"{protocol} trip": trips(ends[0], "ask", protocol, str(seconds), str(PORTS["trips"]), address)}


MEASURES = [functools.partial(what, protocol) for what in (throughput, round_trip) for protocol in ("tcp", "udp")]


def trips(end: End, *words: str) -> float:
    """The median of what round_trips.py measures in a namespace, in microseconds."""
    return float(json.loads(run(end.command(sys.executable, TRIPS, *words)))["median"])
