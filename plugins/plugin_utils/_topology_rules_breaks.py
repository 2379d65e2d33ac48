# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules on what a check breaks: it must be there, and the check's probes must be able to notice.

PRIVATE to the collection.
"""

from __future__ import annotations

import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils._cni_backend import (
    BACKENDS,
    device_name,
    plugin_of,
    pod_network,
)
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_datastore import break_mesh_problems
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_interfaces import interfaces
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_pods import pods
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_problem import Problem, did_you_mean
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_rules_ends import kind, outcomes, references
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_rules_reflectors import break_reflector_problems

Data = dict[str, t.Any]


def break_problems(path: str, check: Data, topology: Data) -> t.Iterator[Problem]:
    """All that is wrong with the break of the check at `path`."""
    yield from _node_problems(f"{path}.break", check["break"], topology)
    yield from _cut_problems(path, check, topology)
    yield from _detach_problems(path, check, topology)
    yield from _mesh_problems(path, check, topology)
    yield from break_mesh_problems(path, check, topology)
    yield from break_reflector_problems(path, check, topology)


def _cut_problems(path: str, check: Data, topology: Data) -> t.Iterator[Problem]:
    """A change of the link state cuts off pairs of namespaces, and says what they see then."""
    if "pairs" not in check["break"]:
        return
    if not {kind(check.get("from")), kind(check.get("to"))} <= {"machines", "namespaces", None}:
        what = "a change of the link state is tried from namespaces to namespaces"
        yield Problem(f"{path}.break.change", what, "write from: namespaces, to: namespaces")
    if "ok" in outcomes(check.get("expect", "ok")):
        what = "the pairs are cut off, so they cannot be ok"
        yield Problem(f"{path}.expect", what, "name what they see: timeout, unreachable or refused")
    names = references({"namespaces": topology.get("namespaces")}, interfaces_too=True)
    for number, pair in enumerate(check["break"]["pairs"] or []):
        for name in pair if isinstance(pair, list) else []:
            if name not in names:
                where = f"{path}.break.pairs[{number}]"
                yield Problem(where, f"there is no namespace {name}", did_you_mean(str(name), names))


def _detach_problems(path: str, check: Data, topology: Data) -> t.Iterator[Problem]:
    """A pod without its network: there must be one, and probes that it can be noticed by."""
    pod, known = check["break"].get("pod"), [one.name for one in pods(topology)]
    if pod is None:
        return
    if pod not in known:
        fix = did_you_mean(pod, known) if known else "add pods to a node"
        yield Problem(f"{path}.break.pod", f"there is no pod {pod} that is made by hand", fix)
    if "pods" not in (check.get("from"), check.get("to")):
        yield Problem(f"{path}.break.pod", "no probe of this check starts from or goes to a pod", "use from: pods")


def _mesh_problems(path: str, check: Data, topology: Data) -> t.Iterator[Problem]:
    """Sessions that are taken down: there must be some, and probes whose way is made by them."""
    if not check["break"].get("mesh"):
        return
    backend = (pod_network(topology).get("cni") or {}).get("backend")
    if backend in BACKENDS - {"bgp"} or not pod_network(topology):
        what = "no routes of the topology come by BGP"
        yield Problem(f"{path}.break.mesh", what, "give the cluster cni: {name: calico, backend: bgp}")
    if check.get("from") not in ("pods", "nodes", None) or check.get("to") not in ("pods", None):
        what = "BGP makes routes to the pods of other nodes alone"
        yield Problem(f"{path}.break.mesh", what, "write from: pods or nodes, to: pods")


def _node_problems(path: str, broken: Data, topology: Data) -> t.Iterator[Problem]:
    nodes, node, link = topology.get("nodes"), broken.get("node"), broken.get("link")
    if nodes is None or node is None:
        return
    if node not in nodes:
        yield Problem(f"{path}.node", f"there is no node {node}", did_you_mean(node, nodes))
        return
    for number, peer in enumerate(broken.get("routes") or []):
        if peer == node or peer not in nodes:
            others = [name for name in nodes if name != node]
            fix = did_you_mean(str(peer), others) if others else "add a node"
            yield Problem(f"{path}.routes[{number}]", f"there is no other node {peer}", fix)
    if broken.get("routes") and not pod_network(topology):
        yield Problem(f"{path}.routes", "the topology has no cluster, whose nodes have routes to pods", "add cluster")
    if broken.get("lease") and "pod_network" not in topology:
        what = "the topology has no pod network, whose nodes have leases in etcd"
        yield Problem(f"{path}.lease", what, "add pod_network, or break something else")
    links = {interface.name for interface in interfaces(topology) if interface.machine == node}
    cni = pod_network(topology).get("cni") or {}
    if cni.get("name") and cni.get("backend") in plugin_of(cni).backends and cni.get("vni", 0) is not None:
        links |= {plugin_of(cni).bridge, device_name(cni)} - {""}
    if link and link not in links:
        yield Problem(f"{path}.link", f"node {node} has no link {link}", did_you_mean(link, links))
    elif link and cni.get("name") and plugin_of(cni).mends and link in plugin_of(cni).devices:
        what = f"{cni['name']} sets {link} up again within seconds"
        yield Problem(f"{path}.link", what, "hide the routes that lead to it: write routes, and to which nodes")
