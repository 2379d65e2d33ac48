# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The input of the module reftopo.lab.link_state that makes a topology's underlay. PRIVATE to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils._link_entry import FLOOD
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_change import merge_patch
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_hosts import HERE
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_names import owner

Data = dict[str, t.Any]


# What a namespace of the topology file may say in the module's own words.
PARTS = ("links", "routes", "rules", "sysctls", "nat")
MAIN = ("main", "254")  # the routing table of the derived default route
FORWARD = "net.ipv4.ip_forward"


def link_state(compiled: Data, host: str = HERE) -> Data:
    """All of a host's links and namespaces of a compiled topology, as that module wants them."""
    machines = [one for one in (*compiled["nodes"].values(), *compiled["namespaces"].values()) if _on(one) == host]
    segments = {name: one for name, one in compiled["segments"].items() if host in one.get("hosts", (HERE,))}
    on_host = {name: segment for name, segment in segments.items() if "bridge" in segment}
    links = dict(_bridge(name, segment, host) for name, segment in on_host.items())
    links |= dict(_tunnel(name, one, host, compiled["hosts"]) for name, one in on_host.items() if "tunnel" in one)
    # A virtual machine has a kernel of its own: all of it that is here is the tap of each interface.
    namespaces = {machine["name"]: _namespace(machine, compiled) for machine in machines if "netns" in machine}
    for machine in machines:
        for name, interface in machine["interfaces"].items():
            if interface["segment"] in on_host:
                bridge = on_host[interface["segment"]]["bridge"]
                links[interface["peer"]] = _port(machine, name, interface, bridge)
            elif "at" in interface:
                bridge = compiled["segments"][interface["segment"]]["bridges"][interface["at"]]
                ports = namespaces[interface["at"]]["links"]
                ports[interface["peer"]] = _port(machine, name, interface, bridge)
    for name, segment in segments.items():
        if segment["kind"] == "veth":
            _join(namespaces, *_ends(machines, name))
    bodies = {name: _with_parts(body, compiled["namespaces"].get(name, {})) for name, body in namespaces.items()}
    name = owner(compiled["name"], host in compiled["nodes"])
    return {"owner": name, "state": "overridden", "links": links, "routes": [], "namespaces": bodies}


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


def _on(machine: Data) -> str:
    return str(machine.get("host", HERE))


def _bridge(name: str, segment: Data, host: str) -> tuple[str, Data]:
    """A segment's bridge; of several, the one on this machine alone has an address, or there would be two of it."""
    prefix = segment["cidr"].rpartition("/")[2]
    addresses = [f"{segment['gateway']}/{prefix}"] if host == HERE else []
    return segment["bridge"], {"kind": "bridge", "mark": name, "mtu": segment["mtu"], "addresses": addresses}


def _tunnel(name: str, segment: Data, host: str, hosts: Data) -> tuple[str, Data]:
    """The port by which a segment's bridge reaches those on other hosts: to each goes what nobody has learned."""
    others = [hosts[other]["address"] for other in segment["hosts"] if other != host]
    ends = {"local": hosts[host]["address"], "fdb": [{"mac": FLOOD, "dst": address} for address in others]}
    common = {"kind": "vxlan", "mark": f"{name}.between.hosts", "mtu": segment["mtu"], "master": segment["bridge"]}
    return segment["tunnel"], {**common, "id": segment["vni"], "port": segment["port"], **ends}


def _port(machine: Data, name: str, interface: Data, bridge: str) -> Data:
    """The end of an interface that is a port of its segment's bridge: one of a veth pair, or a machine's tap."""
    port = {"mark": f"{machine['name']}.{name}", "mtu": interface["mtu"], "master": bridge}
    if machine.get("provider") == "vm":
        return {"kind": "tap", **port}
    return {"kind": "veth", **port, "peer": {"name": name, "namespace": machine["name"]}}


def _namespace(machine: Data, compiled: Data) -> Data:
    """The links that follow from a machine's interfaces, and its default route."""
    links: Data = {"lo": {}}
    for name, interface in machine["interfaces"].items():
        kind = {"kind": "bridge"} if interface.get("kind") == "bridge" else {}
        links[name] = {**kind, "mac": interface["mac"], "mtu": interface["mtu"], "addresses": [interface["address"]]}
    forwards = machine["name"] in {segment.get("router") for segment in compiled["segments"].values()}
    sysctls = {"sysctls": {FORWARD: 1}} if forwards else {}
    return {"links": links, "routes": _default(machine, compiled), **sysctls}


def _default(machine: Data, compiled: Data) -> list[Data]:
    """The default route by a machine's first interface.

    It goes by the segment's router, which itself knows its own networks alone. On a bridge of the host without one it
    has link scope: nothing answers for a foreign address, so no packet can leave by way of the host, yet service
    addresses have a route until kube-proxy's rules see them. A bridge in a namespace is its members' router.
    """
    name, first = next(iter(machine["interfaces"].items()))
    if "router" in machine:
        return [{"to": "default", "via": machine["router"]}]
    if "at" in first:
        bridge = compiled["segments"][first["segment"]]["bridges"][first["at"]]
        address = compiled["namespaces"][first["at"]]["interfaces"][bridge]["address"]
        return [{"to": "default", "via": address.partition("/")[0]}]
    segment = compiled["segments"][first["segment"]]
    on_host = "bridge" in segment and first.get("kind") != "bridge" and segment.get("router") != machine["name"]
    return [{"to": "default", "dev": name, "scope": "link"}] if on_host else []


def _with_parts(body: Data, given: Data) -> Data:
    """A namespace's body with what the file says of it in the module's own words.

    Given routes come first, so that they have the numbers that they have in the file.
    """
    routes = given.get("routes", [])
    sysctls = merge_patch(body.get("sysctls", {}), given.get("sysctls", {}))
    has_default = any(
        isinstance(route, dict) and route.get("to") == "default" and str(route.get("table", "main")) in MAIN
        for route in routes
    )
    return {
        "links": merge_patch(body["links"], given.get("links", {})),
        "routes": [*routes, *([] if has_default else body["routes"])],
        **({"sysctls": sysctls} if sysctls else {}),
        **{key: given[key] for key in ("rules", "nat") if key in given},
    }
