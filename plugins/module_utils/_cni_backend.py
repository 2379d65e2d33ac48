# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the choice of a network plugin's backend brings with it, and the bridge of its pods.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import typing as t

# The bridge of a node's pods: the default of the CNI plugin bridge, which flannel's delegates to.
CNI_BRIDGE = "cni0"


class Backend(t.NamedTuple):
    """A backend of flannel: the bytes that it puts around a pod's packet, its options' defaults, and what it needs.

    device is the link that it makes on each node, with the options filled in; feature is the kernel's.
    """

    overhead: int = 0
    defaults: t.Mapping[str, t.Any] = {}
    device: str = ""
    feature: str = ""


# Sources: flannel, pkg/backend/vxlan/vxlan.go, pkg/backend/udp/udp_amd64.go and udp_network_amd64.go, and
# pkg/backend/hostgw. VXLAN over IPv4: IP 20, UDP 8, VXLAN 8, inner Ethernet 14 (RFC 7348 section 5); udp: IP 20, UDP 8.
BACKENDS = {
    "vxlan": Backend(50, {"vni": 1, "port": 8472, "direct_routing": False}, "flannel.{vni}", "vxlan"),
    "host-gw": Backend(),
    "udp": Backend(28, {"port": 8285}, "flannel0", "tun"),
}


def pod_network(topology: dict[str, t.Any]) -> dict[str, t.Any]:
    """The section of a topology that says what network all its pods have; empty where each node has one of its own."""
    return topology.get("cluster") or topology.get("pod_network") or {}


def bridge_name(plugin: dict[str, t.Any]) -> str:
    """The bridge of a configuration of the CNI plugin bridge, or of flannel's, which delegates to it."""
    return str(plugin.get("bridge", CNI_BRIDGE))


def with_defaults(cni: dict[str, t.Any]) -> dict[str, t.Any]:
    """A network plugin's options with those that its backend has beside them."""
    return {**cni, **BACKENDS[cni["backend"]].defaults, **cni}


def device_name(cni: dict[str, t.Any]) -> str:
    """The device that the backend makes on each node; empty where it makes none."""
    return BACKENDS[cni["backend"]].device.format_map(with_defaults(cni))
