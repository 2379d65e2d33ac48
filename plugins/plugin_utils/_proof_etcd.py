# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What flannel's records in etcd promise, where it works without Kubernetes, and whom etcd answers. Pure.

This plugin util is PRIVATE to the collection.
"""

from __future__ import annotations

import ipaddress
import shlex

from ansible_collections.reftopo.lab.plugins.module_utils import _flannel_etcd as store
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_claim import Claim, Peer, differences
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_snapshot import Snapshot

Records = dict[str, Data]

# Clients by the certificate that they show, and what etcd must do about each; the first shows that etcd answers at all.
CLIENTS = {
    "certificate": ("ok", "etcd answers a client with this node's certificate"),
    "none": ("refused", "etcd refuses a client without a certificate"),
    "stranger": ("refused", "etcd refuses a client whose certificate is not of the topology's authority"),
}


def read_command(topology: Data) -> str:
    """Print all records, on the node that runs etcd."""
    return shlex.join(store.read_all(topology["pod_network"]["endpoint"]))


def records(printed: str) -> Records:
    """flannel's records by key."""
    return store.parse(printed)


def peers(found: Records, topology: Data) -> dict[str, Peer]:
    """The nodes by their leases; who has none is not among them."""
    names = {node["address"]: name for name, node in topology["nodes"].items()}
    return {
        names[lease.address]: Peer(names[lease.address], lease.subnet, lease.address, lease.data.get("VtepMAC", ""))
        for lease in store.leases(found)
        if lease.address in names
    }


def lease_key(peer: Peer) -> str:
    """The key of a node's lease."""
    return store.SUBNETS + peer.subnet.replace("/", "-")


def claims(topology: Data) -> list[Claim]:
    """What is claimed of the records, and of each node's way to them."""
    home, get = topology["pod_network"]["etcd"], "etcdctl get --prefix"
    title = "the network in etcd is the topology's"
    found = [Claim(home, "config", title, f"{get} {store.CONFIG}")]
    found.append(Claim(home, "strangers", "every lease is of a node of the topology", f"{get} {store.SUBNETS}"))
    for node in topology["nodes"]:
        title = f"the lease of {node} is the subnet that its pods get"
        found.append(Claim(node, "lease", title, f"cat {store.SUBNET_FILE}"))
        for client, (_wanted, title) in CLIENTS.items():
            found.append(Claim(node, client, title, f"curl --cacert {store.FLANNEL}/{store.AUTHORITY} …/health"))
    return found


def faults(claim: Claim, topology: Data, found: Records, facts: dict[str, Data]) -> list[str]:
    """What speaks against a claim; facts are what each node says (_probe_etcd.py)."""
    if claim.key == "config":
        return config_faults(topology, found)
    if claim.key == "strangers":
        return stranger_faults(topology, found)
    if claim.key == "lease":
        return lease_faults(topology, claim.node, found, facts[claim.node]["subnet"])
    answer, wanted = facts[claim.node]["answers"][claim.key], CLIENTS[claim.key][0]
    return [] if answer["observed"] == wanted else [f"{answer['observed']} ({answer['detail']}), must be {wanted}"]


def config_faults(topology: Data, found: Records) -> list[str]:
    network, cni = topology["pod_network"], topology["pod_network"]["cni"]
    kept = found.get(store.CONFIG, {})
    backend = kept.get("Backend", {})
    wanted = {"Network": network["pod_cidr"], "SubnetLen": network["node_prefix"], "Type": cni["backend"]}
    wanted |= {"VNI": cni.get("vni"), "Port": cni.get("port"), "DirectRouting": cni.get("direct_routing")}
    return differences(store.CONFIG, {**kept, **backend}, wanted)


def stranger_faults(topology: Data, found: Records) -> list[str]:
    addresses = {node["address"] for node in topology["nodes"].values()}
    return [f"{one.key} is of {one.address}" for one in store.leases(found) if one.address not in addresses]


def lease_faults(topology: Data, node: str, found: Records, subnet: Data) -> list[str]:
    """One lease, of the topology's network and backend, and the node's file says the same."""
    network, cni = topology["pod_network"], topology["pod_network"]["cni"]
    own = [one for one in store.leases(found) if one.address == topology["nodes"][node]["address"]]
    if len(own) != 1:
        return [f"{len(own)} leases, must be one"]
    leased, pods = ipaddress.ip_network(own[0].subnet), ipaddress.ip_network(network["pod_cidr"])
    whole = {"prefix": leased.prefixlen, "in pod_cidr": leased.subnet_of(pods), "backend": own[0].backend}
    wanted = {"prefix": network["node_prefix"], "in pod_cidr": True, "backend": cni["backend"]}
    # The file has the address of the bridge, the subnet's first.
    file = {"FLANNEL_NETWORK": network["pod_cidr"], "FLANNEL_SUBNET": f"{leased[1]}/{leased.prefixlen}"}
    file |= {"FLANNEL_MTU": str(cni["mtu"]), "FLANNEL_IPMASQ": "true"}
    return differences(own[0].key, whole, wanted) + differences(store.SUBNET_FILE, subnet, file)


def forgotten_faults(lost: Peer, snapshots: dict[str, Snapshot]) -> list[str]:
    """What the other nodes still have of one whose lease is gone: a route, a neighbour or an FDB entry."""
    wanted = {"routes": {"dst": lost.subnet}, "neighbours": {"dst": lost.address}, "fdb": {"mac": lost.mac}}
    return [
        f"{node} still has in {part}: {row}"
        for node, snapshot in snapshots.items()
        if node != lost.node
        for part, values in wanted.items()
        if all(values.values())
        for row in snapshot.rows(part, **values)
    ]
