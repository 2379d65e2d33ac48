# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads what container nodes are: podman's containers, mounts, folders, limits.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils._file import read_text
from ansible_collections.reftopo.lab.plugins.module_utils._node_model import Container, Image, Machine, Node, Observed
from ansible_collections.reftopo.lab.plugins.module_utils._node_plan import IMAGE_MARK
from ansible_collections.reftopo.lab.plugins.module_utils._node_run import Runner

MOST_OPEN_FILES = 1048576  # where a machine sets no limit: the default of fs.nr_open, proc_sys_fs(5)


def parse_containers(text: str) -> list[Container]:
    """Containers from ``podman ps --all --external --format json``."""
    return [
        Container(
            name=entry["Names"][0],
            identifier=entry["Id"],
            state=entry["State"],
            labels=entry.get("Labels") or {},
            netns=inode(f"/proc/{entry['Pid']}/ns/net") if entry["Pid"] else None,
            # Other programs keep containers in podman's storage too, but from images; a node has none.
            unfinished=entry["State"] == "storage" and not entry["Image"],
        )
        for entry in json.loads(text)
    ]


def parse_mounts(mountinfo: str) -> dict[str, str]:
    """Mount point to source, the last mounted first, from ``/proc/self/mountinfo`` (proc_pid_mountinfo(5))."""
    mounts = {}
    for line in reversed(mountinfo.splitlines()):
        before, dummy, after = line.partition(" - ")
        mounts[_unescape(before.split()[4])] = _unescape(after.split()[1])
    return mounts


def _unescape(text: str) -> str:
    """Undo the kernel's octal escapes of blanks and backslashes."""
    for code in ("040", "011", "012", "134"):
        text = text.replace(f"\\{code}", chr(int(code, 8)))
    return text


def inode(path: str) -> int | None:
    """Inode of a namespace's file; None when it does not exist."""
    try:
        return os.stat(path).st_ino
    except OSError:
        return None


def observe_containers(runner: Runner) -> list[Container]:
    """All containers of podman; none where podman is not installed yet, as in check mode on a fresh machine."""
    if shutil.which("podman") is None:
        return []
    return parse_containers(runner.read(["podman", "ps", "--all", "--external", "--format=json"]))


def observe_mounts() -> dict[str, str]:
    """Mount point to source of all mounts that this process sees."""
    return parse_mounts(read_text("/proc/self/mountinfo") or "")


def observe_node(node: Node, containers: t.Sequence[Container], mounts: t.Mapping[str, str]) -> Observed:
    """A node as it is."""
    mounted = mounts.get(node.root) == node.container
    # What is not mounted is read where the mount will show it.
    root = node.root if mounted else os.path.join(node.folder, "upper")
    seeds = {path: read_text(root + path) for path in node.seeds}
    return Observed(
        container=next((container for container in containers if container.name == node.container), None),
        image=read_text(os.path.join(node.folder, IMAGE_MARK)),
        mounted=mounted,
        netns=inode(node.netns),
        seeds={path: content for path, content in seeds.items() if content is not None},
        links=" ".join((read_text(f"/sys/class/net/{peer}/ifindex") or "none").strip() for peer in node.peers),
    )


def observe_image(path: str) -> Image:
    """A node image's key and the databases in its containerd store."""
    store = os.path.join(path, "containerd")
    databases = [
        os.path.relpath(os.path.join(store, entry, name), store)
        for entry in (sorted(os.listdir(store)) if os.path.isdir(store) else [])
        for name in sorted(os.listdir(os.path.join(store, entry)))
        if name.endswith(".db")
    ]
    return Image(path=path, key=os.path.basename(path), databases=tuple(databases))


def observe_machine(image: Image, nodes_folder: str) -> Machine:
    """What this machine allows."""
    open_files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    processes = resource.getrlimit(resource.RLIMIT_NPROC)[1]
    # podman lowers its own limit of processes to the kernel's number of process IDs and cannot raise it again.
    pid_max = int(read_text("/proc/sys/kernel/pid_max") or 0)
    return Machine(
        cgroup_v2=os.path.exists("/sys/fs/cgroup/cgroup.controllers"),
        open_files=MOST_OPEN_FILES if open_files == resource.RLIM_INFINITY else open_files,
        processes=pid_max if processes == resource.RLIM_INFINITY else min(processes, pid_max),
        hard_links=_device(image.path) == _device(nodes_folder),
        modules=os.path.isdir("/lib/modules"),
    )


def _device(path: str) -> int:
    """Device of a path, or of its nearest parent that exists."""
    while not os.path.exists(path):
        path = os.path.dirname(path)
    return os.stat(path).st_dev
