# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of a compiled topology that other hosts carry, each a topology of its own. PRIVATE to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_allocate import gateway
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_hosts import HERE, mtu, nodes_that_carry, stitched
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_interfaces import Interface, in_order
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_link_state import link_state
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_names import link_name, owner, tunnel_port, vni
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_needs import needs
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_rules_existing import CONNECTION, EXISTING

Data = dict[str, t.Any]


def compiled_segment(topology: Data, name: str, inside: dict[str, Interface]) -> Data:
    """A segment, with the link by which each host has it together with the others where it is on several."""
    segment, owner = topology["segments"][name], topology["name"]
    common = {key: segment[key] for key in ("kind", "cidr", "mtu", "router", "hosts") if key in segment}
    if inside:
        return {**common, "bridges": {machine: bridge.name for machine, bridge in inside.items()}}
    if segment["kind"] in (EXISTING, "veth"):
        return common
    own = gateway(segment, inside)
    made = {**common, "bridge": link_name(owner, name), **({"gateway": own} if own else {})}
    if name not in stitched(topology):
        return made
    tunnel = link_name(owner, name, "between", "hosts")
    return {**made, "tunnel": tunnel, "vni": segment.get("vni", vni(owner, name)), "port": tunnel_port(owner)}


def compiled_hosts(topology: Data, compiled: Data) -> Data:
    """The hosts that are given or are nodes, each with its address and the MTU of its way to the others."""
    given = {
        name: {"name": name, **{key: host[key] for key in ("address", *CONNECTION) if key in host}}
        for name, host in in_order(topology["hosts"])
    }
    nodes = {name: {"name": name, "address": compiled["nodes"][name]["address"]} for name in nodes_that_carry(topology)}
    return {name: {**host, "mtu": mtu(topology, name)} for name, host in in_order({**given, **nodes})}


def add_parts(compiled: Data) -> None:
    """Give every other host the part that it carries, and this machine what its own part and its containers need."""
    for name, host in compiled.get("hosts", {}).items():
        underlay = {"path": f"{'nodes' if name in compiled['nodes'] else 'hosts'}.{name}", **_underlay(compiled, name)}
        if name == HERE:
            compiled["underlay"] = underlay
        else:
            host["part"] = {**_part(compiled, name), "underlay": underlay}
        # A container has this machine's kernel.
        if compiled["nodes"].get(name, {}).get("provider") == "container":
            compiled["needs"] = sorted({*compiled["needs"], *host["part"]["needs"]})


def _part(compiled: Data, host: str) -> Data:
    segments = {name: one for name, one in compiled["segments"].items() if host in one.get("hosts", (HERE,))}
    part = {
        "name": owner(compiled["name"], host in compiled["nodes"]),
        "segments": {name: {key: one[key] for key in one if key != "hosts"} for name, one in segments.items()},
        "nodes": {},
        "namespaces": {name: one for name, one in compiled["namespaces"].items() if one.get("host") == host},
        "link_state": link_state(compiled, host),
    }
    return {**part, "needs": needs(part)}


def _underlay(compiled: Data, host: str) -> Data:
    """What preflight holds against a host: its address, the MTU, and VXLAN links that must be nobody else's."""
    own, mine = compiled["hosts"][host], {name: one for name, one in compiled["segments"].items() if "tunnel" in one}
    tunnels = {name: {"vni": one["vni"], "port": one["port"]} for name, one in mine.items() if host in one["hosts"]}
    return {"address": own["address"], "mtu": own["mtu"], "tunnels": tunnels}
