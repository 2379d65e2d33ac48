# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Words of the container nodes: what is wanted, what is there, and the steps between.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import os
import shlex
import typing as t
from dataclasses import dataclass, field

LABEL = "reftopo.topology"
IMAGE_LABEL = "reftopo.image"
LINKS_LABEL = "reftopo.links"


def container_name(owner: str, node: str) -> str:
    """Name of a node's container, network namespace and root mount."""
    return f"reftopo.{owner}.{node}"


@dataclass(frozen=True)
class Node:
    """A wanted node.

    Attributes:
        name: its host name.
        container: name of its container, and of its root's mount.
        netns: path of its network namespace.
        address: where SSH must answer, without prefix length.
        folder: its part of the cache.
        seeds: what the files below its root must hold.
        peers: names of its links' other ends, on this machine.
    """

    name: str
    container: str
    netns: str
    address: str
    folder: str
    seeds: t.Mapping[str, Seed]
    peers: tuple[str, ...] = ()

    @property
    def root(self) -> str:
        """Where its root file system is mounted."""
        return os.path.join(self.folder, "rootfs")


@dataclass(frozen=True)
class Seed:
    """Content and mode of a file that differs from the image's."""

    content: str | bytes = field(repr=False)
    mode: int = 0o644


@dataclass(frozen=True)
class Image:
    """A node image: its folder, key, and the databases of its containerd store (paths in the store)."""

    path: str
    key: str
    databases: tuple[str, ...] = ()


@dataclass(frozen=True)
class Machine:
    """What the machine allows.

    Attributes:
        cgroup_v2: whether it has the unified hierarchy alone.
        open_files: hard limit of open files.
        processes: hard limit of processes that podman leaves to a container.
        hard_links: whether the image's files can be linked into the nodes' folder.
        modules: whether it has kernel modules.
    """

    cgroup_v2: bool
    open_files: int
    processes: int
    hard_links: bool
    modules: bool


@dataclass(frozen=True)
class Container:
    """A container of podman.

    Attributes:
        identifier: podman's and the runtime's.
        netns: inode of its network namespace while it runs.
        unfinished: whether podman was killed while it made it, and left the name without labels.
    """

    name: str
    identifier: str
    state: str
    labels: t.Mapping[str, str]
    netns: int | None = None
    unfinished: bool = False

    @property
    def running(self) -> bool:
        """Whether its processes run."""
        return self.state == "running"

    def belongs_to(self, owner: str) -> bool:
        """Whether it is a topology's: by its label, and by its name when it could not get one."""
        return self.labels.get(LABEL) == owner or (self.unfinished and self.name.startswith(container_name(owner, "")))


@dataclass(frozen=True)
class Observed:
    """A node as it is.

    Attributes:
        container: None when there is none.
        image: key of the image that its folder was made from; None when the folder is absent or unfinished.
        mounted: whether its root is mounted.
        netns: inode of the network namespace that it must have; None when that does not exist.
        seeds: contents of those of its seeds that exist.
        links: the kernel's numbers of its links' other ends; a link that was made anew has another.
    """

    container: Container | None = None
    image: str | None = None
    mounted: bool = False
    netns: int | None = None
    seeds: t.Mapping[str, str] = field(default_factory=dict)
    links: str = ""

    def describe(self) -> dict[str, str | None]:
        """What users are shown."""
        return {"container": self.container.state if self.container else None, "image": self.image}


@dataclass(frozen=True)
class Command:
    """A step: run a command.

    Attributes:
        busy: part of what the command says of a thing that another process is about to let go, so that it is worth
            trying again; empty for a command of which no such thing is known.
    """

    argv: tuple[str, ...]
    busy: str = ""

    def __str__(self) -> str:
        return shlex.join(self.argv)


@dataclass(frozen=True)
class Write:
    """A step: write a file."""

    path: str
    seed: Seed

    def __str__(self) -> str:
        return f"write {self.path}"


Step = t.Union[Command, Write]
