# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The input of the module reftopo.lab.link_state that makes a topology's underlay. PRIVATE to the collection."""

from __future__ import annotations

import typing as t

Data = dict[str, t.Any]


def link_state(compiled: Data) -> Data:
    """All of the host's links and namespaces of a compiled topology, as that module wants them."""
    machines = [*compiled["nodes"].values(), *compiled["namespaces"].values()]
    bridges = {name: segment for name, segment in compiled["segments"].items() if segment["kind"] == "bridge"}
    links = dict(_bridge(name, segment) for name, segment in bridges.items())
    for machine in machines:
        links.update(_veths(machine, bridges))
    namespaces = {machine["name"]: _namespace(machine, bridges) for machine in machines}
    for name in compiled["segments"].keys() - bridges.keys():
        _join(namespaces, *_ends(machines, name))
    return {"owner": compiled["name"], "state": "overridden", "links": links, "routes": [], "namespaces": namespaces}


def _ends(machines: list[Data], segment: str) -> list[tuple[str, str]]:
    """Machine and interface of each end of a wire."""
    return [
        (machine["name"], name)
        for machine in machines
        for name, interface in machine["interfaces"].items()
        if interface["segment"] == segment
    ]


def _join(namespaces: Data, one: tuple[str, str], other: tuple[str, str]) -> None:
    """Declare the veth pair of a wire at its first end."""
    (machine, name), (far, far_name) = one, other
    peer = {"name": far_name, "namespace": far}
    links = namespaces[machine]["links"]
    links[name] = {"kind": "veth", "mark": f"{machine}.{name}", "peer": peer, **links[name]}


def _bridge(name: str, segment: Data) -> tuple[str, Data]:
    prefix = segment["cidr"].rpartition("/")[2]
    addresses = [f"{segment['gateway']}/{prefix}"]
    return segment["bridge"], {"kind": "bridge", "mark": name, "mtu": segment["mtu"], "addresses": addresses}


def _veths(machine: Data, segments: Data) -> t.Iterator[tuple[str, Data]]:
    for name, interface in machine["interfaces"].items():
        if interface["segment"] not in segments:
            continue
        yield (
            interface["peer"],
            {
                "kind": "veth",
                "mark": f"{machine['name']}.{name}",
                "mtu": interface["mtu"],
                "master": segments[interface["segment"]]["bridge"],
                "peer": {"name": name, "namespace": machine["name"]},
            },
        )


def _namespace(machine: Data, bridges: Data) -> Data:
    """The far ends and their default route, where the first interface is on a bridge.

    The route has link scope: nothing answers for a foreign address, so no packet can leave by way of the host, yet
    service addresses have a route until kube-proxy's rules see them.
    """
    links: Data = {"lo": {}}
    for name, interface in machine["interfaces"].items():
        links[name] = {"mac": interface["mac"], "mtu": interface["mtu"], "addresses": [interface["address"]]}
    name, first = next(iter(machine["interfaces"].items()))
    default = [{"to": "default", "dev": name, "scope": "link"}] if first["segment"] in bridges else []
    return {"links": links, "routes": default}
