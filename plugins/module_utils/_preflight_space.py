# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a topology fits on a machine: disk, memory, processors, networks. PRIVATE to the collection."""

from __future__ import annotations

import ipaddress
import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils._preflight_model import PROBLEM, Check, Facts, Link
from ansible_collections.reftopo.lab.plugins.module_utils._vm_domain import TRANSLATIONS
from ansible_collections.reftopo.lab.plugins.module_utils._vm_model import SIZE, SIZES

Data = t.Mapping[str, t.Any]
HERE = "host"  # among the hosts of a segment that is on several: the machine that runs the playbooks
GIB = 1024**3
MIB = 1024**2

# Room in the cache's file system: compilers, modules and objects of a build, or only what running nodes write.
DISK_BUILD = 20 * GIB
DISK_READY = 2 * GIB
# What kubeadm's own preflight demands of a control plane (kubernetes cmd/kubeadm/app/constants: 1700 MB, 2 CPUs).
MEMORY_CONTROL_PLANE = 1700 * MIB
CPUS_CONTROL_PLANE = 2
# kubelet, containerd, kube-proxy, network plugin and the test workload of a worker.
MEMORY_WORKER = 512 * MIB
# QEMU's own, and what an emulated processor's instructions are translated to.
MEMORY_QEMU = 256 * MIB
MEMORY_EMULATION = TRANSLATIONS * MIB


def resources(facts: Facts, topology: Data) -> list[Check]:
    """Disk and memory for the topology's nodes, and processors for its cluster."""
    here = [cpus(facts)] if "cluster" in topology and made(topology) else []
    return [disk(facts), memory(facts, topology), *here]


def disk(facts: Facts) -> Check:
    """Room for what has yet to be made; much less when the cache has everything."""
    needed, why = (DISK_READY, "the cache is filled") if facts.cache_ready else (DISK_BUILD, "the cache is empty")
    found = f"{_gib(facts.disk_free)} GiB free, {_gib(needed)} needed: {why}"
    if facts.disk_free >= needed:
        return Check("disk", "cache", found)
    fix = "free some, or name a folder on another file system in REFTOPO_CACHE"
    return Check("disk", "cache", found, PROBLEM, fix)


def memory(facts: Facts, topology: Data) -> Check:
    """Memory for the nodes that do not run yet; those that run have theirs, and so have existing hosts."""
    to_start = {
        name: _memory(node, facts.kvm)
        for name, node in made(topology).items()
        if not _runs(facts, f"reftopo.{topology['name']}.{name}", topology["name"])
    }
    needed = sum(to_start.values())
    whose = f"for {', '.join(to_start)}" if to_start else "as all nodes run"
    found = f"{_mib(facts.memory_available)} MiB available, {_mib(needed)} needed {whose}"
    if facts.memory_available >= needed:
        return Check("memory", "nodes", found)
    return Check("memory", "nodes", found, PROBLEM, "stop what uses memory, or use fewer nodes")


def made(topology: Data) -> dict[str, Data]:
    """The nodes that are made on this machine."""
    return {name: node for name, node in topology["nodes"].items() if node["provider"] != "existing"}


def _memory(node: Data, kvm: bool) -> int:
    """What a node takes: a virtual machine all that it is given, and what QEMU needs itself."""
    if node["provider"] == "vm":
        own = MEMORY_QEMU if kvm else MEMORY_QEMU + MEMORY_EMULATION
        return SIZES.get(node.get("role", ""), SIZE).memory * MIB + own
    return MEMORY_CONTROL_PLANE if node.get("role") == "control-plane" else MEMORY_WORKER


def _runs(facts: Facts, machine: str, topology: str) -> bool:
    seen = facts.containers.get(machine) or facts.domains.get(machine)
    return seen is not None and seen.running and seen.topology == topology


def cpus(facts: Facts) -> Check:
    """kubeadm refuses a control plane with less than two processors."""
    found = f"{facts.cpus}, {CPUS_CONTROL_PLANE} needed"
    if facts.cpus >= CPUS_CONTROL_PLANE:
        return Check("processors", "cluster.control_plane", found)
    return Check("processors", "cluster.control_plane", found, PROBLEM, "use a machine with more; kubeadm insists")


def subnets(facts: Facts, topology: Data) -> list[Check]:
    """A line for each network of the topology, with the host's first route that overlaps it."""
    return [_subnet(cidr, where, facts, topology["name"]) for where, cidr in _networks(topology).items()]


def _networks(topology: Data) -> dict[str, str]:
    """The topology's networks by their place in its file; not those that others carry, which are looked at there."""
    here = {name: one for name, one in topology["segments"].items() if HERE in one.get("hosts", (HERE,))}
    segments = {name: one for name, one in here.items() if one.get("kind") != "existing"}
    networks = {f"segments.{name}.cidr": segment["cidr"] for name, segment in segments.items()}
    sections = {section: topology[section] for section in ("cluster", "pod_network") if section in topology}
    return networks | {
        f"{section}.{key}": given[key]
        for section, given in sections.items()
        for key in ("pod_cidr", "service_cidr")
        if key in given
    }


def _subnet(cidr: str, where: str, facts: Facts, topology: str) -> Check:
    what = f"network {cidr}"
    network = ipaddress.ip_network(cidr)
    ours = {name for name, link in facts.links.items() if link.owner == topology}
    taken = [
        (other, device)
        for other, device in ((ipaddress.ip_network(to), device) for to, device in facts.routes if device not in ours)
        if other.version == network.version and other.overlaps(network)
    ]
    if not taken:
        return Check(what, where, "no route of this machine overlaps")
    other, device = min(taken, key=lambda route: (route[0].prefixlen, str(route[0])))
    fix = f"write another network in {where}, or remove the route if nothing needs it (ip route show dev {device})"
    owner = facts.links.get(device, Link()).owner
    whose = f" of the topology {owner}" if owner else ""
    return Check(what, where, f"this machine has a route to {other} by {device}{whose}", PROBLEM, fix)


def _gib(size: int) -> str:
    return f"{size / GIB:.0f}"


def _mib(size: int) -> str:
    return f"{size / MIB:.0f}"
