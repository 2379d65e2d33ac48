# SPDX-License-Identifier: GPL-3.0-or-later
"""From what a host is to the steps that make a node of it, or take that back."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils._existing_model import Source
from ansible_collections.reftopo.lab.plugins.module_utils._existing_plan import (
    kept,
    lacking,
    plan_absent,
    plan_end,
    plan_present,
    record_of,
)
from existing_names import CONFIG, PAUSE, PROGRAM, PROXY, UNIT

RECORD = "record /var/lib/reftopo/existing.json"
DAEMON_RELOAD = "reload systemd"


def told(steps):
    return [str(step) for step in steps]


def taken_back(observed):
    return told([*plan_end(observed), *plan_absent(observed)])


def test_a_node_is_made_in_this_order(fresh, desired):
    assert told(plan_present(fresh, desired)) == [
        RECORD,
        "install conntrack",
        f"write {CONFIG}",
        f"write {UNIT}",
        f"write {PROGRAM}",
        DAEMON_RELOAD,
        "enable containerd.service",
        "enable kubelet.service",
        "start containerd.service",
        f"import {PROXY}",
        f"import {PAUSE}",
    ]
    assert sorted(one.sha256 for one in lacking(fresh, desired)) == ["c1", "i1", "i2", "p1", "u1"]


def test_nothing_is_done_to_a_node(node, desired):
    assert plan_present(node, desired) == []
    assert lacking(node, desired) == []


def test_what_is_there_already_is_no_part_of_the_record(fresh, desired):
    given = dataclasses.replace(fresh, digests={PROGRAM: "p1"})
    record = record_of(given, desired)
    assert set(record.files) == {CONFIG, UNIT}
    assert record.packages == ("conntrack",)  # runc was there
    assert record.folders == ()  # /etc/containerd is a node's own and goes as a whole
    assert record.before == fresh.now


def test_folders_that_are_made_are_recorded(fresh, desired):
    files = {"/usr/local/share/reftopo/a/x": Source("x1")}
    record = record_of(fresh, dataclasses.replace(desired, files=files))
    assert record.folders == (
        "/usr/local",
        "/usr/local/share",
        "/usr/local/share/reftopo",
        "/usr/local/share/reftopo/a",
    )


def test_an_interrupted_run_goes_on(fresh, desired, record):
    """Recorded, packages installed, one file written; containerd not started."""
    half = dataclasses.replace(
        fresh,
        record=dataclasses.replace(record, images={}),
        digests={CONFIG: "c1"},
        packages=fresh.packages | {"conntrack"},
        simulated=(),
    )
    steps = told(plan_present(half, desired))
    assert steps[0] == f"write {UNIT}"  # neither recorded nor installed again
    assert f"write {CONFIG}" not in steps
    assert steps[-1] == f"import {PAUSE}"


def test_an_image_that_was_imported_is_not_brought_again(node, desired):
    stopped = dataclasses.replace(node, images=None, active=frozenset())
    assert told(plan_present(stopped, desired)) == ["start containerd.service"]
    record = dataclasses.replace(node.record, images={PAUSE: "i1"})
    half = dataclasses.replace(node, record=record, images=frozenset({PAUSE}))
    assert told(plan_present(half, desired)) == [f"import {PROXY}"]
    assert [one.sha256 for one in lacking(half, desired)] == ["i2"]


@pytest.mark.parametrize(
    ("path", "restarted"),
    [
        (CONFIG, ["restart containerd.service"]),
        (PROGRAM, []),
        (UNIT, [DAEMON_RELOAD, "restart kubelet.service"]),
        ("/usr/bin/containerd", ["restart containerd.service"]),
        ("/usr/bin/kubelet", ["restart kubelet.service"]),
    ],
)
def test_another_content_restarts_who_reads_it(node, desired, path, restarted):
    files = {**desired.files, path: Source("new")}
    changed = dataclasses.replace(desired, files=files)
    steps = told(plan_present(node, changed))
    assert steps == [RECORD, f"write {path}", *restarted]
    assert record_of(node, changed).files[path] == (*node.record.files.get(path, ()), "new")


def test_a_node_is_taken_back_in_this_order(node):
    assert taken_back(node) == [
        "reset /usr/bin/kubeadm",
        "stop kubelet.service",
        "stop containerd.service",
        "end pods",
        "disable containerd.service",
        "disable kubelet.service",
        "unmount /var/lib/kubelet/pods/a",
        "unmount /proc/sys/kernel/panic",
        "unmount /proc/sys/kernel",
        "unshare /",
        "unlink cni0",
        "unlink flannel.1",
        "nft delete table ip kube-proxy",
        f"remove {UNIT}",
        f"remove {PROGRAM}",
        DAEMON_RELOAD,
        "clear /etc/cni",
        "clear /etc/containerd",
        "empty /var/lib/etcd",
        "clear /var/lib/kubelet",
        "clear /root/.kube",
        "chmod 755 /var/lib/etcd",
        "rmdir /run/netns",
        "purge conntrack",
        "unload br_netfilter",
        "set net.ipv4.ip_forward=0",
        "set kernel.panic=0",
        "forget /var/lib/reftopo/existing.json",
    ]
    assert kept(node) == []


def test_what_containerd_needs_ends_last(node, record):
    files = {**record.files, "/etc/systemd/system/node-setup.service": ("n1",)}
    active = node.active | {"node-setup.service"}
    steps = taken_back(dataclasses.replace(node, record=dataclasses.replace(record, files=files), active=active))
    assert [step for step in steps if step.startswith("stop")] == [
        "stop kubelet.service",
        "stop containerd.service",
        "stop node-setup.service",
    ]
    assert "disable node-setup.service" not in steps


def test_nothing_is_taken_back_where_nothing_was_put(fresh):
    assert plan_absent(fresh) == []
    assert kept(fresh) == []


def test_what_was_there_before_stays(node, record):
    """The same names as ours, but somebody else's: a link, a mount, a folder, a setting as it was."""
    before = dataclasses.replace(
        record.before,
        mounts=node.now.mounts,
        shared=True,
        paths=("/root/.kube", *record.before.paths),
        modules=node.now.modules,
        sysctls=node.now.sysctls,
    )
    same = dataclasses.replace(node, record=dataclasses.replace(record, before=before), rules=())
    steps = taken_back(same)
    assert not [step for step in steps if step.split()[0] in ("unmount", "unshare", "nft", "unload", "set")]
    assert "clear /root/.kube" not in steps


