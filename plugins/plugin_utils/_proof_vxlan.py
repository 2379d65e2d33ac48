# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What flannel's VXLAN backend promises of each node: device, routes, FDB and neighbour entries. Pure.

This plugin util is PRIVATE to the collection. Source of the promises: flannel, pkg/backend/vxlan/vxlan_network.go: for
each other node a route to its subnet through its VTEP, the VTEP's MAC as permanent neighbour, and that MAC's FDB entry
with the node's underlay address.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import json
import typing as t

from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data, ProofError
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_plan import underlay
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_snapshot import Snapshot

ANNOTATIONS = "flannel.alpha.coreos.com/"
BRIDGE = "cni0"  # flannel's CNI plugin delegates to the bridge plugin with this name


@dataclasses.dataclass(frozen=True)
class Vtep:
    """A node's tunnel endpoint as the node announces it: pod subnet, the endpoint's own address and MAC, underlay."""

    node: str
    subnet: str
    address: str
    mac: str
    underlay: str


def vteps(objects: list[Data]) -> dict[str, Vtep]:
    """The announced endpoints of all nodes, from the Node objects' annotations and pod subnets."""
    return {item["metadata"]["name"]: vtep(item) for item in objects if item["kind"] == "Node"}


def vtep(node: Data) -> Vtep:
    name, notes = node["metadata"]["name"], node["metadata"].get("annotations", {})
    if ANNOTATIONS + "backend-data" not in notes:
        raise ProofError(f"node {name} has no annotation {ANNOTATIONS}backend-data: flannel does not run there")
    subnet = node["spec"]["podCIDR"]
    return Vtep(
        node=name,
        subnet=subnet,
        address=str(ipaddress.ip_network(subnet).network_address),
        mac=json.loads(notes[ANNOTATIONS + "backend-data"])["VtepMAC"],
        underlay=notes[ANNOTATIONS + "public-ip"],
    )


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


def claims(topology: Data) -> list[Claim]:
    """All asserts on the nodes' state, in the order in which a packet meets what they are about."""
    device = topology["cluster"]["cni"]["device"]
    show = {
        "route": ("route to {peer}'s pods", f"ip route show dev {device}"),
        "neighbour": ("neighbour entry of {peer}'s VTEP", f"ip neigh show dev {device}"),
        "fdb": ("FDB entry of {peer}'s VTEP", f"bridge fdb show dev {device}"),
    }
    return [
        claim
        for node in topology["nodes"]
        for claim in (
            Claim(node, "subnet", f"own pods are behind {BRIDGE}", f"ip route show dev {BRIDGE}"),
            Claim(node, "device", f"{device} is as the topology says", f"ip -d link show {device}"),
            *(
                Claim(node, key, title.format(peer=peer), command, peer)
                for peer in topology["nodes"]
                if peer != node
                for key, (title, command) in show.items()
            ),
            Claim(node, "nothing-else", f"{device} knows nobody else", f"bridge fdb show dev {device}"),
        )
    ]


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


def device_faults(snapshot: Snapshot, topology: Data, own: Vtep) -> list[str]:
    cni, node = topology["cluster"]["cni"], topology["nodes"][own.node]
    link = snapshot.link(cni["device"])
    if not link:
        return [f"there is no {cni['device']}"]
    info = link.get("linkinfo", {})
    addresses = [address["local"] for address in link.get("addr_info", []) if address["family"] == "inet"]
    found = {
        "kind": info.get("info_kind"),
        "mtu": link["mtu"],
        "MAC": link["address"],
        "address": addresses,
        "up": "UP" in link["flags"],
        **{key: info.get("info_data", {}).get(key) for key in ("id", "port", "local", "link", "learning")},
    }
    wanted = {
        "kind": "vxlan",
        "mtu": cni["mtu"],
        "MAC": own.mac,
        "address": [own.address],
        "up": True,
        "id": cni["vni"],
        "port": cni["port"],
        "local": node["address"],
        "link": underlay(node),
        "learning": False,
    }
    return differences(cni["device"], found, wanted)


def subnet_faults(snapshot: Snapshot, _topology: Data, own: Vtep) -> list[str]:
    rows = snapshot.rows("routes", dst=own.subnet)
    return single(f"route to {own.subnet}", rows, {"dev": BRIDGE, "protocol": "kernel"})


def route_faults(snapshot: Snapshot, topology: Data, peer: Vtep) -> list[str]:
    device = topology["cluster"]["cni"]["device"]
    wanted = {"gateway": peer.address, "dev": device, "flags": ["onlink"]}
    return single(f"route to {peer.subnet}", snapshot.rows("routes", dst=peer.subnet), wanted)


def neighbour_faults(snapshot: Snapshot, topology: Data, peer: Vtep) -> list[str]:
    rows = snapshot.rows("neighbours", dst=peer.address, dev=topology["cluster"]["cni"]["device"])
    return single(f"neighbour {peer.address}", rows, {"lladdr": peer.mac, "state": ["PERMANENT"]})


def fdb_faults(snapshot: Snapshot, topology: Data, peer: Vtep) -> list[str]:
    rows = snapshot.rows("fdb", mac=peer.mac, ifname=topology["cluster"]["cni"]["device"])
    underlay = topology["nodes"][peer.node]["address"]
    return single(f"FDB {peer.mac}", rows, {"dst": underlay, "state": "permanent"})


def stranger_faults(snapshot: Snapshot, topology: Data, own: Vtep, known: dict[str, Vtep]) -> list[str]:
    """Entries of the device that belong to no peer: a flooding entry, a learned one, or one of a node that is gone."""
    device = topology["cluster"]["cni"]["device"]
    peers = [other for other in known.values() if other.node != own.node]
    kept = {
        "fdb": ("mac", {peer.mac for peer in peers}, snapshot.rows("fdb", ifname=device)),
        "neighbours": ("dst", {peer.address for peer in peers}, snapshot.rows("neighbours", dev=device)),
        "routes": ("dst", {peer.subnet for peer in peers} | {own.address}, snapshot.rows("routes", dev=device)),
    }
    return [
        f"{part}: {row[key]} belongs to no node of the topology"
        for part, (key, allowed, rows) in kept.items()
        for row in rows
        if row[key] not in allowed
    ]


FAULTS: dict[str, t.Callable[[Snapshot, Data, Vtep], list[str]]] = {
    "subnet": subnet_faults,
    "device": device_faults,
    "route": route_faults,
    "neighbour": neighbour_faults,
    "fdb": fdb_faults,
}


def claim_faults(claim: Claim, snapshot: Snapshot, topology: Data, known: dict[str, Vtep]) -> list[str]:
    """Why a claim does not hold; empty when it does."""
    missing = set(topology["nodes"]) - set(known)
    if missing:
        return [f"the cluster has no node {name}" for name in sorted(missing)]
    if claim.key == "nothing-else":
        return stranger_faults(snapshot, topology, known[claim.node], known)
    return FAULTS[claim.key](snapshot, topology, known[claim.peer or claim.node])
