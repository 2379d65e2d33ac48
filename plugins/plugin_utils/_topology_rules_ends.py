# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which machines the ends of a check can mean, and which outcomes it names. PRIVATE to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_interfaces import first_of_nodes, interfaces
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_problem import Problem

Data = dict[str, t.Any]

# Ends of a check that are machines.
MACHINES = ("machines", "nodes", "namespaces")


def references(topology: Data, interfaces_too: bool) -> list[str]:
    """How a check may name machines: by name, and with an interface of theirs behind a dot."""
    machines = [*(topology.get("nodes") or {}), *(topology.get("namespaces") or {})]
    return machines + [f"{one.machine}.{one.name}" for one in interfaces(topology) if interfaces_too]


def kind(end: t.Any) -> str | None:
    """What an end of a check is, in one word: machines for a list of them."""
    return "machines" if isinstance(end, list) else end


def outcomes(expect: t.Any) -> set[str]:
    """All outcomes that an expectation names."""
    if isinstance(expect, dict):
        return set().union(*map(outcomes, expect.values()))
    return {outcome for outcome in (expect if isinstance(expect, list) else [expect]) if outcome}


def nobody_outside(path: str, topology: Data, homes: t.Collection[str]) -> t.Iterator[Problem]:
    """A check at `path` that asks from a machine outside, where none has its first interface on a nodes' segment."""
    clients = {one.machine: one.segment for one in reversed(interfaces(topology)) if one.section == "namespaces"}
    if not set(clients.values()) & set(homes):
        what = "no namespace has its first interface on the nodes' segment, to ask from outside"
        yield Problem(path, what, "add one to namespaces")


def too_few_nodes(topology: Data) -> bool:
    nodes = topology.get("nodes")
    return nodes is not None and len(nodes) < 2


def one_segment(topology: Data) -> bool:
    """Whether all nodes have their first interface in the same segment."""
    segments = [interface.segment for interface in first_of_nodes(topology)]
    return None not in segments and len(set(segments)) == 1
