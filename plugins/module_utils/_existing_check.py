# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What keeps a host that is there already from becoming a node: every reason at once, before anything is touched.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import ipaddress
import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils._existing_model import Desired, Facts, Observed
from ansible_collections.reftopo.lab.plugins.module_utils._existing_plan import below, lacking, to_import, to_write
from ansible_collections.reftopo.lab.plugins.module_utils._existing_record import RECORD
from ansible_collections.reftopo.lab.plugins.module_utils._existing_traces import TUNNEL, made_by_plugin
from ansible_collections.reftopo.lab.plugins.module_utils._preflight_probe import FEATURES

GIB, MIB = 1024**3, 1024**2
# What kubeadm's own preflight demands of a control plane (kubernetes cmd/kubeadm/app/constants: 1700 MB, 2 CPUs).
MEMORY, CPUS = 1700 * MIB, 2
# Beside what is brought: what running pods write.
ROOM = 1 * GIB
CONTROL_PLANE = "control-plane"


def problems(observed: Observed, desired: Desired) -> list[str]:
    """One line each: what is wrong, and what to do about it."""
    record, facts = observed.record, observed.facts
    if facts.lacks:
        return [f"no {', '.join(facts.lacks)}: only Debian with systemd is supported"]
    if record and record.owner != desired.owner:
        return [
            f"{RECORD}: the host is a node of the topology {record.owner}; destroy that first: "
            f"ansible-playbook playbooks/destroy.yml -e topology={record.owner}"
        ]
    found = [*_system(facts, desired), *_interface(observed, desired), *_packages(observed), *_files(observed, desired)]
    # What is there after an earlier run is a node's own.
    if record is None:
        found += [*_folders(observed), *_links(observed, desired), *_ports(facts, desired)]
        found += [*_networks(facts, desired), *_calicos(facts, desired)]
    return [*found, *_room(observed, desired), *_features(facts)]


def _system(facts: Facts, desired: Desired) -> t.Iterator[str]:
    if facts.machine != desired.machine:
        yield f"its processor is {facts.machine}, the programs are for {desired.machine}; build them on such a machine"
    if facts.hostname != desired.name:
        yield (
            f"its name is {facts.hostname}, not {desired.name}; call the node {facts.hostname}, "
            f"or the host {desired.name} (hostnamectl hostname {desired.name})"
        )
    # In a container it is the carrying machine's, and the kubelet is told to leave it alone.
    if facts.swap and not facts.container:
        yield "it has swap, with which the kubelet does not start; turn it off (swapoff --all, and /etc/fstab)"
    if facts.iptables == "legacy":
        fix = "update-alternatives --set iptables /usr/sbin/iptables-nft"
        yield f"its iptables is the legacy one, whose rules are not taken back; {fix}"
    if desired.role == CONTROL_PLANE and facts.memory < MEMORY:
        yield f"{facts.memory // MIB} MiB of memory, and kubeadm wants {MEMORY // MIB}; use a host with more"
    if desired.role == CONTROL_PLANE and facts.cpus < CPUS:
        yield f"{facts.cpus} processor, and kubeadm wants {CPUS}; use a host with more"


def _interface(observed: Observed, desired: Desired) -> t.Iterator[str]:
    facts = observed.facts
    name, address, mtu = (desired.interface[key] for key in ("name", "address", "mtu"))
    having = [one for one, addresses in facts.addresses.items() if address in addresses]
    if not having:
        there = "; ".join(f"{one}: {' '.join(addresses)}" for one, addresses in facts.addresses.items() if addresses)
        yield f"no interface has the address {address}; it has {there or 'none'}"
    elif name not in having:
        yield f"{address} is the address of {having[0]}, not of {name}; write interfaces: {{{having[0]}: …}}"
    elif facts.mtus[name] != mtu:
        yield f"the MTU of {name} is {facts.mtus[name]}, that of its segment {mtu}; write mtu: {facts.mtus[name]} there"
    if observed.others:
        macs = " and ".join(observed.others)
        yield f"somebody else on the wire of {name} has {address}: {macs}; give that machine another address"


