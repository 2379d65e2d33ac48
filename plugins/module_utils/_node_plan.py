# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plans of container nodes: facts in, steps out. Nothing here touches the machine.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import hashlib
import os
import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils._node_model import (
    IMAGE_LABEL,
    LABEL,
    LINKS_LABEL,
    Command,
    Container,
    Image,
    Machine,
    Node,
    Observed,
    Seed,
    Step,
    Write,
)

# Folders of a node on the cache's file system: a node's root is an overlay, on which containerd cannot put another, and
# etcd and the kubelet should not pay for one.
VOLUMES = ("containerd", "kubelet", "etcd")
# What podman's own systemd mode gives, but for one thing: on cgroup v1 it binds the machine's whole systemd hierarchy
# into each node, whose services would then share the machine's cgroups and each other's.
SYSTEMD_MODE = (
    "--systemd=false",
    "--tmpfs=/run:mode=755",
    "--tmpfs=/run/lock",
    "--tmpfs=/tmp",
    "--env=container=podman",
    "--stop-signal=SIGRTMIN+3",
)
IMAGE_MARK = "image"  # file with the key of the image; written last, so that it means a complete folder
HOST_KEY = "/etc/ssh/ssh_host_ed25519_key"


def conflicts(owner: str, wanted: t.Mapping[str, Observed], image: Image, nodes: t.Mapping[str, Node]) -> list[str]:
    """What must not be touched, one sentence each."""
    problems = []
    for name, observed in wanted.items():
        container = observed.container
        if container and not container.belongs_to(owner):
            problems.append(
                f"nodes.{name}: the container {container.name} exists without the label {LABEL}={owner}, so it is not "
                f"this topology's. Rename or remove it: podman rm {container.name}"
            )
        elif observed.image not in (None, image.key):
            problems.append(
                f"nodes.{name}: {nodes[name].folder} was made from the node image {observed.image}, the topology now "
                f"wants {image.key}. A node keeps its image for life. Start anew: ansible-playbook "
                f"playbooks/destroy.yml -e topology={owner}, then run this again."
            )
    return problems


def prerequisites(wanted: t.Mapping[str, Observed], image: Image, nodes: t.Mapping[str, Node]) -> list[str]:
    """What must be there before the nodes can start and is not, one sentence each."""
    problems = []
    if not os.path.isdir(os.path.join(image.path, "rootfs")):
        problems.append(f"image: {image.path} is no node image. Run the role reftopo.lab.node_image.")
    for name, observed in wanted.items():
        if observed.netns is None:
            problems.append(
                f"nodes.{name}: the network namespace {nodes[name].netns} does not exist. Run the module "
                "reftopo.lab.link_state with the topology's link state."
            )
        if not all(seed.content for seed in nodes[name].seeds.values()):
            problems.append(f"nodes.{name}: its SSH keys do not exist. Run the module reftopo.lab.node_keys.")
    return problems


def plan(owner: str, node: Node, observed: Observed, image: Image, machine: Machine) -> list[Step]:
    """Steps that bring one node from what it is to what it must be."""
    container = observed.container
    steps: list[Step] = []
    there = observed if observed.image else Observed()  # of an unfinished folder nothing is kept
    if container and not _current(container, observed):
        steps += _discard(container)
        container = None
    if not observed.image:
        steps += _prepare(node, observed, image, machine)
    if not there.mounted:
        steps.append(_mount(node, image))
    seeds = [path for path, seed in node.seeds.items() if there.seeds.get(path) != seed.content]
    steps += [Write(node.root + path, node.seeds[path]) for path in seeds]
    if container is None:
        steps.append(Command(run_command(owner, node, image, machine, observed.links)))
    elif HOST_KEY in seeds:
        steps.append(Command(("podman", "exec", container.name, "systemctl", "reload", "ssh.service")))
    return steps


def _current(container: Container, observed: Observed) -> bool:
    """Whether a container runs, with the root, the network namespace and the links that are there now.

    A link takes with it what was built on it; that comes back when the node starts.
    """
    network = container.netns == observed.netns and container.labels.get(LINKS_LABEL, "") == observed.links
    return bool(container.running and observed.image and observed.mounted and network)


def _discard(container: Container) -> list[Step]:
    """Remove a container; the node's files stay.

    Where podman was killed while it started one, the runtime has a container that podman does not know of.
    """
    first = (
        ("podman", "stop", container.name) if container.running else ("runc", "delete", "--force", container.identifier)
    )
    return [Command(first), _remove(container.name)]


