# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the probes' packets looked like on the wire between the nodes. Pure.

This plugin util is PRIVATE to the collection. Every probe carries a key, so each captured packet is known to belong to
one probe; the keys inside VXLAN and those outside tell what was encapsulated and what was not.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import itertools
import re
import typing as t

from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data, Endpoint, Probe, ProofError
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_outer import (
    WAYS,
    Outer,
    bare,
    in_tunnel,
    packet_faults,
)
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_pcap import Packet, Tunnel, packets, with_key
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_plan import underlay
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_verdict import line


@dataclasses.dataclass(frozen=True, eq=False)
class Outcome:
    """A probe that ran, what the agent said, and the verdict; each is itself only."""

    probe: Probe
    result: Data
    record: Data


@dataclasses.dataclass(frozen=True)
class Evidence:
    """All that one run saw: outcomes, and each node's captured packets."""

    topology: Data
    pods: list[Endpoint]
    outcomes: list[Outcome]
    captures: dict[str, list[Packet]]


@dataclasses.dataclass(frozen=True)
class Stream:
    """Packets of one kind that leave a node: to the pods of one other node, or through the service to any other."""

    source: str
    target: str | None
    protocol: str
    backend: str

    @property
    def case(self) -> str:
        """The stream in a test case's id."""
        return f"{self.source}-{self.target or 'service'}-{self.protocol}"

    @property
    def title(self) -> str:
        """The claim that is made of them."""
        way = f"pods on {self.target}" if self.target else "the service's pods on other nodes"
        return f"{self.protocol} from pods on {self.source} to {way} {WAYS[self.backend]}"


def streams(topology: Data) -> list[Stream]:
    """Every ordered pair of nodes by every protocol, and every node's way through the service."""
    backend = topology["cluster"]["cni"]["backend"]
    pairs = itertools.permutations(topology["nodes"], 2)
    direct = [Stream(*pair, protocol, backend) for pair in pairs for protocol in ("icmp", "tcp", "udp")]
    return direct + [Stream(node, None, protocol, backend) for node in topology["nodes"] for protocol in ("tcp", "udp")]


def capture_packets(machine: str, pcap: bytes, log: str, tunnel: Tunnel | None) -> list[Packet]:
    """The packets of a capture, which must be whole: what was dropped may be what was looked for."""
    dropped = re.search(r"^(\d+) packets? dropped by kernel", log, re.MULTILINE)
    if not dropped or int(dropped.group(1)):
        raise ProofError(f"{machine}: the capture is not whole: {log.strip()[-200:]}")
    return packets(pcap, tunnel)


def answering_pod(outcome: Outcome, pods: list[Endpoint]) -> Endpoint | None:
    """The pod at the other end: the target itself, or the one that answered for the service."""
    if outcome.probe.target.kind == "pods":
        return outcome.probe.target
    return next((pod for pod in pods if outcome.result.get("server") in pod.answers), None)


def belongs(outcome: Outcome, stream: Stream) -> bool:
    """Whether a probe between pods left this node in this way."""
    probe = outcome.probe
    return (
        (probe.source.kind, probe.source.node, probe.protocol) == ("pods", stream.source, stream.protocol)
        and probe.target.kind == ("pods" if stream.target else "services")
        and probe.size is None
    )


def crossing(stream: Stream, evidence: Evidence) -> list[tuple[Outcome, Endpoint]]:
    """The probes of a stream, with the pod at the other end."""
    ends = [(o, answering_pod(o, evidence.pods)) for o in evidence.outcomes if belongs(o, stream)]
    others = {stream.target} if stream.target else set(evidence.topology["nodes"]) - {stream.source}
    return [(outcome, pod) for outcome, pod in ends if pod and pod.node in others]


def at_both_ends(evidence: Evidence, ends: t.Iterable[str], key: str) -> tuple[list[tuple[str, Packet]], list[str]]:
    """A probe's packets with the end where each was captured; and what is wrong with their numbers."""
    seen = {end: with_key(evidence.captures[end], key) for end in ends}
    counts = {end: len(found) for end, found in seen.items()}
    equal = len(set(counts.values())) == 1 and all(counts.values())
    faults = [] if equal else [f"packets captured at each end: {counts}"]
    return [(end, packet) for end, found in seen.items() for packet in found], faults


def addressed_in(networks: t.Collection[ipaddress.IPv4Network], packets: list[Packet]) -> list[str]:
    """Packets whose outermost header has an address in one of the networks."""
    return [
        bare(packet)
        for packet in packets
        if any(ipaddress.ip_address(one) in net for one in (packet.source, packet.destination) for net in networks)
    ]


