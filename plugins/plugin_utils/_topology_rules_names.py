# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules on the names of a topology, its machines and interfaces. PRIVATE to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils._cni_backend import CNI_BRIDGE
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_interfaces import interfaces
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_problem import Problem

Data = dict[str, t.Any]

# Ansible's own groups, and the endings that the inventory plugin gives to a topology's groups.
ANSIBLE_GROUPS = {"all", "ungrouped"}
GROUP_ENDINGS = ("-host", "-nodes", "-control-plane", "-workers", "-pods", "-existing", "-hypervisors")
RESERVED_MACHINES = {"host": "the machine that carries the topology has it", "localhost": "every machine has it"}
RESERVED_INTERFACES = {"lo": "every network namespace has it", CNI_BRIDGE: "the bridge of a node's pods has it"}


def name_problems(topology: Data, folder: str) -> t.Iterator[Problem]:
    """Names that the file system, Ansible or the kernel would take for something else."""
    name = topology.get("name")
    if name and name != folder:
        yield Problem("name", f"{name} is not the name of its folder {folder}", f"write {folder}, or rename the folder")
    if name in ANSIBLE_GROUPS or (name or "").endswith(GROUP_ENDINGS):
        fix = f"use another that does not end in {', '.join(GROUP_ENDINGS)}"
        yield Problem("name", f"{name} would be taken for another inventory group", fix)
    yield from _machine_problems(topology)
    for interface in interfaces(topology):
        if interface.name in RESERVED_INTERFACES:
            reason = RESERVED_INTERFACES[interface.name]
            yield Problem(interface.path, f"the name {interface.name} is taken: {reason}", "use another, such as eth0")


def _machine_problems(topology: Data) -> t.Iterator[Problem]:
    nodes, namespaces = (topology.get(section) or {} for section in ("nodes", "namespaces"))
    for section, machines in (("nodes", nodes), ("namespaces", namespaces)):
        for name in sorted(machines.keys() & RESERVED_MACHINES.keys()):
            what = f"the name {name} is taken: {RESERVED_MACHINES[name]}"
            yield Problem(f"{section}.{name}", what, f"use another, such as {name}1")
    for name in sorted(nodes.keys() & namespaces.keys()):
        yield Problem(f"namespaces.{name}", f"there is a node {name} already", "give one of the two another name")
