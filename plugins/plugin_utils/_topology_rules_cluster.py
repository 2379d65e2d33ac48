# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules on the cluster, and on what it has in common with a pod network without one. PRIVATE to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils._cni_backend import (
    PLUGINS,
    Backend,
    device_name,
    plugin_of,
    to_own_pods,
)
from ansible_collections.reftopo.lab.plugins.module_utils._proxy_mode import IPVS
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_datastore import datastore_problems
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_interfaces import (
    Interface,
    first_of_nodes,
    in_order,
    interfaces,
    routers,
)
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_names import INTERFACE_NAME_MAX
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_peering import as_problems, peer_problems
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_problem import Problem
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_rules_ingress import ingress_problems
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_rules_load_balancer import pool_problems
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_rules_reflectors import reflector_problems

try:
    import netaddr
except ImportError:  # the inventory plugin says what is missing
    netaddr = None

Data = dict[str, t.Any]

# kubeadm 1.37, cmd/kubeadm/app/constants: MaximumBitsForServiceSubnet (the API server has the same limit of 20) and
# PodSubnetNodeMaskMaxDiff. MinimumAddressesInServiceSubnet is 10, but CoreDNS gets number 10, counted from 0: 4 bits.
SERVICE_BITS = range(4, 20 + 1)
NODE_BITS_MAX = 16
# Every IPv4 host must take a datagram of this many bytes (RFC 791 section 3.1).
MTU_MIN = 576
# What a backend can be given beside its name.
OPTIONS = ("vni", "port", "direct_routing", "as_number", "mtu", "route_reflectors", "peers", "password", "datastore")


def cluster_problems(topology: Data) -> t.Iterator[Problem]:
    """What kubeadm, the API server or the network plugin would refuse, or what no node could carry."""
    cluster = topology.get("cluster")
    yield from _proxy_problems(cluster, topology.get("nodes"))
    if cluster:
        yield from _control_plane_problems(topology.get("nodes"))
        yield from _service_problems(cluster.get("service_cidr"))
        yield from _pod_problems(cluster, topology.get("nodes"))
        yield from backend_problems("cluster", cluster.get("cni") or {}, topology)
        if (cluster.get("cni") or {}).get("name") == "calico":
            yield from _block_problems(cluster, topology.get("nodes"))
        yield from pool_problems(topology)
        yield from ingress_problems(topology)


def backend_problems(section: str, cni: Data, topology: Data) -> t.Iterator[Problem]:
    """What the plugin's backend cannot be given, or what it could not work on; section is where cni is."""
    name, known = cni.get("backend"), PLUGINS[cni["name"]].backends if cni.get("name") else {}
    if name and known and name not in known:
        fix = f"use {'one of ' if len(known) > 1 else ''}{', '.join(sorted(known))}"
        yield Problem(f"{section}.cni.backend", f"{cni['name']} has no backend {name}", fix)
    backend = known.get(name)
    yield from _reach_problems(topology, backend, name)
    yield from _underlay_problems(topology, backend, name)
    if backend:
        yield from _option_problems(f"{section}.cni", cni, backend)
        yield from _mtu_problems(f"{section}.cni.mtu", cni, topology)
        yield from _link_problems(cni, topology)
    if backend and "route_reflectors" in backend.options:
        path = f"{section}.cni.route_reflectors"
        yield from reflector_problems(path, cni.get("route_reflectors"), topology.get("nodes"))
        yield from peer_problems(f"{section}.cni", cni, topology)
        yield from datastore_problems(f"{section}.cni", cni)


def _control_plane_problems(nodes: Data | None) -> t.Iterator[Problem]:
    roles = {name: (node or {}).get("role") for name, node in in_order(nodes)}
    leaders = [name for name, role in roles.items() if role == "control-plane"]
    if nodes is not None and not leaders and None not in roles.values():
        yield Problem("nodes", "no control plane: the cluster has nowhere to run", "give one node role: control-plane")
    for name in leaders[1:]:
        what = f"{leaders[0]} is the control plane already, and more than one is not supported yet"
        yield Problem(f"nodes.{name}.role", what, "use worker")


def _service_problems(cidr: str | None) -> t.Iterator[Problem]:
    if not cidr:
        return
    network = netaddr.IPNetwork(cidr)
    bits = 32 - network.prefixlen
    if bits < SERVICE_BITS.start:
        what = f"{cidr} has {network.size} addresses, too few for the API's and CoreDNS' services"
        yield Problem("cluster.service_cidr", what, "use a prefix of /28 or shorter")
    if bits >= SERVICE_BITS.stop:
        what = f"{cidr} is larger than the API server allows, 20 bits"
        yield Problem("cluster.service_cidr", what, "use a prefix of /12 or longer")


def _pod_problems(cluster: Data, nodes: Data | None) -> t.Iterator[Problem]:
    cidr, prefix = cluster.get("pod_cidr"), cluster.get("node_prefix")
    if not (cidr and prefix):
        return
    bits = prefix - netaddr.IPNetwork(cidr).prefixlen
    if bits < 0:
        what = f"/{prefix} for one node is larger than the network of all pods, {cidr}"
        yield Problem("cluster.node_prefix", what, "use a shorter prefix in pod_cidr or a longer one here")
    elif bits > NODE_BITS_MAX:
        what = f"cutting {cidr} into /{prefix} needs {bits} bits, and kubeadm allows {NODE_BITS_MAX}"
        most = prefix - bits + NODE_BITS_MAX
        yield Problem("cluster.node_prefix", what, f"use {most} or less, or a smaller pod_cidr")
    elif len(nodes or {}) > 2**bits:
        what = f"{len(nodes)} nodes need a subnet of /{prefix} each, and {cidr} has {2**bits}"
        needed = prefix - (len(nodes) - 1).bit_length()
        yield Problem("cluster.pod_cidr", what, f"use a prefix of /{needed} or shorter, or a longer node_prefix")


