# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Calico promises of each node without encapsulation: sessions of BGP, and the routes that come by them. Pure.

This plugin util is PRIVATE to the collection. Source of the promises: Calico, confd's bird.cfg.template (a session with
each other node, of one AS) and bird_ipam.cfg.template (blocks alone are announced, and put into the kernel). What is
otherwise where there are route reflectors is in _proof_reflected.
"""

from __future__ import annotations

from ansible_collections.reftopo.lab.plugins.module_utils._cni_backend import CALICO, pod_network
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_bird import Prefix, Session, prefixes, sessions
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_claim import Peer, pod_routes, route_to_each, single
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_leftovers import in_use
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_reflected import (
    CLUSTERS,
    ORIGINATOR,
    in_session,
    no_session_faults,
    passed_on_faults,
    reflected_faults,
    reflectors,
    tellers,
)
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_snapshot import BIRDCL, Snapshot
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_way import underlay

OWN = (("no-device", "no tunnel of Calico's is in use", "ip -d address show"),)
PEER = (
    ("session", "BIRD's session with {peer} is established, within the AS", f"{BIRDCL} show protocols all"),
    ("no-session", "BIRD has no session with {peer}, for neither is a route reflector", f"{BIRDCL} show protocols"),
    (
        "prefix",
        "BIRD has {peer}'s blocks of addresses by that session, and {peer} as next hop",
        f"{BIRDCL} show route all",
    ),
    (
        "reflected",
        "each other route reflector passes {peer}'s blocks on, {peer} as next hop, with originator and cluster id",
        f"{BIRDCL} show route all",
    ),
    ("route", "BIRD's routes to {peer}'s blocks are in the kernel, by {peer} itself", "ip route show proto bird"),
)
LAST = ("no other session, and no other route leads to pods", "ip route show table all root {pods}")


def applies(key: str, topology: Data, own: str, peer: str) -> bool:
    """Whether a claim about a peer is one of this pair of nodes."""
    if key == "reflected":
        return bool(tellers(topology, own, peer))
    return key == "route" or (key == "no-session") != in_session(topology, own, peer)


def device_faults(snapshot: Snapshot, _topology: Data, _own: Peer) -> list[str]:
    links = [link for link in snapshot.table("links") if link["ifname"] in CALICO.devices]
    return [f"{link['ifname']} is in use" for link in links if in_use(link)]


def session_faults(snapshot: Snapshot, topology: Data, peer: Peer) -> list[str]:
    address, as_number = topology["nodes"][peer.node]["address"], pod_network(topology)["cni"]["as_number"]
    found = [one._asdict() for one in _sessions(snapshot, address)]
    return single(f"session with {address}", found, {"as_number": str(as_number), "state": "Established"})


def _sessions(snapshot: Snapshot, neighbour: str) -> list[Session]:
    return [one for one in sessions(snapshot.text("bgp")) if one.neighbour == neighbour]


def _learned(snapshot: Snapshot, spoken: list[Session]) -> list[Prefix]:
    """What came by sessions."""
    names = {session.name for session in spoken}
    return [prefix for prefix in prefixes(snapshot.text("prefixes")) if prefix.protocol in names]


def prefix_faults(snapshot: Snapshot, topology: Data, peer: Peer) -> list[str]:
    address, device = topology["nodes"][peer.node]["address"], underlay(topology["nodes"][peer.node])
    learned = _learned(snapshot, _sessions(snapshot, address))
    wanted: Data = {"via": address, "device": device, "BGP.next_hop": address, "BGP.as_path": ""}
    wanted.update({ORIGINATOR: None, CLUSTERS: None})  # nobody passed it on
    return [
        fault
        for block in peer.subnets
        for fault in single(
            f"{block} in BIRD",
            [{"via": one.via, "device": one.device, **one.attributes} for one in learned if one.network == block],
            wanted,
        )
    ]


def route_faults(snapshot: Snapshot, topology: Data, peer: Peer) -> list[str]:
    """The next hop is the node, without onlink: nodes share a segment."""
    node = topology["nodes"][peer.node]
    wanted = {"gateway": node["address"], "dev": underlay(node), "protocol": "bird", "flags": []}
    return route_to_each(snapshot, peer.subnets, wanted)


def stranger_faults(snapshot: Snapshot, topology: Data, own: Peer, known: dict[str, Peer]) -> list[str]:
    """Sessions, prefixes and routes that are of no node of the topology, and of no peer outside.

    Where there are peers, nodes tell each other of the services' network, too, which no kernel gets (rejectcidrs).
    """
    blocks = {block for peer in known.values() for block in peer.subnets}
    outside = pod_network(topology)["cni"].get("peers", {})
    others = [node for name, node in topology["nodes"].items() if name != own.node]
    addresses = {one["address"] for one in (*others, *outside.values())}
    spoken = sessions(snapshot.text("bgp"))
    told = {pod_network(topology)["service_cidr"]} if outside else set()
    learned = [one for one in _learned(snapshot, spoken) if one.network not in told]
    return [
        *(
            f"session {one.name} with {one.neighbour}, no other node"
            for one in spoken
            if one.neighbour not in addresses
        ),
        *(f"{one.network} by {one.protocol} is no node's block" for one in learned if one.network not in blocks),
        *(
            f"route to {row['dst']} is to no node's block"
            for row in pod_routes(snapshot, topology)
            if row["dst"] not in blocks
        ),
        *(passed_on_faults(snapshot, topology, own, known) if reflectors(topology) else ()),
    ]


def mesh_faults(snapshot: Snapshot, topology: Data, own: Peer, known: dict[str, Peer]) -> list[str]:
    """What a node still has of the others when it must have no session with them."""
    addresses = {node["address"] for node in topology["nodes"].values()}
    theirs = {block for name, peer in known.items() if name != own.node for block in peer.subnets}
    there = [f"a route to {row['dst']}" for row in pod_routes(snapshot, topology) if row["dst"] in theirs]
    return [f"{own.node} has {what}" for what in there] + [
        f"{own.node} has session {one.name}" for one in sessions(snapshot.text("bgp")) if one.neighbour in addresses
    ]


FAULTS = {
    "no-device": device_faults,
    "session": session_faults,
    "no-session": no_session_faults,
    "prefix": prefix_faults,
    "reflected": reflected_faults,
    "route": route_faults,
}
