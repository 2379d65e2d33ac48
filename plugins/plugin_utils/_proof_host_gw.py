# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What flannel's host-gw backend promises of each node: a route to each other node's pods by its address. Pure.

This plugin util is PRIVATE to the collection. Source of the promises: flannel, pkg/backend/hostgw/hostgw.go.
"""

from __future__ import annotations

from ansible_collections.reftopo.lab.plugins.module_utils._cni_backend import pod_network
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_claim import Peer, pod_routes, route_to_each
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_snapshot import Snapshot
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_way import underlay

OWN = (("no-device", "flannel has no device", "ip -d link show"),)
PEER = (("route", "route to {peer}'s pods by {peer} itself", "ip route show"),)
LAST = ("no other route leads to pods", "ip route show root {pods}")


def device_faults(snapshot: Snapshot, _topology: Data, _own: Peer) -> list[str]:
    links = [link["ifname"] for link in snapshot.table("links")]
    return [f"there is a device {name}" for name in links if name.startswith("flannel")]


def route_faults(snapshot: Snapshot, topology: Data, peer: Peer) -> list[str]:
    """The next hop is the node, without onlink: nodes share a segment."""
    device = underlay(topology["nodes"][peer.node])
    wanted = {"gateway": topology["nodes"][peer.node]["address"], "dev": device, "flags": []}
    return route_to_each(snapshot, peer.subnets, wanted)


def stranger_faults(snapshot: Snapshot, topology: Data, own: Peer, known: dict[str, Peer]) -> list[str]:
    """Routes to pods that are to no peer's subnet; those of a device of flannel's, where there is one, are not ours."""
    device = pod_network(topology)["cni"]["device"]
    subnets = {peer.subnet for peer in known.values() if peer.node != own.node}
    return [
        f"route to {row['dst']} belongs to no node of the topology"
        for row in pod_routes(snapshot, topology)
        if row["dst"] not in subnets and row.get("dev") != device
    ]


FAULTS = {"no-device": device_faults, "route": route_faults}
