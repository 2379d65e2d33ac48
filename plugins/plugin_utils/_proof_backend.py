# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the backend of a cluster's network plugin promises of each node, whichever it is. Pure.

This plugin util is PRIVATE to the collection. A backend is a module with the claims OWN, PEER and LAST, the functions
FAULTS that judge the first two by their keys, and stranger_faults that judges the last.
"""

from __future__ import annotations

import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils._cni_backend import CNI_BRIDGE, pod_network
from ansible_collections.reftopo.lab.plugins.plugin_utils import (
    _proof_host_gw,
    _proof_leftovers,
    _proof_udp,
    _proof_vxlan,
)
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_claim import Claim, Peer, single
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_snapshot import Snapshot
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_way import DIRECT, mechanism, way

BACKENDS: dict[str, t.Any] = {"vxlan": _proof_vxlan, "host-gw": _proof_host_gw, "udp": _proof_udp}
MECHANISMS = (*BACKENDS, DIRECT)  # what a check may name
DIRECT_LAST = (
    "{device} knows nodes of other segments alone, and no other route leads to pods",
    "ip route show root {pods}",
)


def claims(topology: Data) -> list[Claim]:
    """All asserts on the nodes' state, in the order in which a packet meets what they are about."""
    return [claim for node in topology["nodes"] for claim in _claims(node, topology)]


def _claims(node: str, topology: Data) -> t.Iterator[Claim]:
    network, others = pod_network(topology), [name for name in topology["nodes"] if name != node]
    backend = BACKENDS[network["cni"]["backend"]]
    words = {"device": network["cni"]["device"], "pods": network["pod_cidr"]}
    yield Claim(node, "subnet", f"own pods are behind {CNI_BRIDGE}", f"ip route show dev {CNI_BRIDGE}")
    for key, title, command in backend.OWN:
        yield Claim(node, key, title.format(**words), command.format(**words))
    for peer in others:
        for key, title, command in BACKENDS[way(topology, node, peer)].PEER:
            yield Claim(node, key, title.format(peer=peer, **words), command.format(**words), peer)
    title, command = DIRECT_LAST if mechanism(network["cni"]) == DIRECT else backend.LAST
    yield Claim(node, "nothing-else", title.format(**words), command.format(**words))
    yield Claim(node, _proof_leftovers.KEY, _proof_leftovers.TITLE, _proof_leftovers.COMMAND.format(**words))


def claim_faults(claim: Claim, snapshot: Snapshot, topology: Data, known: dict[str, Peer]) -> list[str]:
    """Why a claim does not hold; empty when it does."""
    missing = set(topology["nodes"]) - set(known)
    if missing:
        return [f"flannel knows no node {name}" for name in sorted(missing)]
    if claim.key == _proof_leftovers.KEY:
        return _proof_leftovers.leftover_faults(snapshot, topology, known)
    if claim.key == "nothing-else":
        return stranger_faults(snapshot, topology, known[claim.node], known)
    chosen = way(topology, claim.node, claim.peer) if claim.peer else pod_network(topology)["cni"]["backend"]
    backend = BACKENDS[chosen]
    judge = {"subnet": subnet_faults, **backend.FAULTS}[claim.key]
    return t.cast("list[str]", judge(snapshot, topology, known[claim.peer or claim.node]))


def stranger_faults(snapshot: Snapshot, topology: Data, own: Peer, known: dict[str, Peer]) -> list[str]:
    """What belongs to no peer, or to one that is reached in another way; each way judges those that are its own."""
    backend = pod_network(topology)["cni"]["backend"]
    ways = {name: way(topology, own.node, name) for name in known if name != own.node}
    return [
        fault
        for one in sorted({backend, *ways.values()})
        for fault in BACKENDS[one].stranger_faults(
            snapshot, topology, own, {name: peer for name, peer in known.items() if ways.get(name, one) == one}
        )
    ]


def subnet_faults(snapshot: Snapshot, _topology: Data, own: Peer) -> list[str]:
    rows = snapshot.rows("routes", dst=own.subnet)
    return single(f"route to {own.subnet}", rows, {"dev": CNI_BRIDGE, "protocol": "kernel"})
