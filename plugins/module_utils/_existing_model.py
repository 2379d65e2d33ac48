# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Words of a host that is there already and becomes a node: what is wanted of it, and what it is.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.reftopo.lab.plugins.module_utils._existing_record import Before, Record
from ansible_collections.reftopo.lab.plugins.module_utils._preflight_model import Trial

UNITS = "/etc/systemd/system"
CONTAINERD = "containerd.service"
# Wholly of containerd, the kubelet, kubeadm, flannel, Calico and CNI plugins: a host that becomes a node has nothing in
# them, and all of them go.
FOLDERS = (
    "/etc/cni",
    "/etc/containerd",
    "/etc/kubernetes",
    "/opt/cni",
    "/opt/containerd",
    "/run/calico",
    "/run/containerd",
    "/run/flannel",
    "/run/kubernetes",
    "/run/node-setup",
    "/run/nodeagent",
    "/run/nri",
    "/usr/libexec/kubernetes",
    "/usr/local/lib/reftopo",
    "/var/lib/calico",
    "/var/lib/cni",
    "/var/lib/containerd",
    "/var/lib/etcd",
    "/var/lib/kubelet",
    "/var/log/calico",
    "/var/log/containers",
    "/var/log/pods",
)
# What their tools write where others may have written before: it goes only where it was not there.
TRACES = ("/root/.kube", "/run/xtables.lock")
# What they leave empty: the names of pods' network namespaces, and what a kube-proxy mounts that finds no modules.
HOLLOW = ("/run/netns", "/usr/lib/modules")
# containerd's names of pods' network namespaces (pkg/netns/netns_linux.go): the file stays where the network plugin
# could not take a pod's address back any more.
POD_NETNS = "/run/netns/cni-*"
# Settings that are written: by node-setup, by the kubelet (pkg/kubelet/cm/container_manager_linux.go,
# setupKernelTunables), by kube-proxy (cmd/kube-proxy/app/conntrack.go; pkg/proxy/nftables/proxier.go) and by Felix
# (nf_conntrack_acct).
SYSCTLS = (
    "kernel.keys.root_maxbytes",
    "kernel.keys.root_maxkeys",
    "kernel.panic",
    "kernel.panic_on_oops",
    "net.bridge.bridge-nf-call-iptables",
    "net.ipv4.conf.all.route_localnet",
    "net.ipv4.ip_forward",
    "net.ipv6.conf.all.forwarding",
    "net.netfilter.nf_conntrack_acct",
    "net.netfilter.nf_conntrack_max",
    "net.netfilter.nf_conntrack_tcp_be_liberal",
    "net.netfilter.nf_conntrack_tcp_timeout_close_wait",
    "net.netfilter.nf_conntrack_tcp_timeout_established",
    "net.netfilter.nf_conntrack_udp_timeout",
    "net.netfilter.nf_conntrack_udp_timeout_stream",
    "vm.overcommit_memory",
    "vm.panic_on_oom",
)


@dataclass(frozen=True)
class Source:
    """A file's content, told by its digest (SHA-256), its mode and its size in bytes."""

    sha256: str
    mode: int = 0o644
    size: int = 0


@dataclass(frozen=True)
class Desired:
    """What a host is to have, and what it must be for that.

    Attributes:
        owner: the topology.
        name: the node's, which must be the host's name.
        role: in the cluster.
        machine: the programs' architecture, as uname(1) has it.
        files: by path.
        images: archives by the image's name.
        packages: names of Debian packages.
        units: to be enabled; containerd among them is started, too.
        links: names, or patterns of a shell, of links that the network plugin makes.
        interface: name, address (with prefix length) and mtu of the one by which it reaches the others.
        networks: of pods and services, by their place in the topology's file.
        ports: of TCP and UDP that its programs listen at, by protocol.
    """

    owner: str
    name: str
    role: str
    machine: str
    files: t.Mapping[str, Source]
    images: t.Mapping[str, Source]
    packages: tuple[str, ...]
    units: tuple[str, ...]
    links: tuple[str, ...]
    interface: t.Mapping[str, t.Any]
    networks: t.Mapping[str, str]
    ports: t.Mapping[str, t.Sequence[int]]


@dataclass(frozen=True)
class Facts:
    """What a host is like, as far as it may keep it from being a node. Sizes are bytes.

    Attributes:
        lacks: what of Debian and of systemd is not there; nothing else is known of such a host.
        container: whether it shares its kernel with the machine that carries it.
        emulated: whether it runs on processors that QEMU emulates, which takes it minutes for what else is seconds.
        swap: whether it has some.
        addresses: with prefix lengths, and ``mtus`` by interface.
        routes: (network, device); ``calicos`` those that Calico would take for its own.
        listening: ports by protocol.
        iptables: how its iptables works: ``legacy``, ``nf_tables`` or empty.
        apt: why the wanted packages cannot be installed.
        trials: what came of trying kernel features.
    """

    lacks: tuple[str, ...] = ()
    hostname: str = ""
    machine: str = ""
    container: bool = False
    emulated: bool = False
    swap: bool = False
    addresses: t.Mapping[str, t.Sequence[str]] = field(default_factory=dict)
    mtus: t.Mapping[str, int] = field(default_factory=dict)
    routes: tuple[tuple[str, str], ...] = ()
    calicos: tuple[str, ...] = ()
    listening: t.Mapping[str, t.Collection[int]] = field(default_factory=dict)
    iptables: str = ""
    memory: int = 0
    cpus: int = 0
    disk_free: int = 0
    apt: str = ""
    trials: t.Mapping[str, Trial] = field(default_factory=dict)


@dataclass(frozen=True)
class Observed:
    """A host as it is.

    Attributes:
        now: what may have changed since the record's ``before``.
        others: MAC addresses of other machines on the wire that say to have the wanted address.
        digests: of the files that are wanted or recorded, those that exist.
        folders: of the folders that files are put in, those that exist.
        full: those of FOLDERS that are not empty.
        images: names that containerd has; None while it does not run.
        packages: installed ones.
        simulated: apt-get's lines of what installing the wanted packages would do.
        purged: packages that would go with the recorded ones.
        units: enabled ones; ``active`` are those that run.
        links: names.
        pods: control groups of pods.
        rules: commands of nft(8) that take away what was not there before, see ``_existing_rules``.
        routes: those that BIRD and Felix left, see ``_existing_traces``.
        facts: what only the checks look at.
    """

    record: Record | None = None
    now: Before = field(default_factory=Before)
    others: tuple[str, ...] = ()
    digests: t.Mapping[str, str] = field(default_factory=dict)
    folders: frozenset[str] = frozenset()
    full: tuple[str, ...] = ()
    images: frozenset[str] | None = None
    packages: frozenset[str] = frozenset()
    simulated: tuple[str, ...] = ()
    purged: frozenset[str] = frozenset()
    units: frozenset[str] = frozenset()
    active: frozenset[str] = frozenset()
    links: frozenset[str] = frozenset()
    pods: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    routes: tuple[str, ...] = ()
    facts: Facts = field(default_factory=Facts)
