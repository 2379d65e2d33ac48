# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The words of pods that are made without a kubelet: what is wanted, what is there, and one step between the two.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

Data = dict[str, t.Any]

# Where containerd keeps what belongs to Kubernetes, the images of a node among it.
CONTAINERD_NAMESPACE = "k8s.io"
NETWORKS = "/etc/cni/net.d"
PLUGINS = "/opt/cni/bin"
# One file a pod: what it was made of and, once its network is attached, what the CNI plugins returned.
RECORDS = "/var/lib/reftopo/pods"
LOGS = "/var/log/reftopo/pods"
INTERFACE = "eth0"  # a pod's; the name that container runtimes use
# What the containers of a pod share; each has its own mount and PID namespaces (Kubernetes' pod model).
SHARED = {"network": "net", "ipc": "ipc", "uts": "uts"}  # ctr's word and the file in /proc/PID/ns


class PodError(Exception):
    """The one error of this module; its text says what is wrong, where, and what to do."""


@dataclass(frozen=True)
class Desired:
    """What is to run on this machine.

    ``network`` is the CNI network configuration list, ``pods`` maps a pod's name to its containers, each with the
    command that it runs. ``image`` is that of the containers, ``pause`` that of the one that holds the namespaces.
    """

    network: Data
    pods: t.Mapping[str, t.Mapping[str, t.Sequence[str]]]
    image: str
    pause: str

    def made_of(self, pod: str) -> Data:
        """All that a pod comes from; when any of it changes, the pod is made anew, as a kubelet does."""
        containers = {name: list(command) for name, command in self.pods[pod].items()}
        return {"network": self.network, "containers": containers, "image": self.image, "pause": self.pause}


@dataclass(frozen=True)
class Observed:
    """What runs on this machine.

    ``records`` are those of RECORDS by pod, ``tasks`` the PIDs of running containers by id, ``containers`` the ids of
    all, running or not; ``faults`` says for pods whose CHECK failed what the plugin found; ``configuration`` is the
    text of the network's file.
    """

    records: dict[str, Data] = field(default_factory=dict)
    tasks: dict[str, int] = field(default_factory=dict)
    containers: frozenset[str] = frozenset()
    faults: dict[str, str] = field(default_factory=dict)
    configuration: str = ""


@dataclass(frozen=True)
class Step:
    """One thing to do: action is remove, write, make, clear or start; subject a pod, a file or a container's id."""

    action: str
    subject: str
    why: str = ""

    def __str__(self) -> str:
        return f"{self.action} {self.subject}{f': {self.why}' if self.why else ''}"


def container_id(pod: str, container: str) -> str:
    """containerd's id of one of a pod's containers; the pod's own name is the id of its pause container."""
    return f"{pod}.{container}"


def running(listed: str) -> dict[str, int]:
    """The PIDs of running containers by id, from what `ctr tasks list` prints: id, PID and status below a heading."""
    rows = [line.split() for line in listed.splitlines()[1:]]
    return {row[0]: int(row[1]) for row in rows if row[2] == "RUNNING"}


def configuration_file(network: Data) -> str:
    """Where a network's configuration list belongs; container runtimes take the first file by name."""
    return f"{NETWORKS}/10-{network['name']}.conflist"
