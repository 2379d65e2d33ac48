# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Routes: as data, as words of ip-route(8), and back from what it prints. PRIVATE to the collection."""

from __future__ import annotations

import typing as t
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from functools import lru_cache
from ipaddress import ip_network

Data = dict[str, t.Any]

# The route protocol number that marks our routes; /etc/iproute2/rt_protos leaves 152 free.
PROTOCOL = 152
# RTN_*, RT_SCOPE_* and RT_TABLE_* of include/uapi/linux/rtnetlink.h by number, which is what ip(8) prints with -N: its
# own names are a matter of files below /etc/iproute2.
TYPES = {
    "1": "unicast",
    "2": "local",
    "3": "broadcast",
    "4": "anycast",
    "5": "multicast",
    "6": "blackhole",
    "7": "unreachable",
    "8": "prohibit",
    "9": "throw",
}
SCOPES = {"0": "global", "253": "link"}
TABLES = {"253": "default", "254": "main", "255": "local"}
NOWHERE = ("blackhole", "unreachable", "prohibit", "throw")  # types of routes that leave by no link
DEFAULT_METRIC = {4: 0, 6: 1024}  # IP6_RT_PRIO_USER in include/uapi/linux/ipv6_route.h


class NextHop(t.NamedTuple):
    """One of several routers of a route, in the order in which they are compared."""

    via: str = ""
    weight: int = 1
    dev: str = ""

    def words(self) -> str:
        """In the words of `ip route`."""
        words = ["nexthop"]
        words += [f"via {self.via}"] if self.via else []
        words += [f"dev {self.dev}"] if self.dev else []
        return " ".join([*words, f"weight {self.weight}"])


@dataclass(frozen=True)
class Route:
    """A route; `to` is ``default`` or a network, `version` 4 or 6, `metric` 0 the kernel's default one."""

    to: str
    version: int
    via: str = ""
    dev: str = ""
    scope: str = "global"
    table: str = "main"
    metric: int = 0
    source: str = ""
    type: str = "unicast"
    nexthops: tuple[NextHop, ...] = ()  # sorted; the kernel may show them in another order than they were given in

    @property
    def key(self) -> tuple[int, str, str, int]:
        """What two routes cannot have in common."""
        return (self.version, self.table, self.to, self.metric)

    @property
    def devs(self) -> set[str]:
        """The links that it leaves by."""
        return {self.dev, *(hop.dev for hop in self.nexthops)} - {""}

    @property
    def usual_scope(self) -> str:
        """What it gets when written without: see SCOPE in ip-route(8); IPv6 has no other than global."""
        direct = self.version == 4 and self.type == "unicast" and not (self.via or self.nexthops)
        return "link" if direct else "global"

    def satisfies(self, wanted: Route) -> bool:
        """Whether this observed route is the wanted one, which may leave it to the kernel which link it leaves by."""
        if len(self.nexthops) != len(wanted.nexthops):
            return False
        hops = tuple(
            hop._replace(dev=hop.dev if other.dev else "") for hop, other in zip(self.nexthops, wanted.nexthops)
        )
        return replace(self, dev=self.dev if wanted.dev else "", nexthops=hops) == wanted

    def without_links(self, gone: t.Container[str]) -> Route | None:
        """What is left once links are removed.

        IPv6 keeps the other next hops, IPv4 does not: fib6_ifdown in net/ipv6/route.c, fib_sync_down_dev in
        net/ipv4/fib_semantics.c.
        """
        hops = tuple(hop for hop in self.nexthops if hop.dev not in gone)
        if self.dev in gone or (hops != self.nexthops and (self.version == 4 or not hops)):
            return None
        if len(hops) == 1:
            return replace(self, via=hops[0].via, dev=hops[0].dev, nexthops=())
        return replace(self, nexthops=hops)

    def goes_with_addresses(self, gone: t.Container[str]) -> bool:
        """Whether the kernel removes it with its source: fib_sync_down_addr in net/ipv4/fib_semantics.c."""
        return self.version == 4 and self.table == "main" and self.source in gone


def words(route: Route) -> str:
    """A route in the words of `ip route replace`, with our mark."""
    parts = [*_place(route), f"proto {PROTOCOL}", *selectors(route)]
    parts += [f"src {route.source}"] if route.source else []
    return " ".join([*parts, *(hop.words() for hop in route.nexthops)])


def deletion(route: Route) -> str:
    """A route in the words of `ip route del`.

    Of several next hops the kernel would compare the order, and an IPv6 route without a metric is one with any
    (ip6_route_del in net/ipv6/route.c); with IPv4, metric 0 comes first.
    """
    metric = route.metric or DEFAULT_METRIC[route.version]
    return " ".join([*_place(route), f"proto {PROTOCOL}", *selectors(replace(route, metric=metric))])


def _place(route: Route) -> list[str]:
    default = "::/0" if route.version == 6 else "0.0.0.0/0"
    parts = [route.type] if route.type != "unicast" else []
    parts += [default if route.to == "default" else route.to]
    parts += [f"via {route.via}"] if route.via else []
    parts += [f"dev {route.dev}"] if route.dev else []
    return [*parts, f"scope {route.scope}"] if route.version == 4 else parts


def selectors(route: Route) -> list[str]:
    """Which of the routes to the same destination it is."""
    parts = [f"metric {route.metric}"] if route.metric else []
    return [*parts, f"table {route.table}"] if route.table != "main" else parts


def extra(have: t.Collection[Route], want: t.Iterable[Route]) -> list[Route]:
    """Those to remove: `replace` overwrites one with the same key, but others with that key can be beside it."""
    wanted = {route.key: route for route in want}
    times = Counter(route.key for route in have)
    return [
        route
        for route in have
        if route.key not in wanted or (times[route.key] > 1 and not route.satisfies(wanted[route.key]))
    ]


def missing(have: t.Iterable[Route], want: t.Iterable[Route]) -> t.Iterator[tuple[int, Route]]:
    """The wanted routes that are not there as they should be, by number."""
    found: dict[tuple[t.Any, ...], list[Route]] = defaultdict(list)
    for route in have:
        found[route.key].append(route)
    for number, route in enumerate(want):
        if not any(other.satisfies(route) for other in found[route.key]):
            yield number, route


@lru_cache
def _destination(to: str) -> str:
    """With its prefix length. Every link that is up has a route to fe80::/64."""
    return to if to == "default" else str(ip_network(to))


def parse_route(entry: Data, version: int) -> Route:
    """One route that `ip -N -j -d route` prints; IPv6 shows ``lo`` as the link of one that leads nowhere."""
    metric, kind = entry.get("metric", 0), TYPES.get(entry.get("type", "1"), entry.get("type", ""))
    hops = (
        NextHop(hop.get("gateway", ""), hop.get("weight", 1), hop.get("dev", "")) for hop in entry.get("nexthops", ())
    )
    return Route(
        to=_destination(entry["dst"]),
        version=version,
        via=entry.get("gateway", ""),
        dev="" if kind in NOWHERE else entry.get("dev", ""),
        scope=SCOPES.get(entry.get("scope", "0"), entry.get("scope", "0")),
        table=TABLES.get(entry.get("table", "254"), entry.get("table", "254")),
        metric=0 if metric == DEFAULT_METRIC[version] else metric,
        source=entry.get("prefsrc", ""),
        type=kind,
        nexthops=tuple(sorted(hops)),
    )
