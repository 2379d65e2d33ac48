# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules on a pod network without a cluster. PRIVATE to the collection.

Source: flannel, pkg/subnet/config.go.
"""

from __future__ import annotations

import typing as t

from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_problem import Problem, did_you_mean
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_rules_cluster import backend_problems

try:
    import netaddr
except ImportError:  # the inventory plugin says what is missing
    netaddr = None

Data = dict[str, t.Any]

SUBNET_BITS_MIN = 2


def pod_network_problems(topology: Data) -> t.Iterator[Problem]:
    """What flannel would refuse, or what no node could carry."""
    network, nodes = topology.get("pod_network"), topology.get("nodes")
    if not network:
        return
    if "cluster" in topology:
        yield Problem("pod_network", "the cluster has a network for its pods", "remove pod_network, or cluster")
    etcd = network.get("etcd")
    if etcd and nodes is not None and etcd not in nodes:
        fix = did_you_mean(etcd, nodes) if nodes else "add it to nodes"
        yield Problem("pod_network.etcd", f"there is no node {etcd}", fix)
    plugin = (network.get("cni") or {}).get("name")
    if plugin and plugin != "flannel":
        yield Problem("pod_network.cni.name", f"{plugin} needs a cluster here", "use flannel, or add a cluster instead")
        return
    yield from _subnet_problems(network, len(nodes or {}))
    yield from backend_problems("pod_network", network.get("cni") or {}, topology)


def _subnet_problems(network: Data, nodes: int) -> t.Iterator[Problem]:
    """flannel leases all subnets but the first, and wants four or more."""
    cidr, prefix = network.get("pod_cidr"), network.get("node_prefix")
    if not (cidr and prefix):
        return
    bits = prefix - netaddr.IPNetwork(cidr).prefixlen
    if bits < SUBNET_BITS_MIN:
        what = f"{cidr} has not the four subnets of /{prefix} that flannel wants at least"
        fix = f"use a prefix of /{prefix - SUBNET_BITS_MIN} or shorter in pod_cidr, or a longer one here"
        yield Problem("pod_network.node_prefix", what, fix)
    elif nodes >= 2**bits:
        what = f"{nodes} nodes need a subnet of /{prefix} each; of {cidr} flannel leases {2**bits - 1}, not the first"
        fix = f"use a prefix of /{prefix - nodes.bit_length()} or shorter, or a longer node_prefix"
        yield Problem("pod_network.pod_cidr", what, fix)
