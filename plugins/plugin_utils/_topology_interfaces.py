# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One view of all interfaces of a topology, whichever way they were written. PRIVATE to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils._natural import natural


class Interface(t.NamedTuple):
    """An interface of a machine; None where the file gave nothing, or nothing usable."""

    path: str
    section: str  # nodes or namespaces
    machine: str
    name: str
    segment: str | None
    address: str | None
    mac: str | None
    kind: str | None = "veth"
    at: str | None = None  # the namespace whose bridge it is plugged into


def in_order(mapping: dict[str, t.Any] | None) -> list[tuple[str, t.Any]]:
    """A mapping's items in natural order of their keys, so that the order of a file means nothing."""
    return sorted((mapping or {}).items(), key=lambda item: natural(item[0]))


def interfaces(topology: dict[str, t.Any]) -> list[Interface]:
    """All interfaces: nodes before namespaces, each in natural order."""
    return [
        interface
        for section in ("nodes", "namespaces")
        for machine, entry in in_order(topology.get(section))
        for interface in _of_machine(section, machine, entry or {})
    ]


def bridges(topology: dict[str, t.Any]) -> dict[str, dict[str, Interface]]:
    """The bridges in namespaces: segment to namespace to the interface that is the bridge."""
    found: dict[str, dict[str, Interface]] = {}
    for interface in interfaces(topology):
        if (interface.section, interface.kind) == ("namespaces", "bridge") and interface.segment:
            found.setdefault(interface.segment, {})[interface.machine] = interface
    return found


def routers(topology: dict[str, t.Any]) -> dict[str, Interface]:
    """The interface of its router on each segment that has one."""
    given = {name: (segment or {}).get("router") for name, segment in (topology.get("segments") or {}).items()}
    found: dict[str, Interface] = {}
    for interface in interfaces(topology):
        if interface.section == "namespaces" and interface.machine == given.get(str(interface.segment)):
            found.setdefault(str(interface.segment), interface)
    return found


def first_of_nodes(topology: dict[str, t.Any]) -> list[Interface]:
    """Each node's first interface, which carries the node's own address and its default route."""
    first: dict[str, Interface] = {}
    for interface in interfaces(topology):
        if interface.section == "nodes":
            first.setdefault(interface.machine, interface)
    return list(first.values())


def _of_machine(section: str, machine: str, entry: dict[str, t.Any]) -> t.Iterator[Interface]:
    path = f"{section}.{machine}"
    if "interfaces" in entry:
        for name, values in in_order(entry["interfaces"]):
            yield _interface(f"{path}.interfaces.{name}", section, machine, name, values or {})
    elif "segment" in entry:
        yield _interface(path, section, machine, "eth0", entry)


def _interface(path: str, section: str, machine: str, name: str, values: dict[str, t.Any]) -> Interface:
    given = {key: values.get(key) for key in ("segment", "address", "mac", "at")}
    return Interface(path, section, machine, name, kind=values.get("kind", "veth"), **given)
