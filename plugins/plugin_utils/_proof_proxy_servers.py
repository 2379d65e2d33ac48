# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a node in mode ipvs has the cluster's services as virtual servers, and nothing else. Pure.

This plugin util is PRIVATE to the collection. Source: kubernetes, pkg/proxy/ipvs/proxier.go (syncProxyRules).
"""

from __future__ import annotations

from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_ipvs import (
    DEVICE,
    VirtualServer,
    addresses,
    virtual_servers,
)
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_services import Front
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_snapshot import Snapshot

# Ticks a second that a kernel can be made with (kernel/Kconfig.hz), in which /proc/net/ip_vs has times.
HZ = (100, 250, 300, 1000)
CLAIMS = {
    "ipvs-addresses": f"{DEVICE} holds the address of every service of the cluster, and no other",
    "ipvs-servers": "virtual servers are the cluster's services, with their ready endpoints, scheduler and persistence",
}


def address_faults(snapshot: Snapshot, fronts: list[Front]) -> list[str]:
    """The device's addresses and those of services that are not the same."""
    found, wanted = set(addresses(snapshot.table("links"))), {one.address for one in fronts}
    missing = [f"{address} is not an address of {DEVICE}" for address in sorted(wanted - found)]
    return missing + [f"{address} is no service's address" for address in sorted(found - wanted)]


def server_faults(snapshot: Snapshot, fronts: list[Front], address: str, scheduler: str) -> list[str]:
    """Virtual servers that are missing, that are no service's, or that are not as their service is.

    A node port must be at the node's own address. It may be at those of its other links as well.
    """
    found = virtual_servers(snapshot.text("ipvs"))
    wanted = {(one.address, one.protocol, one.port): one for one in fronts}
    wanted |= {(address, one.protocol, one.node_port): one for one in fronts if one.node_port}
    allowed = {(other, one.protocol, one.node_port): one for other in _others(snapshot) for one in fronts}
    faults = [f"{key} of {wanted[key].name} is no virtual server" for key in sorted(set(wanted) - set(found))]
    for key, server in found.items():
        front = wanted.get(key) or allowed.get(key)
        faults += _differences(str(key), server, front, scheduler) if front else [f"{key} is no port of any service"]
    return faults


def _others(snapshot: Snapshot) -> list[str]:
    """The addresses of all links but kube-proxy's device."""
    links = [link for link in snapshot.table("links") if link["ifname"] != DEVICE]
    return [entry["local"] for link in links for entry in link.get("addr_info", ()) if entry["family"] == "inet"]


def _differences(name: str, server: VirtualServer, front: Front, scheduler: str) -> list[str]:
    must = {"endpoints": (sorted(server.taken), sorted(front.ends)), "scheduler": (server.scheduler, scheduler)}
    faults = [f"{name}: {key} {found}, must be {wanted}" for key, (found, wanted) in must.items() if found != wanted]
    if server.persistence not in {front.persistence * ticks for ticks in HZ}:
        faults.append(f"{name}: persistence of {server.persistence} ticks, must be {front.persistence} s")
    return faults
