# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node and its kernel say of pods that were made by hand; prints it as JSON. Changes nothing.

This module util is PRIVATE to the collection. It is sent to a machine as text, so beside the model it needs nothing but
Python. Nothing is taken from what made the pods but the result that the CNI plugins returned.
"""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils._pod_model import CONTAINERD_NAMESPACE, RECORDS, running

NAMESPACES = ("net", "ipc", "uts", "pid", "mnt")
LINKS = ("ip", "-j", "-d", "address", "show")
ROUTES = ("ip", "-j", "-4", "route", "show")
LISTENING = ("ss", "--no-header", "--listening", "--numeric", "--processes", "--tcp", "--udp")
# Where a CNI plugin can leave something on a node: links and addresses, routes, FDB, rules, and its own files.
TRACES = "ip -d address show; ip route show table all; bridge fdb show; nft list ruleset; iptables-save"
FILES = "/var/lib/cni"


def run(*command: str) -> str:
    """A command's output; one that fails is an error."""
    # No module runs this, so there is no run_command.
    # pylint: disable-next=ansible-bad-function
    return subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout


def inside(pid: int, *command: str) -> str:
    """The output of a command in a process's network namespace."""
    return run("nsenter", f"--target={pid}", "--net", *command)


def tasks() -> dict[str, int]:
    """The PIDs of running containers by id."""
    return running(run("ctr", f"--namespace={CONTAINERD_NAMESPACE}", "tasks", "list"))


def container(pid: int) -> dict[str, t.Any]:
    """A container's namespaces: kind and inode, as the kernel names them."""
    return {"pid": pid, "namespaces": {kind: os.readlink(f"/proc/{pid}/ns/{kind}") for kind in NAMESPACES}}


def network(pid: int) -> dict[str, t.Any]:
    """What is in a process's network namespace."""
    links, routes = (json.loads(inside(pid, *command) or "[]") for command in (LINKS, ROUTES))
    return {"links": links, "routes": routes, "listening": inside(pid, *LISTENING).splitlines()}


def traces() -> str:
    """All that could name a pod on this node, as text."""
    # The last address that host-local gave is remembered so that it is the last to be given again; it is no lease.
    files = [path for path in sorted(pathlib.Path(FILES).rglob("*")) if path.is_file()]
    leases = [path for path in files if not path.name.startswith("last_reserved_ip")]
    return run("sh", "-ec", TRACES) + "".join(f"{path}: {path.read_text(errors='replace')}\n" for path in leases)


def facts() -> dict[str, t.Any]:
    """Everything; a pod without a running pause container has no network."""
    found = tasks()
    records = {path.stem: json.loads(path.read_text()) for path in sorted(pathlib.Path(RECORDS).glob("*.json"))}
    return {
        "containers": {identity: container(pid) for identity, pid in found.items()},
        "own": container(os.getpid())["namespaces"],
        "links": json.loads(run(*LINKS)),
        "traces": traces(),
        "results": {pod: record["result"] for pod, record in records.items()},
        "networks": {pod: network(found[pod]) for pod in records if pod in found},
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(facts()))
