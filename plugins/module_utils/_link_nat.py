# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Address translation: rules as data, as lines of nft(8), and back from what it prints. PRIVATE to the collection.

An owner's rules of one namespace are one table, named by the owner; it is replaced as a whole.
"""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass

Data = dict[str, t.Any]
Terms = dict[str, str]

# By hook: the chain of the same name and its priority. NF_IP_PRI_NAT_DST and _SRC in linux/netfilter_ipv4.h; nft knows
# the first by name only in prerouting.
CHAINS = {"prerouting": -100, "output": -100, "postrouting": 100}
# What a term is called in a rule of nft, and in its JSON: subject and operator.
MATCHES = {
    "in": ("iifname", "=="),
    "not_in": ("iifname", "!="),
    "out": ("oifname", "=="),
    "not_out": ("oifname", "!="),
    "source": ("ip saddr", "=="),
    "destination": ("ip daddr", "=="),
    "not_destination": ("ip daddr", "!="),
    "destination_type": ("fib daddr type", "=="),
    "tcp": ("tcp dport", "=="),
    "udp": ("udp dport", "=="),
}
NAMES = {match: name for name, match in MATCHES.items()}
OPTIONS_OF_MATCHES = ("in", "not_in", "out", "not_out", "source", "destination")
UNKNOWN = "unknown"
LOOPBACK = "127.0.0.0/8"


@dataclass(frozen=True)
class NatRule:
    """One rule; `matches` are names of OPTIONS_OF_MATCHES with their values, in that order."""

    action: str  # UNKNOWN for an observed one that this module does not write
    to: str = ""
    protocol: str = ""
    port: int = 0
    matches: tuple[tuple[str, str], ...] = ()

    def terms(self, hook: str) -> Terms | None:
        """What the rule consists of in a chain; None when it has no place there.

        As container engines have it, a port map without an address is for all of the machine's own, and works from the
        machine itself too, where nothing comes in by a link; but not by 127.0.0.1, from where no packet may leave.
        """
        if (hook == "postrouting") == (self.action == "dnat"):
            return None
        terms = dict(self.matches)
        if self.action == "dnat":
            if hook == "output":
                if "in" in terms:
                    return None
                terms.pop("not_in", None)
            if "destination" not in terms:
                terms["destination_type"] = "local"
                if hook == "output":
                    terms["not_destination"] = LOOPBACK
            terms[self.protocol] = str(self.port)
        return {**terms, self.action: self.to}


Rules = t.Optional["tuple[NatRule, ...]"]  # None: no table


def canonical(rules: Rules) -> Rules:
    """Port maps first, as `parse` returns them: the two kinds do not see each other's packets."""
    return None if rules is None else tuple(sorted(rules, key=lambda rule: rule.action != "dnat"))


def table(owner: str) -> str:
    """The table of an owner's rules; its name is the mark."""
    return f"ip reftopo.{owner}"


def commands(owner: str, have: Rules, want: Rules) -> t.Iterator[tuple[str, str]]:
    """Lines of one nft transaction, each with the place in the input that it serves.

    `delete` fails without a table, thus `add` before it.
    """
    name = table(owner)
    if canonical(have) == canonical(want):
        return
    if want is None:
        yield f"delete table {name}", "nat"
        return
    for line in (f"add table {name}", f"delete table {name}", f"add table {name}"):
        yield line, "nat"
    for hook, priority in CHAINS.items():
        yield f"add chain {name} {hook} {{ type nat hook {hook} priority {priority} ; }}", "nat"
    for number, rule in enumerate(want):
        for hook in CHAINS:
            terms = rule.terms(hook)
            if terms:
                yield f"add rule {name} {hook} {_words(terms)}", f"nat[{number}]"


def _words(terms: Terms) -> str:
    words = []
    for name, value in terms.items():
        if name in MATCHES:
            subject, operator = MATCHES[name]
            shown = f'"{value}"' if subject.endswith("ifname") else value
            words.append(f"{subject} {shown}" if operator == "==" else f"{subject} {operator} {shown}")
        else:
            words.append(f"{name} to {value}" if value else name)
    return " ".join(words)


def parse(output: str) -> tuple[NatRule, ...]:
    """The rules in what `nft -j list table` prints; with one that is UNKNOWN when there is anything else."""
    entries = json.loads(output)["nftables"]
    chains = {entry["chain"]["name"]: entry["chain"] for entry in entries if "chain" in entry}
    found: dict[str, list[Terms]] = {hook: [] for hook in CHAINS}
    for entry in entries:
        if "rule" in entry:
            found.setdefault(entry["rule"]["chain"], []).append(_terms(entry["rule"]["expr"]))
    rules = [*map(_rule, found["prerouting"]), *map(_rule, found["postrouting"])]
    whole = all(_as_written(chains.get(hook, {}), hook, CHAINS[hook]) for hook in CHAINS)
    kinds = {key for entry in entries for key in entry}
    same = all(found[hook] == [terms for rule in rules if (terms := rule.terms(hook))] for hook in CHAINS)
    if not (whole and same and set(chains) == set(CHAINS) and kinds <= {"metainfo", "table", "chain", "rule"}):
        rules.append(NatRule(UNKNOWN))
    return tuple(rules)


def _as_written(chain: Data, hook: str, priority: int) -> bool:
    wanted = {"type": "nat", "hook": hook, "prio": priority, "policy": "accept"}
    return all(chain.get(key) == value for key, value in wanted.items())


def _terms(expressions: list[Data]) -> Terms:
    terms = {}
    for expression in expressions:
        ((kind, content),) = expression.items()
        if kind == "match":
            name = NAMES.get((_subject(content["left"]), content["op"]), UNKNOWN)
            terms[UNKNOWN if name in terms else name] = _value(content["right"])
        elif kind in ("masquerade", "snat", "dnat"):
            terms[kind] = _target(content or {})
        else:
            terms[UNKNOWN] = kind
    return terms


def _subject(left: Data) -> str:
    ((kind, content),) = left.items()
    if kind == "meta":
        return content["key"]
    if kind == "payload" and "field" in content:
        return f"{content['protocol']} {content['field']}"
    return "fib daddr type" if left == {"fib": {"result": "type", "flags": ["daddr"]}} else UNKNOWN


def _value(right: t.Any) -> str:
    if isinstance(right, dict) and set(right) == {"prefix"}:
        return f"{right['prefix']['addr']}/{right['prefix']['len']}"
    return str(right)


def _target(content: Data) -> str:
    known = set(content) <= {"addr", "port"}
    return ":".join(str(content[key]) for key in ("addr", "port") if key in content) if known else UNKNOWN


def _rule(terms: Terms) -> NatRule:
    """The rule of these terms; it has other terms when they are none of ours."""
    action = next((name for name in ("masquerade", "snat", "dnat") if name in terms), UNKNOWN)
    protocol = next((name for name in ("tcp", "udp") if name in terms), "")
    port = terms.get(protocol, "")
    matches = tuple((name, terms[name]) for name in OPTIONS_OF_MATCHES if name in terms)
    return NatRule(action, terms.get(action, ""), protocol, int(port) if port.isdigit() else 0, matches)