def _packages(observed: Observed) -> t.Iterator[str]:
    if observed.facts.apt:
        yield f"packages cannot be installed: {observed.facts.apt}; see to its sources (apt-get update)"
    upgraded = [line.split()[1] for line in observed.simulated if line.startswith("Inst ") and "[" in line.split()[2]]
    removed = [line.split()[1] for line in observed.simulated if line.startswith("Remv ")]
    if upgraded or removed:
        yield (
            f"installing packages would change {', '.join(upgraded + removed)}, which could not be taken back; "
            "bring the host up to date first (apt-get upgrade)"
        )


def _files(observed: Observed, desired: Desired) -> t.Iterator[str]:
    """A file that somebody else put there, or changed since."""
    put = observed.record.files if observed.record else {}
    for path in to_write(observed, desired):
        there = observed.digests.get(path)
        if there and there not in put.get(path, ()) and not below(path, observed.full):
            who = "somebody changed it since" if path in put else "it is there already and somebody else's"
            yield f"{path}: {who}; move it away, or use another host"


def _folders(observed: Observed) -> t.Iterator[str]:
    for path in observed.full:
        yield f"{path}: not empty, though only a node's programs have it; remove what it is of, or use another host"


def _links(observed: Observed, desired: Desired) -> t.Iterator[str]:
    for name in sorted(observed.links):
        if made_by_plugin(name, desired.links):
            yield f"the link {name} is there already; delete it if it is a leftover (ip link delete {name})"


def _calicos(facts: Facts, desired: Desired) -> t.Iterator[str]:
    if not any(made_by_plugin("cali0", [pattern]) for pattern in desired.links):
        return
    if facts.calicos:
        yield (
            f"it has routes of protocol bird or 80 (to {', '.join(facts.calicos)}), which Calico takes for its own and "
            "removes; give them another protocol, or use another host"
        )
    # felix/dataplane/linux/int_dataplane.go, cleanUpIPIPAddrs: without IPIP it removes all of them.
    for address in facts.addresses.get(TUNNEL, ()):
        yield (
            f"{TUNNEL} has {address}, and Calico removes all addresses there but its own; "
            f"take it away (ip address delete {address} dev {TUNNEL}), or use another host"
        )


def _ports(facts: Facts, desired: Desired) -> t.Iterator[str]:
    for protocol, wanted in desired.ports.items():
        taken = sorted(set(wanted) & set(facts.listening.get(protocol, ())))
        if taken:
            ports = ", ".join(map(str, taken))
            yield f"{protocol} {ports}: somebody listens there already (ss -lnp); a node's programs need it"


def _networks(facts: Facts, desired: Desired) -> t.Iterator[str]:
    for path, cidr in desired.networks.items():
        network = ipaddress.ip_network(cidr)
        for to, device in facts.routes:
            other = ipaddress.ip_network(to)
            if other.version == network.version and other.overlaps(network):
                yield f"{path}: {cidr} overlaps {to}, to which the host has a route by {device}; use another network"
                break


def _room(observed: Observed, desired: Desired) -> t.Iterator[str]:
    """Twice the size of images: once as they come, once unpacked."""
    brought = lacking(observed, desired)
    needed = sum(source.size for source in brought) + (ROOM if brought else 0)
    needed += sum(desired.images[name].size for name in to_import(observed, desired))
    if observed.facts.disk_free < needed:
        free = observed.facts.disk_free
        yield f"{free / GIB:.1f} GiB free in /var/lib, {needed / GIB:.1f} GiB needed; free some"


def _features(facts: Facts) -> t.Iterator[str]:
    for name, trial in facts.trials.items():
        if trial.works is False:
            yield f"its kernel lacks {name} ({trial.detail}); load or build {FEATURES[name].module}"
