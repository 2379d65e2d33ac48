# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes nodes of a Calico cluster route reflectors, and turns the node-to-node mesh off behind them.

This module util is PRIVATE to the collection. Sources: https://docs.tigera.io/calico/latest/networking/configuring/bgp,
and, that a node with a cluster id leaves the mesh at once, Calico, confd's bird.cfg.template.
"""

from __future__ import annotations

import json
import re
import time
import typing as t
from dataclasses import dataclass

from ansible_collections.reftopo.lab.plugins.module_utils._node_run import NodeError, Runner

LABEL = "route-reflector"  # the name that Calico's documentation uses
CLUSTER_ID = "projectcalico.org/RouteReflectorClusterID"
NAME = "route-reflectors"  # of the BGPPeer
PEERS = {"nodeSelector": "all()", "peerSelector": f"{LABEL} == 'true'"}
BGP_PEERS, BGP_CONFIGURATIONS = "bgppeers.crd.projectcalico.org", "bgpconfigurations.crd.projectcalico.org"
POLL_INTERVAL = 1.0  # seconds
ESTABLISHED = re.compile(r"^(Node_[0-9_]+) +BGP .* Established", re.MULTILINE)

Data = dict[str, t.Any]


@dataclass(frozen=True)
class State:
    """What the cluster's API has: label and cluster id of each node, the BGPPeer's spec, and if there is a mesh."""

    nodes: t.Mapping[str, t.Mapping[str, str]]
    peers: t.Mapping[str, t.Any]
    mesh: bool

    def describe(self) -> Data:
        """What users are shown."""
        return {"nodes": dict(self.nodes), "BGPPeer": dict(self.peers), "nodeToNodeMeshEnabled": self.mesh}


@dataclass(frozen=True)
class Step:
    """One thing to do: words for kubectl with their input; or a reflector whose sessions are waited for."""

    words: tuple[str, ...] = ()
    given: Data | None = None
    wait_for: str = ""


def parse(items: list[Data]) -> State:
    """What ``kubectl get`` says of nodes, BGPPeers and BGPConfigurations."""
    found = {(item["kind"], item["metadata"]["name"]): item for item in items}
    nodes = {name: _marks(item["metadata"]) for (kind, name), item in found.items() if kind == "Node"}
    mesh = found.get(("BGPConfiguration", "default"), {}).get("spec", {}).get("nodeToNodeMeshEnabled", True)
    return State(nodes, found.get(("BGPPeer", NAME), {}).get("spec", {}), mesh)


def _marks(metadata: Data) -> dict[str, str]:
    parts = {LABEL: metadata.get("labels", {}), CLUSTER_ID: metadata.get("annotations", {})}
    return {key: part[key] for key, part in parts.items() if key in part}


def desired(before: State, cluster_id: str, reflectors: t.Collection[str]) -> State:
    """What the API must have. No other node is a reflector."""
    marks = {LABEL: "true", CLUSTER_ID: cluster_id}
    return State({name: marks if name in reflectors else {} for name in {*before.nodes, *reflectors}}, PEERS, False)


def plan(before: State, after: State) -> list[Step]:
    """The steps in the order that loses least.

    The BGPPeer comes first, for a node that gets its cluster id leaves the mesh at once, and its own pods are out of
    reach until its new sessions are up. The next one waits for them, and the end of the mesh for those of all.
    """
    steps = [_peer(before)] if before.peers != after.peers else []
    differing = sorted(name for name in after.nodes if before.nodes.get(name) != after.nodes[name])
    for name in sorted(differing, key=lambda name: not after.nodes[name]):
        steps.append(_mark(name, after.nodes[name]))
        steps += [Step(wait_for=name)] if after.nodes[name] else []
    if (before.peers, before.mesh) != (after.peers, after.mesh):
        steps += [Step(wait_for=name) for name in sorted(after.nodes) if after.nodes[name] and name not in differing]
    return steps + ([_unmesh()] if before.mesh != after.mesh else [])


def _peer(before: State) -> Step:
    """Exactly this, whatever was added by hand."""
    data = {"apiVersion": "crd.projectcalico.org/v1", "kind": "BGPPeer", "metadata": {"name": NAME}, "spec": PEERS}
    return Step(("replace" if before.peers else "create", "--filename=-"), data)


def _mark(name: str, marks: t.Mapping[str, str]) -> Step:
    """Label and cluster id in one go, so that BIRD's configuration is written anew once."""
    patch = {"labels": {LABEL: marks.get(LABEL)}, "annotations": {CLUSTER_ID: marks.get(CLUSTER_ID)}}
    return Step(("patch", "node", name, "--type=merge", f"--patch={json.dumps({'metadata': patch})}"))


