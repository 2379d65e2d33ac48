# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is claimed of routers outside that nodes speak BGP with, and what is concluded from what was seen. Pure.

This plugin util is PRIVATE to the collection. Source of the promises: Calico, confd's bird.cfg.template (Global peers,
next hop keep) and bird_ipam.cfg.template (what is announced).
"""

from __future__ import annotations

import typing as t

from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_bird import Session, sessions
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_claim import Claim, Peer, single
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_peering_seen import (
    BGP_PORT,
    UP,
    Router,
    Seen,
    is_reset,
    signed,
)
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_snapshot import BIRDCL
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_verdict import line
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_wire import Outcome

SHOW, ROUTES = "birdcl show protocols all", "birdcl show route all"
# Of each router and node: title and command.
PAIRS = {
    "session": (
        "BIRD of {node} has an established session with {router}, in AS {outside}",
        f"{BIRDCL} show protocols all",
    ),
    "heard": ("{router} has an established session with {node}, in AS {inside}", SHOW),
    "blocks": ("{router} has {node}'s blocks of every node's session, {node} as next hop, and in the kernel", ROUTES),
    "services": ("{router} has the services' network of {node}'s session, {node} as next hop", ROUTES),
}
# Of each router.
ALONE = {
    "way": ("the kernel of {router} has one route to the services' network, by a node", "ip route show proto bird"),
    "else": ("{router} has no other session and has learned nothing else", ROUTES),
    "reach": ("{router} reaches every pod, which sees its address, and the service", "ip route get ADDRESS"),
    "silent": ("without BIRD {router} has none of these routes and reaches neither", "ip route show proto bird"),
}
SIGNED = "every segment of BGP on {node}'s wire is signed, but for resets, and there are some of each session"
WRONG = "with another password {router} has no session: its kernel drops segments with a wrong signature"


def claims(topology: Data) -> list[Claim]:
    """All claims of a check, router by router."""
    cni = topology["cluster"]["cni"]
    found = []
    for router, peer in cni["peers"].items():
        words = {"router": router, "outside": peer["as_number"], "inside": cni["as_number"]}
        for node in topology["nodes"]:
            found += [
                Claim(node, key, title.format(node=node, **words), command, router)
                for key, (title, command) in PAIRS.items()
            ]
        found += [Claim("", key, title.format(**words), command, router) for key, (title, command) in ALONE.items()]
    if cni.get("password"):
        found += [
            Claim(node, "signed", SIGNED.format(node=node), f"tcpdump -nvi eth0 tcp port {BGP_PORT}")
            for node in topology["nodes"]
        ]
        found += [
            Claim("", "wrong", WRONG.format(router=router), "nstat -az 'TcpExtTCPMD5*'", router)
            for router in cni["peers"]
        ]
    return found


def faults(claim: Claim, seen: Seen) -> list[str]:
    """What speaks against a claim."""
    return FAULTS[claim.key](seen, claim)


def whole(router: Router, topology: Data, known: t.Mapping[str, Peer]) -> bool:
    """Whether a router has learned all that it must: every node tells of every block and of the services' network."""
    networks = {block for peer in known.values() for block in peer.subnets} | {topology["cluster"]["service_cidr"]}
    told = {(network, node["address"]) for network in networks for node in topology["nodes"].values()}
    names = {one.name: one.neighbour for one in router.sessions if one.state == UP}
    learned = {(one.network, names.get(one.protocol)) for one in router.prefixes}
    return told <= learned and networks <= {row["dst"] for row in router.routes}


def _session(seen: Seen, claim: Claim) -> list[str]:
    peer = seen.cni["peers"][claim.peer]
    return session_faults(sessions(seen.nodes[claim.node].text("bgp")), peer["address"], peer["as_number"])


def session_faults(found: list[Session], neighbour: str, as_number: int) -> list[str]:
    """One session with a neighbour, established, in its AS."""
    rows = [one._asdict() for one in found if one.neighbour == neighbour]
    return single(f"session with {neighbour}", rows, {"as_number": str(as_number), "state": UP})


def _heard(seen: Seen, claim: Claim) -> list[str]:
    router, address = seen.routers[claim.peer], seen.address(claim.node)
    wrong = session_faults(router.sessions, address, seen.cni["as_number"])
    return [f"{fault}; {router.why(address)}" for fault in wrong]


def _told_by(router: Router, address: str, network: str) -> list[Data]:
    """What a router has of a network by its session with a node."""
    names = {one.name for one in router.sessions if one.neighbour == address}
    found = [one for one in router.prefixes if one.protocol in names and one.network == network]
    return [{"via": one.via, **one.attributes} for one in found]


