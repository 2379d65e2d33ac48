# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare what a topology needs with what a machine has: pure functions. PRIVATE to the collection."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils._cni_backend import (
    backend_of,
    plugin_of,
    pod_network,
    tables_of,
)
from ansible_collections.reftopo.lab.plugins.module_utils._preflight_addresses import addresses
from ansible_collections.reftopo.lab.plugins.module_utils._preflight_machines import machines, names_of
from ansible_collections.reftopo.lab.plugins.module_utils._preflight_members import members
from ansible_collections.reftopo.lab.plugins.module_utils._preflight_model import (
    LATER,
    PROBLEM,
    Check,
    Facts,
)
from ansible_collections.reftopo.lab.plugins.module_utils._preflight_probe import FEATURES
from ansible_collections.reftopo.lab.plugins.module_utils._preflight_space import resources, subnets
from ansible_collections.reftopo.lab.plugins.module_utils._preflight_underlay import underlay
from ansible_collections.reftopo.lab.plugins.module_utils._proxy_mode import FEATURES as PROXY_FEATURES

Data = t.Mapping[str, t.Any]
# The oldest engine that the collection is tested with: Debian 12's.
OLDEST_PODMAN = (4, 3)
# Of choices by their place in the file: what whoever makes them must know.
CAUTIONS = {
    ("cluster", "ingress", "controller", "nginx"): (
        "ingress-nginx is retired: its last release, controller v1.15.1, is of March 2026, and nobody mends it since."
        " It is frozen here, to be looked at in a lab. Leave controller out for traefik, which is kept up."
    ),
}


def topology_errors(errors: t.Iterable[Data]) -> list[Check]:
    """A line for each error that the inventory plugin found in the topology's file."""
    return [Check(error["path"], "topology.yml", error["problem"], PROBLEM, error["fix"]) for error in errors]


def checks(facts: Facts, topology: Data) -> list[Check]:
    """Every line of the table for a compiled topology, in the order in which things are built."""
    lines = [*providers(topology), *features(facts, topology)]
    lines += [*commands(facts, topology), *capabilities(facts, topology)]
    lines += addresses(facts.wires, topology)
    if topology["nodes"]:
        lines += [engine(facts), cgroup(facts), *resources(facts, topology)]
    lines += [*links(facts, topology), *machines(facts, topology), *members(facts, topology)]
    return [*lines, *underlay(facts, topology), *subnets(facts, topology)]


def cautions(topology: Data) -> list[str]:
    """What must be known of choices that the topology has made."""
    return [f"{'.'.join(place)}: {text}" for (*place, value), text in CAUTIONS.items() if _at(topology, place) == value]


def _at(topology: Data, place: t.Sequence[str]) -> t.Any:
    for key in place:
        topology = topology.get(key) or {}
    return topology


def providers(topology: Data) -> list[Check]:
    """A line for each node whose provider was left to be chosen: which, and why."""
    return [
        Check(f"provider of {name}", f"nodes.{name}.provider", f"{node['provider']}: {node['provider_why']}")
        for name, node in topology["nodes"].items()
        if "provider_why" in node
    ]


def features(facts: Facts, topology: Data) -> list[Check]:
    """A line for each kernel feature of `needs`; none without the capabilities that trying takes (see there)."""
    if facts.trials is None:
        return []
    return [_feature(name, _needed_by(name, topology), facts) for name in topology["needs"]]


def _feature(name: str, needed_by: str, facts: Facts) -> Check:
    what = f"kernel: {name}"
    trial = (facts.trials or {}).get(name)
    if trial is None:
        fix = f"preflight can try {', '.join(sorted(FEATURES))}; add {name} to them, or take it out of the topology"
        return Check(what, needed_by, "there is no trial for it", PROBLEM, fix)
    if trial.works is None:
        return _missing(what, needed_by, trial.missing, facts)
    if trial.works:
        return Check(what, needed_by, "works in a scratch namespace")
    other = "use a machine whose kernel has it"
    if needed_by.partition(".")[0] in ("cluster", "nodes"):
        other = "give the nodes that need it provider: vm, whose kernel has it"
    return Check(what, needed_by, trial.detail, PROBLEM, f"load or build {FEATURES[name].module}, or {other}")


