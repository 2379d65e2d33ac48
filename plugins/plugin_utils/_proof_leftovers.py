# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must not be on a node, whichever the backend: entries of nodes that are gone, and of another backend. Pure.

This plugin util is PRIVATE to the collection. All of a node is looked at, not the backend's own device alone. What the
kernel itself learned of an underlay address (a neighbour on eth0) is not flannel's, and ages by itself.
"""

from __future__ import annotations

import ipaddress
import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils._cni_backend import of_another, pod_network, to_own_pods
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_claim import Peer, pod_routes
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_snapshot import Snapshot

# What the kernel's module of a tunnel makes by itself: net/ipv4/ipip.c, ipip_init_net.
FALLBACK = ("tunl0",)
KEY = "leftovers"
TITLE = "no route, neighbour, FDB entry or device of a node that is gone, or of another backend"
COMMAND = "ip route show table all root {pods}; ip neigh show to root {pods}; bridge fdb show | grep dst; ip link show"


def leftover_faults(snapshot: Snapshot, topology: Data, known: dict[str, Peer]) -> list[str]:
    """Each entry that is of no node of the topology; known are those that the network plugin knows."""
    members = {name: peer for name, peer in known.items() if name in topology["nodes"]}
    subnets = [ipaddress.ip_network(subnet) for peer in members.values() for subnet in peer.subnets]
    plugin = pod_network(topology)["cni"]["name"]
    return [
        *(f"{plugin} knows {name}, which is not in the topology" for name in sorted(set(known) - set(members))),
        *_routes(snapshot, topology, subnets),
        *_neighbours(snapshot, topology, subnets),
        *_fdb(snapshot, topology),
        *_devices(snapshot, topology),
    ]


def _routes(snapshot: Snapshot, topology: Data, subnets: list[t.Any]) -> t.Iterator[str]:
    """A route to all pods is the backend udp's; the claims of the backends say by which device."""
    pods = ipaddress.ip_network(pod_network(topology)["pod_cidr"])
    for row in pod_routes(snapshot, topology):
        network = ipaddress.ip_network(row["dst"])
        if network != pods and not any(network.subnet_of(subnet) for subnet in subnets):
            yield f"route to {row['dst']} by {row.get('dev')} is to no node's pods"


def _neighbours(snapshot: Snapshot, topology: Data, subnets: list[t.Any]) -> t.Iterator[str]:
    """One without a MAC address is a question that nobody answered: the default route asks where there is no other."""
    network = pod_network(topology)
    pods = ipaddress.ip_network(network["pod_cidr"])
    for row in snapshot.table("neighbours"):
        address = ipaddress.ip_address(row["dst"])
        if "lladdr" not in row or to_own_pods(network["cni"], row["dev"]) or address not in pods:
            continue
        if not any(address in subnet for subnet in subnets):
            yield f"neighbour {row['dst']} on {row['dev']} is no node's"


def _fdb(snapshot: Snapshot, topology: Data) -> t.Iterator[str]:
    addresses = {node["address"] for node in topology["nodes"].values()}
    for row in snapshot.table("fdb"):
        if row.get("dst") not in {None, *addresses}:
            yield f"FDB entry {row['mac']} on {row['ifname']} leads to {row['dst']}, which is no node's address"


def _devices(snapshot: Snapshot, topology: Data) -> t.Iterator[str]:
    for link in snapshot.table("links"):
        if of_another(pod_network(topology)["cni"], link["ifname"]) and in_use(link):
            yield f"the device {link['ifname']} is of another backend"


def in_use(link: Data) -> bool:
    """Whether a device is more than what the kernel makes of itself: every namespace has one of some kinds, down."""
    return link["ifname"] not in FALLBACK or "UP" in link["flags"] or bool(link.get("addr_info"))
