# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A claim about a node of a cluster, its peers as the network plugin has them, and how values are compared. Pure.

This plugin util is PRIVATE to the collection.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils._cni_backend import pod_network, to_own_pods
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_snapshot import Snapshot


@dataclasses.dataclass(frozen=True)
class Peer:
    """A node as it announces itself: its pods' subnet, its underlay address, and with VXLAN its endpoint's MAC."""

    node: str
    subnet: str
    underlay: str
    mac: str = ""

    @property
    def subnets(self) -> tuple[str, ...]:
        """All networks of its pods."""
        return (self.subnet,)

    @property
    def address(self) -> str:
        """The address of the VXLAN device, where there is one: with flannel the subnet's first."""
        return str(ipaddress.ip_network(self.subnet).network_address)

    @property
    def by_device(self) -> tuple[str, ...]:
        """Where routes by another node's VXLAN device may lead to."""
        return self.subnets


@dataclasses.dataclass(frozen=True)
class Claim:
    """One assert about a node, known from the topology alone; command shows the same to a person."""

    node: str
    key: str
    title: str
    command: str
    peer: str = ""

    @property
    def case(self) -> str:
        """The claim in a test case's id."""
        return "-".join(filter(None, (self.node, self.key, self.peer)))


def of_no_node(table: t.Mapping[str, tuple[t.Any, ...]]) -> list[Claim]:
    """The claims of a table that are of no node: by key the title, the command, and what else there is."""
    return [Claim("", key, title, command) for key, (title, command, *_rest) in table.items()]


def differences(what: str, found: Data, wanted: Data) -> list[str]:
    """Each value that is not what it must be."""
    return [
        f"{what}: {key} is {found.get(key)!r}, must be {value!r}"
        for key, value in wanted.items()
        if found.get(key) != value
    ]


def single(what: str, rows: list[Data], wanted: Data) -> list[str]:
    """Exactly one row, with these values."""
    if len(rows) != 1:
        return [f"{what}: {len(rows)} entries, must be one"]
    return differences(what, rows[0], wanted)


def route_to_each(snapshot: Snapshot, networks: tuple[str, ...], wanted: Data) -> list[str]:
    """To each network exactly one route, with these values."""
    return [
        fault
        for network in networks
        for fault in single(f"route to {network}", snapshot.rows("routes", dst=network), wanted)
    ]


def pod_routes(snapshot: Snapshot, topology: Data) -> list[Data]:
    """A node's routes to pods, of all tables, but for those by which its own are reached."""
    network = pod_network(topology)
    pods = ipaddress.ip_network(network["pod_cidr"])
    rows = [row for row in snapshot.table("routes") if row["dst"] != "default"]
    others = [row for row in rows if not to_own_pods(network["cni"], row.get("dev"))]
    return [row for row in others if ipaddress.ip_network(row["dst"]).overlaps(pods)]