def outcome_faults(outcome: Outcome, pod: Endpoint, evidence: Evidence) -> list[str]:
    """Why a probe's packets do not prove encapsulation at both ends."""
    if not outcome.record["ok"]:
        return [line(outcome.record)]
    ends = (str(outcome.probe.source.node), str(pod.node))
    captured, faults = at_both_ends(evidence, ends, outcome.probe.key)
    nodes = [evidence.topology["nodes"][end] for end in ends]
    outer = Outer(
        evidence.topology["cluster"]["cni"],
        {node["address"] for node in nodes},
        {outcome.probe.source.address, pod.address},
        {end.address: mac(node) for end, node in zip((outcome.probe.source, pod), nodes)},
    )
    return faults + [f"{end}: {fault}" for end, packet in captured for fault in packet_faults(packet, outer)]


def mac(node: Data) -> str:
    """The MAC address of a node's underlay interface."""
    return str(node["interfaces"][underlay(node)].get("mac", ""))


def stream_faults(stream: Stream, evidence: Evidence) -> list[str]:
    """Why a stream is not proven to take its way; no packets at all prove nothing."""
    found = crossing(stream, evidence)
    if not found:
        return ["no probe was answered by a pod on the other end"]
    return [fault for outcome, pod in found for fault in outcome_faults(outcome, pod, evidence)]


def bare_faults(node: str, evidence: Evidence) -> list[str]:
    """Packets whose outermost header has a pod's address."""
    pods = ipaddress.IPv4Network(evidence.topology["cluster"]["pod_cidr"])
    return addressed_in([pods], evidence.captures[node])


def tunnel_faults(node: str, evidence: Evidence) -> list[str]:
    """Packets that a tunnel made."""
    found = [packet for packet in evidence.captures[node] if in_tunnel(packet)]
    return [f"{p.protocol} packet from {p.source} to {p.destination}, port {p.destination_port}" for p in found]


def blind_faults(node: str, evidence: Evidence) -> list[str]:
    """The capture's own control: probes between nodes, which travel bare, must be in it and be told from VXLAN."""
    between = [o for o in evidence.outcomes if o.probe.source.kind == o.probe.target.kind == "nodes"]
    crossed = [o for o in between if o.probe.protocol == "icmp" and o.probe.source != o.probe.target]
    own = [o for o in crossed if node in (o.probe.source.name, o.probe.target.name)]
    if not own:
        return ["no probe between nodes was made"]
    bare = {o: [p for p in with_key(evidence.captures[node], o.probe.key) if not p.inner] for o in own}
    return [
        f"no bare packet of the probe {outcome.probe.source.name} -> {outcome.probe.target.name}"
        for outcome, found in bare.items()
        if not found
    ]


def leak_faults(node: str, evidence: Evidence) -> list[str]:
    """Probes between pods of one node must not be on the wire at all."""
    local = [
        o
        for o in evidence.outcomes
        if o.probe.source.kind == o.probe.target.kind == "pods" and o.probe.source.node == o.probe.target.node == node
    ]
    if not local:
        return ["no probe between pods of this node was made"]
    return [f"on the wire: {line(o.record)}" for o in local if with_key(evidence.captures[node], o.probe.key)]


def size_faults(outcome: Outcome, evidence: Evidence, mtu: int) -> list[str]:
    """A packet of exactly the path's MTU must fill the underlay's frames, in one piece, at both ends."""
    faults = []
    for end in (str(outcome.probe.source.node), str(outcome.probe.target.node)):
        seen = with_key(evidence.captures[end], outcome.probe.key)
        faults += [] if seen else [f"{end}: no packet of the probe was captured"]
        wrong = [packet for packet in seen if packet.length != mtu or packet.fragment]
        faults += [f"{end}: a packet of {packet.length} bytes on the wire, not one of {mtu}" for packet in wrong]
    return faults


# What is claimed of each node's capture: title and the function that finds what speaks against it.
CAPTURE_CLAIMS: dict[str, tuple[str, t.Callable[[str, Evidence], list[str]]]] = {
    "sees-bare": ("the capture shows what travels bare: probes between the nodes themselves", blind_faults),
    "no-bare": ("no packet on the wire has a pod's address in its outermost header", bare_faults),
    "no-tunnel": ("no packet on the wire is in VXLAN, in flannel's UDP or in another IP packet", tunnel_faults),
    "no-local": ("probes between pods of this node are not on the wire", leak_faults),
}


def capture_claims(topology: Data) -> list[str]:
    """The keys of what is claimed of a cluster's captures: bare is what host-gw promises, and what a tunnel forbids."""
    other = "no-bare" if topology["cluster"]["cni"]["backend"] == "host-gw" else "no-tunnel"
    return [key for key in CAPTURE_CLAIMS if key != other]
