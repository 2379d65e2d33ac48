# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What flannel's udp backend promises of each node: a TUN device behind which all pods are. Pure.

This plugin util is PRIVATE to the collection. Source of the promises: flannel, pkg/backend/udp/udp_network_amd64.go:
which node has which pods is known to the program behind the device alone, so the wire must show it.
"""

from __future__ import annotations

from ansible_collections.reftopo.lab.plugins.module_utils._cni_backend import pod_network
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_claim import Peer, differences, pod_routes, single
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_snapshot import Snapshot

OWN = (
    ("device", "{device} is as the topology says", "ip -d address show {device}"),
    ("route", "all pods are behind {device}", "ip route show dev {device}"),
)
PEER: tuple[tuple[str, str, str], ...] = ()
LAST = ("no other route leads to pods", "ip route show root {pods}")


def device_faults(snapshot: Snapshot, topology: Data, own: Peer) -> list[str]:
    cni = pod_network(topology)["cni"]
    link = snapshot.link(cni["device"])
    if not link:
        return [f"there is no {cni['device']}"]
    found = {
        "kind": link.get("linkinfo", {}).get("info_kind"),
        "mtu": link["mtu"],
        "address": [f"{a['local']}/{a['prefixlen']}" for a in link.get("addr_info", []) if a["family"] == "inet"],
        "up": "UP" in link["flags"],
    }
    wanted = {"kind": "tun", "mtu": cni["mtu"], "address": [f"{own.address}/32"], "up": True}
    return differences(cni["device"], found, wanted)


def route_faults(snapshot: Snapshot, topology: Data, _own: Peer) -> list[str]:
    pods, device = pod_network(topology)["pod_cidr"], pod_network(topology)["cni"]["device"]
    return single(f"route to {pods}", snapshot.rows("routes", dst=pods), {"dev": device})


def stranger_faults(snapshot: Snapshot, topology: Data, own: Peer, _known: dict[str, Peer]) -> list[str]:
    """Routes to some of the pods that go another way than all do; the device has an address of the pods' network."""
    device = pod_network(topology)["cni"]["device"]
    allowed = {(pod_network(topology)["pod_cidr"], device), (own.address, device)}
    return [
        f"route to {row['dst']} by {row.get('dev')} leads to some of the pods"
        for row in pod_routes(snapshot, topology)
        if (row["dst"], row.get("dev")) not in allowed
    ]


FAULTS = {"device": device_faults, "route": route_faults}
