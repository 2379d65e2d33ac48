# SPDX-License-Identifier: GPL-3.0-or-later
"""How kube-proxy's rules grow: what a connection's first packets and one more service cost with many services."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import time
import typing as t

from command import run
from lab import PORTS, Lab, kubectl, service
from load import DIRECT, TRIPS, trips, trips_server

EXTRA = "10.96.250.1"
METRICS = "http://127.0.0.1:10249/metrics"  # kube-proxy's, KubeProxyConfiguration.metricsBindAddress
# Those for IPv6, which has no service here, are written by the same process at the same time, and far sooner.
SYNC = re.compile(r'^kubeproxy_sync_proxy_rules_duration_seconds_(sum|count)\{ip_family="IPv4"\} (\S+)$', re.MULTILINE)
SAMPLES = 50  # services that are connected to, evenly spread
CONNECTIONS = 10  # to each of them
QUIET = 2.0  # seconds: kube-proxy writes rules once a second at most (minSyncPeriod)
PATIENCE = 2400.0  # seconds: with IPVS an emulated machine writes a service's rules in more than one


class Growth(t.NamedTuple):
    """With so many services: µs until a connection stands, relative to the pod's own address; seconds of changes."""

    services: int
    connect: list[float]
    direct: list[float]
    one_more: list[float]
    sync: float


def address(number: int) -> str:
    """The address of a service by its number, from 10.96.10.1 on."""
    return f"10.96.{10 + number // 250}.{1 + number % 250}"


def spread(size: int) -> list[str]:
    """Addresses of some of so many services, evenly spread."""
    return [address(number) for number in range(0, size, max(1, size // SAMPLES))]


def await_rules(lab: Lab, addresses: t.Iterable[str]) -> None:
    """Wait until addresses answer: kube-proxy on a machine that is emulated takes its time."""
    with trips_server(lab.pods[1]):
        answer(waiting(lab, *addresses))
    settle(lab)


def settle(lab: Lab) -> None:
    """Wait until rules that had answered once stay.

    With IPVS a service may be refused again until rules have been written that were begun after the last change. They
    are written every half minute; what is under way now may have begun before, so the second time from now will do.
    """
    if lab.mode != "ipvs":
        time.sleep(QUIET)
        return
    enough, deadline = syncs(lab)[1] + 2, time.monotonic() + PATIENCE
    while syncs(lab)[1] < enough:
        if time.monotonic() > deadline:
            sys.exit(f"kube-proxy has not written its rules twice in {PATIENCE:.0f} seconds")
        time.sleep(QUIET)


def grow(lab: Lab, sizes: list[int], runs: int) -> t.Iterator[Growth]:
    """Add services up to each size and measure there."""
    there = 0
    with trips_server(lab.pods[1]):
        for size in sorted(sizes):
            items = [service(f"s{number}", address(number)) for number in range(there, size)]
            kubectl("create", "--filename=-", given=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
            there = size
            answer(waiting(lab, *spread(size)))  # all: rules for IPVS come one by one
            settle(lab)
            yield measure(lab, size, runs)


def measure(lab: Lab, size: int, runs: int) -> Growth:
    """Connections to services spread over all of them and to the pod itself, in turns; then one more service."""
    port, own, each = str(PORTS["trips"]), str(DIRECT), str(CONNECTIONS)
    targets = spread(size)
    connect, direct = [], []
    for _run in range(runs):
        connect.append(trips(lab.pods[0], "connect", each, port, *targets))
        direct.append(trips(lab.pods[0], "connect", each, own, *(lab.pods[1].address for _service in targets)))
    before = syncs(lab)
    one_more = [add_one(lab) for _run in range(runs)]
    total, count = (after - then for after, then in zip(syncs(lab), before))
    return Growth(size, connect, direct, one_more, total / count)


def add_one(lab: Lab) -> float:
    """Seconds from the call of kubectl that makes a service until it answers; then it is deleted again."""
    watcher, began = waiting(lab, EXTRA), time.time()
    kubectl("create", "--filename=-", given=json.dumps(service("extra", EXTRA)))
    took = answer(watcher) - began
    kubectl("delete", "service", "extra")
    answer(waiting(lab, EXTRA, action="silent"))  # or the next one would answer by the rules of this one
    return took


def waiting(lab: Lab, *targets: str, action: str = "wait") -> subprocess.Popen[str]:
    """A process in the client's namespace that ends when all these services have answered, or one is silent."""
    command = [sys.executable, TRIPS, action, str(PATIENCE), str(PORTS["trips"]), *targets]
    return subprocess.Popen(lab.pods[0].command(*command), stdout=subprocess.PIPE, text=True)


def answer(watcher: subprocess.Popen[str]) -> float:
    """When it ended, in seconds of the epoch."""
    output = watcher.communicate()[0]
    if watcher.returncode:
        sys.exit("a service did not answer, or one that was deleted did")
    return float(output)


def syncs(lab: Lab) -> tuple[float, float]:
    """Seconds that the kube-proxy in question has written IPv4's rules for, and how often."""
    script = f"import urllib.request as r; print(r.urlopen({METRICS!r}).read().decode())"
    shown = run([*lab.proxy, shlex.join(["python3", "-c", script])])
    found = {key: float(value) for key, value in SYNC.findall(shown)}
    if not found:
        sys.exit(f"kube-proxy tells no sync_proxy_rules_duration_seconds at {METRICS}")
    return found["sum"], found["count"]
