# SPDX-License-Identifier: GPL-3.0-or-later
"""How a VM image is built, and what an interrupted build leaves. Commands are played, folders are real."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import lzma
import os
import struct
from pathlib import Path

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils import _vm_image as vm_image
from ansible_collections.reftopo.lab.plugins.module_utils._node_run import NodeError, Runner
from ansible_collections.reftopo.lab.plugins.module_utils._vm_image_apply import VmImageBuilder

RELEASE = "6.12.0-cloud-amd64"
ZSTD = b"\x28\xb5\x2f\xfd"


class Machine:
    """Plays the commands: makes the files that they make, and remembers their names.

    Attributes:
        fails: name of a command that fails.
        initrd: content of the packed initrd, by path.
    """

    def __init__(self) -> None:
        self.fails = ""
        self.ran: list[str] = []
        self.initrd: dict[str, bytes] = {}

    def __call__(self, argv: list[str], handle_exceptions: bool = True) -> tuple[int, str, str]:
        name = next(Path(word).name for word in argv if Path(word).name in NAMES)
        if name == self.fails:
            return 1, "", "interrupted"
        self.ran.append(name)
        NAMES[name](self, argv)
        return 0, "", ""

    def mmdebstrap(self, argv: list[str]) -> None:
        root = Path(argv[-2])
        modules = root / vm_image.MODULES / RELEASE
        for folder in (root / "boot", root / "usr/bin", modules):
            folder.mkdir(parents=True)
        image = bytearray(1024)
        image[0x202:0x206] = b"HdrS"
        image[0x248:0x250] = struct.pack("<II", 512, 8)
        (root / f"boot/vmlinuz-{RELEASE}").write_bytes(bytes(image) + ZSTD + bytes(4))
        (root / "usr/bin/busybox").write_bytes(b"busybox")
        for name in vm_image.INITRD_MODULES:
            (modules / f"{name}.ko.xz").write_bytes(lzma.compress(name.encode()))

    def cp(self, argv: list[str]) -> None:
        target = Path(argv[-1])
        if Path(argv[-2]).name == RELEASE:
            os.symlink(argv[-2], target / RELEASE)
        target.mkdir(parents=True, exist_ok=True)

    def mkdir(self, argv: list[str]) -> None:
        Path(argv[-1]).mkdir(parents=True)

    def chroot(self, argv: list[str]) -> None:
        if "depmod" in argv:
            lines = "".join(f"{name}.ko.xz:\n" for name in vm_image.INITRD_MODULES)
            Path(argv[1], vm_image.MODULES, RELEASE, "modules.dep").write_text(lines)

    def zstd(self, argv: list[str]) -> None:
        Path(argv[-1]).rename(argv[-1][: -len(".zst")])

    def pack_initrd(self, argv: list[str]) -> None:
        content = Path(argv[-2])
        self.initrd = {
            str(path.relative_to(content)): path.read_bytes() for path in content.rglob("*") if path.is_file()
        }
        Path(argv[-1]).write_text("initrd")

    def mke2fs(self, argv: list[str]) -> None:
        Path(argv[-2]).write_text("disk")

    def rm(self, argv: list[str]) -> None:
        Path(argv[-1]).rename(f"{argv[-1]}.removed")

    def nothing(self, argv: list[str]) -> None:
        pass


NAMES = {
    "mmdebstrap": Machine.mmdebstrap,
    "cp": Machine.cp,
    "mkdir": Machine.mkdir,
    "chroot": Machine.chroot,
    "zstd": Machine.zstd,
    "pack-initrd": Machine.pack_initrd,
    "mke2fs": Machine.mke2fs,
    "rm": Machine.rm,
    "apt-get": Machine.nothing,
    "apt-config": Machine.nothing,
}
KERNEL = ["apt-get", "apt-config", "mmdebstrap"]
STAGING = ["cp", "cp", "mkdir", "cp", "cp", "cp", "chroot", "chroot", "chroot"]
IMAGE = [*STAGING, "zstd", "pack-initrd", "rm", "mke2fs", "rm"]


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def recipe(tmp_path: Path) -> vm_image.VmRecipe:
    files = tmp_path / "files"
    files.mkdir()
    (files / "init").write_text("#!/bin/sh\n")
    return vm_image.VmRecipe("trixie", "/node-image", {"key": "node"}, ("a.mount",), str(files), "f")


def builder(machine: Machine, tmp_path: Path, recipe: vm_image.VmRecipe) -> VmImageBuilder:
    return VmImageBuilder(recipe, str(tmp_path), "", Runner(machine))


def test_a_new_image(machine: Machine, tmp_path: Path, recipe: vm_image.VmRecipe) -> None:
    image = builder(machine, tmp_path, recipe)
    assert not image.complete()
    assert image.build()
    assert machine.ran == [*KERNEL, *IMAGE]
    assert image.complete()
    manifest = json.loads(Path(image.path, "manifest.json").read_text())
    assert (manifest["key"], manifest["image"], manifest["kernel"]) == (recipe.key(), "node", RELEASE)
    assert manifest["digests"] == {
        "disk.raw": f"blocks:{hashlib.sha256(bytes(8) + b'disk').hexdigest()}",
        "vmlinux": f"sha256:{hashlib.sha256(ZSTD).hexdigest()}",
        "initrd": f"sha256:{hashlib.sha256(b'initrd').hexdigest()}",
    }


def test_the_initrd_loads_its_modules_uncompressed(machine: Machine, tmp_path: Path, recipe: vm_image.VmRecipe) -> None:
    builder(machine, tmp_path, recipe).build()
    assert machine.initrd["modules/order"].decode().splitlines() == [f"{n}.ko" for n in vm_image.INITRD_MODULES]
    assert machine.initrd["modules/virtio_blk.ko"] == b"virtio_blk"
    assert machine.initrd["init"] == b"#!/bin/sh\n"
    assert machine.initrd["bin/switch_root"] == b"busybox"


def test_an_image_that_another_run_made_meanwhile_is_taken(
    machine: Machine, tmp_path: Path, recipe: vm_image.VmRecipe
) -> None:
    builder(machine, tmp_path, recipe).build()
    machine.ran.clear()
    assert not builder(machine, tmp_path, recipe).build()
    assert machine.ran == []


def test_another_node_image_needs_no_kernel_again(machine: Machine, tmp_path: Path, recipe: vm_image.VmRecipe) -> None:
    builder(machine, tmp_path, recipe).build()
    machine.ran.clear()
    assert builder(machine, tmp_path, dataclasses.replace(recipe, manifest={"key": "newer"})).build()
    assert machine.ran == IMAGE


@pytest.mark.parametrize(("fails", "again"), [("mmdebstrap", KERNEL), ("zstd", []), ("mke2fs", [])])
def test_an_interrupted_build_is_resumed(
    machine: Machine, tmp_path: Path, recipe: vm_image.VmRecipe, fails: str, again: list[str]
) -> None:
    image = builder(machine, tmp_path, recipe)
    machine.fails = fails
    with pytest.raises(NodeError, match="interrupted"):
        image.build()
    assert not image.complete()
    assert not list(Path(image.cache.images).glob("*.partial"))
    machine.fails, machine.ran = "", []
    assert image.build()
    assert machine.ran == again + IMAGE


def test_progress_is_one_line(machine: Machine, tmp_path: Path, recipe: vm_image.VmRecipe) -> None:
    builder(machine, tmp_path, recipe).build()
    assert (tmp_path / "progress").read_text() == "3/3 disk of the VM image\n"
