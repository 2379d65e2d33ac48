# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules on the ingress controller, and on checks of it. PRIVATE to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_interfaces import first_of_nodes
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_problem import Problem
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_rules_ends import nobody_outside

Data = dict[str, t.Any]


def ingress_problems(topology: Data) -> t.Iterator[Problem]:
    """A controller for which there is no node: kubeadm taints control planes, and load balancers leave them out."""
    cluster = topology.get("cluster") or {}
    if "ingress" in cluster and not any((node or {}).get("role") == "worker" for node in _nodes(topology)):
        what = "no node is a worker, and control planes do not run the controller's pod"
        yield Problem("cluster.ingress", what, "add a node with role worker, or remove ingress")


def served_problems(path: str, topology: Data) -> t.Iterator[Problem]:
    """A check of the controller at `path` that has nothing to try, or nobody to try it with."""
    cluster = topology.get("cluster") or {}
    if not cluster:
        yield Problem(path, "the topology has no cluster", "add cluster, or remove the check")
        return
    if "ingress" not in cluster:
        yield Problem(path, "the cluster has no ingress controller", "add cluster.ingress, or remove the check")
    if "load_balancer" not in cluster:
        what = "the cluster has no load balancer, to reach the controller by an address of its own"
        yield Problem(path, what, "add cluster.load_balancer, or remove the check")
    if len(_nodes(topology)) == 1:
        yield Problem(path, "with one node no pod is on another than the controller's", "add a node")
    yield from nobody_outside(path, topology, {interface.segment for interface in first_of_nodes(topology)})


def followed_problems(path: str, topology: Data) -> t.Iterator[Problem]:
    """A check of ingress-nginx at `path` where there is none."""
    if ((topology.get("cluster") or {}).get("ingress") or {}).get("controller") != "nginx":
        what = "the cluster's ingress controller is not ingress-nginx"
        yield Problem(path, what, "set cluster.ingress: {controller: nginx}, or remove the check")


def _nodes(topology: Data) -> list[t.Any]:
    return list((topology.get("nodes") or {}).values())


# Of the mechanisms whose checks ask a controller.
INGRESS_RULES = {"ingress": served_problems, "ingress-nginx": followed_problems}