def _unmesh() -> Step:
    """One field of an object that may have more, which are the user's or of the cluster's manifests.

    The manager is not that of the manifests, whose next apply would take away what they do not say.
    """
    data = {"apiVersion": "crd.projectcalico.org/v1", "kind": "BGPConfiguration", "metadata": {"name": "default"}}
    words = ("apply", "--server-side", "--force-conflicts", "--field-manager=reftopo-reflectors", "--filename=-")
    return Step(words, {**data, "spec": {"nodeToNodeMeshEnabled": False}})


def addresses(items: list[Data]) -> dict[str, str]:
    """The address of each node."""
    return {
        item["metadata"]["name"]: one["address"]
        for item in items
        if item["kind"] == "Node"
        for one in item["status"]["addresses"]
        if one["type"] == "InternalIP"
    }


def missing(text: str, neighbours: t.Collection[str]) -> list[str]:
    """The addresses of neighbours without an established session in the text of ``birdcl show protocols``."""
    there = {name.removeprefix("Node_").replace("_", ".") for name in ESTABLISHED.findall(text)}
    return sorted(set(neighbours) - there)


class Cluster:
    """The cluster, by kubectl on its control plane."""

    def __init__(self, runner: Runner, kubeconfig: str, timeout: int) -> None:
        self.runner = runner
        self.kubectl = ["kubectl", f"--kubeconfig={kubeconfig}"]
        self.deadline = time.monotonic() + timeout

    def items(self) -> list[Data]:
        """The objects that say who reflects routes."""
        words = ["get", f"nodes,{BGP_PEERS},{BGP_CONFIGURATIONS}", "--output=json"]
        return t.cast("list[Data]", json.loads(self.runner.read([*self.kubectl, *words]))["items"])

    def apply(self, steps: t.Iterable[Step]) -> None:
        """Do all steps.

        Raises:
            NodeError: kubectl failed, or a reflector's sessions were not up in time; the mesh is then left as it was.
        """
        for step in steps:
            if step.wait_for:
                self._wait(step.wait_for)
            else:
                given = {"data": json.dumps(step.given)} if step.given else {}
                self.runner.change([*self.kubectl, *step.words], **given)

    def _wait(self, reflector: str) -> None:
        """Until BIRD of a reflector has an established session with every other node."""
        others = [address for name, address in addresses(self.items()).items() if name != reflector]
        while left := missing(said := self._sessions(reflector), others):
            if time.monotonic() > self.deadline:
                raise NodeError(
                    f"the route reflector {reflector} has no session of BGP with {', '.join(left)}, so the mesh was "
                    f"left as it is. BIRD says:\n{said.strip()}\nSee `calicoctl node status` on both."
                )
            time.sleep(POLL_INTERVAL)

    def _sessions(self, node: str) -> str:
        """What BIRD of a node says, or why it says nothing: calico-node may just start there."""
        kubectl = [*self.kubectl, "--namespace=kube-system"]
        words = ["get", "pods", "--selector=k8s-app=calico-node", f"--field-selector=spec.nodeName={node}"]
        ask = ["--container=calico-node", "--", "birdcl", "-s", "/var/run/calico/bird.ctl", "show", "protocols"]
        pod = self.runner.read([*kubectl, *words, "--output=name"]).split()[-1:]
        try:
            return self.runner.read([*kubectl, "exec", *pod, *ask])
        except NodeError as error:
            return str(error)
