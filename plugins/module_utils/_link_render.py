# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A State in the format of the module's input. PRIVATE to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils._link_entry import FdbEntry
from ansible_collections.reftopo.lab.plugins.module_utils._link_kind import shown_options
from ansible_collections.reftopo.lab.plugins.module_utils._link_model import (
    PEER_SUFFIX,
    ROOT,
    End,
    Link,
    State,
)
from ansible_collections.reftopo.lab.plugins.module_utils._link_nat import NatRule, canonical
from ansible_collections.reftopo.lab.plugins.module_utils._link_route import NextHop, Route
from ansible_collections.reftopo.lab.plugins.module_utils._link_rule import Rule

Data = dict[str, t.Any]


def observed(current: State, desired: State) -> Data:
    """What is the owner's now; of a desired link only the attributes that its desired state sets."""

    def shown(end: End, link: Link) -> bool:
        return link.owner == current.owner or (link.name == "lo" and desired.find(end) is not None)

    return _render(current.with_links(lambda end, link: link if shown(end, link) else None), desired)


def wanted(desired: State) -> Data:
    """What is the owner's once the desired state is reached, in the words of `observed`."""
    return _render(desired, desired)


def whole(state: State) -> Data:
    """All of a State, with every attribute."""
    return _render(state, State(state.owner))


def _render(state: State, like: State) -> Data:
    bodies: Data = {}
    for name, namespace in sorted(state.namespaces.items()):
        model = like.namespaces.get(name)
        links = {key: _link(link, like.find(End(name, key))) for key, link in sorted(namespace.links.items())}
        routes_of_model = {route.key: route for route in model.routes} if model else {}
        routes = [_route(route, routes_of_model.get(route.key)) for route in namespace.routes]
        bodies[name] = {"links": links, "routes": sorted(routes, key=str)}
        rules = [_rule(rule) for rule in sorted(namespace.rules, key=lambda rule: rule.key)]
        bodies[name].update({"rules": rules} if rules else {})
        bodies[name].update({"sysctls": dict(sorted(namespace.sysctls.items()))} if namespace.sysctls else {})
        nat = [_nat(rule) for rule in canonical(namespace.nat) or ()]
        bodies[name].update({"nat": nat} if nat else {})
    return {"owner": state.owner, **bodies.pop(ROOT), "namespaces": bodies}


def _link(link: Link, like: Link | None) -> Data:
    data: Data = {}
    if link.kind and not link.mark.endswith(PEER_SUFFIX):
        data = {"kind": link.kind, "mark": link.mark, **shown_options(link.kind, link.options)}
        if link.peer:
            namespace = {"namespace": link.peer.namespace} if link.peer.namespace != ROOT else {}
            data["peer"] = {"name": link.peer.name, **namespace}
    for name in ("mtu", "mac"):
        value = getattr(link, name)
        if value is not None and not (like and getattr(like, name) is None):
            data[name] = value
    data.update({"master": link.master} if link.master else {})
    data.update({"hairpin": True} if link.hairpin else {})
    data.update({} if link.up else {"up": False})
    data.update({"addresses": sorted(link.addresses)} if link.addresses else {})
    data.update({"fdb": [_fdb_entry(entry) for entry in sorted(link.fdb)]} if link.fdb else {})
    neighbours = [neighbour._asdict() for neighbour in sorted(link.neighbours)]
    data.update({"neighbours": neighbours} if neighbours else {})
    return data


def _fdb_entry(entry: FdbEntry) -> Data:
    data = {"mac": entry.mac, "dst": entry.dst, "vlan": entry.vlan}
    return {name: value for name, value in data.items() if value}


def _nat(rule: NatRule) -> Data:
    data: Data = {"action": rule.action, **dict(rule.matches)}
    data.update({"to": rule.to} if rule.to else {})
    return {**data, "protocol": rule.protocol, "port": rule.port} if rule.protocol else data


def _rule(rule: Rule) -> Data:
    """Without networks, it is written as an IPv4 rule."""
    whole = "::/0" if rule.version == 6 and not rule.destination else ""
    data = {"priority": rule.priority, "from": rule.source or whole, "to": rule.destination}
    data.update({name: getattr(rule, name) for name in ("iif", "oif", "fwmark", "table", "type")})
    return {name: value for name, value in data.items() if value}


def _route(route: Route, like: Route | None) -> Data:
    route = like if like and route.satisfies(like) else route
    data: Data = {"to": "::/0" if (route.to, route.version) == ("default", 6) else route.to}
    data.update({name: getattr(route, name) for name in ("via", "dev", "metric", "source") if getattr(route, name)})
    data.update({"table": route.table} if route.table != "main" else {})
    data.update({"type": route.type} if route.type != "unicast" else {})
    data.update({"scope": route.scope} if route.scope != route.usual_scope else {})
    return {**data, "nexthops": [_next_hop(hop) for hop in route.nexthops]} if route.nexthops else data


def _next_hop(hop: NextHop) -> Data:
    data = {"via": hop.via, "dev": hop.dev}
    return {**{name: value for name, value in data.items() if value}, "weight": hop.weight}
