# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Calico promises of two nodes of one segment when only packets across segments are in a tunnel. Pure.

This plugin util is PRIVATE to the collection. Source of the promises: Calico, felix/dataplane/linux/route_mgr.go
(noEncapRoute): a route by the node's own address, of Felix' protocol and onlink. A VXLAN device knows that node too.
"""

from __future__ import annotations

from ansible_collections.reftopo.lab.plugins.module_utils._cni_backend import pod_network
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_vxlan
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_calico import BLACKHOLES
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_claim import (
    Peer,
    differences,
    pod_routes,
    route_to_each,
)
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_snapshot import Snapshot
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_way import underlay

PEER = (
    ("route", "routes to {peer}'s blocks are Felix', by {peer} itself", "ip route show proto 80"),
    *(row for row in _proof_vxlan.PEER if row[0] != "route"),
)


def applies(key: str, topology: Data, _own: str, _peer: str) -> bool:
    """Whether a claim about a peer is one of this cluster: IPIP has entries of nobody."""
    return key == "route" or pod_network(topology)["cni"]["backend"] == "vxlan"


def route_faults(snapshot: Snapshot, topology: Data, peer: Peer) -> list[str]:
    node = topology["nodes"][peer.node]
    owner = BLACKHOLES[pod_network(topology)["cni"]["backend"]]  # as of own blocks
    wanted = {"gateway": node["address"], "dev": underlay(node), "protocol": owner, "flags": ["onlink"]}
    rows = snapshot.rows("routes", dst=peer.address)  # of the device alone, where Felix heard of it before its block
    direct = [fault for row in rows for fault in differences(f"route to {peer.address}", row, wanted)]
    return route_to_each(snapshot, peer.subnets, wanted) + direct


def stranger_faults(snapshot: Snapshot, topology: Data, own: Peer, known: dict[str, Peer]) -> list[str]:
    """Routes to pods that are to no block of these nodes; those of the device are judged with it."""
    device = pod_network(topology)["cni"]["device"]
    blocks = {*own.subnets, *(block for peer in known.values() for block in peer.by_device)}
    return [
        f"route to {row['dst']} belongs to no node of this segment"
        for row in pod_routes(snapshot, topology)
        if row["dst"] not in blocks and row.get("dev") != device
    ]


FAULTS = {**_proof_vxlan.FAULTS, "route": route_faults}
