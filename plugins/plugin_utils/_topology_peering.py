# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Routers outside of the cluster that nodes speak BGP with: the rules, and the addresses. PRIVATE to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils._cni_backend import pod_network, with_defaults
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_interfaces import (
    first_of_nodes,
    in_order,
    interfaces,
)
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_problem import Problem, did_you_mean

Data = dict[str, t.Any]

# AS numbers that no speaker may have: the one that stands for those of four bytes (RFC 6793 section 9), and the last of
# two bytes and of four (RFC 7300). 0 (RFC 7607) is less than the schema's least.
AS_RESERVED = {23456: "AS_TRANS (RFC 6793)", 65535: "reserved (RFC 7300)", 4294967295: "reserved (RFC 7300)"}
PRIVATE = "use a private number, 64512 to 65534 (RFC 6996)"


def as_problems(path: str, number: int | None) -> t.Iterator[Problem]:
    """An AS number that nobody may have."""
    if number in AS_RESERVED:
        yield Problem(path, f"{number} is {AS_RESERVED[number]}", PRIVATE)


def peer_problems(path: str, cni: Data, topology: Data) -> t.Iterator[Problem]:
    """Peers that are not there, out of the nodes' reach, or inside their AS; a password that not all would have."""
    own = with_defaults(cni).get("as_number")
    for name, peer in in_order(cni.get("peers")):
        number = (peer or {}).get("as_number")
        yield from as_problems(f"{path}.peers.{name}.as_number", number)
        if number is not None and number == own:
            what = f"{number} is the nodes' own, and a router in it would be one of them"
            yield Problem(f"{path}.peers.{name}.as_number", what, PRIVATE.replace("a private", "another private"))
        yield from _place_problems(f"{path}.peers.{name}", name, topology)
    if cni.get("password") and cni.get("route_reflectors"):
        what = "sessions of route reflectors have no password yet"
        yield Problem(f"{path}.password", what, "remove it, or remove route_reflectors")


def _place_problems(path: str, name: str, topology: Data) -> t.Iterator[Problem]:
    """A router is a neighbour: what it is told names nodes as next hops, which it must reach without another router."""
    known = topology.get("namespaces") or {}
    if name not in known:
        fix = did_you_mean(name, known) if known else "add it to namespaces"
        yield Problem(path, f"there is no namespace {name}", fix)
        return
    mine = [one.segment for one in interfaces(topology) if (one.section, one.machine) == ("namespaces", name)][:1]
    homes = sorted({str(one.segment) for one in first_of_nodes(topology) if one.segment})
    if mine and homes and {mine[0]} != {*homes}:
        what = f"{name} is outside of the nodes' segment: it is in {mine[0]}, they are in {' and '.join(homes)}"
        yield Problem(path, what, f"put its first interface in {homes[0]}")


def peering_problems(path: str, topology: Data) -> t.Iterator[Problem]:
    """A check of peers at `path` where there are none."""
    if not (pod_network(topology).get("cni") or {}).get("peers"):
        what = "no router outside of the cluster speaks BGP with the nodes"
        yield Problem(path, what, "give cni peers: {NAME: {as_number: NUMBER}}, or remove the check")


def addressed_peers(peers: Data, namespaces: Data) -> Data:
    """cni.peers with the address of each, in the order of their names."""
    return {name: {**peer, "address": namespaces[name]["address"]} for name, peer in in_order(peers)}


PEERING_RULES = {"peering": peering_problems}  # of checks, by their mechanism
