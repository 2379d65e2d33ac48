# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules on networks: what is one, and that no two overlap. PRIVATE to the collection."""

from __future__ import annotations

import itertools
import typing as t

from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_host import Occupied
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_hosts import HERE
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_interfaces import in_order
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_pods import subnets
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_problem import Problem

try:
    import netaddr
except ImportError:  # the inventory plugin says what is missing
    netaddr = None

Data = dict[str, t.Any]

# No host can have an address in these (RFC 6890 section 2.2.2; multicast: RFC 5771).
UNUSABLE = {
    "0.0.0.0/8": "this host on this network",
    "127.0.0.0/8": "loopback",
    "169.254.0.0/16": "link-local",
    "224.0.0.0/4": "multicast",
    "240.0.0.0/4": "reserved",
}
ANOTHER = "choose a network that is free, in 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16 (RFC 1918)"


def network_problems(topology: Data, host: t.Sequence[Occupied]) -> t.Iterator[Problem]:
    """Networks that are none, that no machine can use, or that overlap another of the topology or of the host."""
    networks = dict(_networks(topology))
    for path, subnet in subnets(topology):
        try:
            networks[path] = netaddr.IPNetwork(subnet)
        except (netaddr.AddrFormatError, ValueError):
            yield Problem(path, f"{subnet!r} is not a network", "write an address, a slash and a prefix length")
    segments = in_order(topology.get("segments"))
    elsewhere = {f"segments.{name}.cidr" for name, one in segments if _elsewhere(one or {})}
    for path, network in networks.items():
        if network.ip != network.network:
            what = f"{network} has bits set behind the prefix"
            yield Problem(path, what, f"write {network.cidr} for the network or lengthen the prefix")
        # No address of a wire is on this host, nor of what others carry, and it may well be in a network that is there.
        yield from _foreign_overlap(path, network, () if path in elsewhere else host)
    for (first, one), (second, other) in itertools.combinations(networks.items(), 2):
        if _overlap(one, other):
            # kube-proxy drops what goes to a service address that is none: an underlay in there is cut off.
            what = f"{other.cidr} overlaps {first} ({one.cidr})"
            yield Problem(second, what, "choose networks with no address in common")


def _foreign_overlap(path: str, network: netaddr.IPNetwork, host: t.Sequence[Occupied]) -> t.Iterator[Problem]:
    """The first reason from outside of the topology why a network cannot be used."""
    for taken, use in UNUSABLE.items():
        if _overlap(network, netaddr.IPNetwork(taken)):
            yield Problem(path, f"{network.cidr} overlaps {taken}, which is {use}", ANOTHER)
            return
    for taken, use in host:
        if _overlap(network, netaddr.IPNetwork(taken)):
            yield Problem(path, f"{network.cidr} overlaps {taken}, {use}", ANOTHER)
            return


def _elsewhere(segment: Data) -> bool:
    """Whether no address of a segment is on this host."""
    return segment.get("kind") in ("existing", "veth") or HERE not in segment.get("hosts", (HERE,))


def _overlap(one: netaddr.IPNetwork, other: netaddr.IPNetwork) -> bool:
    return one.first <= other.last and other.first <= one.last


def _networks(topology: Data) -> t.Iterator[tuple[str, netaddr.IPNetwork]]:
    for name, segment in in_order(topology.get("segments")):
        if segment and segment.get("cidr"):
            yield f"segments.{name}.cidr", netaddr.IPNetwork(segment["cidr"])
    for section in ("cluster", "pod_network"):
        given = topology.get(section) or {}
        for key in ("pod_cidr", "service_cidr"):
            if given.get(key):
                yield f"{section}.{key}", netaddr.IPNetwork(given[key])
