# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of policy routing: as data, as words of ip-rule(8), and back from what it prints. PRIVATE to the collection.

A process of ip(8) without -6 sees IPv4 rules only. So that not every namespace costs a second one, a namespace with
IPv6 rules of ours has an IPv4 rule that does nothing, which says so.
"""

from __future__ import annotations

import typing as t
from collections import defaultdict
from dataclasses import dataclass
from ipaddress import ip_interface

from ansible_collections.reftopo.lab.plugins.module_utils._link_route import PROTOCOL, TABLES, TYPES

Data = dict[str, t.Any]
Command = tuple[str, str, str]  # tool, command and place

TOOLS = {4: "ip", 6: "ip -6"}
# The kernel's own rules, by priority, and what they look into: fib_default_rules_init in net/ipv4/fib_rules.c
OF_THE_KERNEL = {0: "local", 32766: "main", 32767: "default"}
PRIORITIES = range(1, 32766)  # before the kernel's own, behind which nothing is asked any more
PRIORITY_OF_MARK = 32768
MARK = f"priority {PRIORITY_OF_MARK} nop"
WHOLE_MARK = 0xFFFFFFFF
# What of a rule is read besides its protocol; *_detached says that there is no such link now
KNOWN = {"priority", "src", "srclen", "dst", "dstlen", "iif", "iif_detached", "oif", "oif_detached", "fwmark", "fwmask"}
KNOWN |= {"table", "action", "protocol"}


@dataclass(frozen=True)
class Rule:
    """A rule; `source` and `destination` are networks, "" for any. It has either a table or a type."""

    version: int
    priority: int
    source: str = ""
    destination: str = ""
    iif: str = ""
    oif: str = ""
    fwmark: str = ""  # value/mask
    table: str = ""
    type: str = ""
    other: str = ""  # only in observed ones: what this module does not write

    @property
    def key(self) -> tuple[int, int]:
        """What two rules of the owner cannot have in common, so that their order is clear."""
        return (self.version, self.priority)

    def words(self) -> str:
        """In the words of `ip rule`."""
        words = [f"priority {self.priority} from {self.source or 'all'}"]
        words += [f"to {self.destination}"] if self.destination else []
        words += [f"{name} {link}" for name, link in (("iif", self.iif), ("oif", self.oif)) if link]
        words += [f"fwmark {self.fwmark}"] if self.fwmark else []
        return " ".join([*words, f"table {self.table}" if self.table else self.type]).strip()


def fwmark(value: int, mask: int) -> str:
    """A mark of packets in one way to write it."""
    return f"{value:#x}/{mask:#x}"


def parse_rules(entries: t.Iterable[Data], version: int) -> tuple[list[Rule], list[Rule], bool]:
    """Our rules, those of others, and whether there is the mark, from what `ip -N -j -d rule show` prints."""
    found: dict[bool, list[Rule]] = {True: [], False: []}
    marked = False
    for entry in entries:
        ours = entry.get("protocol") == str(PROTOCOL)
        if ours and entry["priority"] == PRIORITY_OF_MARK and "nop" in entry:
            marked = True
        else:
            found[ours].append(_rule(entry, version))
    return found[True], found[False], marked


def _rule(entry: Data, version: int) -> Rule:
    mark = "fwmark" in entry or "fwmask" in entry
    value, mask = (int(str(entry.get(key, usual)), 0) for key, usual in (("fwmark", 0), ("fwmask", WHOLE_MARK)))
    return Rule(
        version,
        entry["priority"],
        source=_network(entry, "src"),
        destination=_network(entry, "dst"),
        iif=entry.get("iif", ""),
        oif=entry.get("oif", ""),
        fwmark=fwmark(value, mask) if mark else "",
        table=TABLES.get(entry.get("table", ""), entry.get("table", "")),
        type=TYPES.get(entry.get("action", ""), entry.get("action", "")),
        other=" ".join(sorted(set(entry) - KNOWN)),
    )


def _network(entry: Data, key: str) -> str:
    """A network without its length is a single address."""
    if entry.get(key, "all") == "all":
        return ""
    length = f"/{entry[f'{key}len']}" if f"{key}len" in entry else ""
    return str(ip_interface(f"{entry[key]}{length}").network)


def removals(have: t.Iterable[Rule], want: t.Collection[Rule], marked: bool) -> t.Iterator[Command]:
    """For each rule of ours at a priority where there is not just the wanted one; those of IPv6 before their mark.

    By protocol and priority alone: the kernel deletes the first rule that has all that is said (fib_nl_delrule in
    net/core/fib_rules.c), so that two which differ in what is not said could not be told apart.
    """
    wanted = {rule.key: [rule] for rule in want}
    extra = [rule for key, rules in _by_key(have).items() if rules != wanted.get(key) for rule in rules]
    for rule in sorted(extra, key=lambda rule: -rule.version):
        yield TOOLS[rule.version], f"rule del priority {rule.priority} protocol {PROTOCOL}", "rules"
    if marked and not _needs_mark(want):
        yield TOOLS[4], f"rule del {MARK} protocol {PROTOCOL}", "rules"


def additions(have: t.Iterable[Rule], want: t.Collection[Rule], marked: bool) -> t.Iterator[Command]:
    """For each wanted rule that is not there, or not alone; those of IPv6 after their mark."""
    if _needs_mark(want) and not marked:
        yield TOOLS[4], f"rule add {MARK} protocol {PROTOCOL}", "rules"
    found = _by_key(have)
    missing = [(rule, number) for number, rule in enumerate(want) if found[rule.key] != [rule]]
    for rule, number in sorted(missing, key=lambda item: item[0].version):
        yield TOOLS[rule.version], f"rule add {rule.words()} protocol {PROTOCOL}", f"rules[{number}]"


def _needs_mark(rules: t.Iterable[Rule]) -> bool:
    return any(rule.version == 6 for rule in rules)


def _by_key(rules: t.Iterable[Rule]) -> dict[tuple[int, int], list[Rule]]:
    found = defaultdict(list)
    for rule in rules:
        found[rule.key].append(rule)
    return found
