# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the files that virtual machines start from hold what they were made with.

Reading all of it takes seconds, so it is asked when a machine does not come up. That somebody wrote one of the files is
seen at each start, by sizes and times (``load_vm_image``).

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import hashlib
import json
import os
import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils._file import CHUNK, sha256_of
from ansible_collections.reftopo.lab.plugins.module_utils._vm_image import STARTED

DISK = "disk.raw"


def digests(folder: str) -> dict[str, str]:
    """Digests of an image's files, of the disk that of its blocks."""
    paths = {name: os.path.join(folder, name) for name in STARTED}
    return {
        name: f"blocks:{_blocks(path)}" if name == DISK else f"sha256:{sha256_of(path)}" for name, path in paths.items()
    }


def damaged(folder: str) -> str:
    """What to do about files that hold something else than they were made with; empty when there are none."""
    with open(os.path.join(folder, "manifest.json"), encoding="utf-8") as stream:
        made = json.load(stream)["digests"]
    found = digests(folder)
    other = [os.path.join(folder, name) for name, digest in made.items() if found[name] != digest]
    if not other:
        return ""
    return (
        f"\n{', '.join(other)}: damaged, for the content is not what the image was made with. Destroy the VMs that run "
        f"from it, remove {folder} and run the role reftopo.lab.vm_image."
    )


def _blocks(path: str) -> str:
    """SHA-256 of all blocks of a file that are not zeros, each after its place: nobody reads holes, nor counts them."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        for place in _places(stream):
            stream.seek(place)
            block = stream.read(CHUNK)
            if block != bytes(len(block)):
                digest.update(place.to_bytes(8, "big") + block)
    return digest.hexdigest()


def _places(stream: t.BinaryIO) -> t.Iterator[int]:
    """Where blocks begin that are not wholly holes (lseek(2): SEEK_DATA)."""
    place = 0
    while True:
        try:
            place = os.lseek(stream.fileno(), place, os.SEEK_DATA) // CHUNK * CHUNK
        except OSError:  # ENXIO: nothing but a hole until the end
            return
        yield place
        place += CHUNK
