# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of link_state's input: their options, what is wrong with them, what they mean. PRIVATE to the collection."""

from __future__ import annotations

import re
import typing as t
from collections import Counter
from ipaddress import ip_network

from ansible_collections.reftopo.lab.plugins.module_utils._link_model import ROOT, Problem, place
from ansible_collections.reftopo.lab.plugins.module_utils._link_route_check import table, table_name
from ansible_collections.reftopo.lab.plugins.module_utils._link_rule import (
    OF_THE_KERNEL,
    PRIORITIES,
    WHOLE_MARK,
    Rule,
    fwmark,
)
from ansible_collections.reftopo.lab.plugins.module_utils._link_value import link_name

Data = dict[str, t.Any]
Problems = t.Iterator[Problem]

RULE_OPTIONS: Data = {
    "priority": {"type": "int", "required": True},
    "from": {"type": "str"},
    "to": {"type": "str"},
    "iif": {"type": "str"},
    "oif": {"type": "str"},
    "fwmark": {"type": "str"},
    "table": {"type": "str"},
    "type": {"type": "str", "choices": ["blackhole", "unreachable", "prohibit"]},
}
NETWORKS = ("from", "to")
NUMBER = "(0x[0-9a-fA-F]+|[1-9][0-9]*|0)"
FWMARK = re.compile(f"{NUMBER}(?:/{NUMBER})?")


def rules(namespace: str, given: t.Mapping[str, Data]) -> Problems:
    """What is wrong with the rules of a namespace, given by their paths."""
    if namespace == ROOT and given:
        path = place(namespace, "rules")
        yield Problem(path, "nothing says whose a rule of this machine itself is", "put it in a namespace")
    counts = Counter(map(rule_key, given.values()))
    for path, options in given.items():
        yield from _priority(options["priority"], counts[rule_key(options)], f"{path}.priority")
        yield from _networks(options, path)
        yield from _target(options, path)
        for name in ("iif", "oif"):
            if name in options:
                yield from link_name(options[name], f"{path}.{name}")
        if "fwmark" in options and not _mark(options["fwmark"]):
            problem = f"{options['fwmark']!r} is no mark of packets"
            yield Problem(f"{path}.fwmark", problem, "write it as 16 or 0x10, or with a mask as 0x10/0xff")


def _priority(priority: int, times: int, path: str) -> Problems:
    fix = f"use {PRIORITIES[0]} to {PRIORITIES[-1]}"
    if priority in OF_THE_KERNEL:
        yield Problem(path, f"{priority} is the kernel's own rule for table {OF_THE_KERNEL[priority]}", fix)
    elif priority not in PRIORITIES:
        yield Problem(path, f"{priority} is out of range", fix)
    if times > 1:
        yield Problem(path, f"there are {times} rules of priority {priority}", "give each its own")


def _networks(options: Data, path: str) -> Problems:
    versions = set()
    for name in NETWORKS:
        try:
            versions |= {ip_network(options[name]).version} if name in options else set()
        except ValueError as error:
            yield Problem(f"{path}.{name}", str(error), "write 10.1.0.0/16")
    if len(versions) > 1:
        yield Problem(f"{path}.to", "from and to are of different IP versions", "use one version")


def _target(options: Data, path: str) -> Problems:
    yield from table(options, path)
    if "table" in options and "type" in options:
        yield Problem(f"{path}.type", "excludes table", "remove one of them")
    elif "table" not in options and "type" not in options:
        yield Problem(f"{path}.table", "is missing, and there is no type either", "name the table to look into")


def _mark(given: t.Any) -> tuple[int, int] | None:
    """Value and mask; None when it is no mark. With a mask of 0 every packet would have it."""
    found = FWMARK.fullmatch(str(given))
    if not found:
        return None
    value, mask = int(found.group(1), 0), int(found.group(2) or str(WHOLE_MARK), 0)
    return (value, mask) if value <= WHOLE_MARK and 0 < mask <= WHOLE_MARK else None


def rule_key(options: Data) -> tuple[int, int]:
    """What two rules of the input cannot have in common: an IP version and a priority."""
    version = 6 if any(":" in options[name] for name in NETWORKS if options.get(name)) else 4
    return (version, int(options["priority"]))


def rule(options: Data) -> Rule:
    """A rule of input that has no problems, as the kernel will show it."""
    networks = (ip_network(options[name]) if options.get(name) else None for name in NETWORKS)
    source, destination = (str(network) if network and network.prefixlen else "" for network in networks)
    mark = _mark(options["fwmark"]) if "fwmark" in options else None
    return Rule(
        *rule_key(options),
        source=source,
        destination=destination,
        iif=options.get("iif", ""),
        oif=options.get("oif", ""),
        fwmark=fwmark(*mark) if mark else "",
        table=table_name(options["table"]) if "table" in options else "",
        type=options.get("type", ""),
    )
