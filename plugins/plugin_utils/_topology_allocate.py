# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Give every interface its address. PRIVATE to the collection."""

from __future__ import annotations

import itertools
import typing as t

from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_hosts import HERE
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_interfaces import (
    Interface,
    bridges,
    interfaces,
)

try:
    import netaddr
except ImportError:  # the inventory plugin says what is missing
    netaddr = None

# Where allocation begins in a segment of at least 256 addresses, so that a reader tells nodes (.11 and up) from
# namespaces (.201 and up) at a glance; bridges have gateways' addresses. In a smaller segment both begin at the start.
FIRST = {"bridges": 1, "nodes": 11, "namespaces": 201}


def gateway(segment: dict[str, t.Any], inside: t.Mapping[str, Interface]) -> str | None:
    """The host's own address on a segment's bridge: the first one unless the file names another.

    A segment without a bridge on the host has none: a wire, a network that is there already, one with bridges `inside`
    of namespaces, or one that is on other hosts alone.
    """
    if segment.get("kind") in ("existing", "veth") or inside or HERE not in segment.get("hosts", (HERE,)):
        return None
    return segment.get("gateway") or str(netaddr.IPNetwork(segment["cidr"])[1])


def load_balancer_pool(topology: dict[str, t.Any]) -> netaddr.IPSet:
    """The addresses that a load balancer gives to services; empty where there is none, or no network."""
    pool = ((topology.get("cluster") or {}).get("load_balancer") or {}).get("pool")
    return netaddr.IPSet([pool] if pool else [])


def allocate(topology: dict[str, t.Any]) -> dict[Interface, str]:
    """The address of every interface of a valid topology.

    Addresses that the file gives are set aside first, and a load balancer's pool; then bridges take the first free
    ones; then nodes and after them namespaces take the next free one, in the order of their names. Adding a machine can
    therefore move the addresses of those sorted behind it.
    """
    found = bridges(topology)
    taken: set[str | None] = {gateway(segment, found.get(name, {})) for name, segment in topology["segments"].items()}
    addresses = {interface: interface.address for interface in interfaces(topology) if interface.address}
    taken.update(addresses.values())
    pool = load_balancer_pool(topology)
    free = {
        (name, section): (host for host in _hosts(segment["cidr"], section) if host not in taken and host not in pool)
        for name, segment in topology["segments"].items()
        for section in FIRST
    }
    for interface in sorted(interfaces(topology), key=lambda interface: interface.kind != "bridge"):
        if interface not in addresses:
            place = "bridges" if interface.kind == "bridge" else interface.section
            addresses[interface] = next(free[interface.segment, place])
            taken.add(addresses[interface])
    return addresses


def _hosts(cidr: str, section: str) -> t.Iterator[str]:
    """Every host address of a network, from the section's first on, then those before it."""
    network = netaddr.IPNetwork(cidr)
    first = FIRST[section] if network.size >= 256 else 1
    return (str(network[index]) for index in itertools.chain(range(first, network.size - 1), range(1, first)))
