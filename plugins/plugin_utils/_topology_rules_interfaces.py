# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules on segments and on the interfaces in them. PRIVATE to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_allocate import gateway
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_interfaces import (
    Interface,
    bridges,
    in_order,
    interfaces,
    routers,
)
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_names import mac_address
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_problem import Problem, did_you_mean

try:
    import netaddr
except ImportError:  # the inventory plugin says what is missing
    netaddr = None

Data = dict[str, t.Any]

# A longer prefix leaves no room for a host beside the gateway, the network's and the broadcast address.
LONGEST_PREFIX = 30


def segment_problems(topology: Data) -> t.Iterator[Problem]:
    """Gateways and routers that are not on their segment, too few addresses, and wires with not two ends."""
    inside, joins = bridges(topology), routers(topology)
    for name, segment in in_order(topology.get("segments")):
        if segment and segment.get("router") and name not in joins:
            yield _router_problem(f"segments.{name}.router", segment["router"], topology)
        ends = [interface for interface in interfaces(topology) if interface.segment == name]
        yield from _bridge_problems(f"segments.{name}", segment or {}, ends, inside.get(name, {}))
        if segment and segment.get("kind") == "veth":
            yield from _wire_problems(f"segments.{name}", segment, ends)
        elif segment and segment.get("cidr") and segment.get("kind") != "existing":
            network = netaddr.IPNetwork(segment["cidr"])
            yield from _size_problems(f"segments.{name}.cidr", network, len(ends))
            if network.prefixlen <= LONGEST_PREFIX and segment.get("gateway"):
                yield from _host_problems(f"segments.{name}.gateway", segment["gateway"], network)


def _router_problem(path: str, router: str, topology: Data) -> Problem:
    """A router must be there, and on its segment."""
    names = [*(topology.get("namespaces") or {})]
    if router in names:
        return Problem(path, f"{router} has no interface on this segment", "give it one, or name another namespace")
    fix = did_you_mean(router, names) if names else "add it to namespaces"
    return Problem(path, f"there is no namespace {router}", fix)


def _bridge_problems(
    path: str, segment: Data, ends: list[Interface], inside: dict[str, Interface]
) -> t.Iterator[Problem]:
    """Bridges in namespaces where none can be, and interfaces that are not told which of them they are plugged into."""
    if segment.get("gateway") and (inside or segment.get("kind") == "veth"):
        what = "the segment has no bridge on this host, whose address this would be"
        yield Problem(f"{path}.gateway", what, "remove gateway; a bridge in a namespace has an address of its own")
    if segment.get("router") and inside:
        what = "machines on a bridge in a namespace have their default route by that bridge already"
        yield Problem(f"{path}.router", what, "remove router")
    for end in ends:
        if end.kind == "bridge":
            yield from _place_of_bridge(end, segment, inside.get(end.machine, end))
        elif inside and end.section == "nodes":
            what = f"node {end.machine} cannot be on a bridge in a namespace: this host would not reach it"
            yield Problem(f"{end.path}.segment", what, "put it on a segment with its bridge on this host")
        elif end.at not in inside and (end.at or len(inside) > 1):
            yield _unplugged(end, sorted(inside))


def _place_of_bridge(end: Interface, segment: Data, chosen: Interface) -> t.Iterator[Problem]:
    path = f"{end.path}.kind"
    if end.section == "nodes":
        yield Problem(path, "a node's interface cannot be a bridge", "put the bridge in a namespace, or remove kind")
    elif segment.get("kind") == "veth":
        yield Problem(path, "a veth pair has no bridge", "remove kind, or let the segment be of kind bridge")
    elif end != chosen:
        yield Problem(path, f"{chosen.name} is a bridge of the segment already", "keep one of them in a namespace")
    if end.at:
        yield Problem(f"{end.path}.at", "a bridge is plugged into nothing", "remove at")


def _unplugged(end: Interface, names: list[str]) -> Problem:
    if not names:
        return Problem(f"{end.path}.at", f"segment {end.segment} has no bridge in a namespace", "remove at")
    if end.at:
        return Problem(
            f"{end.path}.at", f"segment {end.segment} has no bridge in {end.at}", did_you_mean(end.at, names)
        )
    what = f"segment {end.segment} has bridges in {', '.join(names)}, and it is not told which"
    return Problem(f"{end.path}.at", what, f"add it, for instance at: {names[0]}")


