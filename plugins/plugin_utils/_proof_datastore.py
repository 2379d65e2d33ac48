# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is claimed of Calico's data in an etcd of its own, and concluded from what was seen. Pure.

This plugin util is PRIVATE to the collection. Who needs that etcd, and when: Felix and confd keep in the kernel and in
BIRD what they were told; the IPAM plugin asks for each new pod's address.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import typing as t

from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_calico import AFFINITY
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_calico_etcd import (
    BLOCKS,
    NODES,
    POOLS,
    Stored,
    address,
)
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_claim import Claim, differences, of_no_node
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_etcd import CLIENTS
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data, ProofError
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_ping import ping_faults

# Groups of the API in which Calico's kinds are, with its data there; and one that every API has.
GROUP, EVERYWHERE = "projectcalico.org", "apps"
# The condition of a pod that it has a sandbox with a network, by which the API says that it is still waiting for one:
# https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-conditions
NETWORKED = "PodReadyToStartContainers"
GET = "etcdctl get --prefix"


class Pod(t.NamedTuple):
    """A pod of the check: its address if any, whether it has a network, as the API says, and whether it is ready.

    plugins is how many CNI plugins of Calico's were at work on its node then.
    """

    address: str = ""
    networked: bool = False
    ready: bool = False
    plugins: int = 0


NO_POD = Pod()


@dataclasses.dataclass
class Seen:
    """Everything that a check saw.

    groups are the API's; answers what etcd answered on each node, by client; before a pod that was made while etcd ran,
    waiting and after one that was made while it did not; pings what ping(8) printed meanwhile, by the ends' nodes; left
    what is still there of the check.
    """

    topology: Data
    stored: Stored
    groups: list[str]
    answers: dict[str, dict[str, Data]]
    before: Pod = NO_POD
    waiting: Pod = NO_POD
    after: Pod = NO_POD
    pings: dict[tuple[str, str], str] = dataclasses.field(default_factory=dict)
    left: list[str] = dataclasses.field(default_factory=list)


def _pool_faults(seen: Seen) -> list[str]:
    pools = [pool["spec"] for pool in seen.stored.pools.values()]
    if len(pools) != 1:
        return [f"{len(pools)} pools, must be one"]
    wanted = {"cidr": seen.topology["cluster"]["pod_cidr"], "ipipMode": "Never", "vxlanMode": "Never"}
    return differences("the pool", pools[0], wanted)


def _node_faults(seen: Seen) -> list[str]:
    there = {name: address(node).partition("/")[0] for name, node in seen.stored.nodes.items()}
    wanted = {name: node["address"] for name, node in seen.topology["nodes"].items()}
    strangers = [f"{name} is no node of the topology" for name in there if name not in wanted]
    return differences("nodes", there, wanted) + strangers


def _block_faults(seen: Seen) -> list[str]:
    pods = ipaddress.ip_network(seen.topology["cluster"]["pod_cidr"])
    owners = {block["cidr"]: str(block.get("affinity")) for block in seen.stored.blocks}
    wanted = {AFFINITY + node for node in seen.topology["nodes"]}
    faults = [f"{one[len(AFFINITY) :]} has no block" for one in sorted(wanted - set(owners.values()))]
    faults += [f"{cidr} is of {owner}, no node" for cidr, owner in owners.items() if owner not in wanted]
    return faults + [f"{cidr} is not in {pods}" for cidr in owners if not ipaddress.ip_network(cidr).subnet_of(pods)]


def _api_faults(seen: Seen) -> list[str]:
    """None of Calico's groups. An answer in which a group is missing that is always there says nothing of others."""
    if EVERYWHERE not in seen.groups:
        raise ProofError(f"the API names no group {EVERYWHERE} among {seen.groups}: what it says of groups is not all")
    return [f"the API has {group}" for group in seen.groups if group.endswith(GROUP)]


def _served_faults(seen: Seen, pod: Pod) -> list[str]:
    if not (pod.address and pod.networked):
        return [f"it has no network; {pod.plugins} CNI plugins are at work on its node"]
    inside = ipaddress.ip_address(pod.address) in ipaddress.ip_network(seen.topology["cluster"]["pod_cidr"])
    faults = [] if inside else [f"{pod.address} is not in the pods' network"]
    return faults + ([] if pod.ready else ["it is not ready"])


def _waiting_faults(seen: Seen) -> list[str]:
    """An address shows that etcd was not needed; without a plugin at work something else may keep the pod waiting."""
    pod = seen.waiting
    faults = [f"it has the address {pod.address}"] if pod.address else []
    faults += [f"the API says {NETWORKED}"] if pod.networked else []
    faults += [] if pod.plugins else ["no CNI plugin of Calico's is at work on its node: it waits for something else"]
    return faults + (["one was at work before, too"] if seen.before.plugins else [])


def _ping_faults(seen: Seen) -> list[str]:
    if not seen.pings:
        raise ProofError("no pods of two nodes pinged each other")
    return [fault for ends, text in seen.pings.items() for fault in ping_faults(ends, [], text)]


# By key: title, command, and what is concluded from what was seen.
TABLE: dict[str, tuple[str, str, t.Callable[[Seen], list[str]]]] = {
    "pools": (
        "etcd has one pool of addresses, which is the topology's and in no tunnel",
        f"{GET} {POOLS}",
        _pool_faults,
    ),
    "nodes": (
        "etcd has each node with its address, and no other",
        f"{GET} {NODES}",
        _node_faults,
    ),
    "blocks": (
        "etcd has blocks of addresses of each node, all in the pods' network, and of nobody else",
        f"{GET} {BLOCKS}",
        _block_faults,
    ),
    "api": (
        "the cluster's API has no kind of Calico's",
        "kubectl api-versions",
        _api_faults,
    ),
    "before": (
        "while etcd runs a new pod gets an address and is ready",
        "kubectl get pods -o wide",
        lambda seen: _served_faults(seen, seen.before),
    ),
    "meanwhile": (
        "with etcd stopped, and when it is back, of ten pings a second between pods of all nodes none is lost",
        "ping -i 0.1",
        _ping_faults,
    ),
    "waits": (
        "with etcd stopped a new pod has no address, as the API says no network, and Calico's CNI plugin waits",
        "kubectl describe pod; pgrep --exact calico",
        _waiting_faults,
    ),
    "after": (
        "with etcd back that pod gets an address and is ready",
        "kubectl get pods -o wide",
        lambda seen: _served_faults(seen, seen.after),
    ),
    "left": ("nothing of the check stays in the cluster", "kubectl get namespaces", lambda seen: seen.left),
}


def claims(topology: Data) -> list[Claim]:
    """All claims of a check, known from the topology alone."""
    asked = [
        Claim(node, client, title, f"curl --cacert /etc/cni/net.d/calico-tls/etcd-ca … {cni_endpoint(topology)}/health")
        for node in topology["nodes"]
        for client, (_wanted, title) in CLIENTS.items()
    ]
    return of_no_node(TABLE) + asked


def cni_endpoint(topology: Data) -> str:
    """Where Calico's etcd answers."""
    return str(topology["cluster"]["cni"]["endpoint"])


def faults(claim: Claim, seen: Seen) -> list[str]:
    """What speaks against a claim."""
    if not claim.node:
        return TABLE[claim.key][2](seen)
    answer, wanted = seen.answers[claim.node][claim.key], CLIENTS[claim.key][0]
    return [] if answer["observed"] == wanted else [f"{answer['observed']} ({answer['detail']}), must be {wanted}"]
