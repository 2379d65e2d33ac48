# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names and marks that follow from a topology's own names alone. PRIVATE to the collection.

Interface names hold 15 characters (the kernel's IFNAMSIZ), too few for the names that a user chose, so links on
the host have hashed names and carry the long one as their mark.
"""

from __future__ import annotations

import hashlib
import re

FIRST_PORT = 61000  # the first behind net.ipv4.ip_local_port_range
INTERFACE_NAME_MAX = 15  # characters of a link's name: the kernel's IFNAMSIZ less its final zero


def group_name(topology: str) -> str:
    """The inventory group of a topology: Ansible's group names have no hyphens, and a wrong name may have anything."""
    return re.sub(r"\W", "_", topology)


def netns_name(topology: str, machine: str) -> str:
    """The network namespace of a node or a namespace."""
    return f"reftopo.{topology}.{machine}"


def owner(topology: str, on_node: bool) -> str:
    """In whose name links are made: the topology's, or of what a node carries one that no topology can have.

    In a container the node's own links carry the topology's mark, and must not be taken for what is to go.
    """
    return f"{topology}_" if on_node else topology


def link_name(*parts: str) -> str:
    """The name on the host of a bridge (topology, segment) or of a veth's host end (topology, machine, interface)."""
    return f"rt-{_digest(parts)[:8]}"


def vni(topology: str, segment: str) -> int:
    """The VXLAN network identifier by which hosts have a segment together: of the upper half (RFC 7348: 24 bits).

    What people and network plugins choose by themselves is small.
    """
    return 1 << 23 | int(_digest((topology, segment))[:8], 16) % (1 << 23)


def tunnel_port(topology: str) -> int:
    """The UDP port of a topology's packets between hosts: above those that Linux gives to clients.

    So it is neither 4789 (IANA's for VXLAN) nor 8472 (Linux' own before that), which network plugins use, and which may
    be open or handled in ways of their own on the hosts' network.
    """
    return FIRST_PORT + int(_digest((topology, "hosts"))[:8], 16) % (65536 - FIRST_PORT)


def port_name(machine: str, interface: str) -> str:
    """The name, in the namespace of a bridge, of the end that is plugged into it: readable where that fits."""
    name = f"{machine}.{interface}"
    return name if len(name) <= INTERFACE_NAME_MAX else link_name(machine, interface)


def mac_address(*parts: str) -> str:
    """A unicast, locally administered MAC address (IEEE 802: first byte 02) for (topology, machine, interface)."""
    digest = _digest(parts)
    return ":".join(["02", *(digest[i : i + 2] for i in range(0, 10, 2))])


def _digest(parts: tuple[str, ...]) -> str:
    return hashlib.sha1("/".join(parts).encode(), usedforsecurity=False).hexdigest()
