# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a host has segments together with others: its address, MTU, and UDP port. PRIVATE to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils._preflight_model import PROBLEM, Check, Facts

Data = t.Mapping[str, t.Any]


def underlay(facts: Facts, topology: Data) -> list[Check]:
    """Lines for a host that carries a topology together with others; none for any other.

    An address that the topology itself gives to this machine may not be there yet.
    """
    way = topology.get("underlay")
    if not way:
        return []
    to_come = {one.get("gateway") for one in topology["segments"].values()}
    lines = [] if way["address"] in to_come else [_address(facts, way), *_mtu(facts, way)]
    return [*lines, *_tunnels(facts, way, topology["name"])]


def _address(facts: Facts, way: Data) -> Check:
    what, where = f"address {way['address']}", f"{way['path']}.address"
    if way["address"] in facts.addresses:
        return Check(what, where, f"on {facts.addresses[way['address']]}")
    fix = "write the host's own address, as `ip address` shows it there, not one that is translated to it"
    return Check(what, where, "this machine does not have it", PROBLEM, fix)


def _mtu(facts: Facts, way: Data) -> t.Iterator[Check]:
    """The link must take what the topology says; whether the network behind it does, the check `mtu: exact` shows."""
    link = facts.addresses.get(way["address"])
    if link is None:
        return
    has, what, where = facts.links[link].mtu, f"MTU of {link}", f"{way['path']}.mtu"
    if has >= way["mtu"]:
        yield Check(what, where, f"{has}, {way['mtu']} needed")
    else:
        fix = f"write mtu: {has} there, or raise the link's (ip link set {link} mtu {way['mtu']})"
        yield Check(what, where, f"{has}, {way['mtu']} needed", PROBLEM, fix)


def _tunnels(facts: Facts, way: Data, topology: str) -> t.Iterator[Check]:
    """VXLAN links of others with the same identifier and port, and programs at that port."""
    of_links = {link.port for link in facts.links.values()}
    for port in sorted({one["port"] for one in way["tunnels"].values()}):
        what = f"UDP port {port}"
        if port in facts.bound - of_links:
            fix = f"stop it, or let it listen elsewhere (ss -lunp sport = :{port}); it follows from the topology's name"
            yield Check(what, way["path"], "a program has it", PROBLEM, fix)
        else:
            yield Check(what, way["path"], "free or a VXLAN link's")
    for segment, tunnel in way["tunnels"].items():
        what, where = f"VNI {tunnel['vni']}", f"segments.{segment}.vni"
        taken = [
            name
            for name, link in facts.links.items()
            if (link.vni, link.port) == (tunnel["vni"], tunnel["port"]) and link.owner != topology
        ]
        if taken:
            fix = "write another vni for the segment"
            yield Check(what, where, f"{taken[0]} has it at port {tunnel['port']}", PROBLEM, fix)
        else:
            yield Check(what, where, f"free or ours at port {tunnel['port']}")
