# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Calico promises of each node with IPIP where Felix makes the routes: pool, device and routes by it. Pure.

This plugin util is PRIVATE to the collection. Source of the promises: Calico, felix/dataplane/linux/ipip_mgr.go
(tunnelRoute) and route_mgr.go (configureTunnelDevice, isRemoteTunnelRoute). The device is the kernel's own fallback
(net/ipv4/ipip.c): it has no other end, so the next hop of each route is where a packet goes.
"""

from __future__ import annotations

import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils._cni_backend import pod_network
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_calico_vxlan
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_calico import BLACKHOLES, CalicoNode
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_claim import Peer, differences, route_to_each
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_snapshot import Snapshot

POOLS = "kubectl get ippools -o yaml"
OWN = (
    ("pool", "the pool of the node's blocks is in IPIP as the topology says, and never in VXLAN", POOLS),
    ("device", "{device} is as the topology says, with the address that IPAM gave it", "ip -d address show {device}"),
    *(row for row in _proof_calico_vxlan.OWN if row[0] == "no-bgp"),
)
PEER = (
    ("route", "routes to {peer}'s blocks are Felix', by {peer} itself through {device}", "ip route show dev {device}"),
)
LAST = ("{device} leads to nobody else", "ip route show dev {device}")
DIRECT_LAST = (
    "{device} leads to nodes of other segments alone, and no other route leads to pods",
    "ip route show root {pods}",
)


def pool_faults(_snapshot: Snapshot, topology: Data, own: Peer) -> list[str]:
    node: CalicoNode = t.cast("CalicoNode", own)
    mode = "CrossSubnet" if pod_network(topology)["cni"]["direct_routing"] else "Always"
    wanted = {"IPIP": mode, "VXLAN": "Never"}
    told = [
        fault for pool, modes in node.pools.items() for fault in differences(pool, dict(zip(wanted, modes)), wanted)
    ]
    return told if node.pools else [f"no pool holds {' or '.join(own.subnets)}"]


def device_faults(snapshot: Snapshot, topology: Data, own: Peer) -> list[str]:
    """The device takes packets from anybody and sends to whom routes say: it names no address of its own."""
    cni = pod_network(topology)["cni"]
    link = snapshot.link(cni["device"])
    if not link:
        return [f"there is no {cni['device']}"]
    info = link.get("linkinfo", {})
    found = {
        "kind": info.get("info_kind"),
        "mtu": link["mtu"],
        "address": [one["local"] for one in link.get("addr_info", []) if one["family"] == "inet"],
        "up": "UP" in link["flags"],
        **{key: info.get("info_data", {}).get(key) for key in ("local", "remote")},
    }
    ends = {"local": "any", "remote": "any"}
    return differences(
        cni["device"], found, {"kind": "ipip", "mtu": cni["mtu"], "address": [own.address], "up": True, **ends}
    )


def route_faults(snapshot: Snapshot, topology: Data, peer: Peer) -> list[str]:
    """To the address of the peer's device itself there may be one more route, which must be the same."""
    cni = pod_network(topology)["cni"]
    wanted = {
        "gateway": topology["nodes"][peer.node]["address"],
        "dev": cni["device"],
        "protocol": BLACKHOLES[cni["backend"]],  # as of own blocks
        "flags": ["onlink"],
    }
    rows = snapshot.rows("routes", dst=peer.address)
    direct = [fault for row in rows for fault in differences(f"route to {peer.address}", row, wanted)]
    return route_to_each(snapshot, peer.subnets, wanted) + direct


def stranger_faults(snapshot: Snapshot, topology: Data, own: Peer, known: dict[str, Peer]) -> list[str]:
    """Routes by the device that are to no peer of it; its own address is in the kernel's table of local ones."""
    theirs = {network for peer in known.values() if peer.node != own.node for network in peer.by_device}
    return [
        f"route to {row['dst']} belongs to no node that is reached by it"
        for row in snapshot.rows("routes", dev=pod_network(topology)["cni"]["device"])
        if row["dst"] not in {own.address, *theirs}
    ]


FAULTS = {
    "pool": pool_faults,
    "device": device_faults,
    "route": route_faults,
    "no-bgp": _proof_calico_vxlan.bgp_faults,
}
