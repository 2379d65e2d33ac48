# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From an observed and a desired State to the commands of ip(8) that lead from one to the other; pure.

Everything that cannot stay is removed first, with what the kernel removes along with it; what is missing then is added.
So a link that is made anew gets back what hung on it without a rule of its own. PRIVATE to the collection.
"""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ansible_collections.reftopo.lab.plugins.module_utils._link_body import (
    ATTRIBUTES,
    Body,
    Step,
    full,
    sysctl_steps,
)
from ansible_collections.reftopo.lab.plugins.module_utils._link_create import made_inside, made_outside
from ansible_collections.reftopo.lab.plugins.module_utils._link_kind import must_be_made_anew
from ansible_collections.reftopo.lab.plugins.module_utils._link_loss import sources, without_master
from ansible_collections.reftopo.lab.plugins.module_utils._link_model import (
    ROOT,
    End,
    Link,
    Namespace,
    Problem,
    State,
    altname,
    netns,
    place,
)
from ansible_collections.reftopo.lab.plugins.module_utils._link_order import with_uppers
from ansible_collections.reftopo.lab.plugins.module_utils._link_removal import removals
from ansible_collections.reftopo.lab.plugins.module_utils._link_route import Route, selectors


def conflicts(current: State, desired: State) -> list[Problem]:
    """Everything that has a desired name and is not the owner's."""
    problems = []
    for name in sorted(set(current.blocked) & set(desired.namespaces)):
        file = f"/run/netns/{netns(desired.owner, name)}"
        problems.append(Problem(place(name), f"{file} is no network namespace", f"remove it: rm {file}"))
    foreign = {
        End(end.namespace, name): link
        for end, link in current.ends()
        for name in (link.name, *link.altnames)
        if link.owner != desired.owner and link.name != "lo"
    }
    for end, want in desired.ends():
        link = foreign.get(end) or foreign.get(End(end.namespace, altname(desired.owner, want.mark)))
        if link:
            problems.append(_conflict(desired, end, link))
    return [*problems, *_route_conflicts(current, desired), *_rule_conflicts(current, desired)]


def _conflict(desired: State, end: End, link: Link) -> Problem:
    whose = f"belongs to owner {link.owner}" if link.owner else f"has no mark of owner {desired.owner}"
    where = f"-n {netns(desired.owner, end.namespace)} " if end.namespace != ROOT else ""
    fix = f"use another name, or delete it: ip {where}link del {link.name}"
    return Problem(place(end.namespace, "links", end.name), f"there is a link {link.name} that {whose}", fix)


def _route_conflicts(current: State, desired: State) -> t.Iterator[Problem]:
    """Routes of the machine that `route replace` would overwrite."""
    foreign = {route.key: route for route in current.namespaces[ROOT].foreign_routes}
    for number, want in enumerate(desired.namespaces[ROOT].routes):
        route = foreign.get(want.key)
        if route:
            links = " and ".join(sorted(route.devs)) or f"type {route.type}"
            where = f"there is a route to {route.to} by {links} that is not the owner's"
            command = " ".join(["-6 route" if want.version == 6 else "route", "del", route.to, *selectors(route)])
            fix = f"use another destination, table or metric, or delete it: ip {command}"
            yield Problem(f"routes[{number}]", where, fix)


def _rule_conflicts(current: State, desired: State) -> t.Iterator[Problem]:
    """Rules of others at a wanted priority: which of two comes first is a matter of when they were made."""
    for name, body in desired.namespaces.items():
        foreign = {rule.key: rule for rule in current.namespaces.get(name, Namespace()).foreign_rules}
        for number, want in enumerate(body.rules):
            rule = foreign.get(want.key)
            if rule:
                where = f"there is a rule that is not the owner's: {rule.words()}"
                option = "-6 " if rule.version == 6 else ""
                command = f"ip {option}-n {netns(desired.owner, name)} rule del {rule.words()}"
                fix = f"use another priority, or delete it: {command}"
                yield Problem(place(name, f"rules[{number}].priority"), where, fix)


def plan(current: State, desired: State) -> list[Step]:
    """The commands in order; consecutive ones in one namespace can be one batch."""
    gone = doomed(current, desired)
    kept = _without(current, gone)
    steps = [*removals(current, desired, gone), *_namespaces(kept, desired)]
    for name, body in desired.namespaces.items():
        have = kept.namespaces.get(name, Namespace())
        steps += sysctl_steps(full(desired, name), name, have, body, early=True)
    steps += made_outside(kept, desired)
    for name in desired.namespaces:
        steps += made_inside(kept, desired, name)
        steps += Body(name, current, kept, desired).steps()
    return steps


def doomed(current: State, desired: State) -> set[End]:
    """The owner's links that have to go, with their peers and what lies on them."""
    found = set()
    for end, link in current.ends():
        want = desired.find(end)
        if link.owner == desired.owner and (want is None or _fixed_differ(link, want)):
            found |= {end, link.peer} - {None}
    return with_uppers(current, t.cast("set[End]", found))


def _fixed_differ(have: Link, want: Link) -> bool:
    """Whether the links differ in what the kernel cannot change."""
    fixed = [attribute for attribute in ATTRIBUTES if attribute.command is None]
    return any(a.differs(have, want) for a in fixed) or must_be_made_anew(want.kind, have.options, want.options)


def _without(current: State, doomed: set[End]) -> State:
    """The State after the removals: ports of a removed bridge are free, routes by a removed link are gone."""

    def after(end: End, link: Link) -> Link | None:
        master = End(end.namespace, link.master)
        if end in doomed:
            return None
        return without_master(link, current.find(master)) if master in doomed else link

    state = current.with_links(after)
    namespaces = {
        name: replace(body, routes=_routes_without(current, name, doomed)) for name, body in state.namespaces.items()
    }
    return replace(state, namespaces=namespaces)


def _routes_without(current: State, name: str, doomed: set[End]) -> tuple[Route, ...]:
    body, gone = current.namespaces[name], {end.name for end in doomed if end.namespace == name}
    lost = sources(link for link in body.links.values() if link.name in gone)
    left = (route.without_links(gone) for route in body.routes if not route.goes_with_addresses(lost))
    return tuple(route for route in left if route)


def _namespaces(kept: State, desired: State) -> t.Iterator[Step]:
    gone = [name for name in kept.namespaces if name not in desired.namespaces]
    for name in [*gone, *kept.stale]:
        yield Step(ROOT, f"netns del {netns(desired.owner, name)}", place(name))
    for name in desired.namespaces:
        if name not in kept.namespaces:
            yield Step(ROOT, f"netns add {netns(desired.owner, name)}", place(name))