def _prepare(node: Node, observed: Observed, image: Image, machine: Machine) -> list[Step]:
    """Make the node's folder from the image.

    Layers and contents never change, so nodes share them by hard links; containerd's databases do.
    """
    link = "--link" if machine.hard_links else "--reflink=auto"
    source, store = os.path.join(image.path, "containerd"), os.path.join(node.folder, "containerd")
    folders = [os.path.join(node.folder, name) for name in ("upper", "work", "rootfs", "kubelet", "etcd")]
    unmount: list[Step] = [_unmount(node.root)] if observed.mounted else []
    databases = [
        Command(("cp", "--archive", "--remove-destination", f"{source}/{path}", f"{store}/{path}"))
        for path in (image.databases if machine.hard_links else ())
    ]
    return [
        *unmount,
        Command(("rm", "--recursive", "--force", "--one-file-system", node.folder)),
        Command(("mkdir", "--parents", *folders)),
        Command(("cp", "--archive", link, source, store)),
        *databases,
        Write(os.path.join(node.folder, IMAGE_MARK), Seed(image.key)),
    ]


def _remove(*containers: str) -> Command:
    # podman before 4.4 may remove a container's files while it still unmounts them after the container's end:
    # https://github.com/containers/podman/issues/11594
    return Command(("podman", "rm", "--force", "--time=0", *containers), busy="device or resource busy")


def _unmount(root: str) -> Command:
    # Of a podman that was killed, conmon and runc may still be at work in there: umount(2), EBUSY.
    return Command(("umount", root), busy="target is busy")


def _mount(node: Node, image: Image) -> Command:
    # podman's own overlay (--rootfs PATH:O) lies in /run and is lost when the container stops; a node's files are not.
    options = f"lowerdir={image.path}/rootfs,upperdir={node.folder}/upper,workdir={node.folder}/work"
    return Command(("mount", "-t", "overlay", "-o", options, node.container, node.root))


def run_command(owner: str, node: Node, image: Image, machine: Machine, links: str = "") -> tuple[str, ...]:
    """The command that makes and starts a node's container over the links that are there now.

    https://docs.podman.io/en/v4.3/markdown/podman-run.1.html
    """
    volumes = [f"--volume={node.folder}/{name}:/var/lib/{name}" for name in VOLUMES]
    modules = ["--volume=/lib/modules:/lib/modules:ro"] if machine.modules else []
    # systemd 256 and later refuse cgroup v1 unless asked twice: its NEWS, "CHANGES WITH 256".
    legacy = ["systemd.unified_cgroup_hierarchy=0", "SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1"]
    return (
        "podman",
        "--runtime=runc",  # crun refuses machines that mount both cgroup versions
        "run",
        "--detach",
        f"--name={node.container}",
        f"--hostname={node.name}",
        f"--label={LABEL}={owner}",
        f"--label={IMAGE_LABEL}={image.key}",
        f"--label={LINKS_LABEL}={links}",
        f"--network=ns:{node.netns}",
        "--privileged",
        *SYSTEMD_MODE,
        f"--env=container_uuid={machine_id(node)}",
        "--cgroupns=private",
        "--pids-limit=-1",
        f"--ulimit=nofile={machine.open_files}:{machine.open_files}",
        f"--ulimit=nproc={machine.processes}:{machine.processes}",
        "--log-driver=k8s-file",
        "--no-hosts",
        "--dns=none",
        *volumes,
        *modules,
        "--rootfs",
        node.root,
        "/sbin/init",
        *([] if machine.cgroup_v2 else legacy),
    )


def machine_id(node: Node) -> str:
    """A node's ID (machine-id(5)), the same whenever it starts; systemd takes it from the variable container_uuid.

    https://systemd.io/CONTAINER_INTERFACE/
    """
    return hashlib.sha256(node.container.encode()).hexdigest()[:32]


def plan_absent(containers: t.Sequence[Container], mounts: t.Sequence[str], folders: t.Sequence[str]) -> list[Step]:
    """Steps that remove a topology's containers, its nodes' mounts, and its nodes' folders."""
    steps: list[Step] = []
    for container in containers:
        if not container.running:
            steps.append(Command(("runc", "delete", "--force", container.identifier)))
    if containers:
        names = sorted(container.name for container in containers)
        steps.append(_remove(*names))
    steps += [_unmount(mount) for mount in mounts]
    steps += [Command(("rm", "--recursive", "--force", "--one-file-system", folder)) for folder in folders]
    return steps
