# SPDX-License-Identifier: GPL-3.0-or-later
"""Topologies that a test makes up, and runs of the product's playbooks on them."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import time
import typing as t
from dataclasses import dataclass
from pathlib import Path

import residue

ROOT = Path(__file__).parents[2]
UP = ("playbooks/nodes.yml", "playbooks/cluster.yml")
DESTROY = ("playbooks/destroy.yml",)
PATIENCE = 300.0  # seconds; a disk that stalls delays a node by a minute and more
RECAP = re.compile(r"^(\S+) +: ok=\d+ +changed=(\d+)", re.MULTILINE)

FILE = """\
name: {name}
description: One worker; made by a test.
segments:
  lan: {{cidr: 172.31.{number}.0/24}}
nodes:
  cp1: {{role: control-plane, segment: lan}}
  w1: {{role: worker, segment: lan}}
cluster:
  kubernetes: v1.37.2
  pod_cidr: 10.{pods}.0.0/16
  service_cidr: 10.{services}.0.0/16
  cni: {{name: flannel, backend: vxlan}}
  proxy_mode: {proxy_mode}
checks:
  pods-reach-pods: {{from: pods, to: pods}}
  pods-reach-services: {{from: pods, to: services}}
  names-resolve: {{from: pods, to: dns}}
  between-nodes: {{mechanism: vxlan}}
  path-mtu-is-exact: {{mtu: exact}}
"""


@dataclass(frozen=True)
class Outcome:
    """What a run of a playbook ended with, and everything that it printed."""

    code: int
    output: str

    @property
    def changed(self) -> dict[str, int]:
        """Hosts with the number of tasks that changed something; no host where none did."""
        counts = {host: int(changed) for host, changed in RECAP.findall(self.output)}  # the last playbook's is the sum
        assert counts, self.output
        return {host: count for host, count in counts.items() if count}


def sh(*command: str) -> str:
    """The output of a command that must succeed."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}"
    return done.stdout


