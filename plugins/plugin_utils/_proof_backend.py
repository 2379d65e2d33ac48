# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the backend of a cluster's network plugin promises of each node, whichever it is. Pure.

This plugin util is PRIVATE to the collection. A backend is a module with the claims OWN, PEER and LAST, the functions
FAULTS that judge the first two by their keys, and stranger_faults that judges the last; applies says which claims of
PEER are made of a pair of nodes, where that is not all of them. With direct routing DIRECT_LAST takes the place of
LAST; with KNOWS_ALL no node is a stranger, whichever way it is reached. A plugin is a module with OWN and FAULTS,
common to its backends, and peers, which reads its nodes from its RESOURCES in the Kubernetes API.
"""

from __future__ import annotations

import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils import _cni_backend
from ansible_collections.reftopo.lab.plugins.module_utils._cni_backend import pod_network
from ansible_collections.reftopo.lab.plugins.plugin_utils import (
    _proof_bgp,
    _proof_calico,
    _proof_calico_direct,
    _proof_calico_ipip,
    _proof_calico_vxlan,
    _proof_flannel,
    _proof_host_gw,
    _proof_leftovers,
    _proof_udp,
    _proof_vxlan,
)
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_claim import Claim, Peer
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_snapshot import Snapshot
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_way import DIRECT, mechanism, way

PLUGINS: dict[str, t.Any] = {"flannel": _proof_flannel, "calico": _proof_calico}
BACKENDS: dict[str, dict[str, t.Any]] = {
    "flannel": {"vxlan": _proof_vxlan, "host-gw": _proof_host_gw, "udp": _proof_udp},
    "calico": {
        "bgp": _proof_bgp,
        "vxlan": _proof_calico_vxlan,
        "ipip": _proof_calico_ipip,
        "direct": _proof_calico_direct,
    },
}
MECHANISMS = (*sorted(_cni_backend.BACKENDS), *DIRECT)  # what a check may name


def claims(topology: Data) -> list[Claim]:
    """All asserts on the nodes' state, in the order in which a packet meets what they are about."""
    return [claim for node in topology["nodes"] for claim in _claims(node, topology)]


def _claims(node: str, topology: Data) -> t.Iterator[Claim]:
    network, others = pod_network(topology), [name for name in topology["nodes"] if name != node]
    plugin, backends = PLUGINS[network["cni"]["name"]], BACKENDS[network["cni"]["name"]]
    backend = backends[network["cni"]["backend"]]
    words = {"device": network["cni"]["device"], "pods": network["pod_cidr"]}
    for key, title, command in (*plugin.OWN, *backend.OWN):
        yield Claim(node, key, title.format(**words), command.format(**words))
    for peer in others:
        for key, title, command in _of_pair(backends[way(topology, node, peer)], topology, node, peer):
            yield Claim(node, key, title.format(peer=peer, **words), command.format(**words), peer)
    title, command = backend.DIRECT_LAST if mechanism(network["cni"]) in DIRECT else backend.LAST
    yield Claim(node, "nothing-else", title.format(**words), command.format(**words))
    yield Claim(node, _proof_leftovers.KEY, _proof_leftovers.TITLE, _proof_leftovers.COMMAND.format(**words))


def _of_pair(backend: t.Any, topology: Data, node: str, peer: str) -> list[tuple[str, str, str]]:
    """The backend's claims about a peer that are made of this pair of nodes."""
    applies = getattr(backend, "applies", lambda *_pair: True)
    return [row for row in backend.PEER if applies(row[0], topology, node, peer)]


def peers(objects: list[Data], topology: Data) -> dict[str, Peer]:
    """The nodes as the network plugin has them in the Kubernetes API; objects are of its RESOURCES."""
    cni = pod_network(topology)["cni"]
    return t.cast("dict[str, Peer]", PLUGINS[cni["name"]].peers(objects, cni["backend"]))


def claim_faults(claim: Claim, snapshot: Snapshot, topology: Data, known: dict[str, Peer]) -> list[str]:
    """Why a claim does not hold; empty when it does."""
    cni, missing = pod_network(topology)["cni"], set(topology["nodes"]) - set(known)
    if missing:
        return [f"{cni['name']} knows no node {name}" for name in sorted(missing)]
    if claim.key == _proof_leftovers.KEY:
        return _proof_leftovers.leftover_faults(snapshot, topology, known)
    if claim.key == "nothing-else":
        return stranger_faults(snapshot, topology, known[claim.node], known)
    chosen = way(topology, claim.node, claim.peer) if claim.peer else cni["backend"]
    judge = {**PLUGINS[cni["name"]].FAULTS, **BACKENDS[cni["name"]][chosen].FAULTS}[claim.key]
    return t.cast("list[str]", judge(snapshot, topology, known[claim.peer or claim.node]))


def stranger_faults(snapshot: Snapshot, topology: Data, own: Peer, known: dict[str, Peer]) -> list[str]:
    """What belongs to no peer, or to one that is reached in another way; each way judges those that are its own."""
    cni = pod_network(topology)["cni"]
    ways = {name: way(topology, own.node, name) for name in known if name != own.node}
    faults: list[str] = []
    for one in sorted({cni["backend"], *ways.values()}):
        backend = BACKENDS[cni["name"]][one]
        its = {name: peer for name, peer in known.items() if ways.get(name, one) == one}
        faults += backend.stranger_faults(snapshot, topology, own, known if hasattr(backend, "KNOWS_ALL") else its)
    return faults
