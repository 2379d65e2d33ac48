# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Calico keeps of its nodes, the addresses that they may give, and how it attaches pods by any backend. Pure.

This plugin util is PRIVATE to the collection. Sources: Calico, libcalico-go/lib/backend/k8s/resources/node.go (the
annotations), libcalico-go/lib/backend/model/block.go (allocations), cni-plugin/pkg/dataplane/linux/dataplane_linux.go
(a pod's gateway), felix/dataplane/linux/endpoint_mgr.go (proxy ARP, routes), and, of a node's own blocks, confd's
bird_aggr.cfg.template and felix/dataplane/linux/dataplanedefs (DefaultRouteProto); of the tunnel's device
node/pkg/allocateip/allocateip.go and felix/calc/vxlan_resolver.go (vtepMACForHost).
"""

from __future__ import annotations

import dataclasses
import hashlib
import ipaddress
import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils._cni_backend import pod_network, to_own_pods
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_claim import Peer, differences, route_to_each, single
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data, ProofError
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_snapshot import Snapshot

ADDRESS = "projectcalico.org/IPv4Address"  # the annotation of a node's own address
# The one of its tunnel device's, by backend, and of a VXLAN device's MAC address, if any.
TUNNELS = {"vxlan": "projectcalico.org/IPv4VXLANTunnelAddr", "ipip": "projectcalico.org/IPv4IPIPTunnelAddr"}
TUNNEL_MAC = "projectcalico.org/VXLANTunnelMACAddr"
AFFINITY = "host:"  # what is before the node's name in a block's affinity
TUNNEL_HANDLE = "{backend}-tunnel-addr-{node}"  # IPAM's note of whom the device's address is for
GATEWAY = "169.254.1.1"
# What it keeps in the Kubernetes API, and the pods that its addresses are for.
RESOURCES = "nodes,pods,ipamblocks.crd.projectcalico.org,ippools.crd.projectcalico.org"
NO_POD = "no pod of this node has an address of its own"
# Whose routes a node's own blocks are, by backend; Felix' are of no name.
BLACKHOLES = {"bgp": "bird", "vxlan": "80", "ipip": "80"}
IPAM = "kubectl get ipamblocks -o yaml; calicoctl ipam show --show-blocks"
OWN = (
    ("blocks", "what no pod has of the node's own blocks of addresses goes nowhere", "ip route show type blackhole"),
    ("addresses", "each pod has an address of its own, of a block of its node, as IPAM notes it for this pod", IPAM),
    ("attached", "each pod is at the end of a veth pair, whose other has a route to its address alone", "ip route"),
    ("gateway", f"pods' gateway is {GATEWAY}, which nobody has: the node answers for it", "ip neigh; ip -d link"),
)


@dataclasses.dataclass(frozen=True)
class CalicoNode(Peer):
    """A node with all its blocks of addresses.

    pods are those of the node with an address of its own: the address to all pods of the cluster that have it.
    allocated is what IPAM noted in its blocks: the address to the pod that it is for. tunnel is the address that its
    tunnel's device has of them, where there is one. pools are those that its blocks are of, and when their packets are
    in IPIP and in VXLAN, as Calico has it.
    """

    blocks: tuple[str, ...] = ()
    pods: t.Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    allocated: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    tunnel: str = ""
    pools: t.Mapping[str, tuple[str, str]] = dataclasses.field(default_factory=dict)

    @property
    def address(self) -> str:
        """The address of its tunnel's device."""
        return self.tunnel

    @property
    def by_device(self) -> tuple[str, ...]:
        """To that address itself there may be a route, beside those to the blocks that are reached through it."""
        return (*self.blocks, self.tunnel)

    @property
    def subnets(self) -> tuple[str, ...]:
        """All networks of its pods."""
        return self.blocks


def peers(objects: list[Data], backend: str) -> dict[str, Peer]:
    """All nodes as Calico has them in the Kubernetes API.

    Raises:
        ProofError: Calico does not run on a node, or gave no addresses to it or to its tunnel's device.
    """
    pods = [item for item in objects if item["kind"] == "Pod" and _has_address(item)]
    owners: dict[str, list[str]] = {}
    for pod in pods:
        owners.setdefault(pod["status"]["podIP"], []).append(_name(pod["metadata"]))
    nodes = [item for item in objects if item["kind"] == "Node"]
    return {node["metadata"]["name"]: _peer(node, backend, objects, pods, owners) for node in nodes}


def _modes(objects: list[Data], blocks: list[str]) -> dict[str, tuple[str, str]]:
    """By network the pools that blocks are of, and when each is in IPIP and in VXLAN."""
    own = [ipaddress.ip_network(block) for block in blocks]
    pools = {ipaddress.ip_network(item["spec"]["cidr"]): item["spec"] for item in objects if item["kind"] == "IPPool"}
    return {
        str(network): (pool.get("ipipMode", "Never"), pool.get("vxlanMode", "Never"))
        for network, pool in pools.items()
        if any(block.overlaps(network) for block in own)
    }


def _has_address(pod: Data) -> bool:
    """Whether a pod has an address of its own; one that ended keeps what others may have got."""
    running = pod["status"].get("phase") in ("Running", "Pending") and not pod["metadata"].get("deletionTimestamp")
    return bool(running and pod["status"].get("podIP") and not pod["spec"].get("hostNetwork"))


def _name(names: Data) -> str:
    return f"{names.get('namespace')}/{names.get('name') or names.get('pod')}"


def _peer(node: Data, backend: str, objects: list[Data], pods: list[Data], owners: dict[str, list[str]]) -> Peer:
    name, notes = node["metadata"]["name"], node["metadata"].get("annotations", {})
    blocks = [item["spec"] for item in objects if item["kind"] == "IPAMBlock"]
    own = sorted((block for block in blocks if block.get("affinity") == AFFINITY + name), key=lambda one: one["cidr"])
    tunnel = TUNNELS.get(backend, "")
    for key in (ADDRESS, tunnel):
        if key and key not in notes:
            raise ProofError(f"node {name} has no annotation {key}: calico-node does not run there, or not as it must")
    if not own:
        raise ProofError(f"node {name} has no block of addresses: kubectl get blockaffinities, ipamblocks")
    here = [pod["status"]["podIP"] for pod in pods if pod["spec"].get("nodeName") == name]
    return CalicoNode(
        name,
        own[0]["cidr"],
        notes[ADDRESS].partition("/")[0],
        mac=(notes.get(TUNNEL_MAC) or tunnel_mac(name)) if backend == "vxlan" else "",
        blocks=tuple(block["cidr"] for block in own),
        pods={address: tuple(owners[address]) for address in here},
        allocated={address: pod for block in own for address, pod in allocated(block)},
        tunnel=notes[tunnel].partition("/")[0] if tunnel else "",
        pools=_modes(objects, [block["cidr"] for block in own]),
    )


def tunnel_mac(node: str) -> str:
    """The MAC address that Calico gives to a node's VXLAN device: the letter f, and the start of its name's SHA-1."""
    return (b"f" + hashlib.sha1(node.encode(), usedforsecurity=False).digest()[:5]).hex(":")


def allocated(block: Data) -> t.Iterator[tuple[str, str]]:
    """The addresses of a block that are given away, and to whom: the n-th of the list is about the n-th address."""
    network = ipaddress.ip_network(block["cidr"])
    for number, attribute in enumerate(block["allocations"]):
        if attribute is not None:
            notes = block["attributes"][attribute]
            secondary = notes.get("secondary") or {}
            yield str(network[number]), _name(secondary) if "pod" in secondary else str(notes.get("handle_id"))


def block_faults(snapshot: Snapshot, topology: Data, own: Peer) -> list[str]:
    owner = BLACKHOLES[pod_network(topology)["cni"]["backend"]]
    return route_to_each(snapshot, own.subnets, {"type": "blackhole", "protocol": owner})


def address_faults(_snapshot: Snapshot, topology: Data, own: Peer) -> list[str]:
    """Addresses that several pods have, or one that IPAM did not give it; and those that it gave to no pod there is."""
    node = t.cast("CalicoNode", own)
    networks = [ipaddress.ip_network(block) for block in node.subnets]
    faults = [] if node.pods else [NO_POD]
    for address, pods in sorted(node.pods.items()):
        if len(pods) > 1:
            faults.append(f"{address} is that of {' and '.join(pods)}")
        if not any(ipaddress.ip_address(address) in network for network in networks):
            faults.append(f"{address} of {pods[0]} is in no block of {node.node}")
        elif node.allocated.get(address) not in pods:
            faults.append(f"{address} of {pods[0]}: IPAM has it for {node.allocated.get(address, 'nobody')}")
    handle = TUNNEL_HANDLE.format(backend=pod_network(topology)["cni"]["backend"], node=node.node)
    if node.tunnel and node.allocated.get(node.tunnel) != handle:
        faults.append(f"{node.tunnel} of the device: IPAM has it for {node.allocated.get(node.tunnel, 'nobody')}")
    lost = sorted(set(node.allocated) - set(node.pods) - {node.tunnel})
    return faults + [f"IPAM has {address} for {node.allocated[address]}, which does not have it" for address in lost]


def _of_pods(own: Peer, judge: t.Callable[[str], list[str]]) -> list[str]:
    """What is wrong with the pods of a node, each judged by its address; that there are none is wrong too."""
    pods = t.cast("CalicoNode", own).pods
    return [fault for address in sorted(pods) for fault in judge(address)] if pods else [NO_POD]


def attached_faults(snapshot: Snapshot, topology: Data, own: Peer) -> list[str]:
    return _of_pods(own, lambda address: _plugged(snapshot, topology, address))


def _plugged(snapshot: Snapshot, topology: Data, address: str) -> list[str]:
    rows, cni = snapshot.rows("routes", dst=address), pod_network(topology)["cni"]
    faults = single(f"route to {address}", rows, {"scope": "link"})
    if faults or not to_own_pods(cni, rows[0].get("dev")):
        return faults or [f"route to {address}: by {rows[0].get('dev')}, which is no link of a pod"]
    outer, inner = snapshot.link(rows[0]["dev"]), _eth0(_inside(snapshot, address))
    kinds = {link.get("linkinfo", {}).get("info_kind") for link in (outer, inner)}
    ends = (outer.get("link_index"), outer.get("ifindex")), (inner.get("ifindex"), inner.get("link_index"))
    if kinds != {"veth"} or ends[0] != ends[1] or None in ends[0]:
        faults.append(f"{rows[0]['dev']} is not the other end of eth0 of the pod with {address}")
    found = {"up": "UP" in outer.get("flags", ()), "mtu": outer.get("mtu"), "mtu in the pod": inner.get("mtu")}
    return faults + differences(rows[0]["dev"], found, {"up": True, "mtu": cni["mtu"], "mtu in the pod": cni["mtu"]})


def _inside(snapshot: Snapshot, address: str) -> Data:
    """What is in the network namespace that has an address; empty where none has it."""
    return next((one for one in snapshot.table("pods") if address in _addresses(one)), {})


def _addresses(namespace: Data) -> list[str]:
    found = _eth0(namespace).get("addr_info", ())
    return [one["local"] for one in found if one["family"] == "inet"]


def _eth0(namespace: Data) -> Data:
    return next((link for link in namespace.get("links", ()) if link["ifname"] == "eth0"), {})


def gateway_faults(snapshot: Snapshot, _topology: Data, own: Peer) -> list[str]:
    return _of_pods(own, lambda address: _led_out(snapshot, address))


def _led_out(snapshot: Snapshot, address: str) -> list[str]:
    """A pod's address has no network: all that it sends is for its gateway, at the MAC of the veth's other end."""
    inside = _inside(snapshot, address)
    prefixes = [one["prefixlen"] for one in _eth0(inside).get("addr_info", ()) if one["family"] == "inet"]
    if prefixes != [32]:
        return [f"{address} is not the only address of its pod, or not one of /32"]
    link = snapshot.link(next((row["dev"] for row in snapshot.rows("routes", dst=address)), ""))
    routes = {(row["dst"], row.get("gateway"), row.get("scope")) for row in inside["routes"]}
    known = {row.get("lladdr") for row in inside["neighbours"] if row["dst"] == GATEWAY}
    answers = f"/proc/sys/net/ipv4/conf/{link.get('ifname')}/proxy_arp 1"
    faults = [
        *([] if routes == {("default", GATEWAY, None), (GATEWAY, None, "link")} else [f"routes are {sorted(routes)}"]),
        *([] if known == {link.get("address")} else [f"{GATEWAY} is {known or 'unknown'}, not {link.get('address')}"]),
        *([] if answers in snapshot.text("proxy_arp").splitlines() else [f"{link.get('ifname')} has no proxy ARP"]),
    ]
    return [f"{address}: {fault}" for fault in faults]


FAULTS = {
    "blocks": block_faults,
    "addresses": address_faults,
    "attached": attached_faults,
    "gateway": gateway_faults,
}
