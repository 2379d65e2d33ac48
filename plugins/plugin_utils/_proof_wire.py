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

from ansible_collections.reftopo.lab.plugins.module_utils._cni_backend import backend_of, pod_network
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data, Endpoint, Probe, ProofError
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_outer import (
    WAYS,
    Outer,
    packet_faults,
)
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_pcap import Packet, Tunnel, packets, with_key
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_verdict import line
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_hosts import OVERHEAD
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_way import mechanism, underlay, way


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
    way: str

    @property
    def case(self) -> str:
        """The stream in a test case's id."""
        return f"{self.source}-{self.target or 'service'}-{self.protocol}"

    @property
    def title(self) -> str:
        """The claim that is made of them."""
        ends = f"pods on {self.target}" if self.target else "the service's pods on other nodes"
        return f"{self.protocol} from pods on {self.source} to {ends} {WAYS[self.way]}"


def streams(topology: Data) -> list[Stream]:
    """Every ordered pair of nodes by every protocol, and in a cluster every node's way through the service."""
    pairs, any_way = itertools.permutations(topology["nodes"], 2), mechanism(pod_network(topology)["cni"])
    direct = [Stream(*pair, protocol, way(topology, *pair)) for pair in pairs for protocol in ("icmp", "tcp", "udp")]
    served = topology["nodes"] if "cluster" in topology else ()
    return direct + [Stream(node, None, protocol, any_way) for node in served for protocol in ("tcp", "udp")]


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


def within(address: str, networks: t.Collection[ipaddress.IPv4Network]) -> bool:
    """Whether an address is in one of the networks."""
    return any(ipaddress.IPv4Address(address) in net for net in networks)


def addressed_in(networks: t.Collection[ipaddress.IPv4Network], packets: list[Packet]) -> list[Packet]:
    """Packets whose outermost header has an address in one of the networks."""
    return [packet for packet in packets if within(packet.source, networks) or within(packet.destination, networks)]


def outcome_faults(outcome: Outcome, pod: Endpoint, evidence: Evidence) -> list[str]:
    """Why a probe's packets do not prove encapsulation at both ends."""
    if not outcome.record["ok"]:
        return [line(outcome.record)]
    ends = (str(outcome.probe.source.node), str(pod.node))
    captured, faults = at_both_ends(evidence, ends, outcome.probe.key)
    nodes = [evidence.topology["nodes"][end] for end in ends]
    outer = Outer(
        way(evidence.topology, *ends),
        pod_network(evidence.topology)["cni"],
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


def captured_at(outcome: Outcome, topology: Data) -> tuple[str, str]:
    """The nodes, or without pods the hosts, between which a probe's packets were captured."""
    source, target = outcome.probe.source, outcome.probe.target
    return (str(source.node), str(target.node)) if pod_network(topology) else (source.machine, target.machine)


def frame(outcome: Outcome, topology: Data) -> int:
    """The length in bytes that a packet of the path's MTU has on the wire between two nodes, or two hosts."""
    if not pod_network(topology):
        return int(outcome.probe.size or 0) + OVERHEAD
    ends, cni = captured_at(outcome, topology), pod_network(topology)["cni"]
    return int(cni["mtu"]) + backend_of(cni, way(topology, *ends)).overhead


def size_faults(outcome: Outcome, evidence: Evidence, mtu: int) -> list[str]:
    """A packet of exactly the path's MTU must have this length on the wire, in one piece, at both ends."""
    faults = []
    for end in captured_at(outcome, evidence.topology):
        seen = with_key(evidence.captures[end], outcome.probe.key)
        faults += [] if seen else [f"{end}: no packet of the probe was captured"]
        wrong = [packet for packet in seen if packet.length != mtu or packet.fragment]
        faults += [f"{end}: a packet of {packet.length} bytes on the wire, not one of {mtu}" for packet in wrong]
    return faults
