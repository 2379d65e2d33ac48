# SPDX-License-Identifier: GPL-3.0-or-later
"""Cases are data: what a node is, and the steps that must follow."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils import _node_plan as node_plan
from ansible_collections.reftopo.lab.plugins.module_utils._node_common import leaving
from ansible_collections.reftopo.lab.plugins.module_utils._node_model import (
    Container,
    Image,
    Machine,
    Node,
    Observed,
    Seed,
    Step,
)

FOLDER = "/cache/nodes/small/w1"
ROOT = f"{FOLDER}/rootfs"
NAME = "reftopo.small.w1"
HOST_KEY = node_plan.HOST_KEY
SEEDS = {"/etc/hosts": Seed("hosts"), HOST_KEY: Seed("key", 0o600)}
NODE = Node("w1", NAME, f"/run/netns/{NAME}", "172.30.10.12", FOLDER, SEEDS)
IMAGE = Image("/cache/node-images/abc", "abc", ("io.containerd.metadata.v1.bolt/meta.db",))
MACHINE = Machine(cgroup_v2=False, open_files=20000, processes=32768, hard_links=True, modules=True)
RUNNING = Container(NAME, "1234", "running", {"reftopo.topology": "small", "reftopo.links": "12"}, netns=7)
STOPPED = Container(NAME, "1234", "exited", {"reftopo.topology": "small"})
CONVERGED = Observed(
    RUNNING, image="abc", mounted=True, netns=7, seeds={"/etc/hosts": "hosts", HOST_KEY: "key"}, links="12"
)

PREPARE = [
    f"rm --recursive --force --one-file-system {FOLDER}",
    f"mkdir --parents {FOLDER}/upper {FOLDER}/work {FOLDER}/rootfs {FOLDER}/kubelet {FOLDER}/etcd",
    f"cp --archive --link /cache/node-images/abc/containerd {FOLDER}/containerd",
    "cp --archive --remove-destination /cache/node-images/abc/containerd/io.containerd.metadata.v1.bolt/meta.db "
    f"{FOLDER}/containerd/io.containerd.metadata.v1.bolt/meta.db",
    f"write {FOLDER}/image",
]
MOUNT = (
    f"mount -t overlay -o lowerdir=/cache/node-images/abc/rootfs,upperdir={FOLDER}/upper,workdir={FOLDER}/work "
    f"{NAME} {ROOT}"
)
SEED = [f"write {ROOT}/etc/hosts", f"write {ROOT}{HOST_KEY}"]
RUN = "podman run"
REMOVE = f"podman rm --force --time=0 {NAME}"
STOP = [f"podman stop {NAME}", REMOVE]
CLEAR = ["runc delete --force 1234", REMOVE]


def changed(**values: object) -> Observed:
    return dataclasses.replace(CONVERGED, **values)  # type: ignore[arg-type]


CASES = {
    "a node that runs needs nothing": (CONVERGED, []),
    "a new node is prepared, mounted, seeded and started": (
        Observed(netns=7),
        [*PREPARE, MOUNT, *SEED, RUN],
    ),
    "half a folder is made again, and its mount with it": (
        Observed(mounted=True, netns=7, seeds=CONVERGED.seeds),
        [f"umount {ROOT}", *PREPARE, MOUNT, *SEED, RUN],
    ),
    "a container that was removed comes back with its files": (changed(container=None), [RUN]),
    "a stopped container is replaced, as its files are not in it": (changed(container=STOPPED), [*CLEAR, RUN]),
    "so is one that was never started": (
        changed(container=dataclasses.replace(STOPPED, state="created")),
        [*CLEAR, RUN],
    ),
    "so is a name without a record, which podman leaves when it is killed": (
        changed(container=Container(NAME, "1234", "storage", {}, unfinished=True)),
        [*CLEAR, RUN],
    ),
    "after a reboot the root is mounted before the container starts": (
        changed(container=STOPPED, mounted=False),
        [*CLEAR, MOUNT, RUN],
    ),
    "a container whose root was unmounted is stopped first": (changed(mounted=False), [*STOP, MOUNT, RUN]),
    "so is one in a network namespace that was replaced": (changed(netns=8), [*STOP, RUN]),
    "so is one with a link that was made anew, which lost what was built on it": (changed(links="13"), [*STOP, RUN]),
    "so is one whose folder is gone": (
        changed(image=None, mounted=False, seeds={}),
        [*STOP, *PREPARE, MOUNT, *SEED, RUN],
    ),
    "a file that was changed is put back": (
        changed(seeds={"/etc/hosts": "other", HOST_KEY: "key"}),
        [f"write {ROOT}/etc/hosts"],
    ),
    "the SSH server is told of another host key": (
        changed(seeds={"/etc/hosts": "hosts", HOST_KEY: "other"}),
        [f"write {ROOT}{HOST_KEY}", f"podman exec {NAME} systemctl reload ssh.service"],
    ),
}


def shown(steps: list[Step]) -> list[str]:
    """The steps as text, the long command that runs a container cut short: it has a test of its own."""
    return [RUN if "--detach" in str(step) else str(step) for step in steps]


@pytest.mark.parametrize("case", CASES)
def test_plan(case: str) -> None:
    observed, expected = CASES[case]
    assert shown(node_plan.plan("small", NODE, observed, IMAGE, MACHINE)) == expected


def test_files_are_copied_where_links_are_impossible() -> None:
    machine = dataclasses.replace(MACHINE, hard_links=False)
    steps = shown(node_plan.plan("small", NODE, Observed(netns=7), IMAGE, machine))
    copies = [step for step in steps if step.startswith("cp ")]
    assert copies == [f"cp --archive --reflink=auto /cache/node-images/abc/containerd {FOLDER}/containerd"]


def test_run_command() -> None:
    command = node_plan.run_command("small", NODE, IMAGE, MACHINE, "12")
    assert command[:4] == ("podman", "--runtime=runc", "run", "--detach")
    for option in (
        "--label=reftopo.topology=small",
        "--label=reftopo.image=abc",
        "--label=reftopo.links=12",
        f"--network=ns:/run/netns/{NAME}",
        "--ulimit=nofile=20000:20000",
        "--ulimit=nproc=32768:32768",
        f"--volume={FOLDER}/containerd:/var/lib/containerd",
        "--volume=/lib/modules:/lib/modules:ro",
    ):
        assert option in command
    # What follows --rootfs is the root and the command: an option there would be taken for an argument of systemd.
    assert command[command.index("--rootfs") + 1 :] == (
        ROOT,
        "/sbin/init",
        "systemd.unified_cgroup_hierarchy=0",
        "SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1",
    )


def test_run_command_on_a_machine_with_cgroup_v2_and_no_modules() -> None:
    machine = dataclasses.replace(MACHINE, cgroup_v2=True, modules=False)
    command = node_plan.run_command("small", NODE, IMAGE, machine)
    assert command[-1] == "/sbin/init"
    assert not [option for option in command if "/lib/modules" in option]


def test_secrets_are_not_shown() -> None:
    steps = node_plan.plan("small", NODE, Observed(netns=7), IMAGE, MACHINE)
    secret = Seed("BEGIN OPENSSH PRIVATE KEY", 0o600)
    node = dataclasses.replace(NODE, seeds={HOST_KEY: secret})
    assert "PRIVATE" not in repr(node) + "".join(shown(steps)) + repr(steps)


def test_absent_removes_containers_before_mounts_before_folders() -> None:
    steps = node_plan.plan_absent([STOPPED, RUNNING], [ROOT], ["/cache/nodes/small"])
    assert [str(step) for step in steps] == [
        "runc delete --force 1234",
        f"podman rm --force --time=0 {NAME} {NAME}",
        f"umount {ROOT}",
        "rm --recursive --force --one-file-system /cache/nodes/small",
    ]


@pytest.mark.parametrize(
    ("container", "mine"),
    [
        (Container(NAME, "1", "exited", {"reftopo.topology": "small"}), True),
        (Container("renamed", "1", "exited", {"reftopo.topology": "small"}), True),
        (Container(NAME, "1", "storage", {}, unfinished=True), True),
        (Container(NAME, "1", "exited", {}), False),
        (Container(NAME, "1", "exited", {"reftopo.topology": "smaller"}), False),
        (Container("reftopo.smaller.w1", "1", "storage", {}, unfinished=True), False),
    ],
)
def test_whose_a_container_is(container: Container, mine: bool) -> None:
    assert container.belongs_to("small") is mine


def test_absent_of_nothing_is_nothing() -> None:
    assert node_plan.plan_absent([], [], []) == []


NAMED = {
    "all of the topology": (None, [NAME, "reftopo.small.w2"]),
    "one node": ({"w1": None}, [NAME]),
    "none, which is not all": ({}, []),
}


@pytest.mark.parametrize("case", NAMED)
def test_what_goes(case: str):
    nodes, names = NAMED[case]
    goes = leaving({"owner": "small", "nodes": nodes})
    assert [name for name in (NAME, "reftopo.small.w2") if goes(name)] == names
