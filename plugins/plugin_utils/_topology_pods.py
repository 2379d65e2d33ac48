# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods that are made by hand: one view of them all, and the rules on them. PRIVATE to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_interfaces import in_order
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_problem import Problem

Data = dict[str, t.Any]


class Pod(t.NamedTuple):
    """A pod of a node; containers map names to ports."""

    node: str
    name: str
    containers: Data


def pods(topology: Data) -> list[Pod]:
    """All pods that are made by hand, of a compiled topology or of one that may not be valid."""
    return [
        Pod(node, name, {key: ports or {} for key, ports in (containers or {}).items()})
        for node, entry in in_order(topology.get("nodes"))
        for name, containers in in_order((entry or {}).get("pods"))
    ]


def subnets(topology: Data) -> t.Iterator[tuple[str, str]]:
    """The networks that host-local gives addresses of, by their place: its `ranges`, or `subnet` alone.

    https://www.cni.dev/plugins/current/ipam/host-local/
    """
    for node, entry in in_order(topology.get("nodes")):
        for number, plugin in enumerate(((entry or {}).get("cni") or {}).get("plugins") or []):
            path, ipam = f"nodes.{node}.cni.plugins[{number}].ipam", (plugin or {}).get("ipam")
            if isinstance(ipam, dict) and ipam.get("type") == "host-local":
                yield from _ranges(path, ipam)


def _ranges(path: str, ipam: Data) -> t.Iterator[tuple[str, str]]:
    if isinstance(ipam.get("subnet"), str):
        yield f"{path}.subnet", ipam["subnet"]
    for outer, group in enumerate(ipam["ranges"] if isinstance(ipam.get("ranges"), list) else []):
        for inner, part in enumerate(group if isinstance(group, list) else []):
            if isinstance(part, dict) and isinstance(part.get("subnet"), str):
                yield f"{path}.ranges[{outer}][{inner}].subnet", part["subnet"]


def pod_problems(topology: Data) -> t.Iterator[Problem]:
    """Nodes that a cluster has no role for, and pods that could not be made or told apart."""
    for name, node in in_order(topology.get("nodes")):
        yield from _node_problems(f"nodes.{name}", node or {}, topology)
    machines = [*(topology.get("nodes") or {}), *(topology.get("namespaces") or {})]
    homes: dict[str, str] = {}
    for pod in pods(topology):
        path = f"nodes.{pod.node}.pods.{pod.name}"
        if pod.name in machines:
            yield Problem(path, f"there is a machine {pod.name} already", "give one of the two another name")
        elif pod.name in homes:
            yield Problem(path, f"node {homes[pod.name]} has a pod {pod.name} already", "use another name")
        homes.setdefault(pod.name, pod.node)
        yield from _port_problems(path, pod.containers)


def _node_problems(path: str, node: Data, topology: Data) -> t.Iterator[Problem]:
    if "cluster" in topology:
        if "role" not in node:
            yield Problem(f"{path}.role", "missing", "add it, for instance role: worker")
        for key in ("cni", "pods"):
            if key in node:
                yield Problem(f"{path}.{key}", "the cluster makes the node's pods", f"remove {key}, or cluster")
    elif "pod_network" in topology:
        if "cni" in node:
            what = "the pod network is that of the node's pods"
            yield Problem(f"{path}.cni", what, "remove cni, or pod_network")
        if "pods" not in node:
            what = "missing, so nothing would show that the pod network reaches the node"
            yield Problem(f"{path}.pods", what, "add pods, for instance a: {server: {tcp: 8080, udp: 8081}}")
        return
    for key, other in (("cni", "pods"), ("pods", "cni")):
        if key in node and other not in node:
            yield Problem(f"{path}.{other}", f"missing, and {key} means nothing without it", f"add {other}")


def _port_problems(path: str, containers: Data) -> t.Iterator[Problem]:
    """Containers of a pod have one network between them, so two cannot have one port."""
    taken: dict[tuple[str, int], str] = {}
    for name, ports in containers.items():
        for protocol, port in ports.items():
            holder = taken.setdefault((protocol, port), name)
            if holder != name and port is not None:
                what = f"container {holder} has {protocol} port {port} of this pod already"
                yield Problem(f"{path}.{name}.{protocol}", what, "use another port")
