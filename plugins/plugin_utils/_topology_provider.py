# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node whose provider is auto is made of, and why. PRIVATE to the collection. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_needs import node_needs

AUTO = "auto"
Data = dict[str, t.Any]
# What a machine's kernel lacks of some features, each with what trying it told; None when that cannot be tried
Lacking = t.Callable[[frozenset[str]], t.Optional[t.Mapping[str, str]]]


def choose(topology: Data, lacking: Lacking) -> Data:
    """The topology without `auto`: a container where the host's kernel has what the node needs, else a virtual machine.

    A container is what starts in a second and takes the least memory. Of a node that was chosen for, `provider_why`
    tells the reason. The kernel is asked once, and only when there is such a node.
    """
    open_nodes = {name: node for name, node in topology["nodes"].items() if node["provider"] == AUTO}
    if not open_nodes:
        return topology
    wanted = {name: node_needs(topology, node) for name, node in open_nodes.items()}
    absent = lacking(frozenset().union(*wanted.values()))
    chosen = {name: {**node, **_chosen(wanted[name], absent)} for name, node in open_nodes.items()}
    return {**topology, "nodes": {**topology["nodes"], **chosen}}


def _chosen(wanted: set[str], absent: t.Mapping[str, str] | None) -> Data:
    if absent is None:
        return {"provider": "container", "provider_why": "what this machine's kernel has could not be tried"}
    missing = [f"{name} ({absent[name]})" for name in sorted(wanted) if name in absent]
    if missing:
        return {"provider": "vm", "provider_why": f"this machine's kernel lacks {', '.join(missing)}"}
    has = ", ".join(sorted(wanted)) or "nothing in particular"
    return {"provider": "container", "provider_why": f"this machine's kernel lacks nothing of what it needs: {has}"}
