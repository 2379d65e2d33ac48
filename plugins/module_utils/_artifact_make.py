# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection.
"""Make items: one function for each kind of item, all of the same form."""

from __future__ import annotations

import os
import shutil
import typing as t
from dataclasses import dataclass, field

from ansible_collections.reftopo.lab.plugins.module_utils import _artifact_fetch as fetch
from ansible_collections.reftopo.lab.plugins.module_utils import _artifact_go as golang
from ansible_collections.reftopo.lab.plugins.module_utils import _artifact_image as images
from ansible_collections.reftopo.lab.plugins.module_utils._artifact_model import ArtifactError
from ansible_collections.reftopo.lab.plugins.module_utils._artifact_plan import Item
from ansible_collections.reftopo.lab.plugins.module_utils._artifact_run import Run
from ansible_collections.reftopo.lab.plugins.module_utils._artifact_store import Store


@dataclass
class Workshop:
    """What making needs.

    Attributes:
        cache: the cache's folder.
        files: folder of ``go/`` and ``images/``.
        go: toolchain; None where nothing is compiled.
        python: interpreter with pip, to install a Go toolchain.
        waiting: told what another run makes that we wait for.
        podman: set while images are made.
        layers: names of the layers of Debian packages that podman has.
    """

    run: Run
    store: Store
    cache: str
    files: str
    go: golang.Go | None
    python: str
    waiting: t.Callable[[str], None]
    podman: images.Podman | None = None
    layers: set[str] = field(default_factory=set)

    def output(self, item: Item, name: str) -> str:
        """Path of a file of an item that is made."""
        return os.path.join(self.store.item(item.folder), name)


TOOLS = {"go": ("gcc",), "debian": ("mmdebstrap",), "image": ("podman",), "pull": ("podman",)}  # by kind of item
PACKAGES = "gcc libc6-dev mmdebstrap podman"


def require_tools(items: t.Iterable[Item]) -> None:
    """Look for the commands that making these items calls.

    Raises:
        ArtifactError: all that are not installed.
    """
    tools = {tool for item in items for tool in TOOLS.get(item.kind, ())}
    absent = sorted(tool for tool in tools if not shutil.which(tool))
    if absent:
        raise ArtifactError(f"not installed: {', '.join(absent)}. On Debian: apt-get install {PACKAGES}")


def make(shop: Workshop, item: Item, target: str) -> None:
    """Fill the folder ``target`` with what the item is."""
    MAKERS[item.kind](shop, item, target)


def _go(shop: Workshop, item: Item, target: str) -> None:
    module, go = item.params["module"], t.cast(golang.Go, shop.go)
    golang.install_go(shop.run, go, shop.python, shop.waiting)
    build = golang.Build(module, os.path.join(shop.files, "go", module.name), target)
    golang.build_module(shop.run, go, shop.cache, build)


def _debian(shop: Workshop, item: Item, target: str) -> None:
    images.make_debian(shop.run, item.params["debian"], target)


def _image(shop: Workshop, item: Item, target: str) -> None:
    podman, folder = t.cast(images.Podman, shop.podman), os.path.join(shop.files, "images")
    for layer in item.params["layers"]:
        debian = layer.params["debian"]
        if debian.name not in shop.layers:
            images.build_debian(podman, debian, os.path.join(folder, "debian"), shop.store.item(layer.folder))
            shop.layers.add(debian.name)
    programs = {program: shop.output(origin, program) for program, origin in item.params["programs"].items()}
    images.build_image(podman, item.params["image"], os.path.join(folder, item.name), programs, target)


def _pull(shop: Workshop, item: Item, target: str) -> None:
    images.pull_image(t.cast(images.Podman, shop.podman), **item.params, target=target)


def _download(_shop: Workshop, item: Item, target: str) -> None:
    fetch.download(**item.params, target=os.path.join(target, "file"))


def _member(shop: Workshop, item: Item, target: str) -> None:
    binary, origin = item.params["binary"], item.params["origin"]
    program = os.path.join(target, binary.name)
    if origin.kind == "pull":
        fetch.take_from_image(shop.output(origin, "image.tar"), binary.member, program)
    else:
        fetch.take_member(shop.output(origin, "file"), binary.member, program)


MAKERS: dict[str, t.Callable[[Workshop, Item, str], None]] = {
    "go": _go,
    "debian": _debian,
    "image": _image,
    "pull": _pull,
    "download": _download,
    "member": _member,
}
