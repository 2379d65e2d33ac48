# SPDX-License-Identifier: GPL-3.0-or-later
"""A disk that is full while an image is made or a node is copied: what is said and left, and what a next run does."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import real_nodes
import yaml
from ansible_collections.reftopo.lab.plugins.module_utils._disk_full import MIB, explained
from ansible_collections.reftopo.lab.plugins.module_utils._node_image import Recipe
from ansible_collections.reftopo.lab.plugins.module_utils._node_image_apply import ImageBuilder
from ansible_collections.reftopo.lab.plugins.module_utils._node_run import NodeError, Runner
from topologies import ROOT, sh

ROLE = ROOT / "roles/node_image"
PAUSE = "registry.k8s.io/pause:3.10.1"
# Stand in for what imports container images, of which there are none here.
CONTAINERD = "#!/bin/sh\necho containerd test v0.0.0\n"
IMPORT = f"#!/bin/sh\nmkdir $3 && echo {PAUSE}\n"


class Disk:
    """A file system of the test's own, in memory, mounted at ``path``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()
        sh("mount", "-t", "tmpfs", "-o", "size=4g", "t-disk", str(path))

    def leave(self, free: int) -> None:
        """Make it so large that so many MiB of it are free."""
        status = os.statvfs(self.path)
        used = (status.f_blocks - status.f_bfree) * status.f_frsize // MIB
        sh("mount", "-o", f"remount,size={used + free}m", str(self.path))


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    made = Disk(tmp_path / "disk")
    yield made
    sh("umount", str(made.path))


def refused(disk: Disk, call: Any) -> str:
    """What a call is refused with, as the module tells it."""
    with pytest.raises((NodeError, OSError)) as caught:
        call()
    told = explained(caught.value, str(disk.path))
    assert "No space left on device" in told
    assert f"A disk is full. {disk.path} is on the file system at {disk.path}, which has " in told
    return told


def test_a_node_image_that_did_not_fit_leaves_nothing_and_is_made_when_there_is_room(disk: Disk, tmp_path: Path):
    images = disk.path / "node-images"
    builder = ImageBuilder(recipe(tmp_path), str(disk.path), "", Runner(real_nodes.run_command))
    images.mkdir()
    sh("cp", "--archive", str(real_nodes.packages_of(builder.recipe)), builder.base)
    there = {path.name for path in images.iterdir()}
    disk.leave(20)
    told = refused(disk, builder.build)
    assert told.startswith(f"`cp --archive --reflink=auto {builder.base} ")
    assert {path.name for path in images.iterdir()} - {"lock"} == there
    assert not builder.complete()

    disk.leave(1024)
    builder.runner.commands.clear()
    assert builder.build()
    assert builder.complete()
    assert not [command for command in builder.runner.commands if "mmdebstrap" in command], (
        "it goes on where it stopped"
    )


def test_a_node_that_did_not_fit_is_made_when_there_is_room(disk: Disk, lab: Any):
    """Its image is on another file system, so that its files are copies."""
    lab.params["cache"], lab.folder = str(disk.path), disk.path / "nodes" / lab.owner
    shutil.rmtree(lab.folder, ignore_errors=True)
    disk.leave(1)
    filler = disk.path / "filler"
    with contextlib.suppress(OSError):
        filler.write_bytes(bytes(2 * MIB))
    refused(disk, lab.converge)
    assert lab.containers() == {}

    filler.unlink()
    disk.leave(256)
    assert lab.converge() != []
    assert lab.converge() == []
    assert {lab.ssh(node, "hostname").strip() for node in lab.nodes} == set(lab.nodes)
    assert lab.absent()
    assert lab.traces() == []


def recipe(tmp_path: Path) -> Recipe:
    """An image of the packages that other tests use, too."""
    artifacts, files = tmp_path / "artifacts", tmp_path / "files"
    artifacts.mkdir()
    (artifacts / "containerd").write_text(CONTAINERD)
    shutil.copytree(ROLE / "files/rootfs", files / "rootfs")
    (files / "import-images").write_text(IMPORT)
    (files / "import-images").chmod(0o755)
    variables = yaml.safe_load((ROLE / "vars/main.yml").read_text())
    binary = {"path": "containerd", "destination": "/usr/bin/containerd"}
    return Recipe(
        suite="trixie",
        packages=tuple(variables["__node_image_packages"]),
        architecture=sh("dpkg", "--print-architecture").strip(),
        masked_units=tuple(variables["__node_image_masked_units"]),
        artifacts=str(artifacts),
        manifest={"key": "none", "binaries": {"containerd": binary}, "images": {PAUSE: {"path": "pause.tar"}}},
        files=str(files),
        files_digest="test",
    )
