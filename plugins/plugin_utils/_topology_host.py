# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which networks the host uses already, from what iproute2 tells. PRIVATE to the collection."""

from __future__ import annotations

import typing as t

OUR_MARK = "reftopo."
# Routes of these types hold an address or a broadcast address of the host itself, which the addresses tell already.
OWN_ROUTES = {"local", "broadcast", "multicast", "anycast"}
# A default route, and the two halves by which VPN clients override one, lead everywhere: they occupy nothing.
EVERYWHERE = {"default", "0.0.0.0/1", "128.0.0.0/1"}

Data = dict[str, t.Any]


class Occupied(t.NamedTuple):
    """A network that is in use on the host, and what uses it, in words that finish "overlaps …"."""

    network: str
    use: str


def occupied(links: list[Data], routes: list[Data]) -> list[Occupied]:
    """The networks of ``ip -j -4 address`` and ``ip -j -4 route show table all``.

    Links that carry our mark are left out: a topology that is up must not collide with itself.
    """
    ours = {link.get("ifname") for link in links if any(name.startswith(OUR_MARK) for name in link.get("altnames", []))}
    found = [
        Occupied(f"{address['local']}/{address['prefixlen']}", f"this host's address on {link['ifname']}")
        for link in links
        if link.get("ifname") not in ours
        for address in link.get("addr_info", [])
        if "local" in address
    ]
    found += [
        Occupied(route["dst"], f"this host's route by way of {route.get('dev', 'several hops')}")
        for route in routes
        if route["dst"] not in EVERYWHERE and route.get("type") not in OWN_ROUTES and route.get("dev") not in ours
    ]
    return found