def becomes(condition: t.Callable[[], bool], seconds: float = PATIENCE) -> bool:
    """Whether a condition comes true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def children(pid: int) -> t.Iterator[int]:
    """All processes that descend from one and still have their parents."""
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in map(int, task.read_text().split()):
                yield child
                yield from children(child)


@dataclass(frozen=True)
class Topology:
    """One topology of one control plane node and one worker, until it is changed; its file is in ``inventory``."""

    name: str
    inventory: Path
    log: Path

    @classmethod
    def make(cls, name: str, number: int, folder: Path, proxy_mode: str = "nftables") -> Topology:
        """Write the file of a topology; its networks come of its number."""
        networks = {"number": number, "pods": 100 + number, "services": 150 + number}
        topology = cls(name, folder / "inventories", folder / f"{name}.log")
        topology.write(FILE.format(name=name, proxy_mode=proxy_mode, **networks))
        return topology

    def write(self, text: str) -> None:
        """Write the topology's file, or write it anew."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.file.write_text(text)

    @property
    def file(self) -> Path:
        return self.inventory / self.name / "topology.yml"

    def change(self, replaced: t.Mapping[str, str]) -> None:
        """Write the file anew with each of these texts, which it must have once, replaced."""
        text = self.file.read_text()
        for old, new in replaced.items():
            assert text.count(old) == 1, f"{old!r} is not once in {text}"
            text = text.replace(old, new)
        self.write(text)

    def command(self, playbooks: t.Iterable[str], *options: str) -> list[str]:
        return ["ansible-playbook", "-i", str(self.inventory), *playbooks, "-e", f"topology={self.name}", *options]

    def play(self, playbooks: t.Iterable[str], *options: str) -> Outcome:
        """Run playbooks; they must succeed."""
        command = self.command(playbooks, *options)
        done = subprocess.run(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        assert done.returncode == 0, done.stdout
        return Outcome(done.returncode, done.stdout)

    def up(self, *options: str) -> Outcome:
        return self.play(UP, *options)

    def destroy(self, *options: str) -> Outcome:
        return self.play(DESTROY, *options)

    def forget(self) -> None:
        """Remove the topology's file."""
        shutil.rmtree(self.inventory / self.name)

    @contextlib.contextmanager
    def started(self, condition: t.Callable[[], bool]) -> t.Iterator[subprocess.Popen[bytes]]:
        """A run that has just made a condition true and is not at its end; it is killed at the block's end."""
        with (
            self.log.open("wb") as log,
            subprocess.Popen(self.command(UP), cwd=ROOT, stdout=log, stderr=log, start_new_session=True) as run,
        ):
            try:
                assert becomes(lambda: condition() or run.poll() is not None), self.log.read_text()
                assert run.poll() is None, self.log.read_text()
                yield run
            finally:
                kill_tree(run.pid)

    def container(self, node: str) -> str:
        """Name of a node's container and network namespace."""
        return f"reftopo.{self.name}.{node}"

    def folder(self, node: str) -> Path:
        """Where a node's files are on this machine."""
        return residue.home("REFTOPO_CACHE", ".cache/reftopo") / "nodes" / self.name / node

    def state(self) -> Path:
        return residue.home("REFTOPO_STATE", ".local/state/reftopo") / self.name

    def is_member(self, node: str) -> bool:
        """Whether the node has recorded its membership."""
        return (self.folder(node) / "upper/etc/kubernetes/reftopo/member.json").exists()

    def processes(self, node: str, name: str) -> list[int]:
        """Processes of a name that run in a node's network namespace."""
        own, found = os.stat(f"/run/netns/{self.container(node)}").st_ino, []
        for path in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if os.stat(path / "ns/net").st_ino == own and (path / "comm").read_text().strip() == name:
                    found.append(int(path.name))
        return found

    def kill(self, node: str) -> None:
        """Kill a node with all that runs in it. By its init: podman may take longer than what is to be interrupted."""
        inits = self.processes(node, "systemd")
        assert inits, f"nothing runs in {node}"
        for init in inits:
            os.kill(init, signal.SIGKILL)

    def kubectl(self, *words: str) -> str:
        """Ask the cluster, by its control plane node."""
        kubectl = ("kubectl", "--kubeconfig=/etc/kubernetes/admin.conf")
        return sh("podman", "exec", self.container("cp1"), *kubectl, *words)

    def link(self, node: str) -> str:
        """Name of the other end of a node's link, on this machine."""
        return json.loads(sh("ip", "-j", "link", "show", f"reftopo.{self.name}.{node}.eth0"))[0]["ifname"]

    def overlay(self, node: str) -> bool:
        """Whether a node sends what is for the other node's pods into flannel's device, which knows that node."""
        inside = ("podman", "exec", self.container(node))
        vxlan = "dst 172.31." in sh(*inside, "sh", "-c", "bridge fdb show dev flannel.1 || true")
        return vxlan and "dev flannel.1" in sh(*inside, "ip", "route")

    def ready(self) -> bool:
        """Whether both nodes are Ready."""
        return self.members() == {"cp1": "True", "w1": "True"}

    def members(self) -> dict[str, str]:
        """The cluster's nodes, and whether they are Ready."""
        path = '{range .items[*]}{.metadata.name} {.status.conditions[?(@.type=="Ready")].status}{"\\n"}{end}'
        return dict(line.split() for line in self.kubectl("get", "nodes", f"--output=jsonpath={path}").splitlines())

    def pods(self) -> dict[str, str]:
        """Every pod, and since when its container runs."""
        path = '{range .items[*]}{.metadata.name} {.status.containerStatuses[0].state.running.startedAt}{"\\n"}{end}'
        return dict(
            line.split() for line in self.kubectl("get", "pods", "-A", f"--output=jsonpath={path}").splitlines()
        )

    def starts(self, *nodes: str) -> list[str]:
        """When each node and its kubelet were started."""
        seen = sh("podman", "inspect", "--format={{.Name}} {{.State.StartedAt}}", *map(self.container, nodes))
        kubelet = ("systemctl", "show", "--property=ExecMainStartTimestampMonotonic", "kubelet")
        return [*seen.splitlines(), *(sh("podman", "exec", self.container(node), *kubelet) for node in nodes)]


def kill_tree(pid: int) -> None:
    """Kill a process and all its descendants at once, as far as they still have their parents."""
    for found in (*children(pid), pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(found, signal.SIGKILL)
