# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kube-proxy's rules in nftables, as nft prints them as JSON. Pure.

This plugin util is PRIVATE to the collection. Source: kubernetes, pkg/proxy/nftables/proxier.go; libnftables-json(5).
"""

from __future__ import annotations

import functools
import ipaddress
import json
import typing as t
from fractions import Fraction

from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_flow import HOOKS, Branch, Packet, Rules, UnclearError
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data

TABLE = ("ip", "kube-proxy")
SURE = Fraction(1)


class Sets(t.NamedTuple):
    """Maps and sets by name, and the names of those to which packets add their source."""

    maps: dict[str, dict[t.Any, Data]]
    sets: dict[str, list[t.Any]]
    lists: frozenset[str]


@functools.cache
def parse(text: str) -> Rules:
    """kube-proxy's table; the hooks' chains are called like the hooks."""
    own = [
        (kind, body)
        for item in json.loads(text)["nftables"]
        for kind, body in item.items()
        if (body.get("family"), body.get("table")) == TABLE
    ]
    chains: dict[str, list[Data]] = {body["name"]: [] for kind, body in own if kind == "chain"}
    for kind, body in own:
        if kind == "rule":
            chains[body["chain"]].append(body)
    sets = Sets(
        {body["name"]: _mapped(body.get("elem", [])) for kind, body in own if kind == "map"},
        {body["name"]: [_plain(one) for one in body.get("elem", [])] for kind, body in own if kind == "set"},
        frozenset(body["name"] for kind, body in own if kind == "set" and "dynamic" in body.get("flags", [])),
    )
    return Rules(chains, functools.partial(step, sets), dict(zip(HOOKS, HOOKS)))


def _mapped(elements: list[t.Any]) -> dict[t.Any, Data]:
    return {_plain(key): value for key, value in elements}


def _plain(key: t.Any) -> t.Any:
    """An element's key without its comment, and several values as one tuple."""
    if isinstance(key, dict) and "elem" in key:
        key = key["elem"]["val"]
    return tuple(key["concat"]) if isinstance(key, dict) and "concat" in key else key


def step(sets: Sets, rule: Data, packet: Packet) -> list[Branch]:
    """What a rule does with a packet: statement by statement, up to one that does not match or that decides."""
    for statement in rule["expr"]:
        ((kind, body),) = statement.items()
        if kind == "match":
            if not _matches(sets, body, packet):
                break
        elif kind == "mangle" and body["key"] == {"meta": {"key": "mark"}}:
            packet = packet._replace(mark=_value(body["value"], packet))
        elif kind == "set" and body["op"] == "update":
            packet = packet._replace(noted=packet.noted | {body["set"][1:]})
        elif kind == "vmap":
            return _chosen(sets, body, packet, _verdict)
        elif kind == "dnat" and isinstance(body["addr"], dict):
            return _chosen(sets, body["addr"]["map"], packet, _translated)
        else:
            return [_verdict(statement, packet)]
    return [Branch(SURE, packet)]


def _chosen(sets: Sets, body: Data, packet: Packet, decide: t.Callable[[t.Any, Packet], Branch]) -> list[Branch]:
    """A choice from a map, by the packet or by chance; what the map does not have goes on to the next rule."""
    data = body["data"]
    choices = sets.maps[data[1:]] if isinstance(data, str) else _mapped(data["set"])
    by_chance = body["key"].get("numgen")
    keys = list(range(by_chance["mod"])) if by_chance else [_value(body["key"], packet)]
    led = packet.by(f"map {data[1:]}") if isinstance(data, str) else packet
    found = [decide(choices[key], led) if key in choices else Branch(SURE, packet) for key in keys]
    return [branch.scaled(Fraction(1, len(keys))) for branch in found]


def _translated(value: t.Any, packet: Packet) -> Branch:
    return Branch(SURE, packet.towards(*_plain(value)), "accept")


def _verdict(statement: Data, packet: Packet) -> Branch:
    ((kind, body),) = statement.items()
    if kind in ("accept", "drop", "reject", "return"):
        return Branch(SURE, packet, kind)
    if kind in ("jump", "goto"):
        return Branch(SURE, packet, kind, body["target"])
    if kind == "dnat":
        return Branch(SURE, packet.towards(body["addr"], body["port"]), "accept")
    if kind == "masquerade":
        return Branch(SURE, packet._replace(masqueraded=True), "accept")
    raise UnclearError(f"nftables: the statement {statement} is not understood")


def _matches(sets: Sets, body: Data, packet: Packet) -> bool:
    if body["op"] not in ("==", "!=", "in"):
        raise UnclearError(f"nftables: the operator {body['op']} is not understood")
    return _within(sets, _value(body["left"], packet), body["right"], packet) != (body["op"] == "!=")


def _within(sets: Sets, value: t.Any, right: t.Any, packet: Packet) -> bool:
    """Whether a value is another, or in a network or a set."""
    if isinstance(right, str) and right.startswith("@"):
        name = right[1:]
        return name in packet.known if name in sets.lists else value in sets.sets[name]
    if isinstance(right, dict) and "prefix" in right:
        network = f"{right['prefix']['addr']}/{right['prefix']['len']}"
        return ipaddress.ip_address(value) in ipaddress.ip_network(network)
    if isinstance(right, (dict, list)):
        raise UnclearError(f"nftables: {right} is not understood")
    return bool(value == right)


def _value(expression: t.Any, packet: Packet) -> t.Any:
    """The value of an expression for a packet."""
    if isinstance(expression, int):
        return expression
    ((kind, body),) = expression.items()
    if kind == "concat":
        return tuple(_value(part, packet) for part in body)
    if kind in ("&", "|", "^"):
        left, right = (_value(part, packet) for part in body)
        return {"&": left & right, "|": left | right, "^": left ^ right}[kind]
    values = {
        ("payload", "saddr"): packet.source,
        ("payload", "daddr"): packet.destination,
        ("payload", "dport"): packet.port,
        ("meta", "l4proto"): packet.protocol,
        ("meta", "mark"): packet.mark,
        ("fib", "saddr type"): "local" if packet.from_node else "unicast",
        ("ct", "state"): "new",
        ("ct", "status"): "dnat" if packet.translated else "",
    }
    key = (kind, _looked_up(body) if kind == "fib" else body.get("field", body.get("key")))
    if key not in values:
        raise UnclearError(f"nftables: the expression {expression} is not understood")
    return values[key]


def _looked_up(body: Data) -> str:
    """What a lookup of the routing table asks, such as `saddr type`; nft prints one flag as a list or alone."""
    flags = body["flags"]
    return f"{' '.join([flags] if isinstance(flags, str) else flags)} {body['result']}"
