# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands inside one namespace, once its links exist, and the table of what each attribute of a link needs.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from ansible_collections.reftopo.lab.plugins.module_utils import (
    _link_entry,
    _link_nat,
    _link_route,
    _link_rule,
    _link_sysctl,
)
from ansible_collections.reftopo.lab.plugins.module_utils._link_kind import TUNTAP, changes, keeps_mtu
from ansible_collections.reftopo.lab.plugins.module_utils._link_loss import sources, taken_down, without_bond
from ansible_collections.reftopo.lab.plugins.module_utils._link_model import (
    ROOT,
    Link,
    Namespace,
    State,
    altname,
    netns,
    place,
)
from ansible_collections.reftopo.lab.plugins.module_utils._link_order import in_order

IPROUTE2 = ("ip", "ip -6", "bridge")  # they enter a namespace by an option, other tools by `ip netns exec`


@dataclass(frozen=True)
class Step:
    """One line for a tool in a namespace (ROOT or a full name), and the place in the input that it serves."""

    netns: str
    command: str
    path: str
    # A veth end may go by itself meanwhile: the kernel clears a deleted namespace in the background.
    may_be_gone: bool = False
    tool: str = "ip"  # a key of TOOLS in _link_apply.py

    def __str__(self) -> str:
        if self.tool in IPROUTE2:
            return f"{self.tool} -n {self.netns} {self.command}" if self.netns else f"{self.tool} {self.command}"
        return f"ip netns exec {self.netns} {self.tool} {self.command}" if self.netns else f"{self.tool} {self.command}"


@dataclass(frozen=True)
class Attribute:
    """How a link's attribute is brought to its desired value.

    `command` is the end of `link set`, None when the kernel cannot change the attribute: the link is made anew.
    """

    name: str
    command: t.Callable[[t.Any], str] | None = None
    ignore_when_unset: bool = False

    def differs(self, have: Link, want: Link) -> bool:
        """Whether the desired value is another one."""
        wanted = getattr(want, self.name)
        return getattr(have, self.name) != wanted and not (self.ignore_when_unset and wanted is None)


ATTRIBUTES = (
    Attribute("kind"),
    Attribute("mark"),
    Attribute("peer"),
    Attribute("mtu", "mtu {}".format, ignore_when_unset=True),
    Attribute("mac", "address {}".format, ignore_when_unset=True),
    Attribute("master", lambda master: f"master {master}" if master else "nomaster"),
    Attribute("hairpin", lambda hairpin: f"type bridge_slave hairpin {'on' if hairpin else 'off'}"),
    Attribute("up", lambda up: "up" if up else "down"),
)


def full(desired: State, namespace: str) -> str:
    return netns(desired.owner, namespace) if namespace != ROOT else ROOT


