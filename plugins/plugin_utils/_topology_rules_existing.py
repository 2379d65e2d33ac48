# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules on nodes that are hosts which are there already, and on the networks they are in. PRIVATE to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils._cni_backend import PLUGINS
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_interfaces import Interface, in_order, interfaces
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_problem import Problem

Data = dict[str, t.Any]

EXISTING = "existing"  # a node's provider, and the kind of the segment that it is in
# How such a host is reached: Ansible's own variables, as an inventory has them beside a host.
CONNECTION = (
    "ansible_host",
    "ansible_port",
    "ansible_user",
    "ansible_ssh_private_key_file",
    "ansible_ssh_common_args",
)
# Network plugins' backends that are taken back from a host, and were seen to be: no other backend or mode.
SUPPORTED = {"calico": ("bgp", "ipip", "vxlan"), "flannel": ("vxlan",)}
SUPPORTED_MODE = "nftables"
# What is proven from namespaces, which are made on this machine, where hosts are not.
OF_CLUSTERS, OF_CHECKS = ("dns", "ingress", "load_balancer"), ("dns", "services")


def existing_problems(topology: Data) -> t.Iterator[Problem]:
    """What such a host or its network cannot be, and what is not supported there yet."""
    nodes, segments = topology.get("nodes") or {}, topology.get("segments") or {}
    hosts = [name for name, node in in_order(nodes) if _is_host(node)]
    yield from _networks(segments)
    for name, node in in_order(nodes):
        if name in hosts:
            yield from _host(f"nodes.{name}", node, topology)
        else:
            yield from _no_host(f"nodes.{name}", node or {})
    for interface in interfaces(topology):
        yield from _place(interface, segments.get(interface.segment) or {}, interface.machine in hosts)
    if hosts and "cluster" not in topology:
        what = "existing hosts are supported as nodes of a cluster alone yet"
        yield Problem(f"nodes.{hosts[0]}.provider", what, "add a cluster, or use container or vm")
    elif hosts:
        yield from _cluster(topology["cluster"] or {})
        yield from _with_namespaces(topology)


def _is_host(node: Data | None) -> bool:
    return (node or {}).get("provider") == EXISTING


def _networks(segments: Data) -> t.Iterator[Problem]:
    for name, segment in in_order(segments):
        for key in ("gateway", "router"):
            if (segment or {}).get("kind") == EXISTING and segment.get(key):
                what = "the network is there already, and its routes are not changed"
                yield Problem(f"segments.{name}.{key}", what, f"remove {key}")


def _host(path: str, node: Data, topology: Data) -> t.Iterator[Problem]:
    """A host of its own has one interface that matters, and an address that nobody here can give it."""
    for key in ("pods", "cni"):
        if node.get(key):
            yield Problem(f"{path}.{key}", "pods by hand are not supported on existing hosts yet", f"remove {key}")
    own = [one for one in interfaces(topology) if one.path == path or one.path.startswith(f"{path}.")]
    if len(own) > 1:
        what = "of an existing host only the interface matters by which it reaches the other nodes"
        yield Problem(f"{path}.interfaces", what, "name that one alone")
    for interface in own:
        if not interface.address:
            yield Problem(f"{interface.path}.address", "missing", "add the address that the host has in this segment")
        if interface.mac:
            yield Problem(f"{interface.path}.mac", "an existing host keeps its own MAC address", "remove mac")
    if node.get("proxy_mode") not in (None, SUPPORTED_MODE):
        yield _unsupported(f"{path}.proxy_mode", node["proxy_mode"], SUPPORTED_MODE)


def _no_host(path: str, node: Data) -> t.Iterator[Problem]:
    for key in CONNECTION:
        if key in node:
            what = f"a node that is made here ({node.get('provider')}) is reached by its address"
            yield Problem(f"{path}.{key}", what, f"remove {key}, or use provider: existing")


def _place(interface: Interface, segment: Data, is_host: bool) -> t.Iterator[Problem]:
    path, there = f"{interface.path}.segment", segment.get("kind") == EXISTING
    if is_host and segment and not there:
        what = f"segment {interface.segment} is made on this machine, where an existing host is not"
        yield Problem(path, what, "name a segment of kind existing")
    elif there and not is_host:
        what = f"{interface.machine} is made on this machine, and segment {interface.segment} is not there"
        yield Problem(path, what, "name another segment, or use provider: existing")


def _cluster(cluster: Data) -> t.Iterator[Problem]:
    cni = cluster.get("cni") or {}
    supported = SUPPORTED.get(cni.get("name"), ())
    # What is no backend of the plugin's at all is told elsewhere.
    if supported and cni.get("backend") in PLUGINS[cni["name"]].backends and cni["backend"] not in supported:
        yield _unsupported("cluster.cni.backend", cni["backend"], " or ".join(supported))
    if cni.get("datastore") == "etcd":
        yield _unsupported("cluster.cni.datastore", "etcd", "kubernetes")
    if cluster.get("proxy_mode") not in (None, SUPPORTED_MODE):
        yield _unsupported("cluster.proxy_mode", cluster["proxy_mode"], SUPPORTED_MODE)


def _with_namespaces(topology: Data) -> t.Iterator[Problem]:
    sections = [("cluster", topology["cluster"], OF_CLUSTERS)]
    sections += [(f"checks.{name}", check, OF_CHECKS) for name, check in in_order(topology.get("checks"))]
    for path, section, keys in sections:
        for key in keys:
            if (section or {}).get(key) is not None:
                what = "not supported on existing hosts yet: its proof needs a namespace in their network"
                yield Problem(f"{path}.{key}", what, f"remove {key}")


def _unsupported(path: str, value: str, supported: str) -> Problem:
    return Problem(path, f"{value} is not supported on existing hosts yet", f"use {supported}")
