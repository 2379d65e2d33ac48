# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A topology on hosts that are there already, whatever its file says of nodes. PRIVATE to the collection. Pure."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_allocate import allocate
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_interfaces import in_order, interfaces
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_problem import Problem, did_you_mean
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_rules_existing import CONNECTION, EXISTING

Data = dict[str, t.Any]

# Where a check names machines; `break.change` is of those that are namespaces.
ENDS = ("from", "to", "hops", "answers", "source")


class Hosts(t.NamedTuple):
    """The hosts of one topology, as whoever made them tells.

    Attributes:
        topology: its name.
        interface: by which the hosts reach each other, in the topology's segment.
        reached: Ansible's variables of how each host is reached, by node; empty while there are none.
    """

    topology: str
    interface: str
    reached: t.Mapping[str, Data]


def load_hosts(text: str) -> Hosts:
    """The hosts of a file of JSON; raises ValueError with what is wrong."""
    data = json.loads(text)
    if not isinstance(data, dict) or set(data) - {"hosts"} != {"topology", "interface"}:
        raise ValueError("give topology, interface and, when there are some, hosts, and nothing else")
    hosts = data.get("hosts", {})
    if not isinstance(hosts, dict) or not all(isinstance(host, dict) for host in hosts.values()):
        raise ValueError("hosts: give the variables of each node by its name")
    unknown = sorted({key for host in hosts.values() for key in host} - {*CONNECTION})
    if unknown:
        raise ValueError(f"hosts: unknown {', '.join(unknown)}; known are {', '.join(CONNECTION)}")
    return Hosts(data["topology"], data["interface"], hosts)


def on_hosts(topology: Data, hosts: Hosts) -> tuple[Data, list[Problem]]:
    """A valid topology with its nodes on hosts, and what keeps it from that.

    Namespaces are made on this machine, where the hosts' network is not. They are left out, with the segments that are
    theirs alone and the checks that name them; ``left_out`` tells which. Whatever else existing hosts cannot be is for
    the rules to refuse.
    """
    nodes = topology["nodes"]
    if not nodes:
        return topology, [Problem("nodes", "there are none, so nothing of it can be on hosts", "use another topology")]
    segments = {one.segment for one in interfaces(topology) if one.section == "nodes"}
    result = {
        **topology,
        "segments": {key: _segment(one) for key, one in topology["segments"].items() if key in segments},
        "nodes": _nodes(topology, hosts),
        "namespaces": {},
        "checks": {key: check for key, check in topology["checks"].items() if not _names(check, topology)},
    }
    sections = ("segments", "namespaces", "checks")
    result["left_out"] = [f"{key}.{name}" for key in sections for name in topology[key] if name not in result[key]]
    problems = []
    for name in [name for name in hosts.reached if name not in nodes]:
        problems.append(Problem(f"hosts.{name}", f"there is no node {name}", did_you_mean(name, nodes)))
    for name in [name for name, dummy in in_order(nodes) if hosts.reached and name not in hosts.reached]:
        problems.append(Problem(f"nodes.{name}", "there is no host for it", "make it, and add it to hosts"))
    return result, problems


def _segment(segment: Data) -> Data:
    given = {key: value for key, value in segment.items() if key != "gateway"}
    return {**given, "kind": EXISTING} if segment["kind"] == "bridge" else given


def _nodes(topology: Data, hosts: Hosts) -> Data:
    """The nodes with the addresses that they have everywhere else. One with several interfaces keeps their names."""
    own: dict[str, Data] = {name: {} for name in topology["nodes"]}
    for interface, address in allocate(topology).items():
        if interface.section == "nodes":
            own[interface.machine][interface.name] = {"segment": interface.segment, "address": address}
    nodes = {}
    for name, node in topology["nodes"].items():
        given = {key: value for key, value in node.items() if key not in ("segment", "address", "mac", *CONNECTION)}
        found = own[name] if len(own[name]) > 1 else {hosts.interface: next(iter(own[name].values()))}
        nodes[name] = {**given, "provider": EXISTING, "interfaces": found, **hosts.reached.get(name, {})}
    return nodes


def _names(check: Data, topology: Data) -> bool:
    """Whether a check names namespaces, all of them or some."""
    ends = [check.get(key) for key in ENDS]
    named = {name for end in ends if end for name in (end if isinstance(end, list) else [end])}
    changed = "change" in (check.get("break") or {})
    return changed or "namespaces" in named or any(name.partition(".")[0] in topology["namespaces"] for name in named)
