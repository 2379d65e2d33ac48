# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Observe, plan, apply, observe again: the container nodes of one topology.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import os
import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils._node_apply import apply, apply_step, journal, wait_for_ssh
from ansible_collections.reftopo.lab.plugins.module_utils._node_common import (
    Result,
    leaving,
    node_files,
    own_nodes,
    result,
)
from ansible_collections.reftopo.lab.plugins.module_utils._node_model import Node, Observed, Step, container_name
from ansible_collections.reftopo.lab.plugins.module_utils._node_observe import (
    observe_containers,
    observe_image,
    observe_machine,
    observe_mounts,
    observe_node,
)
from ansible_collections.reftopo.lab.plugins.module_utils._node_plan import (
    conflicts,
    plan,
    plan_absent,
    prerequisites,
)
from ansible_collections.reftopo.lab.plugins.module_utils._node_run import NodeError, Runner


def wanted_nodes(params: t.Mapping[str, t.Any]) -> dict[str, Node]:
    """The containers among the nodes of the module's parameters.

    Raises:
        NodeError: a node lacks a key.
    """
    own, files = own_nodes(params, "container", ("netns", "address")), node_files(params)
    return {
        name: Node(
            name=name,
            container=container_name(params["owner"], name),
            netns=f"/run/netns/{node['netns']}",
            address=node["address"],
            folder=os.path.join(params["cache"], "nodes", params["owner"], name),
            seeds=files,
            peers=tuple(interface["peer"] for interface in node.get("interfaces", {}).values()),
        )
        for name, node in own.items()
    }


def _observe(nodes: t.Mapping[str, Node], runner: Runner) -> dict[str, Observed]:
    containers, mounts = observe_containers(runner), observe_mounts()
    return {name: observe_node(node, containers, mounts) for name, node in nodes.items()}


def _describe(observed: t.Mapping[str, Observed]) -> dict[str, dict[str, str | None]]:
    return {name: node.describe() for name, node in observed.items()}


def converge_present(params: t.Mapping[str, t.Any], runner: Runner, check_mode: bool) -> Result:
    """Make the nodes run, and wait until SSH answers on all of them.

    Raises:
        NodeError: something is in the way, something is missing, a step failed, or SSH does not answer.
    """
    nodes = wanted_nodes(params)
    image = observe_image(params["image"])
    observed = _observe(nodes, runner)
    problems = conflicts(params["owner"], observed, image, nodes)
    if not check_mode:
        problems += prerequisites(observed, image, nodes)
    if problems:
        raise NodeError("\n".join(problems))
    machine = observe_machine(image, os.path.join(params["cache"], "nodes"))
    plans = {name: plan(params["owner"], node, observed[name], image, machine) for name, node in nodes.items()}
    commands = [str(step) for steps in plans.values() for step in steps]
    before = _describe(observed)
    after = {name: {"container": "running", "image": image.key} for name in nodes} if commands else before
    if not check_mode:
        if commands:
            apply(runner, plans)
        addresses = {name: node.address for name, node in nodes.items()}
        wait_for_ssh(addresses, params["timeout"], lambda name: journal(runner, nodes[name]))
        after = _describe(_observe(nodes, runner)) if commands else before
    return result(commands, before, after)


def converge_absent(params: t.Mapping[str, t.Any], runner: Runner, check_mode: bool) -> Result:
    """Remove whatever carries the topology's mark, or what of it is some nodes'.

    Raises:
        NodeError: a step failed.
    """
    owner, goes = params["owner"], leaving(params)
    folder = os.path.join(params["cache"], "nodes", owner)
    containers = [one for one in observe_containers(runner) if one.belongs_to(owner) and goes(one.name)]
    prefix = container_name(owner, "")
    mounts = [point for point, source in observe_mounts().items() if source.startswith(prefix) and goes(source)]
    named = params.get("nodes")
    wanted = [folder] if named is None else [os.path.join(folder, name) for name in named]
    folders = [path for path in wanted if os.path.isdir(path)]
    steps: list[Step] = plan_absent(containers, mounts, folders)
    if not check_mode:
        for step in steps:
            apply_step(runner, step)
    before = {
        "containers": sorted(container.name for container in containers),
        "mounts": mounts,
        "folders": folders,
    }
    return result([str(step) for step in steps], before, {"containers": [], "mounts": [], "folders": []})
