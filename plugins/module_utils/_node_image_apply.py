# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes node images in the cache.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import json
import os

from ansible_collections.reftopo.lab.plugins.module_utils._artifact_damage import damaged
from ansible_collections.reftopo.lab.plugins.module_utils._image_cache import ImageCache
from ansible_collections.reftopo.lab.plugins.module_utils._node_image import (
    CONTAINERD,
    Recipe,
    base_commands,
    image_commands,
    import_command,
    sandbox_config,
)
from ansible_collections.reftopo.lab.plugins.module_utils._node_run import NodeError, Runner


class ImageBuilder:
    """Makes the image of a recipe below ``<cache>/node-images``.

    Args:
        mirror: of Debian packages; empty for the one that the machine uses.
    """

    def __init__(self, recipe: Recipe, cache: str, mirror: str, runner: Runner) -> None:
        self.recipe = recipe
        self.mirror = mirror
        self.runner = runner
        self.cache = ImageCache(cache, "node-images", runner)
        self.path = os.path.join(self.cache.images, recipe.key())
        self.base = os.path.join(self.cache.images, f"base-{recipe.base_key()}")

    def complete(self) -> bool:
        """Whether there is nothing to do."""
        return os.path.exists(os.path.join(self.path, "manifest.json"))

    def build(self) -> bool:
        """Make the image; whether this call made it, or another one at the same time.

        Raises:
            NodeError: a command failed.
        """
        with self.cache.lock():
            if self.complete():
                return False
            if not os.path.isdir(self.base):
                self._build_base()
            self._build_image()
        return True

    def _build_base(self) -> None:
        self.cache.progress("1/3 Debian packages of the node image")
        mirror, options = self.cache.package_source(self.mirror)
        partial = f"{self.base}.partial"
        for command in base_commands(self.recipe, partial, mirror, options):
            self.runner.change(command)
        os.rename(partial, self.base)

    def _build_image(self) -> None:
        damages = damaged(self.recipe.artifacts, self.recipe.manifest)
        if damages:
            raise NodeError("\n".join(damages))
        partial = f"{self.path}.partial"
        rootfs = os.path.join(partial, "rootfs")
        os.mkdir(partial)
        self.cache.progress("2/3 binaries and settings of the node image")
        for command in image_commands(self.recipe, self.base, rootfs):
            self.runner.change(command)
        with open(f"{rootfs}/etc/containerd/sandbox.toml", "w", encoding="utf-8") as stream:
            stream.write(sandbox_config(self.recipe.sandbox_image()))
        self.cache.progress("3/3 container images of the node image")
        store = os.path.join(partial, "containerd")
        ready = self.runner.change(import_command(self.recipe, rootfs, store)).split()
        missing = sorted(set(self.recipe.manifest["images"]) - set(ready))
        if missing:
            raise NodeError(
                f"containerd cannot start containers from {', '.join(missing)} after the import of "
                f"{self.recipe.artifacts}/images. Remove {self.recipe.artifacts} and run again."
            )
        self._write_manifest(partial)
        os.rename(partial, self.path)

    def _write_manifest(self, folder: str) -> None:
        version = self.runner.read([f"{folder}/rootfs{CONTAINERD}", "--version"]).split()[2]
        manifest = {
            "key": self.recipe.key(),
            "artifacts": self.recipe.manifest["key"],
            "containerd": version.lstrip("v"),
            "images": sorted(self.recipe.manifest["images"]),
        }
        with open(os.path.join(folder, "manifest.json"), "w", encoding="utf-8") as stream:
            json.dump(manifest, stream, indent=2)
