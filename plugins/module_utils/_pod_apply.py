# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads the pods of this machine, and carries out the steps of a plan.

This module util is PRIVATE to the collection. A pod's record is written before anything of it is made, so whatever an
interrupted run leaves is found by the next.
"""

from __future__ import annotations

import json
import os
import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils import _pod_cni as cni
from ansible_collections.reftopo.lab.plugins.module_utils._file import read_text, write_whole
from ansible_collections.reftopo.lab.plugins.module_utils._pod_model import (
    CONTAINERD_NAMESPACE,
    LOGS,
    PLUGINS,
    RECORDS,
    SHARED,
    Data,
    Desired,
    Observed,
    PodError,
    Step,
    configuration_file,
    container_id,
    running,
)
from ansible_collections.reftopo.lab.plugins.module_utils._pod_plan import configuration, plan

CTR = ("ctr", f"--namespace={CONTAINERD_NAMESPACE}")


def records() -> dict[str, Data]:
    """The records of all pods, by name."""
    names = sorted(name for name in (os.listdir(RECORDS) if os.path.isdir(RECORDS) else ()) if name.endswith(".json"))
    return {name[: -len(".json")]: json.loads(read_text(f"{RECORDS}/{name}") or "") for name in names}


def namespace(pid: int | None, kind: str = "net") -> str:
    """A namespace that a process holds; empty when there is no process."""
    return f"/proc/{pid}/ns/{kind}" if pid else ""


def _last(log: str) -> str:
    """ctr's own words; warnings stand before them."""
    return log.strip().rpartition("\n")[2]


class Pods:
    """The pods of this machine. ``run`` is AnsibleModule.run_command; ``commands`` what it was asked to do."""

    def __init__(self, run: cni.Run) -> None:
        self._run = run
        self.commands: list[str] = []

    def observe(self, desired: Desired) -> Observed:
        """Facts about this machine, for ``plan``; the CNI plugins' CHECK changes nothing."""
        found, tasks = records(), self._tasks()
        whole = {pod: one for pod, one in found.items() if one["result"] is not None and pod in tasks}
        return Observed(
            records=found,
            tasks=tasks,
            containers=frozenset(self._ctr("containers", "list", "--quiet").split()),
            faults={pod: self._check(pod, one, tasks[pod]) for pod, one in whole.items()},
            configuration=read_text(configuration_file(desired.network)) or "",
        )

    def _check(self, pod: str, record: Data, pid: int) -> str:
        return cni.check(self._run, record["made_of"]["network"], pod, namespace(pid), record["result"])

    def _tasks(self) -> dict[str, int]:
        return running(self._ctr("tasks", "list"))

    def _ctr(self, *arguments: str) -> str:
        code, output, log = self._run([*CTR, *arguments])
        if code:
            raise PodError(f"ctr {' '.join(arguments[:2])} failed: {_last(log)}")
        return output

    def _do(self, *arguments: str) -> None:
        self.commands.append(" ".join([*CTR, *arguments]))
        self._ctr(*arguments)

    def apply(self, steps: t.Sequence[Step], desired: Desired) -> None:
        """Carry out the steps of a plan."""
        for step in steps:
            getattr(self, f"_{step.action}")(step.subject, desired)

    def _remove(self, pod: str, _desired: Desired) -> None:
        """Detach a pod, then end its containers: while its namespace is there, plugins can undo all they did."""
        record, tasks = records()[pod], self._tasks()
        identities = [*(container_id(pod, name) for name in record["made_of"]["containers"]), pod]
        holder = next((tasks[identity] for identity in reversed(identities) if identity in tasks), None)
        self.commands.append(f"CNI DEL {pod}")
        cni.delete(self._run, record["made_of"]["network"], pod, namespace(holder), record["result"])
        there = self._ctr("containers", "list", "--quiet").split()
        for identity in identities:
            if identity in there:
                self._clear(identity, _desired)
        os.remove(f"{RECORDS}/{pod}.json")

    def _write(self, path: str, desired: Desired) -> None:
        write_whole(path, configuration(desired.network))

    def _make(self, pod: str, desired: Desired) -> None:
        """Start a pod's pause container, and attach the network namespace that it holds."""
        record = {"made_of": desired.made_of(pod), "result": None}
        write_whole(f"{RECORDS}/{pod}.json", json.dumps(record))
        self._do("run", "--detach", "--null-io", f"--hostname={pod}", desired.pause, pod)
        self.commands.append(f"CNI ADD {pod}")
        result = cni.add(self._run, desired.network, pod, namespace(self._tasks()[pod]))
        write_whole(f"{RECORDS}/{pod}.json", json.dumps({**record, "result": result}))

    def _start(self, identity: str, desired: Desired) -> None:
        """Start a container in the namespaces of its pod."""
        pod, _dot, name = identity.partition(".")
        pid = self._tasks()[pod]
        joined = [f"--with-ns={word}:{namespace(pid, kind)}" for word, kind in SHARED.items()]
        os.makedirs(LOGS, exist_ok=True)
        log = f"--log-uri=file://{LOGS}/{identity}.log"
        self._do("run", "--detach", log, *joined, desired.image, identity, *desired.pods[pod][name])

    def _clear(self, identity: str, _desired: Desired) -> None:
        """End a container and remove it; --force ends its processes."""
        code, _output, log = self._run([*CTR, "tasks", "delete", "--force", identity])
        if code and "not found" not in log:
            raise PodError(f"ctr tasks delete {identity} failed: {_last(log)}")
        self._do("containers", "delete", identity)


def converge(run: cni.Run, desired: Desired, check_mode: bool) -> tuple[list[Step], list[str]]:
    """Have these pods and no others; returns the steps, and the commands that ran."""
    absent = cni.missing_plugins(desired.network)
    if absent:
        raise PodError(f"network.plugins: not in {PLUGINS}: {', '.join(absent)}. Install them, or use others.")
    pods = Pods(run)
    steps = plan(pods.observe(desired), desired)
    if steps and not check_mode:
        pods.apply(steps, desired)
        left = plan(pods.observe(desired), desired)
        if left:
            raise PodError("not as wanted after all was done: " + "; ".join(map(str, left)))
    return steps, pods.commands