def test_a_file_that_somebody_changed_stays(node):
    changed = dataclasses.replace(node, digests={**node.digests, PROGRAM: "other"})
    assert f"remove {PROGRAM}" not in taken_back(changed)
    assert kept(changed) == [f"{PROGRAM} stays: somebody changed what was put there"]


def test_what_a_killed_run_was_writing_goes_too(node):
    half = dataclasses.replace(node, digests={**node.digests, f"{PROGRAM}.new": "half"})
    assert f"remove {PROGRAM}.new" in taken_back(half)
    assert kept(half) == []


def test_packages_that_others_need_by_now_stay(node):
    needed = dataclasses.replace(node, purged=frozenset({"conntrack", "firewalld"}))
    assert "purge conntrack" not in taken_back(needed)
    assert kept(needed) == ["the packages conntrack stay: firewalld would go with them"]


def test_an_interrupted_removal_goes_on(node):
    half = dataclasses.replace(
        node,
        now=node.record.before,
        digests={},
        full=(),
        images=None,
        units=frozenset(),
        active=frozenset(),
        packages=frozenset({"runc"}),
        purged=frozenset(),
        links=frozenset({"ens3", "lo"}),
        pods=(),
        rules=(),
    )
    assert taken_back(half) == ["forget /var/lib/reftopo/existing.json"]
