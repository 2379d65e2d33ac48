# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a pod's packet must look like on the wire between nodes, by the backend of the network plugin. Pure.

This plugin util is PRIVATE to the collection.
"""

from __future__ import annotations

import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils._cni_backend import PLUGINS, backend_of
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_pcap import Packet
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_way import DIRECT, mechanism

# Destination ports of what could carry packets in UDP: IANA's VXLAN (RFC 7348 section 8) and the plugins' own defaults.
TUNNEL_PORTS = {4789} | {
    backend.defaults["port"]
    for plugin in PLUGINS.values()
    for backend in plugin.backends.values()
    if "port" in backend.defaults
}
IP_IN_IP = "4"  # IANA's protocol number (RFC 2003)
_BARE = "travels bare, to the other node's MAC address"
WAYS = {
    "vxlan": "travels in VXLAN",
    "udp": "travels in UDP and nothing else",
    "ipip": "travels in IPIP",
    "host-gw": _BARE,
    "direct": _BARE,
    "bgp": _BARE,
    **{one: f"travels bare within the segment, and in {across.upper()} to others" for one, across in DIRECT.items()},
}


class Outer(t.NamedTuple):
    """What is expected around a packet between two pods: the addresses and MACs of their nodes, and their own.

    way is the backend whose packets these two nodes exchange.
    """

    way: str
    cni: Data
    underlay: set[str]
    pods: set[str]
    macs: dict[str, str]  # of the node behind each pod's address


def bare(packet: Packet) -> str:
    """A packet that is in no tunnel, in words."""
    return f"bare {packet.protocol} packet from {packet.source} to {packet.destination}"


def in_tunnel(packet: Packet) -> bool:
    """Whether a packet is what a tunnel makes."""
    return packet.protocol == IP_IN_IP or (packet.protocol == "udp" and packet.destination_port in TUNNEL_PORTS)


def in_another_tunnel(packet: Packet, cni: Data) -> bool:
    """Whether a packet is what another kind of tunnel makes than the backend's own."""
    own = packet.destination_port == cni["port"] if "port" in cni else packet.protocol == IP_IN_IP
    return in_tunnel(packet) and not own


def packet_faults(packet: Packet, outer: Outer) -> list[str]:
    """Why a packet with a probe's key is not what the backend must make of it."""
    carried = backend_of(outer.cni, outer.way).overhead > 0
    found = _tunnel_faults(packet, outer) if carried else _bare_faults(packet, outer)
    return found + (["a fragment"] if packet.fragment else [])


def _bare_faults(packet: Packet, outer: Outer) -> list[str]:
    if in_tunnel(packet):
        return [f"{packet.protocol} packet from {packet.source} to {packet.destination} in a tunnel"]
    faults = []
    if {packet.source, packet.destination} != outer.pods:
        faults.append(f"addresses {packet.source} and {packet.destination}, not the pods'")
    wanted = outer.macs.get(packet.destination, packet.to_mac)
    if packet.to_mac != wanted:
        faults.append(f"a frame to {packet.to_mac}, not to {wanted}, which has {packet.destination}")
    return faults


def _tunnel_faults(packet: Packet, outer: Outer) -> list[str]:
    if packet.inner is None:
        return [bare(packet)]
    faults = []
    if {packet.source, packet.destination} != outer.underlay:
        faults.append(f"outer addresses {packet.source} and {packet.destination}, not the nodes'")
    if {packet.inner.source, packet.inner.destination} != outer.pods:
        faults.append(f"inner addresses {packet.inner.source} and {packet.inner.destination}, not the pods'")
    if packet.vni != outer.cni.get("vni"):
        faults.append(f"VNI {packet.vni}, not {outer.cni.get('vni')}")
    return faults


def capture_filter(network: Data) -> str:
    """What shows a person the packets between pods in tcpdump."""
    cni, bare_too = network["cni"], f"net {network['pod_cidr']}"
    carried = f"udp port {cni['port']}" if "port" in cni else f"ip proto {IP_IN_IP}"
    if mechanism(cni) in DIRECT:
        return f"{carried} or {bare_too}"
    return carried if backend_of(cni).overhead else bare_too
