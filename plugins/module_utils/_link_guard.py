# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What keeps the module from cutting the way by which it is reached; pure. PRIVATE to the collection."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.reftopo.lab.plugins.module_utils._link_model import (
    ROOT,
    End,
    Link,
    Problem,
    State,
    place,
)
from ansible_collections.reftopo.lab.plugins.module_utils._link_plan import doomed
from ansible_collections.reftopo.lab.plugins.module_utils._link_route import Route

Problems = t.Iterator[Problem]

FIX = "leave it as it is, or set allow_uplink: true"


@dataclass(frozen=True)
class Guard:
    """What is not to be cut: the machine's default routes, and `session`, its address in the running SSH session.

    With `allowed`, everything may be.
    """

    session: str = ""
    allowed: bool = False

    def refusals(self, current: State, desired: State) -> list[Problem]:
        """Changes in the machine's own namespace after which it might not be reached any more."""
        if self.allowed:
            return []
        return [*self._links(current, desired), *_ways_out(current, desired)]

    def _links(self, current: State, desired: State) -> Problems:
        gone = doomed(current, desired)
        for name, reason in self._kept(current).items():
            want = desired.find(End(ROOT, name))
            if End(ROOT, name) in gone:
                harms = ["be made anew" if want else "be deleted"]
            else:
                harms = list(self._harms(current, t.cast(Link, current.find(End(ROOT, name))), t.cast(Link, want)))
            for harm in harms:
                yield Problem(place(ROOT, "links", name), f"would {harm}, but {reason}", FIX)

    def _kept(self, current: State) -> dict[str, str]:
        """The owner's links that are not to be cut, and why: the one below another one goes down with it."""
        links = current.namespaces[ROOT].links
        reasons: dict[str, str] = {}
        for link in links.values():
            why = " and ".join(self._reasons(current, link))
            lower = link.options.get("dev")
            if why:
                reasons[link.name] = f"it {why}"
            while why and lower in links:
                reasons.setdefault(lower, f"{link.name} lies on it, which {why}")
                lower = links[lower].options.get("dev")
        return {name: reason for name, reason in reasons.items() if links[name].owner == current.owner}

    def _reasons(self, current: State, link: Link) -> t.Iterator[str]:
        if any(way.dev == link.name for way in current.namespaces[ROOT].default_routes):
            yield "carries the machine's default route"
        if self._arrives_at(link):
            yield f"has {self.session}, the address of this SSH session"

    def _arrives_at(self, link: Link) -> bool:
        """A link-local address is followed by its link: fe80::1%eth0."""
        address, _percent, zone = self.session.partition("%")
        return bool(address) and (zone == link.name or address in map(_address, link.addresses))

    def _harms(self, current: State, have: Link, want: Link) -> t.Iterator[str]:
        if have.up and not want.up:
            yield "be taken down"
        if have.master != want.master:
            yield f"get {want.master or 'none'} as master instead of {have.master or 'none'}"
        # A route goes with the address in whose network its next hop is (fib_sync_down_addr in the kernel's
        # net/ipv4/fib_semantics.c), and all of an IP version with the last address (fib_disable_ip).
        versions = {way.version for way in current.namespaces[ROOT].default_routes if way.dev == have.name}
        for address in have.addresses:
            needed = _version(address) in versions or _address(address) == self.session
            if address not in want.addresses and needed:
                yield f"lose the address {address}"


def _address(address: str) -> str:
    return address.partition("/")[0]


def _version(address: str) -> int:
    return 6 if ":" in address else 4


def _ways_out(current: State, desired: State) -> Problems:
    """Default routes of our own that would take over from what is there, or leave nothing."""
    have, want = current.namespaces[ROOT], desired.namespaces[ROOT]
    for number, route in enumerate(want.routes):
        others = [way for way in have.default_routes if way.version == route.version]
        if _is_way_out(route) and others and not any(own.satisfies(route) for own in have.routes):
            yield Problem(f"routes[{number}]", f"would take over from the default route {_shown(others[0])}", FIX)
    wanted = {route.key for route in want.routes}
    for own in have.routes:
        if _is_way_out(own) and own.key not in wanted:
            yield Problem("routes", f"the machine's default route {_shown(own)} would be removed", FIX)


def _is_way_out(route: Route) -> bool:
    return route.to == "default" and route.table == "main"


def _shown(route: Route) -> str:
    """By all its links when there are several next hops."""
    return " ".join([*([f"via {route.via}"] if route.via else []), *(f"dev {dev}" for dev in sorted(route.devs))])
