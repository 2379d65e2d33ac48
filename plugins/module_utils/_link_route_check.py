# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Routes of link_state's input: their options, what is wrong with them, what they mean. PRIVATE to the collection."""

from __future__ import annotations

import typing as t
from collections import Counter
from dataclasses import replace
from ipaddress import ip_address, ip_network

from ansible_collections.reftopo.lab.plugins.module_utils._link_model import ROOT, End, Problem
from ansible_collections.reftopo.lab.plugins.module_utils._link_route import (
    DEFAULT_METRIC,
    NOWHERE,
    TABLES,
    NextHop,
    Route,
)

if t.TYPE_CHECKING:
    from ansible_collections.reftopo.lab.plugins.module_utils._link_check import Spec

Data = dict[str, t.Any]
Problems = t.Iterator[Problem]

NEXTHOP_OPTIONS: Data = {"via": {"type": "str"}, "dev": {"type": "str"}, "weight": {"type": "int"}}
ROUTE_OPTIONS: Data = {
    "to": {"type": "str", "required": True},
    "via": {"type": "str"},
    "dev": {"type": "str"},
    "scope": {"type": "str", "choices": ["global", "link"]},
    "table": {"type": "str"},
    "metric": {"type": "int"},
    "source": {"type": "str"},
    "type": {"type": "str", "choices": ["unicast", *NOWHERE]},
    "nexthops": {"type": "list", "elements": "raw"},  # NEXTHOP_OPTIONS
}
OF_ONE_NEXT_HOP = ("via", "dev")
OF_UNICAST = (*OF_ONE_NEXT_HOP, "nexthops", "scope", "source")
METRICS = range(2**32)  # RTA_PRIORITY is a __u32
WEIGHTS = range(1, 257)  # rtnh_hops in struct rtnexthop is a byte, and one less
NUMBERS_OF_TABLES = range(1, 2**32)  # RTA_TABLE is a __u32; 0 is RT_TABLE_UNSPEC
FIX_OF_TABLE = "use main, default or a number from 1 to 4294967295, save 255"


def routes(spec: Spec, namespace: str) -> Problems:
    """What is wrong with the routes of a namespace."""
    given = spec.routes[namespace]
    counts = Counter(map(route_key, given.values()))
    for path, options in given.items():
        times = counts[route_key(options)]
        if times > 1:
            fix = "keep one of them, or give each a table or metric of its own"
            yield Problem(f"{path}.to", f"there are {times} routes to {options['to']}", fix)
        yield from _addresses(options, path)
        yield from table(options, path)
        if options.get("metric", 0) not in METRICS:
            fix = f"use {METRICS[0]} to {METRICS[-1]}"
            yield Problem(f"{path}.metric", f"{options['metric']} is out of range", fix)
        if options.get("type") in NOWHERE:
            yield from _leads_nowhere(namespace, options, path)
        elif "nexthops" in options:
            yield from _next_hops(spec, namespace, options, path)
        else:
            yield from _link(spec, namespace, options, path)


def table(options: Data, path: str) -> Problems:
    """What is wrong with the table of a route or rule."""
    name = table_name(options.get("table") or "main")
    if name == "local":
        yield Problem(f"{path}.table", "table local is the kernel's", FIX_OF_TABLE)
    elif name not in TABLES.values() and not (name.isdecimal() and int(name) in NUMBERS_OF_TABLES):
        yield Problem(f"{path}.table", f"{name!r} is no routing table", FIX_OF_TABLE)


def table_name(given: t.Any) -> str:
    """A table as _link_route.py has it: the kernel's own by name, others by number."""
    number = str(int(given)) if str(given).isdecimal() else str(given)
    return TABLES.get(number, number)


def _link(spec: Spec, namespace: str, options: Data, path: str) -> Problems:
    """The link that a route or next hop leaves by."""
    dev, via = options.get("dev"), options.get("via")
    if not dev and (namespace == ROOT or not via):
        where = "the route must leave by a link of the owner" if namespace == ROOT else "there is no via either"
        yield Problem(f"{path}.dev", f"is missing, and {where}", "name the link that it leaves by")
    elif dev and not spec.declares(End(namespace, dev)):
        yield Problem(f"{path}.dev", f"{dev!r} is not among the links of its namespace", "declare it")