def _blocks(seen: Seen, claim: Claim) -> list[str]:
    """By the session with each node, for every node tells of every block; in the kernel it is by the node itself."""
    router, address = seen.routers[claim.peer], seen.address(claim.node)
    wanted = {"via": address, "BGP.next_hop": address, "BGP.as_path": str(seen.cni["as_number"])}
    found = []
    for block in seen.known[claim.node].subnets:
        for teller in seen.topology["nodes"]:
            rows = _told_by(router, seen.address(teller), block)
            found += single(f"{block} by {teller}", rows, wanted)
        kernel = [row for row in router.routes if row["dst"] == block]
        found += single(f"route to {block}", kernel, {"gateway": address, "protocol": "bird"})
    return found


def _services(seen: Seen, claim: Claim) -> list[str]:
    network, address = seen.topology["cluster"]["service_cidr"], seen.address(claim.node)
    wanted = {"via": address, "BGP.next_hop": address, "BGP.as_path": str(seen.cni["as_number"])}
    return single(f"{network} by {claim.node}", _told_by(seen.routers[claim.peer], address, network), wanted)


def _way(seen: Seen, claim: Claim) -> list[str]:
    network = seen.topology["cluster"]["service_cidr"]
    rows = [row for row in seen.routers[claim.peer].routes if row["dst"] == network]
    nodes = {seen.address(node) for node in seen.topology["nodes"]}
    strange = [f"it is by {row.get('gateway')}, no node" for row in rows if row.get("gateway") not in nodes]
    return single(f"route to {network}", rows, {"protocol": "bird"}) + strange


def _else(seen: Seen, claim: Claim) -> list[str]:
    router, nodes = seen.routers[claim.peer], {seen.address(node) for node in seen.topology["nodes"]}
    known = {block for peer in seen.known.values() for block in peer.subnets}
    known.add(seen.topology["cluster"]["service_cidr"])
    networks = sorted({one.network for one in router.prefixes} | {one["dst"] for one in router.routes})
    return [
        *(f"session with {one.neighbour}, no node" for one in router.sessions if one.neighbour not in nodes),
        *(
            f"{network} is not a block of a node's and not the services'"
            for network in networks
            if network not in known
        ),
    ]


def _probed(outcomes: list[Outcome], router: str) -> list[str]:
    mine = [one.record for one in outcomes if one.probe.source.name == router]
    return [line(one) for one in mine if not one["ok"]] if mine else ["no probe was made"]


def _reach(seen: Seen, claim: Claim) -> list[str]:
    return _probed(seen.outcomes, claim.peer)


def _silent(seen: Seen, claim: Claim) -> list[str]:
    kept = [f"the kernel of {claim.peer} still has a route to {row['dst']}" for row in seen.left[claim.peer]]
    return kept + _probed(seen.unanswered, claim.peer)


def _signed(seen: Seen, claim: Claim) -> list[str]:
    """Of a reset the kernel may not know the connection, so that it has no password to sign it with."""
    own, found = seen.address(claim.node), seen.segments[claim.node]
    others = [seen.address(node) for node in seen.topology["nodes"] if node != claim.node]
    others += [peer["address"] for peer in seen.cni["peers"].values()]
    spoken = {frozenset((packet.source, packet.destination)) for packet in found if signed(packet)}
    bare = sorted({(one.source, one.destination) for one in found if not signed(one) and not is_reset(one)})
    return [f"no signed segment between {own} and {one}" for one in others if frozenset((own, one)) not in spoken] + [
        f"a segment from {source} to {destination} without a signature" for source, destination in bare
    ]


def _wrong(seen: Seen, claim: Claim) -> list[str]:
    """No session on either side, nothing learned, and the reason: what the kernel dropped."""
    router, address = seen.wrong[claim.peer], seen.cni["peers"][claim.peer]["address"]
    up = [f"{claim.peer} has a session with {one.neighbour}" for one in router.sessions if one.state == UP]
    for node, snapshot in seen.refusing.items():
        up += [
            f"{node} has a session with {address}"
            for one in sessions(snapshot.text("bgp"))
            if (one.neighbour, one.state) == (address, UP)
        ]
    up += [f"{claim.peer} has learned {one.network}" for one in router.prefixes]
    dropped = router.dropped.get("TCPMD5Failure", 0)
    return up + ([] if dropped else ["no segment with a wrong signature came: something else keeps sessions down"])


FAULTS: dict[str, t.Callable[[Seen, Claim], list[str]]] = {
    "session": _session,
    "heard": _heard,
    "blocks": _blocks,
    "services": _services,
    "way": _way,
    "else": _else,
    "reach": _reach,
    "silent": _silent,
    "signed": _signed,
    "wrong": _wrong,
}
