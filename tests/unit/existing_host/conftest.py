# SPDX-License-Identifier: GPL-3.0-or-later
"""A host as it is before, and as it is when it is a node; what it is to have."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils._existing_model import Desired, Facts, Observed, Source
from ansible_collections.reftopo.lab.plugins.module_utils._existing_plan import record_of
from ansible_collections.reftopo.lab.plugins.module_utils._existing_record import Before, Record
from ansible_collections.reftopo.lab.plugins.module_utils._preflight_model import Trial
from existing_names import CONFIG, MIB, PAUSE, PROGRAM, PROXY, UNIT


@pytest.fixture
def desired() -> Desired:
    """Some files, images and packages of a worker."""
    return Desired(
        owner="office",
        name="w1",
        role="worker",
        machine="x86_64",
        files={CONFIG: Source("c1", size=10), PROGRAM: Source("p1", 0o755, 70 * MIB), UNIT: Source("u1", size=9)},
        images={PAUSE: Source("i1", size=MIB), PROXY: Source("i2", size=90 * MIB)},
        packages=("conntrack", "runc"),
        units=("containerd.service", "kubelet.service"),
        links=("flannel.1", "cni0"),
        interface={"name": "ens3", "address": "192.168.50.12/24", "mtu": 1500},
        networks={"cluster.pod_cidr": "10.244.0.0/16", "cluster.service_cidr": "10.96.0.0/16"},
        ports={"tcp": [10250, 10256], "udp": [8472]},
    )


@pytest.fixture
def fresh() -> Observed:
    """A Debian host that has never been a node."""
    return Observed(
        now=Before(
            sysctls={"net.ipv4.ip_forward": "0", "kernel.panic": "0"},
            paths=("/var/lib/etcd",),
            modes={"/var/lib/etcd": 0o755},
            tables=("inet filter",),
            mounts=("/", "/proc", "/sys"),
            shared=False,
            modules=("veth",),
        ),
        folders=frozenset({"/etc", "/etc/systemd", "/etc/systemd/system", "/usr", "/usr/bin"}),
        packages=frozenset({"runc", "nftables"}),
        simulated=(
            "Reading package lists...",
            "Inst conntrack (1:1.4.8-2 Debian:13 [amd64])",
            "Conf conntrack (1:1.4.8-2 Debian:13)",
        ),
        links=frozenset({"lo", "ens3"}),
        facts=Facts(
            hostname="w1",
            machine="x86_64",
            addresses={"lo": ["127.0.0.1/8"], "ens3": ["192.168.50.12/24"]},
            mtus={"lo": 65536, "ens3": 1500},
            routes=(("192.168.50.0/24", "ens3"),),
            listening={"tcp": {22}, "udp": {68}},
            iptables="nf_tables",
            memory=4096 * MIB,
            cpus=2,
            disk_free=20480 * MIB,
            trials={"vxlan": Trial(True), "nftables": Trial(None, missing="nft")},
        ),
    )


@pytest.fixture
def node(fresh: Observed, desired: Desired) -> Observed:
    """The same host as a node that runs."""
    record = dataclasses.replace(record_of(fresh, desired), images={PAUSE: "i1", PROXY: "i2"})
    return dataclasses.replace(
        fresh,
        record=record,
        now=Before(
            sysctls={"net.ipv4.ip_forward": "1", "kernel.panic": "10", "net.netfilter.nf_conntrack_max": "262144"},
            paths=("/etc/cni", "/etc/containerd", "/root/.kube", "/run/netns", "/var/lib/etcd", "/var/lib/kubelet"),
            modes={"/etc/cni": 0o755, "/var/lib/etcd": 0o700},
            tables=("inet filter", "ip kube-proxy"),
            mounts=(
                "/",
                "/mnt",
                "/proc",
                "/proc/sys/kernel",
                "/proc/sys/kernel/panic",
                "/sys",
                "/var/lib/kubelet/pods/a",
            ),
            shared=True,
            modules=("br_netfilter", "veth"),
        ),
        digests={path: source.sha256 for path, source in desired.files.items()},
        folders=fresh.folders | {"/etc/containerd"},
        full=("/etc/cni", "/etc/containerd", "/var/lib/etcd", "/var/lib/kubelet"),
        images=frozenset({PAUSE, PROXY}),
        packages=fresh.packages | {"conntrack"},
        simulated=(),
        purged=frozenset({"conntrack"}),
        units=frozenset(desired.units),
        active=frozenset(desired.units),
        links=fresh.links | {"cni0", "flannel.1", "veth1"},
        pods=("/sys/fs/cgroup/kubepods.slice",),
        rules=("delete table ip kube-proxy",),
        facts=dataclasses.replace(
            fresh.facts, routes=(*fresh.facts.routes, ("10.244.1.0/24", "cni0")), listening={"tcp": {22, 10250}}
        ),
    )


@pytest.fixture
def record(node: Observed) -> Record:
    """What was put on that node."""
    assert node.record
    return node.record
