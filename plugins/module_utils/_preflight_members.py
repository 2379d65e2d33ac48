# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of the nodes and the cluster that a topology has already. PRIVATE to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils._cni_backend import backend_of
from ansible_collections.reftopo.lab.plugins.module_utils._kubeadm_plan import (
    CHANGEABLE,
    DNS,
    NOT_CLEARED,
    cluster_changes,
    head,
    not_cleared,
    switched,
)
from ansible_collections.reftopo.lab.plugins.module_utils._preflight_model import PROBLEM, Check, Facts
from ansible_collections.reftopo.lab.plugins.module_utils._settings import Change

Data = t.Mapping[str, t.Any]
CONTROL_PLANE = "control-plane"
# Of the cluster's record: these come of what is compared anyway.
NOT_COMPARED = {"control_plane", "endpoint", "api_service_ip", "dns_service_ip"}


def gone(facts: Facts, topology: Data) -> list[str]:
    """Nodes to remove: those that carry the topology's mark and that it no longer has.

    One whose removal was interrupted goes too, even when it is to come back: it may be half out of the cluster.
    """
    mark = f"reftopo.{topology['name']}."
    machines = {**facts.containers, **facts.domains}
    there = {name[len(mark) :] for name, one in machines.items() if one.topology == topology["name"]}
    there |= set(facts.folders)
    leaving = {name for name, folder in facts.folders.items() if folder.leaving}
    return sorted(there - set(topology["nodes"]) | leaving)


def members(facts: Facts, topology: Data) -> list[Check]:
    """A line for each node that goes, each node that would not be what it is, each setting that cannot be changed."""
    return [*_leaving(facts, topology), *_settled(facts, topology), *_settings(facts, topology)]


def _leaving(facts: Facts, topology: Data) -> t.Iterator[Check]:
    built = facts.record.get("nodes", {})
    for name in gone(facts, topology):
        where = f"nodes.{name}"
        if built.get(name, {}).get("role") == CONTROL_PLANE:
            yield _control_plane_gone(name, topology)
        elif built and not _control_plane_runs(facts, topology):
            found = "it is no longer in the topology, but cannot be drained: the control plane does not run"
            fix = f"put {where} back, run the playbook, which starts the control plane, and take {where} out then"
            yield Check(f"node {name}", where, found, PROBLEM, fix)
        else:
            how = "is drained, leaves the cluster and is removed" if built else "is removed"
            again = ", then made anew" if name in topology["nodes"] else ""
            why = "its removal was interrupted" if again else "no longer in the topology"
            yield Check(f"node {name}", where, f"{why}: {how}{again}")


def _control_plane_gone(name: str, topology: Data) -> Check:
    found = "it is the cluster's only control plane and has all its data, but is no longer in the topology"
    fix = f"put nodes.{name} back, or give up the cluster: {_destroy(topology)}"
    return Check(f"node {name}", f"nodes.{name}", found, PROBLEM, fix)


def _control_plane_runs(facts: Facts, topology: Data) -> bool:
    built = facts.record["nodes"]
    names = [f"reftopo.{topology['name']}.{name}" for name, node in built.items() if node["role"] == CONTROL_PLANE]
    machines = {**facts.containers, **facts.domains}
    return any(name in machines and machines[name].running for name in names)


def _settled(facts: Facts, topology: Data) -> t.Iterator[Check]:
    """Members whose role or address would change. The address may: the file gives addresses by the order of names."""
    for name, was in facts.record.get("nodes", {}).items():
        node = topology["nodes"].get(name, was)
        if node["address"] != was["address"]:
            found = f"it is a member with {was['address']}, the topology now gives it {node['address']}"
            fix = f"write address: {was['address']} there; addresses that the file does not give follow the names"
            yield Check(f"node {name}", f"nodes.{name}.address", found, PROBLEM, fix)
        if node.get("role") != was["role"]:
            found = f"it is a member as {was['role']}, the topology now says {node.get('role')}"
            yield Check(f"node {name}", f"nodes.{name}.role", found, PROBLEM, _put_back(topology))


def _settings(facts: Facts, topology: Data) -> t.Iterator[Check]:
    if not facts.record:
        return
    both = facts.record["cluster"], topology.get("cluster", {})
    for path, was, wanted in cluster_changes(*both):
        where = (f"setting {path}", f"cluster.{path}")
        if (path, was, wanted) in switched(*both):
            yield Check(*where, f"is switched from {was!r} to {wanted!r}")
        elif head(path) == DNS and DNS in topology.get("cluster", {}):
            yield Check(*where, f"is changed from {was!r} to {wanted!r}")
        elif head(path) in CHANGEABLE:
            yield from _proxy((path, was, wanted), topology)
        elif path not in NOT_COMPARED:
            found = f"the cluster was built with {was!r}, the topology says {wanted!r}"
            # What pods have comes of the segments' MTU, where the plugin cannot be told another.
            place = "segments" if path == "cni.mtu" and not _takes_mtu(topology) else where[1]
            yield Check(where[0], place, found, PROBLEM, _put_back(topology))


def _takes_mtu(topology: Data) -> bool:
    cni = topology.get("cluster", {}).get("cni")
    return bool(cni) and "mtu" in backend_of(cni).options


def _proxy(change: Change, topology: Data) -> t.Iterator[Check]:
    """Of kube-proxy; the cluster's mode is that of the nodes that have none of their own, so it is told with theirs."""
    path, was, wanted = change
    node = path.partition(".")[2]
    of_node = node and wanted != topology["cluster"]["proxy_mode"]
    where = f"nodes.{node}.proxy_mode" if of_node else "cluster.proxy_mode" if node else f"cluster.{path}"
    if not_cleared(change):
        found = f"the node is in mode {was!r}, the topology says {wanted!r}"
        yield Check(f"setting {path}", where, found, PROBLEM, f"{NOT_CLEARED}, or put the old value back")
    elif path != "proxy_mode":
        yield Check(f"setting {path}", where, f"is switched from {was!r} to {wanted!r}")


def _put_back(topology: Data) -> str:
    return f"put the old value back, or build a new cluster: {_destroy(topology)}, then run this again"


def _destroy(topology: Data) -> str:
    return f"ansible-playbook playbooks/destroy.yml -e topology={topology['name']}"
