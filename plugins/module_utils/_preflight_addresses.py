# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether somebody else has a topology's addresses on bridges that are there already. PRIVATE to the collection.

Where every port of a bridge is the topology's own, nobody else can, and nothing is asked.
"""

from __future__ import annotations

import dataclasses
import errno
import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils._preflight_model import (
    PROBLEM,
    Check,
    Facts,
    Link,
    PreflightError,
    Stranger,
    Wire,
)
from ansible_collections.reftopo.lab.plugins.module_utils._preflight_observe import read_json
from ansible_collections.reftopo.lab.plugins.module_utils._preflight_probe import Run
from ansible_collections.reftopo.lab.plugins.module_utils._probe_arp import others

Data = t.Mapping[str, t.Any]


def wanted(topology: Data, segment: str) -> dict[str, str]:
    """The addresses that a segment's machines and the host have on it, and their places in the topology's file."""
    gateway = topology["segments"][segment].get("gateway")
    found = {gateway: f"segments.{segment}.gateway"} if gateway else {}
    for section in ("nodes", "namespaces"):
        for name, machine in topology.get(section, {}).items():
            interfaces = machine.get("interfaces", {})
            for key, interface in interfaces.items():
                place = f"{name}.interfaces.{key}" if len(interfaces) > 1 else name
                if interface["segment"] == segment:
                    found[interface["address"].partition("/")[0]] = f"{section}.{place}.address"
    return found


def with_wires(run: Run, facts: Facts, topology: Data) -> Facts:
    """The facts, and what is plugged in at the topology's bridges that are there, is not its own and has its addresses.

    Raises:
        PreflightError: a bridge cannot be asked.
    """
    # Who may not try the kernel's features may not ask, either.
    bridges = {name: segment.get("bridge", "") for name, segment in topology["segments"].items()}
    there = {name: one for name, one in bridges.items() if _owner(facts, one) == topology["name"]}
    if facts.trials is None or not there:
        return facts
    ports = [row for row in read_json(run, ["ip", "-j", "link", "show"]) if row.get("master") in there.values()]
    foreign = [(row["master"], row["ifname"]) for row in ports if _owner(facts, row["ifname"]) != topology["name"]]
    found = {}
    for name, bridge in there.items():
        strange = sorted(port for master, port in foreign if master == bridge)
        found[name] = _wire(run, bridge, strange, list(wanted(topology, name))) if strange else Wire(bridge)
    return dataclasses.replace(facts, wires=found)


def _owner(facts: Facts, link: str) -> str:
    return facts.links.get(link, Link()).owner


def _wire(run: Run, bridge: str, foreign: list[str], addresses: list[str]) -> Wire:
    try:
        answers = others(bridge, addresses)
    except OSError as error:
        if error.errno == errno.ENETDOWN:
            return Wire(bridge, tuple(foreign), down=True)
        raise PreflightError(f"Nobody can be asked by ARP on {bridge}: {error}") from error
    ports = _ports(read_json(run, ["bridge", "-j", "fdb", "show", "br", bridge]))
    strangers = [
        Stranger(address, mac, ", ".join(sorted(ports.get(mac, foreign))))
        for address, macs in answers.items()
        for mac in macs
        if ports.get(mac, set()) <= set(foreign)  # not behind one of ours
    ]
    return Wire(bridge, tuple(foreign), tuple(strangers))


def _ports(entries: list[Data]) -> dict[str, set[str]]:
    """The ports behind which a bridge has seen each MAC address."""
    found: dict[str, set[str]] = {}
    for entry in entries:
        found.setdefault(entry["mac"], set()).add(entry["ifname"])
    return found


def addresses(seen: t.Mapping[str, Wire], topology: Data) -> list[Check]:
    """A line for each address that somebody else has, or one for each bridge on which somebody else is."""
    lines = []
    for segment, wire in seen.items():
        places = wanted(topology, segment)
        taken = [_taken(stranger, wire.bridge, places[stranger.address]) for stranger in wire.strangers]
        lines += taken or ([_free(segment, wire)] if wire.foreign else [])
    return lines


def _free(segment: str, wire: Wire) -> Check:
    who = f"what else is plugged in ({', '.join(wire.foreign)})"
    found = f"{wire.bridge} is down, so {who} was not asked" if wire.down else f"asked by ARP, {who} has none of them"
    return Check(f"addresses of {segment}", f"segments.{segment}", found)


def _taken(stranger: Stranger, bridge: str, where: str) -> Check:
    found = f"{stranger.mac} has it already, behind {stranger.port}, a port of {bridge} that is not this topology's"
    fix = f"give that machine another address, write another one in {where}, or unplug that port"
    return Check(f"address {stranger.address}", where, found, PROBLEM, fix)
