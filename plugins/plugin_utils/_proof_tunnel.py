# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""VXLAN between machines that are namespaces: what is claimed of their links, their FDB, and the wire. Pure.

This plugin util is PRIVATE to the collection. Source of the claims: RFC 7348 sections 4.1 and 4.2; a frame for a known
MAC address goes to the one tunnel endpoint behind which it was learned, any other to the group, or to each endpoint of
the flood list (the all-zeros entries of vxlan's FDB, drivers/net/vxlan/vxlan_core.c).
"""

from __future__ import annotations

import dataclasses
import ipaddress
import itertools
import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils._link_entry import FLOOD
from ansible_collections.reftopo.lab.plugins.module_utils._link_kind import given_options
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_frames import BROADCAST, flooded, misplaced, unseen
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data, Endpoint, Probe
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_outer import bare
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_pcap import Packet, with_key
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_verdict import line
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_wire import (
    Evidence,
    Outcome,
    addressed_in,
    at_both_ends,
)

PROTOCOLS = ("icmp", "tcp", "udp")


class Tunnel(t.NamedTuple):
    """A machine's VXLAN link: where it is, its underlay link and address there, and where unknown frames go."""

    machine: str
    netns: str
    device: str
    underlay: str
    address: str
    vni: int
    port: int
    flood: frozenset[str]


class Claim(t.NamedTuple):
    """What is claimed of a machine; peer and protocol where it is of a pair."""

    machine: str
    key: str
    title: str
    command: str
    peer: str = ""
    protocol: str = ""

    @property
    def case(self) -> str:
        """The claim in a test case's id."""
        return "-".join(filter(None, (self.machine, self.key, self.peer, self.protocol)))


def forget(topology: Data) -> list[tuple[str, str]]:
    """Commands by which all that was learned is forgotten: neighbours, and what is in the FDB of a VXLAN link.

    Each has the name of its namespace before it. There are none where no frame is in a tunnel. Else what was learned
    before would hide that a flood entry is missing, and no broadcast would be seen. A VXLAN link that goes down keeps
    its permanent entries (vxlan_stop in drivers/net/vxlan/vxlan_core.c).
    """
    found = tunnels(topology).values()
    machines = topology["namespaces"].items() if found or "hosts" in topology else ()
    ups = [(one, state) for one in found for state in ("down", "up")]
    return [
        *((name, f"ip -n {machine['netns']} neigh flush all") for name, machine in machines),
        *((one.machine, f"ip -n {one.netns} link set dev {one.device} {state}") for one, state in ups),
    ]


def tunnels(topology: Data) -> dict[str, Tunnel]:
    """The VXLAN links of a topology's namespaces, by machine."""
    found = {}
    for name, machine in topology["namespaces"].items():
        for device, link in _links(topology, machine).items():
            if link.get("kind") == "vxlan":
                found[name] = _tunnel(machine, device, link)
    return found


def _links(topology: Data, machine: Data) -> Data:
    """The links of a namespace, on whichever host it is."""
    part = topology["hosts"][machine["host"]]["part"] if "host" in machine else topology
    return t.cast("Data", part["link_state"]["namespaces"][machine["name"]]["links"])


def _tunnel(machine: Data, device: str, link: Data) -> Tunnel:
    address = machine["interfaces"][link["dev"]]["address"].partition("/")[0]
    options = given_options("vxlan", link)
    flood = {options["group"], options["remote"]} - {""}
    flood |= {entry["dst"] for entry in link.get("fdb", ()) if entry["mac"] == FLOOD}
    where = (machine["name"], machine["netns"], device, link["dev"], address)
    return Tunnel(*where, options["id"], options["port"], frozenset(flood))


def members(topology: Data) -> dict[str, list[Data]]:
    """The interfaces behind each machine's tunnel: those on its bridge, and the bridge itself."""
    found: dict[str, list[Data]] = {name: [] for name in tunnels(topology)}
    for name, machine in topology["namespaces"].items():
        for interface in machine["interfaces"].values():
            place = name if interface.get("kind") == "bridge" else interface.get("at")
            if place in found:
                found[place].append({"name": name, **interface})
    return found


def claims(topology: Data) -> list[Claim]:
    """All claims, machine by machine, in the order in which a frame meets what they are about."""
    found = tunnels(topology)
    return [
        claim for machine in found for claim in _claims(found[machine], [peer for peer in found if peer != machine])
    ]


def _claims(tunnel: Tunnel, peers: list[str]) -> t.Iterator[Claim]:
    name, fdb = tunnel.machine, f"bridge -n {tunnel.netns} fdb show dev {tunnel.device}"
    dump = f"ip netns exec {tunnel.netns} tcpdump -nei {tunnel.underlay}"
    yield Claim(name, "bare", f"the capture on {tunnel.underlay} shows what travels bare", dump)
    where = " and ".join(sorted(tunnel.flood))
    yield Claim(name, "flood", f"broadcast frames go to {where} and nowhere else", f"{dump} udp port {tunnel.port}")
    yield Claim(name, "inside", "no packet on the wire has an inner address in its outermost header", dump)
    yield Claim(name, "local", "what stays on this machine is not on the wire", dump)
    for peer in peers:
        yield Claim(name, "learned", f"{tunnel.device} has learned the MAC addresses behind {peer}", fdb, peer)
        for protocol in PROTOCOLS:
            title = f"{protocol} to what is behind {peer} travels in VXLAN with VNI {tunnel.vni} to {peer} alone"
            yield Claim(name, "stream", title, f"{dump} udp port {tunnel.port}", peer, protocol)


def faults(claim: Claim, evidence: Evidence, fdb: list[Data]) -> list[str]:
    """What speaks against a claim; fdb is that of the machine's VXLAN link after the probes."""
    if claim.key == "learned":
        return learned_faults(claim, evidence.topology, fdb)
    if claim.key == "stream":
        return stream_faults(claim, evidence)
    return {"bare": bare_faults, "flood": flood_faults, "inside": inside_faults, "local": local_faults}[claim.key](
        claim.machine, evidence
    )


def learned_faults(claim: Claim, topology: Data, fdb: list[Data]) -> list[str]:
    return misplaced(members(topology)[claim.peer], tunnels(topology)[claim.peer].address, fdb)


def between(evidence: Evidence, machine: str, peer: str) -> list[Outcome]:
    """The probes from what is behind one machine's tunnel to what is behind another's."""
    behind = {name: {member["name"] for member in found} for name, found in members(evidence.topology).items()}
    return [
        outcome
        for outcome in evidence.outcomes
        if outcome.probe.source.name in behind[machine]
        and outcome.probe.target.name in behind[peer]
        and not is_bare(outcome, evidence)
    ]


def is_bare(outcome: Outcome, evidence: Evidence) -> bool:
    """Whether a probe is one of those between underlay addresses, which the check makes itself."""
    return "mechanism" in evidence.topology["checks"][outcome.probe.check]


def bare_samples(name: str, topology: Data, found: dict[str, list[Endpoint]]) -> list[Probe]:
    """Probes between the machines' underlay addresses: they travel bare, so a capture without them is blind."""
    ends = {end.name: end for end in found["namespaces"]}
    return [
        Probe(name, ends[one.machine], dataclasses.replace(ends[other.machine], address=other.address), "icmp")
        for one, other in itertools.permutations(tunnels(topology).values(), 2)
    ]


def stream_faults(claim: Claim, evidence: Evidence) -> list[str]:
    """Why probes are not proven to be in VXLAN, seen at both ends, between the two machines alone."""
    found = [o for o in between(evidence, claim.machine, claim.peer) if o.probe.protocol == claim.protocol]
    faulty = [fault for outcome in found for fault in _outcome_faults(outcome, claim, evidence)]
    return faulty if found else ["no probe was made"]


def _outcome_faults(outcome: Outcome, claim: Claim, evidence: Evidence) -> list[str]:
    if not outcome.record["ok"]:
        return [line(outcome.record)]
    ends = [tunnels(evidence.topology)[name] for name in (claim.machine, claim.peer)]
    captured, faulty = at_both_ends(evidence, (claim.machine, claim.peer), outcome.probe.key)
    return faulty + [f"{end}: {fault}" for end, packet in captured for fault in _packet_faults(packet, ends)]


def _packet_faults(packet: Packet, ends: list[Tunnel]) -> list[str]:
    if packet.vni is None:
        return [bare(packet)]
    found = []
    if {packet.source, packet.destination} != {end.address for end in ends}:
        found.append(f"outer addresses {packet.source} and {packet.destination}, not the two machines'")
    if (packet.vni, packet.destination_port) != (ends[0].vni, ends[0].port):
        found.append(f"VNI {packet.vni} and port {packet.destination_port}, not {ends[0].vni} and {ends[0].port}")
    return found


def flood_faults(machine: str, evidence: Evidence) -> list[str]:
    """Where the broadcasts of a machine's tunnel go: to all of the flood list, and to nothing else."""
    tunnel = tunnels(evidence.topology)[machine]
    sent = [p for p in evidence.captures[machine] if p.source == tunnel.address and p.frame[:6] == BROADCAST]
    return flooded(sent, tunnel.flood)


def inside_faults(machine: str, evidence: Evidence) -> list[str]:
    """Packets whose outermost header has an address of what is behind the tunnels."""
    found = itertools.chain.from_iterable(members(evidence.topology).values())
    networks = {ipaddress.IPv4Interface(member["address"]).network for member in found}
    return [bare(packet) for packet in addressed_in(networks, evidence.captures[machine])]


def local_faults(machine: str, evidence: Evidence) -> list[str]:
    found = between(evidence, machine, machine)
    leaked = [line(o.record) for o in found if with_key(evidence.captures[machine], o.probe.key)]
    return leaked if found else ["no probe within this machine was made"]


def bare_faults(machine: str, evidence: Evidence) -> list[str]:
    """The capture's own control: probes between the machines' underlay addresses must be in it, outside of VXLAN."""
    sent = [o for o in evidence.outcomes if is_bare(o, evidence) and o.probe.source.name == machine]
    missing = unseen(sent, evidence.captures[machine])
    return missing if sent else ["no probe between the machines' underlay addresses was made"]
