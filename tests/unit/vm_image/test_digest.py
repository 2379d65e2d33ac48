# SPDX-License-Identifier: GPL-3.0-or-later
"""What tells that the files of a VM image are damaged, though nobody wrote them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils import _vm_image as vm_image
from ansible_collections.reftopo.lab.plugins.module_utils import _vm_image_digest as vm_image_digest
from ansible_collections.reftopo.lab.plugins.module_utils._file import CHUNK

GOLDEN = Path(__file__).parent / "golden/image_damaged.txt"
PLACES = (0, 3 * CHUNK + 5, 40 * CHUNK)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """An image whose disk has holes."""
    for name in ("vmlinux", "initrd"):
        (tmp_path / name).write_text(name)
    with (tmp_path / "disk.raw").open("wb") as disk:
        for place in PLACES:
            disk.seek(place)
            disk.write(b"data")
        disk.truncate(64 * CHUNK)
    manifest = {"files": vm_image.fingerprint(str(tmp_path)), "digests": vm_image_digest.digests(str(tmp_path))}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    return tmp_path


def damage(path: Path, place: int) -> None:
    """Another byte, as a disk that fails has it: neither size nor time tell."""
    before = path.stat()
    with path.open("r+b") as stream:
        stream.seek(place)
        stream.write(b"D")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_an_image_that_is_as_it_was_made(image: Path):
    assert vm_image_digest.damaged(str(image)) == ""


def test_an_image_of_before_disks_had_digests(image: Path):
    manifest = json.loads((image / "manifest.json").read_text())
    del manifest["digests"]["disk.raw"]
    (image / "manifest.json").write_text(json.dumps(manifest))
    assert vm_image_digest.damaged(str(image)) == ""


@pytest.mark.parametrize("place", [*PLACES, 20 * CHUNK, 64 * CHUNK - 1])
def test_one_byte_is_enough_wherever_it_is(image: Path, place: int):
    damage(image / "disk.raw", place)
    assert vm_image.load_vm_image(str(image)), "which sizes and times do not tell"
    assert f"{image}/disk.raw: damaged" in vm_image_digest.damaged(str(image))


def test_all_files_are_told_with_what_to_do(image: Path):
    for name in vm_image.STARTED:
        damage(image / name, 0)
    told = vm_image_digest.damaged(str(image)).replace(str(image), "/vm-images/k")
    assert f"{told}\n" == GOLDEN.read_text()


def test_holes_that_a_copy_filled_with_zeros_make_no_difference(image: Path):
    data = (image / "disk.raw").read_bytes()
    (image / "disk.raw").write_bytes(data)
    assert vm_image_digest.damaged(str(image)) == ""


def test_holes_are_not_read(image: Path, monkeypatch: pytest.MonkeyPatch):
    """A file system that tells of no holes has one block of data from end to end (lseek(2)); this one is asked."""
    with (image / "disk.raw").open("rb") as stream:
        places = list(vm_image_digest._places(stream))
    assert len(places) == len(PLACES)
