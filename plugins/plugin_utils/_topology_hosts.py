# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which host carries what, where a topology is on several. Pure. PRIVATE to the collection.

A host is one that the file gives by its address, a node that namespaces are put on, or the machine that runs the
playbooks. A segment whose machines are on several is one bridge on each, joined by VXLAN.
"""

from __future__ import annotations

import typing as t

from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_interfaces import (
    Interface,
    bridges,
    first_of_nodes,
    in_order,
    interfaces,
)

Data = dict[str, t.Any]

HERE = "host"  # the machine that runs the playbooks, also as a name in `hosts`
MTU = 1500  # of a segment that does not say it
OVERHEAD = 50  # bytes: an Ethernet header inside, VXLAN's, UDP's and IPv4's (RFC 7348 section 5)


def home(topology: Data, interface: Interface) -> str:
    """The host that carries an interface."""
    if interface.section == "nodes":
        return HERE
    return ((topology.get("namespaces") or {}).get(interface.machine) or {}).get("host") or HERE


def nodes_that_carry(topology: Data) -> list[str]:
    """The nodes that are hosts of namespaces."""
    named = {(one or {}).get("host") for one in (topology.get("namespaces") or {}).values()}
    return [name for name, dummy in in_order(topology.get("nodes")) if name in named]


def settle(topology: Data) -> None:
    """Fill in, of each segment, the hosts that it is on where that is not this machine alone, and its MTU."""
    segments = [(name, one) for name, one in (topology.get("segments") or {}).items() if one]
    for name, segment in segments:
        homes = {home(topology, one) for one in interfaces(topology) if one.segment == name} or {HERE}
        if homes != {HERE}:
            segment["hosts"] = [host for host, dummy in in_order(dict.fromkeys(homes))]
    joined = stitched(topology)
    # The MTU of a node's segment limits those that the node has together with others.
    for name, segment in sorted(segments, key=lambda item: item[0] in joined):
        segment.setdefault("mtu", most(topology, joined[name])[0] if name in joined else MTU)


def stitched(topology: Data) -> dict[str, list[str]]:
    """The segments that are on several hosts, and on which; not those whose bridges are in namespaces."""
    inside = bridges(topology)
    return {
        name: segment["hosts"]
        for name, segment in in_order(topology.get("segments"))
        if segment and segment.get("kind") == "bridge" and len(segment.get("hosts", ())) > 1 and name not in inside
    }


def most(topology: Data, hosts: list[str]) -> tuple[int, str]:
    """The largest MTU that a segment between hosts can have, and the host that limits it."""
    return min((mtu(topology, host) - OVERHEAD, host) for host in hosts)


def mtu(topology: Data, host: str) -> int:
    """The MTU of the link by which a host reaches others; the usual one where that is not known."""
    given = (topology.get("hosts") or {}).get(host) or {}
    place = next((one.segment for one in first_of_nodes(topology) if one.machine == host), None)
    segment = (topology.get("segments") or {}).get(place) or {}
    return int(given.get("mtu") or segment.get("mtu") or MTU)
