# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kube-proxy's rules in iptables, as iptables-save prints them. Pure.

This plugin util is PRIVATE to the collection. Sources: kubernetes, pkg/proxy/iptables/proxier.go; and
iptables-extensions(8).
"""

from __future__ import annotations

import functools
import ipaddress
import re
import typing as t
from fractions import Fraction

from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_flow import HOOKS, Branch, Packet, Rules, UnclearError

OWN = "KUBE-"  # how the chains are called that kube-proxy makes; those of flannel are not looked at
COMMENT = re.compile(r'-m comment --comment (?:"(?:[^"\\]|\\.)*"|\S+)')  # the only option that has quotes
FINEST = 1000  # the kernel keeps a probability as a number of 31 bits, so a third is not exactly one


class Rule(t.NamedTuple):
    """One rule: its options before the target, each with whether it is negated, and those of the target."""

    table: str
    line: str
    matches: dict[str, tuple[bool, str]]
    target: str
    options: dict[str, str]


class Set(t.NamedTuple):
    """A set: what its entries are made of, such as `ip` and `port`, and the entries as `ipset save` prints them."""

    parts: tuple[str, ...]
    entries: set[str]


@functools.cache
def parse(text: str, ipset: str = "") -> Rules:
    """All chains, by table and name; of the kernel's own chains only what leads into kube-proxy's.

    :param ipset: the sets that rules match, as `ipset save` prints them
    """
    chains: dict[str, list[Rule]] = {}
    table = ""
    for line in text.splitlines():
        if line.startswith("*"):
            table = line[1:]
        elif line.startswith(":"):
            chains[f"{table} {line[1:].split()[0]}"] = []
        elif line.startswith("-A "):
            rule, chain = _rule(table, line), line.split()[1]
            if chain.startswith(OWN) or rule.target.startswith(OWN):
                chains[f"{table} {chain}"].append(rule)
    hooks = {hook: " ".join((hook.partition("-")[0], hook.partition("-")[2].upper())) for hook in HOOKS}
    return Rules(chains, functools.partial(step, _sets(ipset)), hooks)


def _sets(text: str) -> dict[str, Set]:
    found: dict[str, Set] = {}
    for words in map(str.split, text.splitlines()):
        if words[:1] == ["create"]:
            found[words[1]] = Set(tuple(words[2].partition(":")[2].split(",")), set())
        elif words[:1] == ["add"]:
            found[words[1]].entries.add(words[2])
    return found


def _rule(table: str, line: str) -> Rule:
    matches: dict[str, tuple[bool, str]] = {}
    options: dict[str, str] = {}
    key, target, negated = "", "", False
    for word in COMMENT.sub("", line).split()[2:]:
        if word == "!":
            negated = True
        elif word.startswith("-"):
            key = word
            if target:
                options[key] = ""
            elif key not in ("-m", "-j"):
                matches[key], negated = (negated, ""), False
        elif key == "-j":
            target = word
        elif target:
            options[key] = word
        elif key != "-m":
            matches[key] = (matches[key][0], f"{matches[key][1]} {word}".strip())
    return Rule(table, line, matches, target, options)


def step(sets: dict[str, Set], rule: Rule, packet: Packet) -> list[Branch]:
    """What a rule does with a packet."""
    chance = Fraction(1)
    for key, (negated, value) in rule.matches.items():
        if key == "--probability":
            chance = Fraction(value).limit_denominator(FINEST)
        elif key not in SILENT and _holds(sets, rule, key, value, packet) == negated:
            return [Branch(Fraction(1), packet)]
    passed = [Branch(1 - chance, packet)] if chance < 1 else []
    return [*passed, _done(rule, packet)._replace(share=chance)]


# Options that count or belong to another: they do not decide.
SILENT = ("--nfacct-name", "--mode", "--name", "--seconds", "--reap", "--mask", "--rsource", "--set")


def _holds(sets: dict[str, Set], rule: Rule, key: str, value: str, packet: Packet) -> bool:
    tests: dict[str, t.Callable[[], bool]] = {
        "-s": lambda: _within(packet.source, value),
        "-d": lambda: _within(packet.destination, value),
        "-p": lambda: packet.protocol == value,
        "--dport": lambda: packet.port == int(value),
        "--dst-type LOCAL": lambda: packet.to_node,
        "--src-type LOCAL": lambda: packet.from_node,
        "--ctstate": lambda: "NEW" in value.split(","),
        "--mark": lambda: _marked(packet.mark, value),
        "--rcheck": lambda: rule.matches["--name"][1] in packet.known,
        "--match-set": lambda: _in_set(sets, value, packet),
    }
    test = tests.get(key) or tests.get(f"{key} {value}")
    if test is None:
        raise UnclearError(f"iptables: {key} is not understood in `{rule.line}`")
    return test()


def _in_set(sets: dict[str, Set], value: str, packet: Packet) -> bool:
    """Whether a set has what is meant by NAME and, for each part of an entry, `src` or `dst`."""
    name, flags = value.split()
    if name not in sets:
        raise UnclearError(f"iptables: there is no set {name}")
    known = {
        "ip src": packet.source,
        "ip dst": packet.destination,
        "port dst": f"{packet.protocol}:{packet.port}",
    }
    wanted = [f"{part} {flag}" for part, flag in zip(sets[name].parts, flags.split(","))]
    if not sets[name].entries:
        return False
    if set(wanted) - set(known):
        raise UnclearError(f"iptables: {value} is not understood")
    # A set of ports alone has them as plain numbers.
    entry = str(packet.port) if wanted == ["port dst"] else ",".join(known[part] for part in wanted)
    return entry in sets[name].entries


def _within(address: str, network: str) -> bool:
    return ipaddress.ip_address(address) in ipaddress.ip_network(network)


def _numbers(value: str) -> list[int]:
    """VALUE/MASK."""
    return [int(part, 0) for part in value.split("/")]


def _marked(mark: int, value: str) -> bool:
    wanted, mask = _numbers(value)
    return mark & mask == wanted


VERDICTS = {"ACCEPT": "accept", "DROP": "drop", "REJECT": "reject", "RETURN": "return"}


def _done(rule: Rule, packet: Packet) -> Branch:
    """What the target of a rule that matches does."""
    sure = Fraction(1)
    if "--set" in rule.matches:
        packet = packet._replace(noted=packet.noted | {rule.matches["--name"][1]})
    if rule.target in VERDICTS:
        return Branch(sure, packet, VERDICTS[rule.target])
    if rule.target.startswith(OWN):
        return Branch(sure, packet, "jump", f"{rule.table} {rule.target}")
    if rule.target == "DNAT":
        return Branch(sure, packet.towards(*rule.options["--to-destination"].split(":")), "accept")
    if rule.target == "MASQUERADE":
        return Branch(sure, packet._replace(masqueraded=True), "accept")
    if rule.target == "MARK" and "--set-xmark" in rule.options:
        value, mask = _numbers(rule.options["--set-xmark"])
        return Branch(sure, packet._replace(mark=packet.mark & ~mask ^ value))
    raise UnclearError(f"iptables: the target of `{rule.line}` is not understood")