def _block_problems(cluster: Data, nodes: Data | None) -> t.Iterator[Problem]:
    """Nodes that would find no block of addresses left for them."""
    block = PLUGINS["calico"].block
    bits = block - netaddr.IPNetwork(cluster["pod_cidr"]).prefixlen if cluster.get("pod_cidr") else NODE_BITS_MAX
    if len(nodes or {}) > 2 ** max(bits, -1):
        what = f"{len(nodes or {})} nodes need a block of /{block} each, which {cluster['pod_cidr']} has not"
        longest = block - (len(nodes or {}) - 1).bit_length()
        yield Problem("cluster.pod_cidr", what, f"use a prefix of /{longest} or shorter")


def _placed(topology: Data) -> list[Interface]:
    """The nodes' first interfaces that are on a segment that there is."""
    segments = topology.get("segments") or {}
    return [interface for interface in first_of_nodes(topology) if interface.segment in segments]


def _reach_problems(topology: Data, backend: Backend | None, name: str | None) -> t.Iterator[Problem]:
    """Nodes that cannot reach each other, or not in the way that the backend needs."""
    joins, placed = routers(topology), _placed(topology)
    for interface in placed[1:]:
        home = placed[0]
        if interface.segment == home.segment:
            continue
        apart = f"{interface.segment} is not {home.segment}, where {home.machine} is"
        together = f"put all nodes in {home.segment}"
        if backend and backend.one_segment:
            what = f"{apart}: with {name} a router between them would get packets to pods, and knows no such network"
            yield Problem(f"{interface.path}.segment", what, f"{together}, or use backend vxlan")
        elif not _joined(joins, home.segment, interface.segment):
            what = f"{apart}, and no router joins them"
            yield Problem(f"{interface.path}.segment", what, f"{together}, or give both segments the same router")


def _joined(joins: dict[str, Interface], one: str | None, other: str | None) -> bool:
    """Whether two segments have the same router."""
    return one in joins and other in joins and joins[one].machine == joins[other].machine


def _underlay_problems(topology: Data, backend: Backend | None, chosen: str | None) -> t.Iterator[Problem]:
    """A segment whose MTU leaves nothing to pods, and segments of nodes with different MTUs."""
    names = [interface.segment for interface in _placed(topology)]
    mtus = {name: (topology["segments"][name] or {}).get("mtu") for name in sorted(set(names))}
    overhead = backend.overhead if backend else 0
    least = MTU_MIN + overhead
    for segment, mtu in mtus.items():
        path = f"segments.{segment}.mtu"
        if mtu and mtu < least:
            left = mtu - overhead
            what = f"{mtu} leaves {left} bytes for a pod's packet in {chosen}, less than IPv4's {MTU_MIN}"
            yield Problem(path, what, f"use {least} or more")
        if mtu and mtus[names[0]] and mtu != mtus[names[0]]:
            what = f"{mtu} is not the MTU of {names[0]}, {mtus[names[0]]}, and pods have one everywhere"
            yield Problem(path, what, "give all segments of nodes the same MTU")


def _option_problems(path: str, cni: Data, backend: Backend) -> t.Iterator[Problem]:
    """Options that the backend does not have, or values that it cannot have."""
    for key in OPTIONS:
        if key in cni and key not in (*backend.defaults, *backend.options):
            yield Problem(f"{path}.{key}", f"backend {cni['backend']} has no {key}", f"remove {key}")
    if "vni" in backend.defaults and cni.get("vni") is not None and len(device_name(cni)) > INTERFACE_NAME_MAX:
        what = f"{device_name(cni)} is too long for an interface name ({INTERFACE_NAME_MAX} characters)"
        yield Problem(f"{path}.vni", what, "use 9999999 or less")
    yield from as_problems(f"{path}.as_number", cni.get("as_number"))


def _mtu_problems(path: str, cni: Data, topology: Data) -> t.Iterator[Problem]:
    """Pods whose packets would not fit the segments of nodes."""
    placed = _placed(topology)
    least = min((topology["segments"][one.segment] or {}).get("mtu") or 0 for one in placed) if placed else 0
    if cni.get("mtu") and least and cni["mtu"] > least:
        what = f"{cni['mtu']} is more than the {least} of the nodes' segments"
        yield Problem(path, what, f"use {least} or less, or leave it out for all that there is")


def _link_problems(cni: Data, topology: Data) -> t.Iterator[Problem]:
    """Interfaces of nodes that the plugin would take for those of pods; what no topology may use is told elsewhere."""
    plugin = plugin_of(cni)
    for interface in interfaces(topology):
        if interface.section == "nodes" and not plugin.bridge and to_own_pods(cni, interface.name):
            yield Problem(interface.path, f"{cni['name']} takes {plugin.pods} for pods' links", "use another name")


def _proxy_problems(cluster: Data | None, nodes: Data | None) -> t.Iterator[Problem]:
    """A mode where there is no kube-proxy, and a scheduler that none of them uses."""
    modes = {name: (node or {}).get("proxy_mode") for name, node in in_order(nodes)}
    if cluster is None:
        for name, mode in modes.items():
            if mode:
                what = "without a cluster there is no kube-proxy"
                yield Problem(f"nodes.{name}.proxy_mode", what, "remove it, or add a cluster")
        return
    used = {mode or cluster.get("proxy_mode") for mode in modes.values()}
    if cluster.get("proxy_scheduler") and IPVS not in used:
        what = f"no node uses IPVS, which alone has schedulers, but {' and '.join(sorted(filter(None, used)))}"
        yield Problem("cluster.proxy_scheduler", what, "remove it, or set a proxy_mode to ipvs")
