# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the text of a topology.yml to a valid topology, or to all that is wrong with it. PRIVATE to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.reftopo.lab.plugins.plugin_utils import _topology_schema
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_change import link_state_problems
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_compile import compile_topology
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_dns import dns_problems
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_host import Occupied
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_hosts import settle
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_load import load
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_on_hosts import Hosts, on_hosts
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_pods import pod_problems
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_problem import Problem
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_provider import Lacking, choose
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_rules_checks import check_problems
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_rules_cluster import cluster_problems
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_rules_existing import existing_problems
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_rules_hosts import host_problems
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_rules_interfaces import (
    interface_problems,
    segment_problems,
)
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_rules_names import name_problems
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_rules_networks import network_problems
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_rules_pod_network import pod_network_problems

CONTAINER = "container"


def validate(
    text: str | bytes,
    folder: str,
    host: t.Sequence[Occupied],
    provider: str | Hosts = CONTAINER,
    lacking: Lacking = lambda dummy: None,
) -> tuple[dict[str, t.Any], list[Problem]]:
    """The topology with its defaults, and everything that is wrong with it.

    :param text: what is in the file
    :param folder: the name of the file's folder, which must be the topology's
    :param host: the networks that are in use on the machine that will carry the topology
    :param provider: what nodes are made of that do not say it themselves, or the hosts that all of them are
    :param lacking: what of some features the kernel of that machine lacks; asked only for nodes whose provider is auto
    :returns: the topology, fit for compiling only if the list of problems is empty; the problems
    """
    data, problems = load(text)
    if data is None and problems:
        return {}, problems
    topology, mistakes = _topology_schema.check(data)
    hosts = provider if isinstance(provider, Hosts) else None
    for node in (topology.get("nodes") or {}).values():
        (node or {}).setdefault("provider", CONTAINER if hosts else provider)
    settle(topology)
    # The networks of hosts are not this machine's, or are because somebody made them for those hosts.
    problems += sorted([*mistakes, *_mistakes(topology, folder, [] if hosts else host)], key=_section)
    if hosts and not problems:
        topology, problems = on_hosts(topology, hosts)
        if not problems:
            problems = sorted(_mistakes(topology, folder, host), key=_section)
    # What a node needs, and what link_state says, can only be told of a topology that is right otherwise.
    if problems:
        return topology, problems
    topology = choose(topology, lacking)
    return topology, list(link_state_problems(compile_topology(topology)))


def _mistakes(topology: dict[str, t.Any], folder: str, host: t.Sequence[Occupied]) -> list[Problem]:
    """All that no schema can say."""
    return [
        *name_problems(topology, folder),
        *network_problems(topology, host),
        *segment_problems(topology),
        *interface_problems(topology),
        *existing_problems(topology),
        *host_problems(topology),
        *pod_problems(topology),
        *cluster_problems(topology),
        *dns_problems(topology),
        *pod_network_problems(topology),
        *check_problems(topology),
    ]


def _section(problem: Problem) -> int:
    """Where a problem is in a file of the usual order; unknown sections first."""
    sections = _topology_schema.sections()
    section = problem.path.partition(".")[0]
    return sections.index(section) if section in sections else -1
