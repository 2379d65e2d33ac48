# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with link_state's input, as far as the input alone can tell. PRIVATE to the collection."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field
from functools import cached_property

from ansible_collections.reftopo.lab.plugins.module_utils import (
    _link_entry_check,
    _link_kind_check,
    _link_nat_check,
    _link_route_check,
    _link_rule_check,
)
from ansible_collections.reftopo.lab.plugins.module_utils._link_model import (
    PEER_SUFFIX,
    ROOT,
    End,
    Problem,
    altname,
    netns,
    place,
)
from ansible_collections.reftopo.lab.plugins.module_utils._link_value import attributes, link_name

Data = dict[str, t.Any]
Problems = t.Iterator[Problem]

OWNER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
MARK = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
LONGEST_ALTNAME = 127  # ALTIFNAMSIZ in include/uapi/linux/if.h, less the final zero
LONGEST_FILE_NAME = 255  # NAME_MAX; a namespace is a file below /run/netns
# States that take no description: what they do, and what to give instead
ALL_OF_THE_OWNER = {
    "deleted": ("deleted removes", "give only owner, or remove single links by leaving them out of state: overridden"),
    "gathered": ("gathered shows", "give only owner"),
}
OPTIONS_OF_LO = {"up", "addresses"}


@dataclass
class Spec:
    """The input with types and defaults, not yet known to make sense.

    `links` holds None for a link whose options could not be read. `routes`, `rules` and `nat` are, by namespace, the
    options by path.
    """

    owner: str
    state: str
    links: dict[End, Data | None] = field(default_factory=dict)
    routes: dict[str, dict[str, Data]] = field(default_factory=dict)
    rules: dict[str, dict[str, Data]] = field(default_factory=dict)
    sysctls: dict[str, Data] = field(default_factory=dict)
    nat: dict[str, dict[str, Data]] = field(default_factory=dict)

    def mark(self, end: End) -> str:
        """The mark of a link that is declared with its kind."""
        default = end.name if end.namespace == ROOT else f"{end.namespace}.{end.name}"
        return (self.links[end] or {}).get("mark") or default

    def peer(self, end: End) -> End | None:
        """The other end of a veth that is declared at `end`."""
        peer = (self.links.get(end) or {}).get("peer")
        return End(peer.get("namespace") or ROOT, peer["name"]) if peer else None

    def declares(self, end: End) -> bool:
        """Whether the input has this link: by an entry, or as a veth's other end."""
        return end in self.links or end in self.far_ends

    def kind(self, end: End) -> str:
        """The kind of a link, "" when it has none or is not declared."""
        return "veth" if end in self.far_ends else (self.links.get(end) or {}).get("kind") or ""

    def veths(self) -> t.Iterator[tuple[End, End]]:
        """Where each veth is declared, and its other end."""
        for end, options in self.links.items():
            far = self.peer(end)
            if far and (options or {}).get("kind") == "veth":
                yield end, far

    @cached_property
    def far_ends(self) -> dict[End, End]:
        """The other end of each veth, and where the veth is declared."""
        return {far: end for end, far in self.veths()}

    @cached_property
    def readable(self) -> bool:
        """Whether the options of every link could be read, so that what is missing really is."""
        return None not in self.links.values()


def check(spec: Spec) -> Problems:
    """Every problem of the input."""
    if not OWNER.fullmatch(spec.owner):
        fix = "use letters, digits, - and _; a dot would not tell owner a.b from link b of owner a"
        yield Problem("owner", f"{spec.owner!r} cannot be a mark", fix)
    given = spec.links or any(spec.routes.values()) or any(spec.nat.values()) or len(spec.routes) > 1
    if spec.state in ALL_OF_THE_OWNER and given:
        does, fix = ALL_OF_THE_OWNER[spec.state]
        yield Problem("state", f"{does} all that the owner has, but links, routes, nat or namespaces are given", fix)
    yield from _namespaces(spec)
    for end, options in spec.links.items():
        if options is not None:
            yield from _link(spec, end, options)
    yield from _veths(spec)
    yield from _link_kind_check.kinds(spec)
    yield from _link_entry_check.entries(spec)
    yield from _marks(spec)
    yield from _duplicate_addresses(spec)
    for namespace in spec.routes:
        yield from _link_route_check.routes(spec, namespace)
        yield from _link_rule_check.rules(namespace, spec.rules[namespace])
        yield from _link_nat_check.nat(spec.nat[namespace])
        yield from _link_nat_check.sysctls(namespace, spec.sysctls[namespace])


