# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Takes nodes out of a cluster: their pods go elsewhere, then the Node objects go.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass

from ansible_collections.reftopo.lab.plugins.module_utils._node_run import NodeError, Runner

OVERDUE = 5  # seconds after a pod should have ended; by then its node is down, and nothing will end it


@dataclass(frozen=True)
class Observed:
    """What the cluster has of the nodes: those that are members, and the pods on them as (namespace, name)."""

    nodes: tuple[str, ...] = ()
    pods: tuple[tuple[str, str], ...] = ()

    def describe(self) -> dict[str, list[str]]:
        """What users are shown."""
        return {"nodes": list(self.nodes), "pods": [f"{namespace}/{name}" for namespace, name in self.pods]}


def parse(text: str, leaving: t.Collection[str]) -> Observed:
    """What ``kubectl get nodes,pods --all-namespaces --output json`` says of the nodes that leave."""
    items = json.loads(text)["items"]
    nodes = sorted(item["metadata"]["name"] for item in items if item["kind"] == "Node")
    pods = sorted(
        (item["metadata"]["namespace"], item["metadata"]["name"])
        for item in items
        if item["kind"] == "Pod" and item["spec"].get("nodeName") in leaving
    )
    return Observed(tuple(name for name in nodes if name in leaving), tuple(pods))


def drain(nodes: t.Sequence[str], timeout: int) -> list[str]:
    """Words for kubectl that move a node's pods away, those of DaemonSets excepted, which belong to the node.

    https://kubernetes.io/docs/reference/kubectl/generated/kubectl_drain/
    """
    options = ["--ignore-daemonsets", "--delete-emptydir-data", "--force"]
    return ["drain", *nodes, *options, f"--skip-wait-for-delete-timeout={OVERDUE}", f"--timeout={timeout}s"]


def forget(pods: t.Iterable[tuple[str, str]]) -> list[list[str]]:
    """Words for kubectl that remove pods whose node is gone; else the control plane does, a minute later."""
    by_namespace: dict[str, list[str]] = {}
    for namespace, name in pods:
        by_namespace.setdefault(namespace, []).append(name)
    options = ["--ignore-not-found", "--force", "--grace-period=0", "--wait=false"]
    return [
        ["delete", "pods", f"--namespace={namespace}", *names, *options] for namespace, names in by_namespace.items()
    ]


class Cluster:
    """The cluster that nodes leave, by kubectl."""

    def __init__(self, runner: Runner, command: list[str], leaving: t.Collection[str]) -> None:
        self.runner = runner
        self.command = command
        self.leaving = leaving

    def observe(self) -> Observed:
        """What the cluster has of the nodes.

        Raises:
            NodeError: the API does not answer.
        """
        words = ["get", "nodes,pods", "--all-namespaces", "--output=json", "--request-timeout=10s"]
        try:
            return parse(self.runner.read([*self.command, *words]), self.leaving)
        except NodeError as error:
            raise NodeError(
                f"{error}\nWithout the API {', '.join(self.leaving)} cannot leave the cluster, and was left as it is. "
                "Put it back in the topology, run the playbook, which repairs the cluster, and take it out then."
            ) from error

    def remove(self, members: t.Sequence[str], timeout: int) -> None:
        """Drain and delete those that are members, and forget what is left of all their pods.

        Raises:
            NodeError: kubectl failed, or pods did not end in time. The nodes then take no new pods, but are members.
        """
        if members:
            self.runner.change([*self.command, *drain(members, timeout)])
            self.runner.change([*self.command, "delete", "nodes", *members, "--ignore-not-found"])
        for words in forget(self.observe().pods):
            self.runner.change([*self.command, *words])
