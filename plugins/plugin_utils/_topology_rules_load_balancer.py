# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules on the load balancer's pool, and on checks of it. PRIVATE to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_allocate import gateway, load_balancer_pool
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_interfaces import (
    bridges,
    first_of_nodes,
    interfaces,
)
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_problem import Problem
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_rules_ends import nobody_outside

try:
    import netaddr
except ImportError:  # the inventory plugin says what is missing
    netaddr = None

Data = dict[str, t.Any]

PATH = "cluster.load_balancer.pool"
# Workers that a check needs: one that answers and one that takes over. kubeadm labels control planes so that load
# balancers leave them out (cmd/kubeadm/app/phases/markcontrolplane, node.kubernetes.io/exclude-from-external-...).
ENOUGH = 2
LARGEST = 32  # addresses of a pool that a check uses up


def pool_problems(topology: Data) -> t.Iterator[Problem]:
    """A pool whose addresses no service can have, or which some machine has."""
    given = ((topology.get("cluster") or {}).get("load_balancer") or {}).get("pool")
    if not given:
        return
    pool, homes = netaddr.IPNetwork(given), _homes(topology)
    if pool.ip != pool.network:
        yield Problem(PATH, f"{pool} has bits set behind the prefix", f"write {pool.cidr} or lengthen the prefix")
    if len(homes) > 1:
        what = f"nodes are in {' and '.join(homes)}, and only those of one segment can answer ARP for the pool there"
        yield Problem(PATH, what, "put all nodes in one segment")
    elif homes:
        yield from _place_problems(pool, homes[0], topology)


def _homes(topology: Data) -> list[str]:
    """The segments of the nodes' first interfaces, of those that there are and have a network."""
    segments = topology.get("segments") or {}
    names = {str(interface.segment) for interface in first_of_nodes(topology)}
    return sorted(name for name in names if (segments.get(name) or {}).get("cidr"))


def _place_problems(pool: netaddr.IPNetwork, name: str, topology: Data) -> t.Iterator[Problem]:
    """What the pool must be in the segment of the nodes."""
    segment = topology["segments"][name]
    network = netaddr.IPNetwork(segment["cidr"])
    if pool not in network:
        yield Problem(PATH, f"{pool.cidr} is not in {network.cidr}, the nodes' segment {name}", "use a part of it")
        return
    for address, whose in _owners(segment, name, topology):
        if netaddr.IPAddress(address) in pool:
            yield Problem(PATH, f"{pool.cidr} has {address}, {whose}", "use a part of the segment without it")
    needed = 1 + sum(interface.segment == name for interface in interfaces(topology))
    left = network.size - 2 - pool.size
    if left < needed:
        what = f"{pool.cidr} leaves {max(left, 0)} addresses of {name}, where {needed} are needed"
        yield Problem(PATH, what, "use a smaller pool, or a shorter prefix for the segment")


def _owners(segment: Data, name: str, topology: Data) -> t.Iterator[tuple[str, str]]:
    """The segment's addresses that no service can have, and whose they are."""
    network = netaddr.IPNetwork(segment["cidr"])
    yield str(network[0]), f"{name}'s own address"
    yield str(network[-1]), f"{name}'s broadcast address"
    own = gateway(segment, bridges(topology).get(name, {}))
    if own:
        yield own, f"{name}'s gateway"
    for interface in interfaces(topology):
        if interface.segment == name and interface.address:
            yield interface.address, f"the address of {interface.machine}"


def balanced_problems(path: str, topology: Data) -> t.Iterator[Problem]:
    """A check of the load balancer at `path` that has nothing to try, or nobody to try it with."""
    cluster, nodes = topology.get("cluster") or {}, topology.get("nodes") or {}
    if "load_balancer" not in cluster:
        what = "the cluster has no load balancer" if cluster else "the topology has no cluster"
        yield Problem(path, what, "add cluster.load_balancer, or remove the check")
        return
    workers = sum((node or {}).get("role") == "worker" for node in nodes.values())
    if workers < ENOUGH:
        what = "there is no worker to take over from another, and control planes answer for no service"
        yield Problem(path, what, f"have {ENOUGH} workers or more")
    yield from nobody_outside(path, topology, _homes(topology))
    size, least = len(load_balancer_pool(topology)), workers + 3
    if size and not least <= size <= LARGEST:
        what = f"{cluster['load_balancer']['pool']} has {size} addresses, and the check uses all of them up"
        yield Problem(path, what, f"use a pool of {least} to {LARGEST} addresses")


LOAD_BALANCER_RULES = {"load-balancer": balanced_problems}  # of checks, by their mechanism