def _needed_by(feature: str, topology: Data) -> str:
    """Where in the topology's file a kernel feature comes from."""
    section, network = "cluster" if "cluster" in topology else "pod_network", pod_network(topology)
    mode = network.get("proxy_mode")
    if mode and (feature in PROXY_FEATURES[mode] or _follows_proxies(feature, network["cni"], mode)):
        return "cluster.proxy_mode"
    for name, other in network.get("proxy_modes", {}).items():
        if feature in PROXY_FEATURES[other]:
            return f"nodes.{name}.proxy_mode"
    plugin = plugin_of(network["cni"]) if network else None
    if plugin and feature in (backend_of(network["cni"]).feature, plugin.feature, plugin.tables):
        return f"{section}.cni.backend"
    if "pod_network" in topology and feature == "nftables":
        return "pod_network"
    if feature in ("nftables", "iptables"):
        return "nodes" if any("cni" in node for node in topology["nodes"].values()) else "namespaces"
    return "segments"


def _follows_proxies(feature: str, cni: Data, mode: str) -> bool:
    """Whether a network plugin needs a feature because it has its rules where most of kube-proxies have them."""
    return not plugin_of(cni).tables and feature == tables_of(cni, mode)


def _missing(what: str, needed_by: str, command: str, facts: Facts) -> Check:
    """A line for something that cannot be known or done until the command is installed."""
    if facts.installable:
        return Check(what, needed_by, f"not tried: {command} is not installed yet", LATER)
    fix = f"install {command}; the role host does it on Debian only"
    return Check(what, needed_by, f"not tried: {command} is not installed", PROBLEM, fix)


def commands(facts: Facts, topology: Data) -> list[Check]:
    """A line for each command that link state and nodes cannot do without."""
    needed = {"ip": "segments", "bridge": "segments"}
    if topology["nodes"]:
        needed["runc"] = "nodes"
    if names_of(topology, "vm"):
        needed |= dict.fromkeys(("virsh", "qemu-img", "qemu-system-x86_64"), "nodes")
    return [_command(name, needed_by, facts) for name, needed_by in needed.items()]


def _command(name: str, needed_by: str, facts: Facts) -> Check:
    what = f"command: {name}"
    if name in facts.versions:
        return Check(what, needed_by, facts.versions[name])
    if facts.installable:
        return Check(what, needed_by, "not installed yet", LATER)
    return Check(what, needed_by, "not installed", PROBLEM, f"install {name}; the role host does it on Debian only")


def engine(facts: Facts) -> Check:
    """Whether podman is there, or can be, and new enough."""
    check = _command("podman", "nodes", facts)
    version = tuple(int(part) for part in re.findall(r"\d+", check.found)[:2])
    if version and version < OLDEST_PODMAN:
        oldest = ".".join(map(str, OLDEST_PODMAN))
        return Check(check.what, "nodes", check.found, PROBLEM, f"install podman {oldest} or newer")
    return check


def capabilities(facts: Facts, topology: Data) -> list[Check]:
    """A line for each capability; nodes get along without CAP_SYS_RESOURCE, by settings of their own."""
    fix = "run as root, outside of a container that withholds it"
    absent = "absent, so no kernel feature was tried"
    lines = []
    for name in ("CAP_NET_ADMIN", "CAP_SYS_ADMIN"):
        present = name in facts.capabilities
        lines.append(Check(name, "segments", "present") if present else Check(name, "segments", absent, PROBLEM, fix))
    if topology["nodes"]:
        present = "CAP_SYS_RESOURCE" in facts.capabilities
        found = "present" if present else "absent: nodes leave OOM scores and limits as they are"
        lines.append(Check("CAP_SYS_RESOURCE", "nodes", found))
    return lines


def cgroup(facts: Facts) -> Check:
    """Which cgroup layout the nodes will use."""
    found = {
        "v2": "v2",
        "hybrid": "v1 controllers (hybrid): nodes use v1",
        "v1": "v1: nodes use v1",
    }.get(facts.cgroup)
    if found:
        return Check("cgroup", "nodes", found)
    return Check("cgroup", "nodes", "no controllers", PROBLEM, "mount cgroup v2 at /sys/fs/cgroup")


def links(facts: Facts, topology: Data) -> list[Check]:
    """One line for all link names that are free or ours, or one for each that somebody else has."""
    desired = topology["link_state"]["links"]
    taken = {
        name: facts.links[name]
        for name in desired
        if name in facts.links and facts.links[name].owner != topology["name"]
    }
    if not taken:
        return [Check("link names", "segments", f"{len(desired)} free or ours")]
    return [
        Check(
            f"link {name}",
            desired[name]["mark"],
            f"a {link.kind or 'device'} without this topology's mark has the name",
            PROBLEM,
            f"rename it (ip link set {name} name OTHER), or delete it if it is a leftover (ip link delete {name})",
        )
        for name, link in taken.items()
    ]
