# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes on a host that is there already, and where on the controller it is. PRIVATE to the collection."""

from __future__ import annotations

import hashlib
import os
import typing as t
from dataclasses import dataclass

from ansible_collections.reftopo.lab.plugins.module_utils._file import sha256_of
from ansible_collections.reftopo.lab.plugins.module_utils._node_image import pause_image, sandbox_config

Data = dict[str, t.Any]

SANDBOX = "/etc/containerd/sandbox.toml"


@dataclass(frozen=True)
class Contents:
    """What the module is told, and what it may ask for.

    Attributes:
        files: paths on the host, each with ``sha256``, ``mode`` and ``size``.
        images: the same of the images' archives, by the images' names.
        local: files on the controller by digest.
        texts: contents without a file, by digest.
    """

    files: t.Mapping[str, Data]
    images: t.Mapping[str, Data]
    local: t.Mapping[str, str]
    texts: t.Mapping[str, str]


def contents(manifest: Data, artifacts: str, left_out: t.Collection[str], files: t.Mapping[str, str]) -> Contents:
    """All that goes on a host.

    Args:
        manifest: of the artifacts in the folder ``artifacts``; empty where there are none yet.
        left_out: names of programs that the host does not get.
        files: paths on the host with those on the controller.

    Raises:
        OSError: a file cannot be read.
    """
    local: dict[str, str] = {}
    there = {path: _of_file(source, local) for path, source in files.items()}
    for kind, mode in (("binaries", "0755"), ("files", "0644")):
        for name, entry in manifest.get(kind, {}).items():
            if name not in left_out:
                there[entry["destination"]] = _of_artifact(entry, artifacts, local, mode)
    images = {name: _of_artifact(one, artifacts, local) for name, one in manifest.get("images", {}).items()}
    texts = {}
    if images:
        text = sandbox_config(pause_image(manifest))
        sha256 = hashlib.sha256(text.encode()).hexdigest()
        there[SANDBOX], texts[sha256] = {"sha256": sha256, "mode": "0644", "size": len(text)}, text
    return Contents(there, images, local, texts)


def _of_file(source: str, local: dict[str, str]) -> Data:
    """A file is a program where its owner may run it."""
    sha256, status = sha256_of(source), os.stat(source)
    local[sha256] = source
    return {"sha256": sha256, "mode": "0755" if status.st_mode & 0o100 else "0644", "size": status.st_size}


def _of_artifact(entry: Data, folder: str, local: dict[str, str], mode: str = "0644") -> Data:
    path = os.path.join(folder, entry["path"])
    local[entry["sha256"]] = path
    return {"sha256": entry["sha256"], "mode": mode, "size": os.stat(path).st_size}
