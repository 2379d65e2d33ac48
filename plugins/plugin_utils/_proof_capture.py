# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each node's capture must show, and what must not be in it, whichever probe it belongs to. Pure.

This plugin util is PRIVATE to the collection.
"""

from __future__ import annotations

import ipaddress
import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils._cni_backend import backend_of, plugin_of, pod_network
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_outer import bare, in_another_tunnel, in_tunnel
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_pcap import Packet, with_key
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_verdict import line
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_wire import Evidence, addressed_in, within
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_way import DIRECT, mechanism, segment


def pod_packets(node: str, evidence: Evidence) -> list[Packet]:
    """What a node's capture has of packets with a pod's address in their outermost header."""
    pods = ipaddress.IPv4Network(pod_network(evidence.topology)["pod_cidr"])
    return addressed_in([pods], evidence.captures[node])


def bare_faults(node: str, evidence: Evidence) -> list[str]:
    """Packets whose outermost header has a pod's address."""
    return [bare(packet) for packet in pod_packets(node, evidence)]


def tunnelled(packets: list[Packet]) -> list[str]:
    """Those of some packets that a tunnel made, in words."""
    found = [packet for packet in packets if in_tunnel(packet)]
    return [f"{p.protocol} packet from {p.source} to {p.destination}, port {p.destination_port}" for p in found]


def tunnel_faults(node: str, evidence: Evidence) -> list[str]:
    """Packets that a tunnel made."""
    return tunnelled(evidence.captures[node])


def other_tunnel_faults(node: str, evidence: Evidence) -> list[str]:
    """Packets that another kind of tunnel made than the one that is promised."""
    cni = pod_network(evidence.topology)["cni"]
    return tunnelled([packet for packet in evidence.captures[node] if in_another_tunnel(packet, cni)])


def far_bare_faults(node: str, evidence: Evidence) -> list[str]:
    """Packets with a pod's address outermost, with an end that is neither in the node's segment nor a pod of it."""
    topology, home = evidence.topology, segment(evidence.topology, node)
    prefix = plugin_of(pod_network(topology)["cni"]).block or pod_network(topology)["node_prefix"]
    pods = {f"{pod.address}/{prefix}" for pod in evidence.pods if segment(topology, str(pod.node)) == home}
    near = [ipaddress.IPv4Network(net, strict=False) for net in (topology["segments"][home]["cidr"], *sorted(pods))]
    found = pod_packets(node, evidence)
    return [bare(p) for p in found if not (within(p.source, near) and within(p.destination, near))]


def near_tunnel_faults(node: str, evidence: Evidence) -> list[str]:
    """Packets that a tunnel made between nodes of one segment."""
    home = [ipaddress.IPv4Network(evidence.topology["segments"][segment(evidence.topology, node)]["cidr"])]
    near = [p for p in evidence.captures[node] if within(p.source, home) and within(p.destination, home)]
    return tunnelled(near)


def blind_faults(node: str, evidence: Evidence) -> list[str]:
    """The capture's own control: probes between nodes, which travel bare, must be in it and be told from VXLAN."""
    between = [o for o in evidence.outcomes if o.probe.source.kind == o.probe.target.kind == "nodes"]
    crossed = [o for o in between if o.probe.protocol == "icmp" and o.probe.source != o.probe.target]
    own = [o for o in crossed if node in (o.probe.source.name, o.probe.target.name)]
    if not own:
        return ["no probe between nodes was made"]
    bare = {o: [p for p in with_key(evidence.captures[node], o.probe.key) if not p.inner] for o in own}
    return [
        f"no bare packet of the probe {outcome.probe.source.name} -> {outcome.probe.target.name}"
        for outcome, found in bare.items()
        if not found
    ]


def leak_faults(node: str, evidence: Evidence) -> list[str]:
    """Probes between pods of one node must not be on the wire at all."""
    local = [
        o
        for o in evidence.outcomes
        if o.probe.source.kind == o.probe.target.kind == "pods" and o.probe.source.node == o.probe.target.node == node
    ]
    if not local:
        return ["no probe between pods of this node was made"]
    return [f"on the wire: {line(o.record)}" for o in local if with_key(evidence.captures[node], o.probe.key)]


# What is claimed of each node's capture: title and the function that finds what speaks against it.
CAPTURE_CLAIMS: dict[str, tuple[str, t.Callable[[str, Evidence], list[str]]]] = {
    "sees-bare": ("the capture shows what travels bare: probes between the nodes themselves", blind_faults),
    "no-bare": ("no packet on the wire has a pod's address in its outermost header", bare_faults),
    "no-tunnel": ("no packet on the wire is in VXLAN, in flannel's UDP or in another IP packet", tunnel_faults),
    "no-other-tunnel": ("no packet on the wire is in a tunnel of another kind", other_tunnel_faults),
    "no-bare-across": ("no bare packet has a pod's address and an end in another segment", far_bare_faults),
    "no-tunnel-within": ("no packet between nodes of this segment is in a tunnel", near_tunnel_faults),
    "no-local": ("probes between pods of this node are not on the wire", leak_faults),
}


def capture_claims(topology: Data) -> list[str]:
    """The keys of what is claimed of a cluster's captures: bare is what some backends promise, and a tunnel forbids."""
    cni = pod_network(topology)["cni"]
    if mechanism(cni) in DIRECT:
        return ["sees-bare", "no-bare-across", "no-other-tunnel", "no-tunnel-within", "no-local"]
    carried = ["no-bare", "no-other-tunnel"] if backend_of(cni).overhead else ["no-tunnel"]
    return ["sees-bare", *carried, "no-local"]