class Body:
    """The commands inside one namespace, after all links exist."""

    def __init__(self, name: str, current: State, kept: State, desired: State) -> None:
        self.name = name
        self.netns = full(desired, name)
        self.owner = desired.owner
        self.before = current.namespaces.get(name, Namespace())
        self.kept = kept.namespaces.get(name, Namespace())
        self.want = desired.namespaces[name]
        # Of each wanted link, what is there, or what has just been made
        self.have = {name: self.kept.links.get(name) or _fresh(want) for name, want in self.want.links.items()}
        # Links that lost an address, and with it perhaps routes
        self.disturbed: set[str] = set()
        # Links that lost their neighbours: neigh_changeaddr and neigh_ifdown in the kernel's net/core/neighbour.c
        self.forgetful: set[str] = set()
        # Links that left a bridge, and with it their entries in its FDB
        self.moved: set[str] = set()

    def steps(self) -> list[Step]:
        """The commands in order: a route is removed before it can go with an address.

        Rules apply to what is there: the kernel follows them to a route's next hop (fib_check_nh in
        net/ipv4/fib_semantics.c).
        """
        settings = sysctl_steps(self.netns, self.name, self.kept, self.want, early=False)
        removals = [*_by_tool(self._extra_entries()), *self._rules(_link_rule.removals), *self._extra_routes()]
        additions = [
            *self._links(),
            *_by_tool(self._missing_entries()),
            *self._missing_routes(),
            *self._rules(_link_rule.additions),
        ]
        return [*settings, *removals, *additions, *self._nat()]

    def _step(self, command: str, *parts: str) -> Step:
        return Step(self.netns, command, place(self.name, *parts))

    def _links(self) -> t.Iterator[Step]:
        """Ports before bridges, and what lies on a link after that.

        The kernel adapts a bridge's MTU to its ports whenever they change (br_mtu_auto_adjust in net/bridge/br_if.c)
        unless it was once set to another value than it had. So it is written again after a change of ports.
        """
        unsettled = {have.master for have in self.before.links.values() if have.name not in self.kept.links}
        self.forgetful |= unsettled
        for want in in_order(self.want.links):
            have = self.have[want.name]
            if want.kind == "bridge" and want.name in unsettled:
                have = replace(have, mtu=0)
            if have.hairpin and have.master != want.master:
                have = replace(have, hairpin=False)  # a new port has none (new_nbp in net/bridge/br_if.c)
            steps = list(self._link(have, want))
            changed = {step.path.rpartition(".")[2] for step in steps}
            if {"mtu", "master"} & changed:
                unsettled |= {have.master, want.master}
            self._note_losses(have, want, changed)
            yield from steps

    def _note_losses(self, have: Link, want: Link, changed: set[str]) -> None:
        """A bridge without a MAC address of its own has one of its ports'."""
        if {"mac", "master"} & changed:
            self.forgetful |= {want.name, have.master, want.master}
        if "up" in changed and not want.up:
            self.forgetful.add(want.name)
        if "master" in changed:
            self.moved.add(want.name)

    def _link(self, have: Link, want: Link) -> t.Iterator[Step]:
        path = ("links", want.name)
        if have.mark != want.mark:
            command = f"link property add dev {want.name} altname {altname(self.owner, want.mark)}"
            yield self._step(command, *path, "mark")
        # Before anything else makes the kernel remove them
        extra = [address for address in have.addresses if address not in want.addresses]
        for address in reversed(extra):
            self.disturbed.add(want.name)
            yield self._step(f"addr del {address} dev {want.name}", *path, "addresses")
        for name, words in changes(want.kind, have.options, want.options):
            yield self._step(f"link set dev {want.name} {words}", *path, name)
        if have.master != want.master and self._is_bond(have.master, want.master):
            yield from self._bond(have, want, *path)
            have = replace(without_bond(have), master=want.master)
        for attribute in ATTRIBUTES:
            if attribute.command and attribute.differs(have, want):
                change = attribute.command(getattr(want, attribute.name))
                yield self._step(f"link set dev {want.name} {change}", *path, attribute.name)
        left = taken_down(have).addresses if have.up and not want.up else have.addresses
        for address in want.addresses:
            # With a primary address its secondary ones may go: promote_secondaries in the kernel's ip-sysctl.rst.
            if extra or address not in left:
                how = "nodad" if ":" in address else "brd +"
                yield self._step(f"addr replace {address} {how} dev {want.name}", *path, "addresses")

    def _is_bond(self, *masters: str) -> bool:
        found = [links.get(name) for name in masters for links in (self.before.links, self.want.links)]
        return any(link.kind == "bond" for link in found if link)

    def _bond(self, have: Link, want: Link, *path: str) -> t.Iterator[Step]:
        """Only a link that is down becomes a port of a bond: bond_enslave in drivers/net/bonding/bond_main.c."""
        if have.up:
            yield self._step(f"link set dev {want.name} down", *path, "up")
        command = f"master {want.master}" if want.master else "nomaster"
        yield self._step(f"link set dev {want.name} {command}", *path, "master")

    def _extra_entries(self) -> t.Iterator[Step]:
        """Of all links before any is added: one that moves to another port is deleted from where it was."""
        for want in self.want.links.values():
            yield from self._told(_link_entry.removals(self.have[want.name], want), "links", want.name)

    def _missing_entries(self) -> t.Iterator[Step]:
        for want in self.want.links.values():
            have = self.have[want.name]
            if have.neighbours and want.name in self.forgetful:
                have = replace(have, neighbours=())
            if have.fdb and want.name in self.moved:
                have = replace(have, fdb=_link_entry.without_bridge(have.fdb))
            yield from self._told(_link_entry.additions(have, want), "links", want.name)

    def _rules(self, commands: t.Callable[..., t.Iterable[tuple[str, str, str]]]) -> t.Iterator[Step]:
        return self._told(commands(self.before.rules, self.want.rules, self.before.rules_marked))

    def _told(self, commands: t.Iterable[tuple[str, str, str]], *path: str) -> t.Iterator[Step]:
        for tool, command, part in commands:
            yield replace(self._step(command, *path, part), tool=tool)

    def _extra_routes(self) -> t.Iterator[Step]:
        for route in _link_route.extra(self.kept.routes, self.want.routes):
            yield self._step(f"route del {_link_route.deletion(route)}", "routes")

    def _missing_routes(self) -> t.Iterator[Step]:
        lost = sources(have for have in self.before.links.values() if have.name in self.disturbed)
        left = (
            route for route in self.kept.routes if not (route.devs & self.disturbed or route.goes_with_addresses(lost))
        )
        for number, want in _link_route.missing(left, self.want.routes):
            yield self._step(f"route replace {_link_route.words(want)}", f"routes[{number}]")

    def _nat(self) -> t.Iterator[Step]:
        for line, path in _link_nat.commands(self.owner, self.before.nat, self.want.nat):
            yield replace(self._step(line, path), tool="nft")


def _by_tool(steps: t.Iterable[Step]) -> list[Step]:
    """Those of bridge(8) first, so that those of ip(8) are in one batch with what follows."""
    return sorted(steps, key=lambda step: step.tool != "bridge")


def sysctl_steps(netns: str, name: str, have: Namespace, want: Namespace, early: bool) -> t.Iterator[Step]:
    """Settings that differ: `early` those that new links take over, else the others, which may be those of a link."""
    for key in _link_sysctl.changes(have.sysctls, want.sysctls, have.links):
        if _link_sysctl.before_links(key) == early:
            yield Step(netns, f"{key}={want.sysctls[key]}", place(name, "sysctls", key), tool="sysctl")


def _fresh(want: Link) -> Link:
    """What `link add` makes, or lo in a new namespace."""
    mtu = want.mtu if keeps_mtu(want.kind, want.options) else None
    mac = want.mac if want.kind not in TUNTAP else None
    return Link(want.name, kind=want.kind, peer=want.peer, mtu=mtu, mac=mac, up=False, options=want.options)
