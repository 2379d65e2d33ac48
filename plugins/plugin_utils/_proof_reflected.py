# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Calico promises of nodes with route reflectors: who has sessions with whom, and what reflectors pass on. Pure.

This plugin util is PRIVATE to the collection. Sources: RFC 4456 sections 6 to 8; Calico, confd's bird.cfg.template (rr
client, rr cluster id). A reflector takes what another of the same cluster id passed on, beside what it has from the
origin itself: BIRD 1.6 looks for its own cluster id only in what clients say (bgp_cluster_list_loopy).
"""

from __future__ import annotations

from ansible_collections.reftopo.lab.plugins.module_utils._cni_backend import pod_network
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_bird import Prefix, prefixes, sessions
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_claim import Peer, differences, pod_routes, single
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_snapshot import Snapshot

UP = "Established"
ORIGINATOR, CLUSTERS = "BGP.originator_id", "BGP.cluster_list"


def reflectors(topology: Data) -> list[str]:
    """The nodes that are route reflectors; none where all nodes have sessions with each other."""
    return list(pod_network(topology)["cni"].get("route_reflectors", {}).get("nodes", ()))


def in_session(topology: Data, one: str, other: str) -> bool:
    """Whether two nodes must have a session with each other."""
    named = reflectors(topology)
    return not named or one in named or other in named


def tellers(topology: Data, own: str, peer: str) -> list[str]:
    """The reflectors that must pass on to a node what another announces; between reflectors nobody has to."""
    named = reflectors(topology)
    return [] if own in named else [name for name in named if name != peer]


def marks(topology: Data, peer: str) -> dict[str, str]:
    """The attributes that a reflector puts on what a node announced: whose it is, and the reflector's cluster."""
    cluster_id = pod_network(topology)["cni"]["route_reflectors"]["cluster_id"]
    return {ORIGINATOR: topology["nodes"][peer]["address"], CLUSTERS: cluster_id}


def no_session_faults(snapshot: Snapshot, topology: Data, peer: Peer) -> list[str]:
    address = topology["nodes"][peer.node]["address"]
    return [f"session {one.name} with {address}" for one in sessions(snapshot.text("bgp")) if one.neighbour == address]


def by_neighbour(snapshot: Snapshot, topology: Data, neighbour: str) -> list[Prefix]:
    """What came by the sessions with a node."""
    address = topology["nodes"][neighbour]["address"]
    names = {one.name for one in sessions(snapshot.text("bgp")) if one.neighbour == address}
    return [prefix for prefix in prefixes(snapshot.text("prefixes")) if prefix.protocol in names]


def reflected_faults(snapshot: Snapshot, topology: Data, peer: Peer) -> list[str]:
    """Each reflector tells of each block once, with the node that has it as next hop, and marks what it passes on."""
    address = topology["nodes"][peer.node]["address"]
    wanted = {"via": address, "BGP.next_hop": address, "BGP.as_path": "", **marks(topology, peer.node)}
    return [
        fault
        for reflector in tellers(topology, snapshot.machine, peer.node)
        for block in peer.subnets
        for fault in single(
            f"{block} in BIRD by {reflector}",
            [
                {"via": one.via, **one.attributes}
                for one in by_neighbour(snapshot, topology, reflector)
                if one.network == block
            ],
            wanted,
        )
    ]


def passed_on_faults(snapshot: Snapshot, topology: Data, own: Peer, known: dict[str, Peer]) -> list[str]:
    """What came from a node that it is not of: only reflectors pass on, and mark it."""
    named = reflectors(topology)
    others = [name for name in topology["nodes"] if name != own.node]
    found = [
        (neighbour, owner, one)
        for neighbour in others
        for one in by_neighbour(snapshot, topology, neighbour)
        for owner in known
        if one.network in known[owner].subnets and owner != neighbour
    ]
    return [
        fault
        for neighbour, owner, one in found
        for fault in (
            differences(f"{one.network} by {neighbour}", one.attributes, marks(topology, owner))
            if neighbour in named
            else [f"{one.network} of {owner} by {neighbour}, which is no route reflector"]
        )
    ]


def still_there(snapshot: Snapshot, topology: Data, cut: list[str], known: dict[str, Peer]) -> list[str]:
    """What a node still has of those that are cut off, or one of these of the others: sessions and routes."""
    own = snapshot.machine
    lost = {name: known[name] for name in known if name != own and {own, name} & {*cut}}
    addresses = {topology["nodes"][name]["address"] for name in lost if in_session(topology, own, name)}
    blocks = {block for peer in lost.values() for block in peer.subnets}
    told = [one for one in sessions(snapshot.text("bgp")) if one.neighbour in addresses and one.state == UP]
    return [f"{own} has session {one.name}" for one in told] + [
        f"{own} has a route to {row['dst']}" for row in pod_routes(snapshot, topology) if row["dst"] in blocks
    ]
