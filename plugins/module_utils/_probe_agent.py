# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Probes from inside network namespaces: a list of jobs in, a list of results out; one run for each machine.

This module util is PRIVATE to the collection. It is sent to a machine as text, so it needs nothing but Python.

A job is a dictionary. Every job has protocol (tcp, udp, icmp, trace, and for names dns, srv, cname), timeout (seconds a
step) and namespace: null is the machine's own network, a path is a namespace file, an IPv4 address is the namespace
that has this address (a pod's). silent says that no answer is expected. tcp and udp want address, port and key and talk
to agnhost's netexec; icmp wants address and key, and takes size (bytes of the whole IP packet, sent with DF set, RFC
1191); trace wants address and key; dns wants name and asks for its addresses as resolv.conf(5) of that namespace says,
srv and cname for such records.

A result has observed, ms and detail, and where there is such a thing source (the address that the server saw), server
(who answered), addresses (or what else a name has) and hops (the addresses of those who forward, in order). observed is
ok, refused, timeout, unreachable, too-big, dns or error.
"""

from __future__ import annotations

import base64
import concurrent.futures
import ctypes
import json
import os
import re
import sys
import time
import typing as t
import zlib

from ansible_collections.reftopo.lab.plugins.module_utils._probe_dns import RECORDS, dns
from ansible_collections.reftopo.lab.plugins.module_utils._probe_protocols import Job, Result, icmp, observed, tcp, udp
from ansible_collections.reftopo.lab.plugins.module_utils._probe_trace import trace

PARALLEL = 32
WAITING = 128  # jobs at a time of which silence is expected: they wait, and take nobody's processor meanwhile
CLONE_NEWNET = 0x40000000  # include/uapi/linux/sched.h


def local_addresses(fib_trie: str) -> set[str]:
    """The addresses of a namespace, from the text of /proc/PID/net/fib_trie."""
    return set(re.findall(r"\|-- ([0-9.]+)\n +/32 host LOCAL", fib_trie))


def read(path: str) -> str:
    """A file's text, empty when the process it belongs to is gone."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def processes() -> dict[int, list[str]]:
    """The processes of each network namespace: inode to PIDs."""
    found: dict[int, list[str]] = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            found.setdefault(os.stat(f"/proc/{pid}/ns/net").st_ino, []).append(pid)
        except OSError:  # ended meanwhile
            continue
    return found


def pods() -> dict[str, list[str]]:
    """The PIDs behind each address of each network namespace that has a process, but for this one's own."""
    own = os.stat("/proc/self/ns/net").st_ino
    return {
        address: pids
        for inode, pids in processes().items()
        if inode != own
        for address in local_addresses(read(f"/proc/{pids[0]}/net/fib_trie"))
        if not address.startswith("127.")
    }


def namespace_file(namespace: str | None, pids: dict[str, list[str]]) -> str:
    """The file to give to setns(2)."""
    if namespace is None:
        return f"/proc/{os.getpid()}/ns/net"
    if namespace.startswith("/"):
        return namespace
    if namespace not in pids:
        raise ValueError(f"no network namespace here has the address {namespace}")
    return f"/proc/{pids[namespace][0]}/ns/net"


def enter(path: str) -> None:
    """Move this thread into a network namespace; the sockets it makes from now on belong there (setns(2))."""
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if libc.setns(descriptor, CLONE_NEWNET):
            raise ValueError(f"setns {path}: {os.strerror(ctypes.get_errno())}")
    finally:
        os.close(descriptor)


PROBES: dict[str, t.Callable[[Job], Result]] = {"tcp": tcp, "udp": udp, "icmp": icmp, "trace": trace}
PROBES.update(dict.fromkeys(RECORDS, dns))


def resolv_conf(pids: list[str]) -> str:
    """The first resolv.conf that names a server: not every container of a pod need have one."""
    texts = [read(f"/proc/{pid}/root/etc/resolv.conf") for pid in pids]
    return next((text for text in texts if "nameserver" in text), "")


def probe(job: Job, pids: dict[str, list[str]]) -> Result:
    """Run one job. Whatever goes wrong here, and not in the network, must show as error."""
    started = time.monotonic()
    try:
        enter(namespace_file(job["namespace"], pids))
        if job["protocol"] in RECORDS:
            job = {**job, "resolv_conf": resolv_conf(pids.get(job["namespace"], ["self"]))}
    except Exception as problem:  # pylint: disable=broad-except
        return {"observed": "error", "ms": 0.0, "detail": f"{type(problem).__name__}: {problem}"}
    try:
        result = PROBES[job["protocol"]](job)
    except Exception as problem:  # pylint: disable=broad-except
        result = {"observed": observed(problem), "detail": f"{type(problem).__name__}: {problem}"}
    return {"detail": "", **result, "ms": round((time.monotonic() - started) * 1000, 1)}


def run(jobs: list[Job], parallel: int = PARALLEL) -> list[Result]:
    """Run all jobs, so many at a time, and beside them those that only wait; results are in the jobs' order."""
    pids = pods()
    threads = concurrent.futures.ThreadPoolExecutor
    with threads(parallel) as asking, threads(WAITING) as waiting:
        started = [(waiting if job.get("silent") else asking).submit(probe, job, pids) for job in jobs]
        return [one.result() for one in started]


def main() -> None:
    """The last arguments: how many jobs at a time, and a JSON list of them, packed; results go to standard output."""
    parallel, packed = sys.argv[-2:]
    jobs = json.loads(zlib.decompress(base64.b64decode(packed)))
    sys.stdout.write(json.dumps(run(jobs, int(parallel))))


if __name__ == "__main__":
    main()
