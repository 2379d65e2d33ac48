# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Segments that are on several hosts: what is claimed of the way between them, at each host. Pure.

This plugin util is PRIVATE to the collection. What a frame meets is as between machines that are namespaces
(_proof_tunnel), but there is one way for each segment, and it is the hosts' own network that carries it.
"""

from __future__ import annotations

import ipaddress
import typing as t

from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_between import (
    address,
    hosts,
    members,
    places,
    segments,
)
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_frames import BROADCAST, flooded, misplaced, unseen
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_outer import bare
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_pcap import Packet, with_key
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_tunnel import PROTOCOLS
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_verdict import line
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_wire import (
    Evidence,
    Outcome,
    addressed_in,
    at_both_ends,
)


class Claim(t.NamedTuple):
    """What is claimed at a host; segment, peer and protocol where it is of one, of a pair, of a kind of packets."""

    machine: str
    key: str
    title: str
    command: str
    segment: str = ""
    peer: str = ""
    protocol: str = ""

    @property
    def case(self) -> str:
        """The claim in a test case's id."""
        return "-".join(filter(None, (self.machine, self.key, self.segment, self.peer, self.protocol)))


def claims(topology: Data) -> list[Claim]:
    """All claims, host by host, in the order in which a frame meets what they are about."""
    return [claim for host in hosts(topology) for claim in _claims(topology, host)]


def _claims(topology: Data, host: str) -> t.Iterator[Claim]:
    own, dump = address(topology, host), "tcpdump -nei any"
    yield Claim(host, "bare", f"the capture at {own} shows what travels bare", f"{dump} icmp")
    yield Claim(host, "inside", "no packet on the wire has an inner address in its outermost header", dump)
    yield Claim(host, "local", "what stays on this host is not on the wire", dump)
    for name, segment in segments(topology).items():
        if host in segment["hosts"]:
            yield from _of_segment(name, segment, host, [other for other in segment["hosts"] if other != host])


def _of_segment(name: str, segment: Data, host: str, others: list[str]) -> t.Iterator[Claim]:
    dump = f"tcpdump -T vxlan -nei any udp port {segment['port']}"
    title = f"broadcast frames of {name} go to {' and '.join(others)} and nowhere else"
    yield Claim(host, "flood", title, dump, name)
    for peer in others:
        title = f"{segment['tunnel']} has learned the MAC addresses of {name} on {peer}"
        yield Claim(host, "learned", title, f"bridge fdb show dev {segment['tunnel']}", name, peer)
        for protocol in PROTOCOLS:
            where = f"VXLAN with VNI {segment['vni']} and port {segment['port']} to {peer} alone"
            yield Claim(
                host, "stream", f"{protocol} to {name} on {peer} travels in {where}", dump, name, peer, protocol
            )


def faults(claim: Claim, evidence: Evidence, fdb: list[Data]) -> list[str]:
    """What speaks against a claim; fdb is that of the VXLAN link after the probes."""
    if claim.key == "learned":
        return learned_faults(claim, evidence.topology, fdb)
    judges = {
        "bare": bare_faults,
        "inside": inside_faults,
        "local": local_faults,
        "flood": flood_faults,
        "stream": stream_faults,
    }
    return judges[claim.key](claim, evidence)


def learned_faults(claim: Claim, topology: Data, fdb: list[Data]) -> list[str]:
    return misplaced(members(topology, claim.segment, claim.peer), address(topology, claim.peer), fdb)


def between(evidence: Evidence, segment: str, host: str, peer: str) -> list[Outcome]:
    """The probes from a segment's machines on one host to those on another, or on the same."""
    return [
        outcome
        for outcome in evidence.outcomes
        if outcome.probe.size is None
        and places(evidence.topology, segment, outcome.probe.source) == [host]
        and places(evidence.topology, segment, outcome.probe.target) == [peer]
    ]


def stream_faults(claim: Claim, evidence: Evidence) -> list[str]:
    """Why probes are not proven to be in VXLAN, seen at both hosts, between these two alone."""
    found = between(evidence, claim.segment, claim.machine, claim.peer)
    own = [outcome for outcome in found if outcome.probe.protocol == claim.protocol]
    return [fault for one in own for fault in _outcome_faults(one, claim, evidence)] if own else ["no probe was made"]


def _outcome_faults(outcome: Outcome, claim: Claim, evidence: Evidence) -> list[str]:
    if not outcome.record["ok"]:
        return [line(outcome.record)]
    ends = (claim.machine, claim.peer)
    captured, faulty = at_both_ends(evidence, ends, outcome.probe.key)
    outer = {address(evidence.topology, end) for end in ends}
    inner = {outcome.probe.source.address, outcome.probe.target.address}
    segment = evidence.topology["segments"][claim.segment]
    return faulty + [f"{end}: {fault}" for end, one in captured for fault in _packet_faults(one, segment, outer, inner)]


def _packet_faults(packet: Packet, segment: Data, outer: set[str], inner: set[str]) -> list[str]:
    if packet.inner is None:
        return [bare(packet)]
    found = []
    if {packet.source, packet.destination} != outer:
        found.append(f"outer addresses {packet.source} and {packet.destination}, not the two hosts'")
    if {packet.inner.source, packet.inner.destination} != inner:
        found.append(f"inner addresses {packet.inner.source} and {packet.inner.destination}, not the two machines'")
    if (packet.vni, packet.destination_port) != (segment["vni"], segment["port"]):
        found.append(f"VNI {packet.vni} and port {packet.destination_port}, not {segment['vni']} and {segment['port']}")
    return found


def flood_faults(claim: Claim, evidence: Evidence) -> list[str]:
    """Where the broadcasts of a segment go from a host: to all others that have it, and to nothing else."""
    topology = evidence.topology
    own, segment = address(topology, claim.machine), topology["segments"][claim.segment]
    others = {address(topology, host) for host in segment["hosts"] if host != claim.machine}
    captured = evidence.captures[claim.machine]
    sent = [p for p in captured if (p.source, p.vni, p.frame[:6]) == (own, segment["vni"], BROADCAST)]
    return flooded(sent, others)


def inside_faults(claim: Claim, evidence: Evidence) -> list[str]:
    """Packets whose outermost header has an address of a segment that is between the hosts."""
    networks = [ipaddress.IPv4Network(one["cidr"]) for one in segments(evidence.topology).values()]
    return [bare(packet) for packet in addressed_in(networks, evidence.captures[claim.machine])]


def local_faults(claim: Claim, evidence: Evidence) -> list[str]:
    names, host = segments(evidence.topology), claim.machine
    found = [outcome for name in names for outcome in between(evidence, name, host, host)]
    leaked = [line(o.record) for o in found if with_key(evidence.captures[host], o.probe.key)]
    return leaked if found else ["no probe within this host was made"]


def bare_faults(claim: Claim, evidence: Evidence) -> list[str]:
    """The capture's own control: probes between the hosts themselves must be in it, outside of VXLAN."""
    sent = [o for o in evidence.outcomes if o.probe.source.kind == "hosts" and o.probe.source.name == claim.machine]
    missing = unseen(sent, evidence.captures[claim.machine])
    return missing if sent else ["no probe between the hosts' own addresses was made"]
