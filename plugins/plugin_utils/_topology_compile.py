# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compile a valid topology to the plain data that roles, templates and tests read. PRIVATE to the collection.

Pure: the same file gives the same result, whatever the order of its keys (checks keep theirs, for the report).
docs/architecture.md describes the shape.
"""

from __future__ import annotations

import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils._cni_backend import (
    backend_of,
    device_name,
    with_defaults,
)
from ansible_collections.reftopo.lab.plugins.module_utils._proxy_mode import (
    DEFAULT_SCHEDULER,
    IPVS,
)
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_allocate import allocate, gateway
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_change import merge_patch
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_datastore import with_endpoint
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_dns import addressed
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_interfaces import (
    Interface,
    bridges,
    in_order,
    interfaces,
    routers,
)
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_link_state import PARTS, link_state
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_names import (
    group_name,
    link_name,
    mac_address,
    netns_name,
    port_name,
)
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_needs import existing_needs, needs
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_peering import addressed_peers
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_rules_existing import CONNECTION, EXISTING
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_way import segment

try:
    import netaddr
except ImportError:  # the inventory plugin says what is missing
    netaddr = None

# Where kube-apiserver listens, kubeadm's default (kubeadm API v1beta4, LocalAPIEndpoint.bindPort).
API_PORT = 6443
# Positions in the service network: kube-apiserver takes the first for itself, kubeadm gives CoreDNS the tenth.
API_SERVICE, DNS_SERVICE = 1, 10
ETCD_PORT = 2379  # for clients; IANA
# How a node's pods are attached where flannel connects the nodes: its plugin reads the subnet that flanneld leased, and
# delegates to the plugin bridge. The plugin knows no version of the specification above this one.
FLANNEL_PODS = {
    "cniVersion": "0.4.0",
    "name": "pods",
    "plugins": [{"type": "flannel", "delegate": {"hairpinMode": True, "isDefaultGateway": True}}],
}

Data = dict[str, t.Any]


def compile_topology(topology: Data) -> Data:
    """The compiled form of a topology that :func:`validate` found nothing wrong with."""
    name, inside = topology["name"], bridges(topology)
    compiled = {
        "name": name,
        "group": group_name(name),
        "description": topology["description"],
        "segments": {
            key: _segment(name, key, segment, inside.get(key, {})) for key, segment in in_order(topology["segments"])
        },
        **_machines(topology, inside),
    }
    if "cluster" in topology:
        compiled["cluster"] = _cluster(topology["cluster"], compiled)
    if "pod_network" in topology:
        compiled["pod_network"] = _pod_network(topology["pod_network"], compiled)
    state = link_state(compiled)
    compiled["checks"] = {key: _check(check, state, compiled) for key, check in topology["checks"].items()}
    compiled["link_state"] = state
    compiled["needs"] = needs(compiled)
    for node in compiled["nodes"].values():
        if node["provider"] == EXISTING:
            node["needs"] = existing_needs(compiled, node)
    return compiled


def _segment(topology: str, name: str, segment: Data, inside: dict[str, Interface]) -> Data:
    common = {key: segment[key] for key in ("kind", "cidr", "mtu", "router") if key in segment}
    if inside:
        return {**common, "bridges": {machine: bridge.name for machine, bridge in inside.items()}}
    if segment["kind"] in (EXISTING, "veth"):
        return common
    return {**common, "bridge": link_name(topology, name), "gateway": gateway(segment, inside)}


def _machines(topology: Data, inside: dict[str, dict[str, Interface]]) -> Data:
    """The nodes and the namespaces, each with its interfaces."""
    machines: Data = {
        "nodes": {key: _node(topology, key, node) for key, node in in_order(topology["nodes"])},
        "namespaces": {
            key: _namespace(topology["name"], key, given) for key, given in in_order(topology["namespaces"])
        },
    }
    addresses, joins = allocate(topology), routers(topology)
    for interface in interfaces(topology):
        segment, address = topology["segments"][interface.segment], addresses[interface]
        machine = machines[interface.section][interface.machine]
        if "address" not in machine:
            machine.update({"address": address, **_router(interface, joins, addresses)})
        machine.setdefault("interfaces", {})[interface.name] = {
            "segment": interface.segment,
            **_plug(topology, interface, inside.get(interface.segment, {})),
            "address": f"{address}/{netaddr.IPNetwork(segment['cidr']).prefixlen}",
            **_mac(topology, interface),
            "mtu": segment["mtu"],
        }
    return machines


def _mac(topology: Data, interface: Interface) -> Data:
    """The MAC address of an interface that is made here."""
    if topology["segments"][interface.segment]["kind"] == EXISTING:
        return {}
    return {"mac": (interface.mac or mac_address(topology["name"], interface.machine, interface.name)).lower()}


def _router(first: Interface, joins: dict[str, Interface], addresses: dict[Interface, str]) -> Data:
    """The router that a machine's default route goes by, where the segment of its first interface has one."""
    end = joins.get(str(first.segment))
    return {"router": addresses[end]} if end and end.machine != first.machine else {}


