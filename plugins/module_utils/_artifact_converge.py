# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection.
"""Choose a source, plan, make what is missing, and put the folder of artifacts together."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import typing as t
from dataclasses import dataclass

from ansible_collections.reftopo.lab.plugins.module_utils._artifact_fetch import upstream_answers
from ansible_collections.reftopo.lab.plugins.module_utils._artifact_go import Go, find_go, required_version
from ansible_collections.reftopo.lab.plugins.module_utils._artifact_image import podman_store
from ansible_collections.reftopo.lab.plugins.module_utils._artifact_make import Workshop, make, require_tools
from ansible_collections.reftopo.lab.plugins.module_utils._artifact_model import ArtifactError, Lock
from ansible_collections.reftopo.lab.plugins.module_utils._artifact_plan import (
    Item,
    Locate,
    Plan,
    Sources,
    plan_build,
    plan_fetch,
    unpinned,
)
from ansible_collections.reftopo.lab.plugins.module_utils._artifact_run import Run
from ansible_collections.reftopo.lab.plugins.module_utils._artifact_store import Progress, Store, locked

PODMAN_KINDS = ("image", "pull")
UNPINNED = "Put the published digests in the lock, or set artifacts_allow_unpinned: true to trust the network."


@dataclass(frozen=True)
class Settings:
    """What the user decides.

    Attributes:
        cache: the cache's folder.
        files: folder of ``go/`` and ``images/``.
        source: upstream, mirror, build or auto.
        locate: where the mirror is.
        allow_unpinned: whether to fetch what the lock has no digest for.
        python: interpreter with pip, to install a Go toolchain.
    """

    cache: str
    files: str
    source: str
    locate: Locate
    allow_unpinned: bool
    python: str


@dataclass(frozen=True)
class Choice:
    """A plan, and for ``auto`` the reason why it is this one."""

    plan: Plan
    go: Go | None = None
    reason: str = ""


def choose(run: Run, lock: Lock, settings: Settings, store: Store) -> Choice:
    """The plan of the chosen source.

    ``auto`` takes artifacts that are complete already, else upstream if it may be used and answers, else builds.

    Raises:
        ArtifactError: the source cannot be used like this.
    """
    if settings.source == "build":
        return _build(run, lock, settings)
    if settings.source != "auto":
        return _fetch(lock, settings)
    if unpinned(lock) and not settings.allow_unpinned:
        reason = f"upstream not asked: {len(unpinned(lock))} of the lock's digests are null"
        return _build(run, lock, settings, reason)
    upstream = Choice(plan_fetch(lock, "upstream", Locate()), reason="upstream answers")
    built = _build(run, lock, settings, "upstream does not answer")
    if store.manifest(upstream.plan.key) or (not store.manifest(built.plan.key) and upstream_answers(lock)):
        return upstream
    return built


def _fetch(lock: Lock, settings: Settings) -> Choice:
    problems = [] if settings.allow_unpinned else [f"{path}: the lock has no digest." for path in unpinned(lock)]
    if problems:
        problems.append(UNPINNED)
    if settings.source == "mirror":
        for name, value in (("registry", settings.locate.registry), ("files", settings.locate.files)):
            if not value:
                problems.append(f"artifacts_mirror_{name}: is empty. Say where the mirror is, https://host:port/path.")
    if problems:
        raise ArtifactError("\n".join(problems))
    locate = settings.locate if settings.source == "mirror" else Locate()
    return Choice(plan_fetch(lock, settings.source, locate))


def _build(run: Run, lock: Lock, settings: Settings, reason: str = "") -> Choice:
    sources = read_sources(settings.files)
    required = required_version(files.get("go.mod", "") for files in sources.go.values())
    go = find_go(run, settings.cache, lock.toolchain, required)
    return Choice(plan_build(lock, sources, go.version, platform.machine()), go, reason)


def read_sources(files: str) -> Sources:
    """The texts below ``go/`` and ``images/``."""
    return Sources(**{kind: _read_all(os.path.join(files, kind)) for kind in ("go", "images")})


def _read_all(folder: str) -> dict[str, dict[str, str]]:
    return {name: _read(os.path.join(folder, name)) for name in sorted(os.listdir(folder))}


def _read(root: str) -> dict[str, str]:
    texts = {}
    for folder, _folders, names in os.walk(root):
        for path in (os.path.join(folder, name) for name in names):
            with open(path, encoding="utf-8") as stream:
                texts[os.path.relpath(path, root)] = stream.read()
    return texts


def missing(store: Store, plan: Plan) -> list[Item]:
    """Items that have to be made; none when the artifacts are complete.

    Raises:
        ArtifactError: the machine lacks what making them needs.
    """
    if store.manifest(plan.key):
        return []
    items = [item for item in plan.items if not store.has(item.folder)]
    require_tools(items)
    return items


def converge(run: Run, choice: Choice, settings: Settings, store: Store) -> dict[str, t.Any]:
    """Make what is missing and return the manifest."""
    plan = choice.plan
    os.makedirs(store.items, exist_ok=True)
    progress = Progress(os.path.join(settings.cache, "progress"), len(plan.items))
    shop = Workshop(run, store, settings.cache, settings.files, choice.go, settings.python, progress.wait)
    try:
        _make_all(shop, plan, progress)
        progress.start("putting the artifacts together")
        with locked(store.folder(plan.key) + ".lock", progress.wait):
            return store.manifest(plan.key) or _assemble(shop, plan)
    finally:
        progress.finish()


def _make_all(shop: Workshop, plan: Plan, progress: Progress) -> None:
    with contextlib.ExitStack() as stack:
        for item in plan.items:
            if not shop.store.has(item.folder):
                _make(shop, item, progress, stack)
            progress.done += 1


def _make(shop: Workshop, item: Item, progress: Progress, stack: contextlib.ExitStack) -> None:
    progress.start(item.label)
    if item.kind in PODMAN_KINDS and not shop.podman:
        home = os.path.join(shop.store.root, "podman")
        stack.enter_context(locked(home + ".lock", progress.wait))
        shop.podman = stack.enter_context(podman_store(shop.run, home))
    shop.store.make(item.folder, lambda target: make(shop, item, target), progress.wait)


def _assemble(shop: Workshop, plan: Plan) -> dict[str, t.Any]:
    """Fill the artifacts' folder from the items, which are there."""
    shop.store.link(plan.key, {path: shop.output(item, name) for path, (item, name) in plan.files.items()})
    shop.store.write(plan.key, plan.texts)
    return shop.store.complete(plan.key, {**plan.manifest, "packages": _packages(shop, plan)})


def _packages(shop: Workshop, plan: Plan) -> dict[str, str]:
    """Versions of the Debian packages in the images, by name; of a package in several layers, that of the first."""
    packages: dict[str, str] = {}
    for item in plan.items:
        if item.kind == "debian":
            with open(shop.output(item, "packages.json"), encoding="utf-8") as stream:
                packages = {**json.load(stream), **packages}
    return packages