def _leads_nowhere(namespace: str, options: Data, path: str) -> Problems:
    for name in OF_UNICAST:
        if options.get(name):
            yield Problem(f"{path}.{name}", f"a route of type {options['type']} leads nowhere", "remove it")
    if namespace == ROOT:
        yield Problem(f"{path}.type", "only the link of a route says whose it is", "put it in a namespace")


def _next_hops(spec: Spec, namespace: str, options: Data, path: str) -> Problems:
    for name in OF_ONE_NEXT_HOP:
        if options.get(name):
            yield Problem(f"{path}.{name}", "is of a route without nexthops", "remove it, or nexthops")
    hops = options["nexthops"]
    if len(hops) == 1:
        yield Problem(f"{path}.nexthops", "is a choice of one", "give two or more, or via and dev instead")
    seen: dict[tuple[t.Any, ...], str] = {}
    for where, hop in hops.items():
        yield from _link(spec, namespace, hop, where)
        if hop.get("weight", 1) not in WEIGHTS:
            fix = f"use {WEIGHTS[0]} to {WEIGHTS[-1]}"
            yield Problem(f"{where}.weight", f"{hop['weight']} is out of range", fix)
        if not hop.get("via") and _version(options) == 6:
            # ip6_route_multipath_add in net/ipv6/route.c
            yield Problem(f"{where}.via", "is missing, and IPv6 shares packets among routers only", "name the router")
        other = seen.setdefault((hop.get("via"), hop.get("dev")), where)
        if other != where:
            yield Problem(where, f"is the same as {other}", "keep one of them, and give it a weight")


def _addresses(options: Data, path: str) -> Problems:
    """What is wrong with where a route leads to, by which routers, and with which source."""
    given = [(f"{path}.{name}", options[name]) for name in ("via", "source") if options.get(name)]
    given += [(f"{where}.via", hop["via"]) for where, hop in _hops(options) if hop.get("via")]
    versions = {}
    try:
        versions["to"] = ip_network(_network(options)).version
    except ValueError as error:
        yield Problem(f"{path}.to", str(error), "write 10.1.0.0/16")
    for where, value in given:
        name = where.rpartition(".")[2]
        try:
            versions[name] = ip_address(value).version
        except ValueError as error:
            yield Problem(where, str(error), "write 10.0.0.1")
            continue
        if versions[name] != versions.setdefault("to", versions[name]):
            yield Problem(where, f"to and {name} are of different IP versions", "use one version")
    if options.get("scope") and 6 in versions.values():
        yield Problem(f"{path}.scope", "IPv6 routes have no scope", "remove it")


def _hops(options: Data) -> list[tuple[str, Data]]:
    """The next hops with their paths; as they are given, without."""
    hops = options.get("nexthops") or {}
    return list(hops.items()) if isinstance(hops, dict) else [("", hop) for hop in hops]


def _network(options: Data) -> str:
    """Where a route leads to, so that two ways to write the same are equal; a wrong one stays as it is."""
    to = options["to"]
    if to == "default":
        routers = [options.get("via"), *(hop.get("via") for _path, hop in _hops(options))]
        return "::/0" if any(":" in router for router in routers if router) else "0.0.0.0/0"
    try:
        return str(ip_network(to))
    except ValueError:
        return to


def _version(options: Data) -> int:
    return 6 if ":" in _network(options) else 4


def route_key(options: Data) -> tuple[t.Any, ...]:
    """What two routes of the input cannot have in common, whichever way they are written."""
    metric = int(options.get("metric") or 0)
    usual = metric == DEFAULT_METRIC[_version(options)]
    return (_network(options), table_name(options.get("table") or "main"), 0 if usual else metric)


def route(options: Data) -> Route:
    """A route of input that has no problems, as the kernel will show it."""
    network, table_of_it, metric = route_key(options)
    hops = [
        NextHop(str(ip_address(hop["via"])) if hop.get("via") else "", hop.get("weight", 1), hop.get("dev") or "")
        for _path, hop in _hops(options)
    ]
    found = Route(
        to="default" if network in ("::/0", "0.0.0.0/0") else network,
        version=_version(options),
        via=str(ip_address(options["via"])) if options.get("via") else "",
        dev=options.get("dev") or "",
        table=table_of_it,
        metric=metric,
        source=str(ip_address(options["source"])) if options.get("source") else "",
        type=options.get("type") or "unicast",
        nexthops=tuple(sorted(hops)),
    )
    return replace(found, scope=options.get("scope") or found.usual_scope)
