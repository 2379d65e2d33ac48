# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with the settings and the address translation of link_state's input. PRIVATE to the collection."""

from __future__ import annotations

import re
import typing as t
from ipaddress import IPv4Address, IPv4Network

from ansible_collections.reftopo.lab.plugins.module_utils._link_model import ROOT, Problem, place
from ansible_collections.reftopo.lab.plugins.module_utils._link_nat import NatRule
from ansible_collections.reftopo.lab.plugins.module_utils._link_sysctl import normalised
from ansible_collections.reftopo.lab.plugins.module_utils._link_value import link_name

Data = dict[str, t.Any]
Problems = t.Iterator[Problem]

NAT_OPTIONS: Data = {
    "action": {"type": "str", "required": True, "choices": ["masquerade", "snat", "dnat"]},
    "to": {"type": "str"},
    "protocol": {"type": "str", "choices": ["tcp", "udp"]},
    "port": {"type": "int"},
    "source": {"type": "str"},
    "destination": {"type": "str"},
    "in": {"type": "str"},
    "not_in": {"type": "str"},
    "out": {"type": "str"},
    "not_out": {"type": "str"},
}
NEEDED = {"masquerade": set(), "snat": {"to"}, "dnat": {"to", "protocol", "port"}}
POSSIBLE = {
    "masquerade": {"source", "destination", "in", "out", "not_out"},
    "snat": {"to", "source", "destination", "in", "out", "not_out"},
    "dnat": {"to", "protocol", "port", "destination", "in", "not_in"},
}
LINKS = ("in", "not_in", "out", "not_out")
PORTS = range(1, 65536)
SETTING = re.compile(r"net(/[A-Za-z0-9_.-]+)+")
VALUE = re.compile(r"[A-Za-z0-9_.,:+-]+( [A-Za-z0-9_.,:+-]+)*")


def setting(value: t.Any) -> str:
    """A setting's value as the kernel shows it."""
    return str(int(value)) if isinstance(value, bool) else " ".join(str(value).split())


def sysctls(namespace: str, given: Data) -> Problems:
    """What is wrong with a namespace's settings."""
    path = place(namespace, "sysctls")
    if namespace == ROOT and given:
        yield Problem(path, "this machine's own settings are not the owner's", "put it in a namespace")
        return
    seen: dict[str, str] = {}
    for key, value in given.items():
        name, where = normalised(str(key)), f"{path}.{key}"
        if not SETTING.fullmatch(name) or ".." in name.split("/"):
            yield Problem(where, "is no setting of a network namespace", "name one below net., as sysctl(8) does")
        if isinstance(value, (list, dict, type(None))) or not VALUE.fullmatch(setting(value)):
            yield Problem(where, f"{value!r} is no setting's value", "give a number or words")
        other = seen.setdefault(name, str(key))
        if other != str(key):
            yield Problem(where, f"is the same as {other}", "keep one of them")


def nat(rules: t.Mapping[str, Data]) -> Problems:
    """What is wrong with rules of address translation, given by their paths."""
    for path, options in rules.items():
        action = options["action"]
        for name in sorted(NEEDED[action] - set(options)):
            yield Problem(f"{path}.{name}", f"is missing, {action} needs it", f"add {name}")
        for name in sorted(set(options) - POSSIBLE[action] - {"action"}):
            yield Problem(f"{path}.{name}", f"does not go with {action}", f"use {', '.join(sorted(POSSIBLE[action]))}")
        for name in LINKS:
            if name in options:
                yield from link_name(options[name], f"{path}.{name}")
        for name in sorted({"in", "out"} & set(options)):
            if f"not_{name}" in options:
                yield Problem(f"{path}.not_{name}", f"there is {name} already", "keep one of them")
        yield from _addresses(action, options, path)


def _addresses(action: str, options: Data, path: str) -> Problems:
    for name in ("source", "destination"):
        if name in options:
            try:
                (IPv4Address if action == "dnat" else IPv4Network)(options[name])
            except ValueError as error:
                example = "10.0.0.1" if action == "dnat" else "10.1.0.0/16"
                yield Problem(f"{path}.{name}", str(error), f"write an IPv4 address or network such as {example}")
    if "port" in options and options["port"] not in PORTS:
        yield Problem(f"{path}.port", f"{options['port']} is no port", f"use {PORTS[0]} to {PORTS[-1]}")
    if "to" in options and action != "masquerade":
        yield from _target(action, options["to"], f"{path}.to")


def _target(action: str, to: str, path: str) -> Problems:
    address, colon, port = to.partition(":")
    example = "172.18.0.2:80" if action == "dnat" else "192.0.2.1"
    try:
        IPv4Address(address)
    except ValueError as error:
        yield Problem(path, str(error), f"write it as {example}")
        return
    number = int(port) if port.isascii() and port.isdigit() else 0
    if bool(colon) != (action == "dnat") or (colon and number not in PORTS):
        yield Problem(path, f"{to!r} is no target of {action}", f"write it as {example}")


def nat_rules(rules: t.Iterable[Data]) -> tuple[NatRule, ...] | None:
    """The rules of input that has no problems."""
    return tuple(nat_rule(options) for options in rules) or None


def nat_rule(options: Data) -> NatRule:
    """One rule as the kernel will show it."""
    matches = []
    for name in (*LINKS, "source", "destination"):
        value = options.get(name)
        if name not in LINKS and value:
            network = IPv4Network(value)
            value = str(network).removesuffix("/32") if network.prefixlen else None
        matches += [(name, value)] if value else []
    to, colon, port = options.get("to", "").partition(":")
    to = f"{to}:{int(port)}" if colon else to
    return NatRule(options["action"], to, options.get("protocol", ""), options.get("port", 0), tuple(matches))
