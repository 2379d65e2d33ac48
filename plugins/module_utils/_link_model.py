# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The link state of a machine as data, and the marks that say whose a link, namespace or route is.

Desired and observed state have the same shape, so that comparing them is comparing values. This module util is PRIVATE
to the collection.
"""

from __future__ import annotations

import hashlib
import typing as t
from dataclasses import dataclass, field, replace
from functools import lru_cache

from ansible_collections.reftopo.lab.plugins.module_utils._link_entry import FdbEntry, Neighbour
from ansible_collections.reftopo.lab.plugins.module_utils._link_nat import Rules
from ansible_collections.reftopo.lab.plugins.module_utils._link_route import Route
from ansible_collections.reftopo.lab.plugins.module_utils._link_rule import Rule

# Key of the machine's own network namespace in State.namespaces.
ROOT = ""
PREFIX = "reftopo."
# Both ends of a veth carry one mark, the end that is not declared with the kind carries it with this.
PEER_SUFFIX = ".peer"
ADDRESSES_OF_LO = ("127.0.0.1/8", "::1/128")  # the kernel sets them when lo goes up


@lru_cache
def group(owner: str) -> int:
    """The link group (1 to 2**31 - 1) of an owner's links.

    The kernel sets a link's group in the request that creates it, but an alternative name only in a second one
    (rtnl_create_link and rtnl_linkprop in net/core/rtnetlink.c). So a link that was created by a run that died before
    the second request still says whose it is. iproute2 refuses groups above 2**31 - 1.
    """
    return int(hashlib.sha1(owner.encode()).hexdigest()[:8], 16) % (2**31 - 1) + 1


def altname(owner: str, mark: str) -> str:
    """The alternative name that marks a link as the owner's."""
    return f"{PREFIX}{owner}.{mark}"


def netns(owner: str, namespace: str) -> str:
    """The name under /run/netns of one of the owner's namespaces."""
    return f"{PREFIX}{owner}.{namespace}"


def split_mark(name: str) -> tuple[str, str] | None:
    """Owner and mark (or namespace) in an alternative name or a namespace's name; None when it is not one of ours.

    An owner has no dot, so ``reftopo.a.b.c`` can only be owner ``a``.
    """
    owner, dot, mark = name[len(PREFIX) :].partition(".")
    return (owner, mark) if name.startswith(PREFIX) and owner and dot and mark else None


def place(namespace: str, *parts: str) -> str:
    """Where something stands in the module's input: ``namespaces.cp1.links.eth0.mtu``."""
    head = (f"namespaces.{namespace}",) if namespace != ROOT else ()
    return ".".join((*head, *parts))


@dataclass(frozen=True, order=True)
class Problem:
    """What is wrong, where in the module's input, and what to do about it."""

    path: str
    problem: str
    fix: str

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}; {self.fix}"


class LinkStateError(Exception):
    """The one error of link_state, with all problems that were found together."""

    def __init__(self, summary: str, problems: t.Sequence[Problem] = ()) -> None:
        super().__init__("\n".join([summary, *(f"- {problem}" for problem in problems)]))
        self.problems = tuple(problems)


class End(t.NamedTuple):
    """One link of the machine."""

    namespace: str
    name: str


@dataclass(frozen=True)
class Link:
    """A link; `mtu` and `mac` are None where the desired state leaves them to the kernel.

    `options` are those of its kind, all of them: see KINDS in _link_kind.py.
    """

    name: str
    kind: str = ""  # "" for lo
    mark: str = ""
    peer: End | None = None
    mtu: int | None = None
    mac: str | None = None
    master: str = ""
    hairpin: bool = False
    up: bool = True
    addresses: tuple[str, ...] = ()
    options: t.Mapping[str, t.Any] = field(default_factory=dict)
    fdb: tuple[FdbEntry, ...] = ()
    neighbours: tuple[Neighbour, ...] = ()
    # Only in observed links
    owner: str = ""  # "" when it carries nobody's mark
    grouped: bool = False  # in the link group of the owner for whom it was read
    altnames: tuple[str, ...] = ()
    index: int = 0
    peer_index: int = 0


@dataclass(frozen=True)
class Namespace:
    """Links by name, routes, rules, settings and address translation of one network namespace.

    `foreign_routes` are those in ROOT that leave by links of others, `default_routes` those in its main table by which
    packets leave for anywhere, whoever's they are, one for each next hop. Rules are read in the owner's namespaces
    only; `rules_marked` says whether there is the mark of IPv6 rules. `sysctls` are only those that the desired state
    sets; `nat` is the owner's table, None when there is none.
    """

    links: t.Mapping[str, Link] = field(default_factory=dict)
    routes: tuple[Route, ...] = ()
    foreign_routes: tuple[Route, ...] = ()
    default_routes: tuple[Route, ...] = ()
    rules: tuple[Rule, ...] = ()
    foreign_rules: tuple[Rule, ...] = ()
    rules_marked: bool = False
    sysctls: t.Mapping[str, str] = field(default_factory=dict)
    nat: Rules = None


@dataclass(frozen=True)
class State:
    """A machine's link state: ROOT and the owner's namespaces by their short names.

    `stale` are the owner's names under /run/netns that are plain files, left when making the namespace was
    interrupted; `blocked` are those that are something else, such as a symbolic link.
    """

    owner: str
    namespaces: t.Mapping[str, Namespace] = field(default_factory=lambda: {ROOT: Namespace()})
    stale: tuple[str, ...] = ()
    blocked: tuple[str, ...] = ()

    def ends(self) -> t.Iterator[tuple[End, Link]]:
        """Every link with its place."""
        for name, namespace in self.namespaces.items():
            for link in namespace.links.values():
                yield End(name, link.name), link

    def find(self, end: End) -> Link | None:
        """The link at a place."""
        namespace = self.namespaces.get(end.namespace)
        return namespace.links.get(end.name) if namespace else None

    def with_links(self, change: t.Callable[[End, Link], Link | None]) -> State:
        """The same state with each link replaced by what `change` returns, or left out when that is None."""
        changed = {}
        for name, namespace in self.namespaces.items():
            links = {key: change(End(name, key), link) for key, link in namespace.links.items()}
            changed[name] = replace(namespace, links={key: link for key, link in links.items() if link})
        return replace(self, namespaces=changed)
