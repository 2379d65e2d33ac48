# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can become of a packet in a node's rules, and with what chance. Pure.

This plugin util is PRIVATE to the collection. What rules of iptables and of nftables say is in modules of their own;
here is what both have in common: chains, the hooks that lead into them, and chance. A rule that is not understood is an
error, never one that does not match: the packet's way is then unknown.
"""

from __future__ import annotations

import typing as t
from fractions import Fraction

HOOKS = ("nat-prerouting", "nat-output", "filter-input", "filter-forward", "filter-output", "nat-postrouting")

STOPPED = {"reject": "refused", "drop": "dropped"}  # the verdicts that are a packet's end, and a word for it


class UnclearError(Exception):
    """A rule, or a part of one, that is not understood here; nobody knows what becomes of a packet."""


class Packet(t.NamedTuple):
    """The first packet of a connection, where it is now.

    from_node and to_node say that a node sent it itself, and that its destination is one of the node's addresses. known
    are the lists of clients that hold its source, noted those that it was put on (session affinity). passed are the
    maps and chains that led it on, in order, until its destination was translated.
    """

    source: str
    destination: str
    protocol: str
    port: int
    from_node: bool = False
    to_node: bool = False
    mark: int = 0
    translated: bool = False
    masqueraded: bool = False
    known: frozenset[str] = frozenset()
    noted: frozenset[str] = frozenset()
    passed: tuple[str, ...] = ()

    def by(self, place: str) -> Packet:
        """The packet led on by a map, chain or virtual server; what is translated already is only filtered there."""
        return self if self.translated else self._replace(passed=(*self.passed, place))

    def towards(self, address: str, port: int) -> Packet:
        """The packet with another destination."""
        return self._replace(destination=address, port=int(port), translated=True, to_node=False)


class Branch(t.NamedTuple):
    """One thing that can happen.

    verdict is empty where the next rule comes, else accept, drop, reject, return, or jump or goto with a chain as
    target.
    """

    share: Fraction
    packet: Packet
    verdict: str = ""
    target: str = ""

    def scaled(self, share: Fraction) -> Branch:
        """The same as part of something that has a chance itself."""
        return self._replace(share=self.share * share)


class Rules(t.NamedTuple):
    """Chains of rules, what one rule does to a packet, and the chain of each hook, by the names of HOOKS.

    local are addresses that the node has beside its interfaces' own. balance is what a load balancer in the kernel does
    with packets that the filter let through.
    """

    chains: dict[str, list[t.Any]]
    step: t.Callable[[t.Any, Packet], list[Branch]]
    hooks: dict[str, str]
    local: frozenset[str] = frozenset()
    balance: t.Callable[[Packet], list[Branch]] | None = None


class End(t.NamedTuple):
    """Where a packet ends: an address with its port, or in a word; and whether its source is kept."""

    where: str
    masqueraded: bool = False

    def __str__(self) -> str:
        return f"{self.where}, masqueraded" if self.masqueraded else self.where


Ends = dict[End, Fraction]


def walk(rules: Rules, chain: str, packet: Packet) -> list[Branch]:
    """All that can happen in a chain; an empty verdict where the packet comes to its end."""
    if chain not in rules.chains:
        raise UnclearError(f"there is no chain {chain}")
    pending, done = [Branch(Fraction(1), packet)], list[Branch]()
    for rule in rules.chains[chain]:
        came, pending = pending, []
        for before in came:
            for after in rules.step(rule, before.packet):
                ended, following = _followed(rules, after.scaled(before.share))
                done += ended
                pending += following
    return done + pending


def _followed(rules: Rules, branch: Branch) -> tuple[list[Branch], list[Branch]]:
    """What a rule decides for good, and what goes on to the rule behind it."""
    if branch.verdict not in ("jump", "goto"):
        return _parted([branch])
    came = branch.packet.by(branch.target.rpartition(" ")[2])
    inside = [one.scaled(branch.share) for one in walk(rules, branch.target, came)]
    ended, fallen = _parted(inside)
    return (ended, fallen) if branch.verdict == "jump" else (ended + fallen, [])


def _parted(branches: list[Branch]) -> tuple[list[Branch], list[Branch]]:
    """Those with a verdict and those without; a return is an end of this chain that decides nothing."""
    ended = [one._replace(verdict="" if one.verdict == "return" else one.verdict) for one in branches if one.verdict]
    return ended, [one for one in branches if not one.verdict]


def ends(rules: Rules, packet: Packet) -> Ends:
    """Where a packet can end and with what chance, by address translation, filter and masquerading."""
    found: Ends = {}
    for branch in through(rules, packet):
        end = end_of(branch)
        found[end] = found.get(end, Fraction(0)) + branch.share
    return found


def end_of(branch: Branch) -> End:
    """Where one branch behind the last hook ends."""
    reached = f"{branch.packet.destination}:{branch.packet.port}" if branch.packet.translated else "nobody"
    return End(STOPPED.get(branch.verdict, reached), branch.packet.masqueraded)


def through(rules: Rules, packet: Packet) -> list[Branch]:
    """The branches behind the last hook; those that were stopped are not asked again."""
    branches = [Branch(Fraction(1), packet._replace(to_node=packet.to_node or packet.destination in rules.local))]
    for stage in (_translation, _filter, _balancer, _leaving):
        stopped = [one for one in branches if one.verdict in STOPPED]
        passing = [one for one in branches if one not in stopped]
        branches = stopped + [after.scaled(before.share) for before in passing for after in stage(rules, before.packet)]
    return branches


def _translation(rules: Rules, packet: Packet) -> list[Branch]:
    return walk(rules, rules.hooks["nat-output" if packet.from_node else "nat-prerouting"], packet)


def _filter(rules: Rules, packet: Packet) -> list[Branch]:
    """Chains that let a packet through did not lead it on; those that stop it did."""
    hook = "filter-output" if packet.from_node else "filter-input" if packet.to_node else "filter-forward"
    return [
        one if one.verdict in STOPPED else one._replace(packet=one.packet._replace(passed=packet.passed))
        for one in walk(rules, rules.hooks[hook], packet)
    ]


def _balancer(rules: Rules, packet: Packet) -> list[Branch]:
    """It sees what is for the node or from it; what the node only forwards goes by."""
    if rules.balance and (packet.to_node or packet.from_node):
        return rules.balance(packet)
    return [Branch(Fraction(1), packet)]


def _leaving(rules: Rules, packet: Packet) -> list[Branch]:
    return walk(rules, rules.hooks["nat-postrouting"], packet)
