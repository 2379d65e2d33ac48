# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What flannel announces of its nodes, and how it attaches pods, whichever its backend. Pure.

This plugin util is PRIVATE to the collection. Source of the annotations: flannel, pkg/subnet/kube/kube.go.
"""

from __future__ import annotations

import json

from ansible_collections.reftopo.lab.plugins.module_utils._cni_backend import CNI_BRIDGE
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_claim import Peer, route_to_each
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data, ProofError
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_snapshot import Snapshot

ANNOTATIONS = "flannel.alpha.coreos.com/"
RESOURCES = "nodes"  # what it keeps in the Kubernetes API
OWN = (("subnet", f"own pods are behind {CNI_BRIDGE}", f"ip route show dev {CNI_BRIDGE}"),)


def peers(objects: list[Data], backend: str) -> dict[str, Peer]:
    """All nodes as they announce themselves, from the Node objects' annotations and pod subnets."""
    return {item["metadata"]["name"]: _peer(item, backend) for item in objects if item["kind"] == "Node"}


def _peer(node: Data, backend: str) -> Peer:
    name, notes = node["metadata"]["name"], node["metadata"].get("annotations", {})
    needed = ("public-ip", "backend-data") if backend == "vxlan" else ("public-ip",)
    for key in needed:
        if ANNOTATIONS + key not in notes:
            raise ProofError(f"node {name} has no annotation {ANNOTATIONS}{key}: flannel does not run there")
    mac = json.loads(notes[ANNOTATIONS + "backend-data"])["VtepMAC"] if backend == "vxlan" else ""
    return Peer(name, node["spec"]["podCIDR"], notes[ANNOTATIONS + "public-ip"], mac)


def subnet_faults(snapshot: Snapshot, _topology: Data, own: Peer) -> list[str]:
    return route_to_each(snapshot, own.subnets, {"dev": CNI_BRIDGE, "protocol": "kernel"})


FAULTS = {"subnet": subnet_faults}
