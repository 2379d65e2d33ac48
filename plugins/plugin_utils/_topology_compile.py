# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compile a valid topology to the plain data that roles, templates and tests read. PRIVATE to the collection.

Pure: the same file gives the same result, whatever the order of its keys (checks keep theirs, for the report).
docs/architecture.md describes the shape.
"""

from __future__ import annotations

import typing as t

from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_allocate import allocate, gateway
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_change import merge_patch
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_cni import OVERHEAD, device_name
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_interfaces import in_order
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_link_state import link_state
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_names import (
    group_name,
    link_name,
    mac_address,
    netns_name,
)

try:
    import netaddr
except ImportError:  # the inventory plugin says what is missing
    netaddr = None

# Where kube-apiserver listens, kubeadm's default (kubeadm API v1beta4, LocalAPIEndpoint.bindPort).
API_PORT = 6443
# Positions in the service network: kube-apiserver takes the first for itself, kubeadm gives CoreDNS the tenth.
API_SERVICE, DNS_SERVICE = 1, 10

Data = dict[str, t.Any]


def compile_topology(topology: Data) -> Data:
    """The compiled form of a topology that :func:`validate` found nothing wrong with."""
    name = topology["name"]
    compiled = {
        "name": name,
        "group": group_name(name),
        "description": topology["description"],
        "segments": {key: _segment(name, key, segment) for key, segment in in_order(topology["segments"])},
        **_machines(topology),
    }
    if "cluster" in topology:
        compiled["cluster"] = _cluster(topology["cluster"], compiled)
    state = link_state(compiled)
    compiled["checks"] = {key: _check(check, state) for key, check in topology["checks"].items()}
    compiled["link_state"] = state
    compiled["needs"] = _needs(compiled)
    return compiled


def _segment(topology: str, name: str, segment: Data) -> Data:
    common = {"kind": segment["kind"], "cidr": segment["cidr"], "mtu": segment["mtu"]}
    if segment["kind"] == "veth":
        return common
    return {**common, "bridge": link_name(topology, name), "gateway": gateway(segment)}


def _machines(topology: Data) -> Data:
    """The nodes and the namespaces, each with its interfaces."""
    machines: Data = {
        "nodes": {key: _node(topology["name"], key, node) for key, node in in_order(topology["nodes"])},
        "namespaces": {key: _machine(topology["name"], key) for key, dummy in in_order(topology["namespaces"])},
    }
    for interface, address in allocate(topology).items():
        segment = topology["segments"][interface.segment]
        key = (topology["name"], interface.machine, interface.name)
        machine = machines[interface.section][interface.machine]
        machine.setdefault("address", address)
        machine.setdefault("interfaces", {})[interface.name] = {
            "segment": interface.segment,
            **({"peer": link_name(*key)} if segment["kind"] == "bridge" else {}),
            "address": f"{address}/{netaddr.IPNetwork(segment['cidr']).prefixlen}",
            "mac": (interface.mac or mac_address(*key)).lower(),
            "mtu": segment["mtu"],
        }
    return machines


def _machine(topology: str, name: str) -> Data:
    return {"name": name, "netns": netns_name(topology, name)}


def _node(topology: str, name: str, node: Data) -> Data:
    return {"name": name, "role": node["role"], "provider": node["provider"], "netns": netns_name(topology, name)}


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
        "cni": _cni(cluster["cni"], compiled),
    }


def _cni(cni: Data, compiled: Data) -> Data:
    """The network plugin's parameters; its MTU is what the segment that all nodes share leaves."""
    overhead = OVERHEAD[cni["backend"]]
    first = next(iter(compiled["nodes"].values()))
    underlay = next(iter(first["interfaces"].values()))["mtu"]
    return {**cni, "device": device_name(cni), "overhead": overhead, "mtu": underlay - overhead}


def _check(check: Data, state: Data) -> Data:
    if "from" not in check:
        return check
    protocols = {"services": ["tcp", "udp"], "dns": ["udp"]}.get(check["to"], ["icmp", "tcp", "udp"])
    compiled = {"protocols": protocols, "expect": "ok", **check}
    if "change" in check.get("break", {}):
        compiled["break"] = {**check["break"], "link_state": merge_patch(state, check["break"]["change"])}
    return compiled


def _needs(compiled: Data) -> list[str]:
    """The kernel features that preflight must try on this host."""
    needs = {"netns", "veth", *(segment["kind"] for segment in compiled["segments"].values())}
    if "cluster" in compiled:
        needs |= {compiled["cluster"]["proxy_mode"], compiled["cluster"]["cni"]["backend"]}
    return sorted(needs)