def _namespaces(spec: Spec) -> Problems:
    for name in spec.routes:
        if name == ROOT:
            continue
        path = place(name)
        if not OWNER.fullmatch(name):
            yield Problem(path, f"{name!r} cannot be a namespace's name", "use letters, digits, - and _")
        elif len(netns(spec.owner, name)) > LONGEST_FILE_NAME:
            yield Problem(path, f"the name is longer than {LONGEST_FILE_NAME} with its prefix", "shorten it")


def _link(spec: Spec, end: End, options: Data) -> Problems:
    path = place(end.namespace, "links", end.name)
    yield from link_name(end.name, path)
    if end.name == "lo":
        yield from _lo(end, options, path)
    elif options.get("kind") == "veth" and not options.get("peer"):
        yield Problem(f"{path}.peer", "is missing", "name the veth's other end: {name: …, namespace: …}")
    elif options.get("kind") != "veth" and options.get("peer"):
        yield Problem(f"{path}.peer", "only a veth has a peer", "remove it, or set kind: veth")
    elif not options.get("kind") and spec.readable and end not in spec.far_ends:
        fix = "set kind, or name it as peer where the other end is declared"
        yield Problem(f"{path}.kind", "is missing, and the link is no veth's other end", fix)
    yield from attributes(options, path)
    if options.get("hairpin") and not options.get("master"):
        yield Problem(f"{path}.hairpin", "only a bridge's port has it", "set master, or remove it")
    if options.get("master"):
        yield from _link_entry_check.master(spec, end, options["master"], f"{path}.master")


def _lo(end: End, options: Data, path: str) -> Problems:
    if end.namespace == ROOT:
        yield Problem(path, "this machine's own lo is not ours to set", "remove it, or put it in a namespace")
    for name in sorted(set(options) - OPTIONS_OF_LO):
        yield Problem(f"{path}.{name}", "cannot be set for lo", "remove it")


def _veths(spec: Spec) -> Problems:
    makers: dict[End, End] = {}
    for end, far in spec.veths():
        path = place(end.namespace, "links", end.name, "peer")
        if far.namespace not in spec.routes:
            yield Problem(f"{path}.namespace", f"{far.namespace!r} is unknown", "add it to namespaces")
        if far not in spec.links:
            yield from link_name(far.name, f"{path}.name")
        if far in makers:
            other = place(makers[far].namespace, "links", makers[far].name)
            yield Problem(path, f"{far.name!r} is the other end of {other} already", "name another")
        makers[far] = end
        if far == end:
            yield Problem(path, "a veth's other end is another link", "name that")
            continue
        options = spec.links.get(far) or {}
        for name in sorted({"kind", "mark", "peer"} & set(options)):
            where = place(far.namespace, "links", far.name, name)
            declared = place(end.namespace, "links", end.name)
            yield Problem(where, f"the link is the other end of {declared}, which sets this", "remove it")


def _marks(spec: Spec) -> Problems:
    seen: dict[str, str] = {}
    for end, options in spec.links.items():
        if not (options or {}).get("kind"):
            if (options or {}).get("mark") and end not in spec.far_ends:
                yield Problem(place(end.namespace, "links", end.name, "mark"), "goes with kind", "remove it")
            continue
        mark, path = spec.mark(end), place(end.namespace, "links", end.name, "mark")
        given = (options or {}).get("mark", "x")  # a default comes from a name, which is checked where it stands
        if not MARK.fullmatch(given) or mark.endswith(PEER_SUFFIX):
            fix = f"use letters, digits, _, - and ., and another ending than {PEER_SUFFIX}"
            yield Problem(path, f"{mark!r} cannot be a mark", fix)
        elif len(altname(spec.owner, mark + PEER_SUFFIX)) > LONGEST_ALTNAME:
            yield Problem(path, f"is longer than {LONGEST_ALTNAME} with prefix and {PEER_SUFFIX}", "shorten it")
        other = seen.setdefault(mark, path)
        if other != path:
            yield Problem(path, f"{mark!r} is taken by {other}", "give each link its own mark")


def _duplicate_addresses(spec: Spec) -> Problems:
    seen: dict[tuple[str, str], str] = {}
    for end, options in spec.links.items():
        for number, address in enumerate((options or {}).get("addresses", [])):
            path = place(end.namespace, "links", end.name, f"addresses[{number}]")
            other = seen.setdefault((end.namespace, address.partition("/")[0]), path)
            if other != path:
                yield Problem(path, f"{address.partition('/')[0]} is set by {other}", "use every address once")
