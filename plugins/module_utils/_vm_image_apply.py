# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes VM images in the cache.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import json
import lzma
import os
import shutil

from ansible_collections.reftopo.lab.plugins.module_utils._image_cache import ImageCache
from ansible_collections.reftopo.lab.plugins.module_utils._node_run import Runner
from ansible_collections.reftopo.lab.plugins.module_utils._vm_image import (
    INITRD_COMMANDS,
    INITRD_MODULES,
    MODULES,
    VmRecipe,
    disk_command,
    fingerprint,
    kernel_payload,
    load_vm_image,
    module_order,
    packages_command,
    staging_commands,
)
from ansible_collections.reftopo.lab.plugins.module_utils._vm_image_digest import digests


class VmImageBuilder:
    """Makes the image of a recipe below ``<cache>/vm-images``.

    Args:
        mirror: of Debian packages; empty for the one that the machine uses.
    """

    def __init__(self, recipe: VmRecipe, cache: str, mirror: str, runner: Runner) -> None:
        self.recipe = recipe
        self.mirror = mirror
        self.runner = runner
        self.cache = ImageCache(cache, "vm-images", runner)
        self.path = os.path.join(self.cache.images, recipe.key())
        self.kernel = os.path.join(self.cache.images, f"kernel-{recipe.kernel_key()}")

    def complete(self) -> bool:
        """Whether there is nothing to do.

        Raises:
            NodeError: the image is there, but was changed.
        """
        return load_vm_image(self.path) is not None

    def build(self) -> bool:
        """Make the image; whether this call made it, or another one at the same time.

        Raises:
            NodeError: a command failed, or the kernel is not what was expected.
        """
        with self.cache.lock():
            if self.complete():
                return False
            if not os.path.isdir(self.kernel):
                self._fetch_kernel()
            self._build_image()
        return True

    def _fetch_kernel(self) -> None:
        self.cache.progress("1/3 kernel of the VM image")
        mirror, options = self.cache.package_source(self.mirror)
        partial = f"{self.kernel}.partial"
        self.runner.change(packages_command(self.recipe, partial, mirror, options))
        os.rename(partial, self.kernel)

    def _build_image(self) -> None:
        partial = f"{self.path}.partial"
        staging = os.path.join(partial, "staging")
        os.mkdir(partial)
        (release,) = os.listdir(os.path.join(self.kernel, MODULES))
        self.cache.progress("2/3 kernel and settings of the VM image")
        for command in staging_commands(self.recipe, self.kernel, release, staging):
            self.runner.change(command)
        self._cut_kernel(partial, release)
        self._pack_initrd(partial, os.path.join(staging, MODULES, release))
        self.cache.progress("3/3 disk of the VM image")
        self.runner.change(disk_command(staging, os.path.join(partial, "disk.raw")))
        self.cache.remove(staging)
        self._write_manifest(partial, release)
        os.rename(partial, self.path)

    def _cut_kernel(self, partial: str, release: str) -> None:
        """Decompress vmlinux once, here, instead of at each start of a VM."""
        image = os.path.join(self.kernel, "boot", f"vmlinuz-{release}")
        compressed = os.path.join(partial, "vmlinux.zst")
        with open(image, "rb") as source, open(compressed, "wb") as target:
            target.write(kernel_payload(source.read(), image))
        self.runner.change(["zstd", "--decompress", "--quiet", "--rm", compressed])

    def _pack_initrd(self, partial: str, modules: str) -> None:
        content = os.path.join(partial, "initrd.content")
        for folder in ("bin", "dev", "modules", "newroot", "proc", "sys"):
            os.makedirs(os.path.join(content, folder))
        shutil.copy(os.path.join(self.recipe.files, "init"), content)
        shutil.copy(os.path.join(self.kernel, "usr/bin/busybox"), os.path.join(content, "bin"))
        for command in INITRD_COMMANDS:
            os.symlink("busybox", os.path.join(content, "bin", command))
        self._add_modules(os.path.join(content, "modules"), modules)
        script = os.path.join(self.recipe.files, "pack-initrd")
        self.runner.change([script, content, os.path.join(partial, "initrd")])
        self.cache.remove(content)

    def _add_modules(self, folder: str, modules: str) -> None:
        """Write the modules that the initrd loads, uncompressed as busybox wants them, and their order."""
        with open(os.path.join(modules, "modules.dep"), encoding="utf-8") as stream:
            paths = module_order(stream.read(), INITRD_MODULES)
        with open(os.path.join(folder, "order"), "w", encoding="utf-8") as order:
            for path in paths:
                name = os.path.basename(path)[: -len(".xz")]
                with lzma.open(os.path.join(modules, path)) as source, open(os.path.join(folder, name), "wb") as target:
                    shutil.copyfileobj(source, target)
                order.write(f"{name}\n")

    def _write_manifest(self, folder: str, release: str) -> None:
        manifest = {
            "key": self.recipe.key(),
            "image": self.recipe.manifest["key"],
            "kernel": release,
            "digests": digests(folder),
            "files": fingerprint(folder),
        }
        with open(os.path.join(folder, "manifest.json"), "w", encoding="utf-8") as stream:
            json.dump(manifest, stream, indent=2)
