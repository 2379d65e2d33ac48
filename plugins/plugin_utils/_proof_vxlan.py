# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a VXLAN backend promises of each node: device, routes, FDB and neighbour entries. Pure.

This plugin util is PRIVATE to the collection. Sources of the promises: flannel, pkg/backend/vxlan/vxlan_network.go, and
Calico, felix/dataplane/linux/vxlan_mgr.go and felix/vxlanfdb: for each other node a route to each of its subnets
through its VTEP, the VTEP's MAC as permanent neighbour, and that MAC's FDB entry with the node's underlay address.
"""

from __future__ import annotations

from ansible_collections.reftopo.lab.plugins.module_utils._cni_backend import pod_network
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_claim import Peer, differences, route_to_each, single
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_snapshot import Snapshot
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_way import underlay

# What is claimed of a node itself, of each of its peers, and last: key, title, command.
OWN = (("device", "{device} is as the topology says", "ip -d link show {device}"),)
PEER = (
    ("route", "route to {peer}'s pods", "ip route show dev {device}"),
    ("neighbour", "neighbour entry of {peer}'s VTEP", "ip neigh show dev {device}"),
    ("fdb", "FDB entry of {peer}'s VTEP", "bridge fdb show dev {device}"),
)
LAST = ("{device} knows nobody else", "bridge fdb show dev {device}")
# Of flannel's DirectRouting, in place of that.
DIRECT_LAST = (
    "{device} knows nodes of other segments alone, and no other route leads to pods",
    "ip route show root {pods}",
)


def device_faults(snapshot: Snapshot, topology: Data, own: Peer) -> list[str]:
    cni, node = pod_network(topology)["cni"], topology["nodes"][own.node]
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


def route_faults(snapshot: Snapshot, topology: Data, peer: Peer) -> list[str]:
    device = pod_network(topology)["cni"]["device"]
    wanted = {"gateway": peer.address, "dev": device, "flags": ["onlink"]}
    return route_to_each(snapshot, peer.subnets, wanted)


def neighbour_faults(snapshot: Snapshot, topology: Data, peer: Peer) -> list[str]:
    rows = snapshot.rows("neighbours", dst=peer.address, dev=pod_network(topology)["cni"]["device"])
    return single(f"neighbour {peer.address}", rows, {"lladdr": peer.mac, "state": ["PERMANENT"]})


def fdb_faults(snapshot: Snapshot, topology: Data, peer: Peer) -> list[str]:
    rows = snapshot.rows("fdb", mac=peer.mac, ifname=pod_network(topology)["cni"]["device"])
    underlay = topology["nodes"][peer.node]["address"]
    return single(f"FDB {peer.mac}", rows, {"dst": underlay, "state": "permanent"})


def stranger_faults(snapshot: Snapshot, topology: Data, own: Peer, known: dict[str, Peer]) -> list[str]:
    """Entries of the device that belong to no peer: a flooding entry, a learned one, or one of a node that is gone."""
    device = pod_network(topology)["cni"]["device"]
    peers = [other for other in known.values() if other.node != own.node]
    theirs = [network for peer in peers for network in peer.by_device]
    kept = {
        "fdb": ("mac", {peer.mac for peer in peers}, snapshot.rows("fdb", ifname=device)),
        "neighbours": ("dst", {peer.address for peer in peers}, snapshot.rows("neighbours", dev=device)),
        "routes": ("dst", {own.address, *theirs}, snapshot.rows("routes", dev=device)),
    }
    return [
        f"{part}: {row[key]} belongs to no node of the topology"
        for part, (key, allowed, rows) in kept.items()
        for row in rows
        if row[key] not in allowed
    ]


FAULTS = {"device": device_faults, "route": route_faults, "neighbour": neighbour_faults, "fdb": fdb_faults}