def _plug(topology: Data, interface: Interface, inside: dict[str, Interface]) -> Data:
    """How an interface is on its segment: as a bridge, or by a veth whose far end is `peer`, on the host or in `at`."""
    if interface.kind == "bridge":
        return {"kind": "bridge"}
    if inside:
        return {"at": interface.at or next(iter(inside)), "peer": port_name(interface.machine, interface.name)}
    if topology["segments"][interface.segment]["kind"] in (EXISTING, "veth"):
        return {}
    return {"peer": link_name(topology["name"], interface.machine, interface.name)}


def _namespace(topology: str, name: str, given: Data) -> Data:
    parts = {key: given[key] for key in PARTS if given.get(key)}
    return {"name": name, "netns": netns_name(topology, name), **parts}


def _node(topology: Data, name: str, node: Data) -> Data:
    given = {key: node[key] for key in ("role", "cni", "pods", "provider_why", *CONNECTION) if key in node}
    if "pod_network" in topology:
        given["cni"] = FLANNEL_PODS
    if "cluster" in topology:
        given["proxy_mode"] = node.get("proxy_mode", topology["cluster"]["proxy_mode"])
    if "pods" in node:
        given["pod_commands"] = {pod: _commands(containers) for pod, containers in node["pods"].items()}
    netns = {"netns": netns_name(topology["name"], name)} if node["provider"] == "container" else {}
    return {"name": name, **given, "provider": node["provider"], **netns}


def _commands(containers: Data) -> Data:
    """What each container runs, of agnhost's image: answer probes at its ports."""
    return {
        name: ["/agnhost", "netexec", f"--http-port={ports['tcp']}", f"--udp-port={ports['udp']}"]
        for name, ports in containers.items()
    }


def _cluster(cluster: Data, compiled: Data) -> Data:
    services = netaddr.IPNetwork(cluster["service_cidr"])
    by_role = {
        role: [name for name, node in compiled["nodes"].items() if node["role"] == role]
        for role in ("control-plane", "worker")
    }
    first = compiled["nodes"][by_role["control-plane"][0]]
    return {
        **cluster,
        "api_service_ip": str(services[API_SERVICE]),
        "dns_service_ip": str(services[DNS_SERVICE]),
        "endpoint": f"{first['address']}:{API_PORT}",
        "control_plane": by_role["control-plane"],
        "workers": by_role["worker"],
        "cni": with_endpoint(_cni(cluster["cni"], compiled), first["address"]),
        **({"dns": addressed(cluster["dns"], compiled["namespaces"])} if "dns" in cluster else {}),
        "proxy_modes": (modes := {name: node["proxy_mode"] for name, node in compiled["nodes"].items()}),
        **({"proxy_scheduler": cluster.get("proxy_scheduler", DEFAULT_SCHEDULER)} if IPVS in modes.values() else {}),
    }


def _pod_network(network: Data, compiled: Data) -> Data:
    home, cni = compiled["nodes"][network["etcd"]], _cni(network["cni"], compiled)
    endpoint = f"https://{home['address']}:{ETCD_PORT}"
    return {**network, "endpoint": endpoint, "cni": cni, "config": _flannel_config(network, cni)}


def _flannel_config(network: Data, cni: Data) -> Data:
    """flannel's record of the network: https://github.com/flannel-io/flannel/blob/master/Documentation/configuration.md."""
    words = {"vni": "VNI", "port": "Port", "direct_routing": "DirectRouting"}
    backend = {"Type": cni["backend"], **{word: cni[key] for key, word in words.items() if key in cni}}
    common = {"Network": network["pod_cidr"], "SubnetLen": network["node_prefix"]}
    return {**common, "EnableNFTables": True, "Backend": backend}


def _cni(cni: Data, compiled: Data) -> Data:
    """The network plugin's parameters; its MTU is what the nodes' segments leave, unless the file says less."""
    overhead = backend_of(cni).overhead
    left = compiled["segments"][segment(compiled, next(iter(compiled["nodes"])))]["mtu"] - overhead
    mtu = cni.get("mtu", left)
    if "route_reflectors" in cni:  # their order means nothing
        given = cni["route_reflectors"]
        cni = {**cni, "route_reflectors": {**given, "nodes": sorted(given["nodes"])}}
    if "peers" in cni:
        cni = {**cni, "peers": addressed_peers(cni["peers"], compiled["namespaces"])}
    return {**with_defaults(cni), "device": device_name(cni), "overhead": overhead, "mtu": mtu}


def default_protocols(check: Data) -> list[str]:
    """What the probes of a check with from and to speak that names no protocols."""
    if "ports" in check:
        return list(check["ports"])
    return {"services": ["tcp", "udp"], "dns": ["udp"]}.get(str(check["to"]), ["icmp", "tcp", "udp"])


def _check(check: Data, state: Data, compiled: Data) -> Data:
    if "from" not in check:
        return check
    done = {"protocols": default_protocols(check), "expect": "ok", **check}
    if "change" in check.get("break", {}):
        done["break"] = {**check["break"], "link_state": merge_patch(state, check["break"]["change"])}
    if "reflectors" in check.get("break", {}):
        done["break"] = {**check["break"], "cut": _cut_off(check["break"]["reflectors"], compiled)}
    return done


def _cut_off(broken: list[str], compiled: Data) -> list[str]:
    """The nodes that nobody knows a way to any more: those reflectors, or all nodes where no other is left."""
    left = set(compiled["cluster"]["cni"]["route_reflectors"]["nodes"]) - set(broken)
    return sorted(broken) if left else list(compiled["nodes"])