def _wire_problems(path: str, segment: Data, ends: list[Interface]) -> t.Iterator[Problem]:
    """A veth pair has two ends (veth(4)); a node would be out of the host's reach behind one."""
    if len(ends) != 2:
        what = f"a veth pair has two ends, but {len(ends)} interfaces are on this segment"
        yield Problem(f"{path}.kind", what, "put exactly two on it, or use kind: bridge")
    for end in ends:
        if end.section == "nodes":
            what = f"node {end.machine} cannot be on a veth pair: this host would not reach it"
            yield Problem(f"{end.path}.segment", what, "put it on a segment of kind bridge")
    if segment.get("cidr") and netaddr.IPNetwork(segment["cidr"]).prefixlen > LONGEST_PREFIX:
        yield Problem(f"{path}.cidr", "holds fewer than two hosts", f"use a prefix of /{LONGEST_PREFIX} or shorter")


def _size_problems(path: str, network: netaddr.IPNetwork, count: int) -> t.Iterator[Problem]:
    needed = count + 1  # the gateway
    if network.prefixlen > LONGEST_PREFIX or needed > network.size - 2:
        # Two addresses more, the network's and the broadcast address, rounded up to a power of two.
        prefix = min(LONGEST_PREFIX, 32 - (needed + 1).bit_length())
        has = f"{network.cidr} has {max(network.size - 2, 0)} host addresses"
        what = f"{has}, too few for the gateway and {count} interfaces"
        yield Problem(path, what, f"use a prefix of /{prefix} or shorter")


def interface_problems(topology: Data) -> t.Iterator[Problem]:
    """Interfaces in no segment, and addresses that are outside of it, special, or there twice."""
    segments, inside = topology.get("segments"), bridges(topology)
    addresses: dict[str, str] = {}
    macs = dict(_derived_macs(topology))
    for interface in interfaces(topology):
        if segments and interface.segment:
            yield from _place_problems(interface, segments, inside.get(interface.segment, {}))
        if interface.address:
            yield from _duplicate(f"{interface.path}.address", interface.address, addresses)
        if interface.mac:
            yield from _duplicate(f"{interface.path}.mac", interface.mac.lower(), macs)


def _derived_macs(topology: Data) -> t.Iterator[tuple[str, str]]:
    """The MAC addresses that will be derived from names, and whose they are."""
    for interface in interfaces(topology):
        if not interface.mac:
            mac = mac_address(topology.get("name") or "", interface.machine, interface.name)
            yield mac, f"{interface.path}.mac (derived)"


def _place_problems(interface: Interface, segments: Data, inside: dict[str, Interface]) -> t.Iterator[Problem]:
    if interface.segment not in segments:
        what = f"there is no segment {interface.segment}"
        yield Problem(f"{interface.path}.segment", what, did_you_mean(interface.segment, segments))
        return
    segment = segments[interface.segment]
    if not (interface.address and segment and segment.get("cidr")):
        return
    path, network = f"{interface.path}.address", netaddr.IPNetwork(segment["cidr"])
    if network.prefixlen <= LONGEST_PREFIX:
        yield from _host_problems(path, interface.address, network)
        if interface.address == gateway(segment, inside):
            what = f"{interface.address} is the gateway of segment {interface.segment}"
            yield Problem(path, what, "use another, or leave it out to have one allocated")


def _host_problems(path: str, address: str, network: netaddr.IPNetwork) -> t.Iterator[Problem]:
    """An address that no interface in the network can have (RFC 1122 section 3.2.1.3)."""
    first, last = netaddr.IPAddress(network.first), netaddr.IPAddress(network.last)
    what = {first: "is the network's own address", last: "is the broadcast address"}.get(netaddr.IPAddress(address))
    if netaddr.IPAddress(address) not in network:
        what = f"is not in {network.cidr}"
    if what:
        yield Problem(path, f"{address} {what}", f"use one from {first + 1} to {last - 1}, or leave it out")


def _duplicate(path: str, value: str, seen: dict[str, str]) -> t.Iterator[Problem]:
    if value in seen:
        yield Problem(path, f"{value} is {seen[value]} already", "give each interface its own, or leave it out")
    seen.setdefault(value, path)
