# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel takes from a link that changes otherwise. PRIVATE to the collection."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ansible_collections.reftopo.lab.plugins.module_utils._link_entry import without_bridge
from ansible_collections.reftopo.lab.plugins.module_utils._link_model import Link


def without_master(link: Link, master: Link | None) -> Link:
    """A port whose bridge or bond was removed."""
    free = replace(link, master="", fdb=without_bridge(link.fdb))
    return without_bond(free) if master and master.kind == "bond" else free


def without_bond(link: Link) -> Link:
    """A link that left a bond, which gives back MTU and MAC address and leaves it down (__bond_release_one)."""
    return replace(taken_down(link), mtu=None, mac=None, neighbours=())


def sources(links: t.Iterable[Link]) -> set[str]:
    """The addresses that go with these links, as routes name them."""
    return {address.partition("/")[0] for link in links for address in link.addresses}


def taken_down(link: Link) -> Link:
    """A link that went down, and with it its IPv6 addresses (addrconf_ifdown in net/ipv6/addrconf.c)."""
    return replace(link, up=False, addresses=tuple(address for address in link.addresses if ":" not in address))
