# SPDX-License-Identifier: GPL-3.0-or-later
"""What a VM image is made of, its keys, and what is cut out of Debian's kernel."""

from __future__ import annotations

import dataclasses
import json
import struct
from pathlib import Path

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils import _vm_image as vm_image
from ansible_collections.reftopo.lab.plugins.module_utils._node_run import NodeError

GOLDEN = Path(__file__).parent / "golden"
RECIPE = vm_image.VmRecipe(
    suite="trixie",
    image="/node-image",
    manifest={"key": "node"},
    masked_units=("b.mount", "a.mount"),
    files="/files",
    files_digest="f",
)
ZSTD = b"\x28\xb5\x2f\xfd"


@pytest.mark.parametrize(
    ("change", "kernel_stays"),
    [
        ({"suite": "forky"}, False),
        ({"manifest": {"key": "other"}}, True),
        ({"masked_units": ()}, True),
        ({"files_digest": "g"}, True),
    ],
)
def test_every_input_changes_the_key_but_only_the_suite_that_of_the_kernel(change: dict, kernel_stays: bool) -> None:
    other = dataclasses.replace(RECIPE, **change)
    assert other.key() != RECIPE.key()
    assert (other.kernel_key() == RECIPE.kernel_key()) is kernel_stays


def test_order_and_place_do_not_change_the_key() -> None:
    other = dataclasses.replace(RECIPE, masked_units=("a.mount", "b.mount"), image="/elsewhere", files="/there")
    assert other.key() == RECIPE.key()


def kernel(payload: bytes, length: int | None = None, magic: bytes = b"HdrS") -> bytes:
    """A kernel image with two sectors of set-up code and the payload eight bytes after them."""
    image = bytearray(3 * 512 + 8) + payload
    image[0x1F1] = 2
    image[0x202:0x206] = magic
    image[0x248:0x250] = struct.pack("<II", 8, len(payload) if length is None else length)
    return bytes(image)


def test_the_payload_is_without_the_length_that_follows_it() -> None:
    assert vm_image.kernel_payload(kernel(ZSTD + b"vmlinux" + b"\x07\0\0\0"), "/boot/vmlinuz") == ZSTD + b"vmlinux"


KERNELS = {
    "kernel_other": b"\x7fELF" + bytes(4096),
    "kernel_without_payload": kernel(b"", 0),
    "kernel_xz": kernel(b"\xfd7zXZ\0" + bytes(8)),
    "kernel_truncated": kernel(ZSTD + b"vm", 4096),
}


@pytest.mark.parametrize("case", KERNELS)
def test_a_kernel_that_is_not_what_was_expected(case: str) -> None:
    with pytest.raises(NodeError) as error:
        vm_image.kernel_payload(KERNELS[case], "/boot/vmlinuz")
    assert f"{error.value}\n" == (GOLDEN / f"{case}.txt").read_text()


DEPENDENCIES = """\
kernel/block/virtio_blk.ko.xz:
kernel/net/virtio_net.ko.xz: kernel/net/net_failover.ko.xz kernel/net/failover.ko.xz
kernel/net/net_failover.ko.xz: kernel/net/failover.ko.xz
kernel/net/failover.ko.xz:
kernel/char/virtio-rng.ko.xz:
"""


def test_modules_come_after_those_that_they_need_and_once() -> None:
    assert vm_image.module_order(DEPENDENCIES, ["virtio_net", "failover", "virtio_blk"]) == [
        "kernel/net/failover.ko.xz",
        "kernel/net/net_failover.ko.xz",
        "kernel/net/virtio_net.ko.xz",
        "kernel/block/virtio_blk.ko.xz",
    ]


def test_a_module_that_the_kernel_does_not_have() -> None:
    with pytest.raises(NodeError) as error:
        vm_image.module_order(DEPENDENCIES, ["virtio_net", "virtio_disk"])
    assert f"{error.value}\n" == (GOLDEN / "module_missing.txt").read_text()


def test_packages_command() -> None:
    command = vm_image.packages_command(RECIPE, "/kernel", "http://mirror.example/debian", ['Acquire::x "y";'])
    assert "--variant=extract" in command
    assert '--aptopt=Acquire::x "y";' in command
    assert command[-3:] == ["trixie", "/kernel", "http://mirror.example/debian"]


def test_the_node_image_is_linked_and_none_of_its_files_written() -> None:
    commands = vm_image.staging_commands(RECIPE, "/kernel", "6.12", "/new")
    assert commands[0] == ["cp", "--archive", "--link", "/node-image/rootfs", "/new"]
    (overlay,) = [command for command in commands if "/files/rootfs/." in command]
    assert "--remove-destination" in overlay
    assert commands[-1][-2:] == ["a.mount", "b.mount"]


def test_a_node_image_that_is_not_there() -> None:
    with pytest.raises(NodeError) as error:
        vm_image.load_image("/nowhere/node-images/abc")
    assert f"{error.value}\n" == (GOLDEN / "node_image_missing.txt").read_text()


@pytest.fixture
def image(tmp_path: Path) -> Path:
    for name in vm_image.STARTED:
        (tmp_path / name).write_text(name)
    (tmp_path / "manifest.json").write_text(json.dumps({"key": "k", "files": vm_image.fingerprint(str(tmp_path))}))
    return tmp_path


def test_an_image_that_is_as_it_was_made(image: Path) -> None:
    manifest = vm_image.load_vm_image(str(image))
    assert manifest is not None
    assert manifest["key"] == "k"


def test_an_image_that_is_not_there(tmp_path: Path) -> None:
    assert vm_image.load_vm_image(str(tmp_path / "abc")) is None


def truncate(path: Path) -> None:
    path.write_text("")


def write_the_same(path: Path) -> None:
    path.write_text(path.name)


@pytest.mark.parametrize("damage", [truncate, write_the_same, Path.unlink])
def test_an_image_that_was_changed_is_refused(image: Path, damage) -> None:
    damage(image / "disk.raw")
    with pytest.raises(NodeError) as error:
        vm_image.load_vm_image(str(image))
    assert f"{error.value}\n".replace(str(image), "/vm-images/k") == (GOLDEN / "image_changed.txt").read_text()
