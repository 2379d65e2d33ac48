# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Folders of images in the cache, of which one run at a time makes one.

A folder under its final name is complete; unfinished ones end in ``.partial``.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import contextlib
import fcntl
import glob
import os
import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils._node_image import TARGETS, apt_options, debian_mirror
from ansible_collections.reftopo.lab.plugins.module_utils._node_run import Runner


class ImageCache:
    """One kind of images in the cache.

    Args:
        kind: name of their folder.
    """

    def __init__(self, cache: str, kind: str, runner: Runner) -> None:
        self.cache = cache
        self.images = os.path.join(cache, kind)
        self.runner = runner

    @contextlib.contextmanager
    def lock(self) -> t.Iterator[None]:
        """Wait for other runs, and keep them waiting; what is unfinished before and after is removed.

        What a killed run left is seen by the next one, what a failed one made may have filled the disk.
        """
        os.makedirs(self.images, exist_ok=True)
        with open(os.path.join(self.images, "lock"), "w", encoding="utf-8") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            self._remove_partials()
            try:
                yield
            finally:
                self._remove_partials()

    def progress(self, text: str) -> None:
        """Tell whoever watches what takes so long."""
        with open(os.path.join(self.cache, "progress"), "w", encoding="utf-8") as stream:
            stream.write(f"{text}\n")

    def remove(self, folder: str) -> None:
        """Remove a folder with all that is in it."""
        self.runner.change(["rm", "--recursive", "--force", "--one-file-system", folder])

    def _remove_partials(self) -> None:
        for leftover in glob.glob(os.path.join(glob.escape(self.images), "*.partial")):
            self.remove(leftover)

    def package_source(self, mirror: str) -> tuple[str, list[str]]:
        """URI of the Debian archive to fetch packages from, and apt's options for it.

        Args:
            mirror: URI; empty for the one that the machine uses.
        """
        uri = mirror or debian_mirror(self.runner.read(["apt-get", "indextargets", f"--format={TARGETS}"]))
        return uri, apt_options(self.runner.read(["apt-config", "dump"]))
