# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A claim about a node of a cluster, its peers as flannel announces them, and how values are compared. Pure.

This plugin util is PRIVATE to the collection. Source of the annotations: flannel, pkg/subnet/kube/kube.go.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import json

from ansible_collections.reftopo.lab.plugins.module_utils._cni_backend import CNI_BRIDGE, pod_network
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data, ProofError
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_snapshot import Snapshot

ANNOTATIONS = "flannel.alpha.coreos.com/"


@dataclasses.dataclass(frozen=True)
class Peer:
    """A node as it announces itself: its pods' subnet, its underlay address, and with VXLAN its endpoint's MAC."""

    node: str
    subnet: str
    underlay: str
    mac: str = ""

    @property
    def address(self) -> str:
        """The address of flannel's device, where there is one: the subnet's first."""
        return str(ipaddress.ip_network(self.subnet).network_address)


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


@dataclasses.dataclass(frozen=True)
class Claim:
    """One assert about a node, known from the topology alone; command shows the same to a person."""

    node: str
    key: str
    title: str
    command: str
    peer: str = ""

    @property
    def case(self) -> str:
        """The claim in a test case's id."""
        return "-".join(filter(None, (self.node, self.key, self.peer)))


def differences(what: str, found: Data, wanted: Data) -> list[str]:
    """Each value that is not what it must be."""
    return [
        f"{what}: {key} is {found.get(key)!r}, must be {value!r}"
        for key, value in wanted.items()
        if found.get(key) != value
    ]


def single(what: str, rows: list[Data], wanted: Data) -> list[str]:
    """Exactly one row, with these values."""
    if len(rows) != 1:
        return [f"{what}: {len(rows)} entries, must be one"]
    return differences(what, rows[0], wanted)


def pod_routes(snapshot: Snapshot, topology: Data) -> list[Data]:
    """A node's routes to pods, of all tables, but for those of its own bridge."""
    pods = ipaddress.ip_network(pod_network(topology)["pod_cidr"])
    rows = [row for row in snapshot.table("routes") if row["dst"] != "default" and row.get("dev") != CNI_BRIDGE]
    return [row for row in rows if ipaddress.ip_network(row["dst"]).overlaps(pods)]
