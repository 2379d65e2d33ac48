# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which way packets between two nodes take, where that depends on the segments that they are in. Pure.

This plugin util is PRIVATE to the collection. Sources: flannel, pkg/backend/vxlan/vxlan_network.go: with DirectRouting
a node that is reached without a gateway gets host-gw's route, every other one a route through the VXLAN device; Calico,
felix/calc/l3_route_resolver.go and felix/dataplane/linux/route_mgr.go (noEncapRoute): with CrossSubnet one whose
address is in the own node's network gets a route by its own address.
"""

from __future__ import annotations

import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils._cni_backend import (
    PLUGINS,
    backend_of,
    plugin_of,
    pod_network,
)

Data = dict[str, t.Any]

# The mechanisms of backends with direct_routing, as checks name them: the backend of what goes across segments.
DIRECT = {
    f"{name}-direct": name
    for plugin in PLUGINS.values()
    for name, backend in plugin.backends.items()
    if "direct_routing" in backend.defaults
}


def mechanism(cni: t.Mapping[str, t.Any]) -> str:
    """The mechanism that a network plugin's options amount to, as checks name it."""
    direct = f"{cni['backend']}-direct"
    return direct if cni.get("direct_routing") and direct in DIRECT else str(cni["backend"])


def underlay(node: Data) -> str:
    """The interface by which a node, or a namespace, reaches the others: its first by name."""
    return min(node["interfaces"])


def underlay_mtu(node: Data) -> int:
    """The MTU of that interface."""
    return int(node["interfaces"][underlay(node)]["mtu"])


def segment(topology: Data, node: str) -> str:
    """The segment of that interface."""
    entry = topology["nodes"][node]
    return str(entry["interfaces"][underlay(entry)]["segment"])


def outsider(topology: Data, home: str) -> Data:
    """The machine outside of the cluster that asks: the first namespace with its first interface on a segment."""
    namespaces = topology["namespaces"].values()
    return t.cast("Data", next(one for one in namespaces if one["interfaces"][underlay(one)]["segment"] == home))


def way(topology: Data, one: str, other: str) -> str:
    """The backend whose packets, routes and entries two nodes have for each other; one of the plugin's."""
    cni = pod_network(topology)["cni"]
    direct = cni.get("direct_routing") and segment(topology, one) == segment(topology, other)
    return plugin_of(cni).within if direct else str(cni["backend"])


def bare(topology: Data, one: str, other: str) -> bool:
    """Whether packets between the pods of two nodes have nothing around them."""
    return backend_of(pod_network(topology)["cni"], way(topology, one, other)).overhead == 0
