# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Segments that are on several hosts: who is where, what is asked across, captured and forgotten. Pure.

This plugin util is PRIVATE to the collection.
"""

from __future__ import annotations

import itertools

from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import HOST, Data, Endpoint, Probe

MECHANISM = "between-hosts"


def segments(topology: Data) -> Data:
    """The segments that are on several hosts."""
    return {name: one for name, one in topology["segments"].items() if "tunnel" in one}


def port(topology: Data) -> int:
    """The UDP port of all packets between hosts; 0, which nothing has, where there are none."""
    return next((int(one["port"]) for one in segments(topology).values()), 0)


def hosts(topology: Data) -> list[str]:
    """The hosts that have such a segment."""
    on = {host for one in segments(topology).values() for host in one["hosts"]}
    return [name for name in topology.get("hosts", {}) if name in on]


def address(topology: Data, host: str) -> str:
    """The address by which other hosts reach a host."""
    return str(topology["hosts"][host]["address"])


def members(topology: Data, segment: str, host: str) -> list[Data]:
    """The interfaces on a segment of machines that a host carries."""
    machines = [*topology["nodes"].values(), *topology["namespaces"].values()]
    return [
        {"name": machine["name"], **interface}
        for machine in machines
        for interface in machine["interfaces"].values()
        if interface["segment"] == segment and machine.get("host", HOST) == host
    ]


def bare_samples(name: str, topology: Data) -> list[Probe]:
    """Probes between the hosts' own addresses: they travel bare, so a capture without them is blind."""
    ends = [Endpoint(host, "hosts", None, address(topology, host), machine=host) for host in hosts(topology)]
    return [Probe(name, one, other, "icmp") for one, other in itertools.permutations(ends, 2)]


def mtu_probes(name: str, topology: Data, found: list[Endpoint]) -> list[Probe]:
    """From every namespace to those of its segment on other hosts: a packet of the segment's MTU, and one byte more."""
    return [
        Probe(name, source, target, "icmp", expect, size=size)
        for segment, one in segments(topology).items()
        for source, target in itertools.permutations(found, 2)
        if _apart(topology, segment, source, target)
        for size, expect in ((one["mtu"], ("ok",)), (one["mtu"] + 1, ("too-big",)))
    ]


def askers(topology: Data) -> list[str]:
    """The namespaces that such probes start from: those whose own address is on such a segment."""
    on = segments(topology)
    first = {name: next(iter(one["interfaces"].values()))["segment"] for name, one in topology["namespaces"].items()}
    return [name for name, segment in first.items() if segment in on]


def _apart(topology: Data, segment: str, one: Endpoint, other: Endpoint) -> bool:
    """Whether two endpoints are on one segment and on different hosts."""
    found = [places(topology, segment, end) for end in (one, other)]
    return all(found) and found[0] != found[1]


def places(topology: Data, segment: str, end: Endpoint) -> list[str]:
    """The host that has an endpoint's address on a segment; none where it is not on it."""
    on = topology["segments"][segment]["hosts"]
    return [host for host in on if any(_is(member, end) for member in members(topology, segment, host))]


def _is(member: Data, end: Endpoint) -> bool:
    return (member["name"], member["address"].partition("/")[0]) == (end.name.partition(".")[0], end.address)


def capture_filter(topology: Data) -> str:
    """What a capture at a host takes: not TCP, which carries it by SSH, but for what would travel bare."""
    networks = [f" or net {one['cidr']}" for one in segments(topology).values()]
    return "not tcp" + "".join(networks)


def underlay(topology: Data, host: str) -> str:
    """The link that has a host's address, as words for its shell."""
    return f"$(ip -o -4 address show to {address(topology, host)} | cut -d' ' -f2)"


def forget(topology: Data, host: str) -> list[str]:
    """Commands by which a host's VXLAN links forget what they have learned; one that is down stays so."""
    devices = [one["tunnel"] for one in segments(topology).values() if host in one["hosts"]]
    again = "ip link set dev {0} down && ip link set dev {0} up"
    return [f'if test "$(ip link show dev {one} up)"; then {again.format(one)}; fi' for one in devices]
