# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the choice of a network plugin and of its backend brings with it, and the bridge of a node's pods.

This module util is PRIVATE to the collection. What depends on the plugin's name is in PLUGINS.
"""

from __future__ import annotations

import fnmatch
import typing as t

# The bridge of a node's pods: the default of the CNI plugin bridge, which flannel's delegates to.
CNI_BRIDGE = "cni0"


class Backend(t.NamedTuple):
    """A backend: the bytes that it puts around a pod's packet, its options' defaults, and what it needs.

    device is the link that it makes on each node, with the options filled in; feature is the kernel's. options are
    those that have no default here. With one_segment nodes must reach each other without a router.
    """

    overhead: int = 0
    defaults: t.Mapping[str, t.Any] = {}
    device: str = ""
    feature: str = ""
    options: tuple[str, ...] = ()
    one_segment: bool = False


class Plugin(t.NamedTuple):
    """A network plugin: its backends, and the names of its links, as patterns of a shell.

    pods are the links on a node by which its pods are reached, devices those of any backend. tables is what it filters
    and masquerades by; where it is empty, what most of the cluster's kube-proxies use. A running cluster's backend can
    be changed only where it is switched. Where it enforces nothing, NetworkPolicies are objects without effect. feature
    is the kernel's that it needs by any backend. Where it mends, a backend's device that is down is soon up again.
    within is how packets between nodes of one segment travel with direct_routing: as those of a backend, or in a way of
    its own, bare. block is the prefix length of what a node gets of pods' addresses; 0 where that is node_prefix.
    """

    backends: t.Mapping[str, Backend]
    pods: str
    devices: tuple[str, ...]
    tables: str = ""
    switched: bool = False
    enforces: bool = False
    feature: str = ""
    mends: bool = False
    within: str = ""
    block: int = 0

    @property
    def bridge(self) -> str:
        """The link that all pods of a node hang on; empty where each has one of its own."""
        return "" if "*" in self.pods else self.pods


# Sources: flannel, pkg/backend/vxlan/vxlan.go, pkg/backend/udp/udp_amd64.go and udp_network_amd64.go, and
# pkg/backend/hostgw. VXLAN over IPv4: IP 20, UDP 8, VXLAN 8, inner Ethernet 14 (RFC 7348 section 5); udp: IP 20, UDP 8.
FLANNEL = Plugin(
    {
        "vxlan": Backend(50, {"vni": 1, "port": 8472, "direct_routing": False}, "flannel.{vni}", "vxlan"),
        "host-gw": Backend(one_segment=True),
        "udp": Backend(28, {"port": 8285}, "flannel0", "tun"),
    },
    CNI_BRIDGE,
    ("flannel*",),
    switched=True,
    within="host-gw",
)
# Sources: Calico, felix/config/config_params.go (InterfacePrefix, VXLANVNI, VXLANPort), felix/dataplane/linux:
# dataplanedefs and route_mgr.go (keepDeviceInSync), of the AS number confd/pkg/backends/calico/client.go
# (globalDefaults), and of blocks libcalico-go/lib/apis/v3/ippool.go (blockSize).
CALICO = Plugin(
    {
        "bgp": Backend(
            defaults={"as_number": 64512},
            options=("mtu", "route_reflectors", "peers", "password", "datastore"),
            one_segment=True,
        ),
        "vxlan": Backend(50, {"vni": 4096, "port": 4789, "direct_routing": False}, "vxlan.calico", "vxlan"),
    },
    "cali*",
    ("tunl0", "vxlan.calico"),
    "iptables",
    enforces=True,
    feature="ipset",
    mends=True,
    within="direct",
    block=26,
)
PLUGINS = {"flannel": FLANNEL, "calico": CALICO}
BACKENDS = {name for plugin in PLUGINS.values() for name in plugin.backends}  # the names of all


def pod_network(topology: dict[str, t.Any]) -> dict[str, t.Any]:
    """The section of a topology that says what network all its pods have; empty where each node has one of its own."""
    return topology.get("cluster") or topology.get("pod_network") or {}


def bridge_name(plugin: dict[str, t.Any]) -> str:
    """The bridge of a configuration of the CNI plugin bridge, or of flannel's, which delegates to it."""
    return str(plugin.get("bridge", CNI_BRIDGE))


def plugin_of(cni: t.Mapping[str, t.Any]) -> Plugin:
    """What a network plugin's name stands for."""
    return PLUGINS[cni["name"]]


def backend_of(cni: t.Mapping[str, t.Any], name: str = "") -> Backend:
    """The backend of a network plugin's options, or another one of that plugin, or its own way within a segment."""
    plugin, wanted = plugin_of(cni), name or cni["backend"]
    return plugin.backends[wanted] if wanted in plugin.backends else {plugin.within: Backend()}[wanted]


def tables_of(cni: t.Mapping[str, t.Any], proxy_mode: str) -> str:
    """The kernel feature that a plugin has rules by, where the cluster's kube-proxy has a mode, or would have."""
    return plugin_of(cni).tables or ("nftables" if proxy_mode == "nftables" else "iptables")


def to_own_pods(cni: t.Mapping[str, t.Any], link: str | None) -> bool:
    """Whether a link of a node leads to pods of that node."""
    return fnmatch.fnmatchcase(link or "", plugin_of(cni).pods)


def of_another(cni: t.Mapping[str, t.Any], link: str) -> bool:
    """Whether a link is what another backend makes, or another plugin."""
    others = [plugin for name, plugin in PLUGINS.items() if name != cni["name"]]
    patterns = [*plugin_of(cni).devices, *(pattern for one in others for pattern in (one.pods, *one.devices))]
    return link != cni["device"] and any(fnmatch.fnmatchcase(link, pattern) for pattern in patterns)


def with_defaults(cni: dict[str, t.Any]) -> dict[str, t.Any]:
    """A network plugin's options with those that its backend has beside them."""
    return {**cni, **backend_of(cni).defaults, **cni}


def device_name(cni: dict[str, t.Any]) -> str:
    """The device that the backend makes on each node; empty where it makes none."""
    return backend_of(cni).device.format_map(with_defaults(cni))
