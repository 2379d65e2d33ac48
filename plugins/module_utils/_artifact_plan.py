# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection.
"""What to make for a lock and a source: pure, from the lock and the text of the files that are compiled."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.reftopo.lab.plugins.module_utils._artifact_go import build_command
from ansible_collections.reftopo.lab.plugins.module_utils._artifact_image import debian_command
from ansible_collections.reftopo.lab.plugins.module_utils._artifact_model import (
    LAYER,
    ArtifactError,
    Binary,
    Image,
    Lock,
)
from ansible_collections.reftopo.lab.plugins.module_utils._artifact_store import key_of

DEBIAN_NAMES = {"x86_64": "amd64", "aarch64": "arm64"}  # of machines, by the kernel's: https://www.debian.org/ports/


@dataclass(frozen=True)
class Item:
    """One thing to make: the programs of a Go module, an image, a download.

    Attributes:
        kind: go, debian, image, pull, download or member; says which maker makes it.
        name: what, among those of its kind.
        version: its version, for the user.
        key: content key of everything that its making depends on.
        params: what its maker needs.
        needs: items that must be there before.
    """

    kind: str
    name: str
    version: str
    key: str
    params: t.Mapping[str, t.Any] = field(default_factory=dict, compare=False)
    needs: t.Sequence[Item] = ()

    @property
    def folder(self) -> str:
        """Name of its folder in the store."""
        return f"{self.kind}-{self.name}-{self.key}"

    @property
    def label(self) -> str:
        """How it is called in progress and results."""
        return " ".join(filter(None, (self.kind, self.name, self.version)))


@dataclass(frozen=True)
class Plan:
    """The artifacts as items and as a manifest that lacks only the files' digests.

    Attributes:
        key: content key, names the folder.
        items: in an order in which they can be made.
        files: path in the folder: item and name of its file.
        texts: path in the folder: content.
    """

    key: str
    items: t.Sequence[Item]
    files: t.Mapping[str, tuple[Item, str]]
    manifest: t.Mapping[str, t.Any]
    texts: t.Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Sources:
    """The texts that a build depends on: path below ``go/<module>`` or ``images/<image>`` to its content."""

    go: t.Mapping[str, t.Mapping[str, str]]
    images: t.Mapping[str, t.Mapping[str, str]]


def plan_build(lock: Lock, sources: Sources, go_version: str, arch: str) -> Plan:
    """The items of the source ``build``, in order: Go modules, layers of Debian packages, images."""
    modules = {m: _go_item(lock, sources, m, go_version, arch) for m in lock.modules}
    layers = {name: _debian_item(lock, name, arch) for name in lock.debian if _used(lock, sources, name)}
    images = {i.name: _built_image(i, modules, layers, sources) for i in lock.images.values()}
    placed = {b.name: modules[b.module] for b in lock.placed.values()}
    return _assemble("build", lock, [*modules.values(), *layers.values(), *images.values()], placed, images)


def _used(lock: Lock, sources: Sources, layer: str) -> bool:
    """Whether an image has a layer of Debian packages."""
    return any(layer in LAYER.findall(_containerfile(image, sources)) for image in lock.images.values())


def _containerfile(image: Image, sources: Sources) -> str:
    text = sources.images.get(image.short, {}).get("Containerfile")
    if text is None:
        raise ArtifactError(f"images.{image.name}: there is no file images/{image.short}/Containerfile. Add it.")
    return text


def _go_item(lock: Lock, sources: Sources, name: str, go_version: str, arch: str) -> Item:
    module = lock.modules[name]
    files = sources.go.get(name, {})
    if "go.mod" not in files:
        raise ArtifactError(f"modules.{name}: there is no file go/{name}/go.mod. Add it, or remove the module.")
    taken = [module.path, module.files, module.leave_out] if module.files else []
    taken += [module.instead] if module.instead else []
    key = key_of(build_command("go", module, ""), module.cgo, module.rename, files, go_version, arch, *taken)
    return Item("go", name, module.version, key, {"module": module})


def _debian_item(lock: Lock, name: str, arch: str) -> Item:
    debian, own = lock.debian[name], DEBIAN_NAMES.get(arch, arch)
    others = [file for file in debian.sha256 if not file.endswith((f"_{own}.deb", "_all.deb"))]
    if others:
        pinned = f"debian.{name}.sha256: has {', '.join(others)}, and this machine is {own}."
        raise ArtifactError(f"{pinned} Take another source, or pin {own}'s packages in the lock.")
    return Item("debian", debian.suite, "", key_of(debian_command(debian, (), "", ""), arch), {"debian": debian})


def _built_image(image: Image, modules: t.Mapping[str, Item], layers: t.Mapping[str, Item], sources: Sources) -> Item:
    named = LAYER.findall(_containerfile(image, sources))
    base = [item for name, item in layers.items() if name in named]
    programs = {program: modules[module] for program, module in image.programs.items()}
    base_files = sources.images["debian"] if base else {}
    files = sources.images[image.short]
    key = key_of(image.name, files, base_files, sorted(i.key for i in programs.values()), [i.key for i in base])
    params = {"image": image, "programs": programs, "layers": base}
    return Item("image", image.short, image.tag, key, params, (*programs.values(), *base))


def plan_fetch(lock: Lock, source: str, locate: Locate) -> Plan:
    """The items of the sources ``upstream`` and ``mirror``, in order: downloads, images, programs inside of them."""
    downloads = {d.name: _download_item(lock, d.name, locate) for d in lock.downloads.values()}
    images = {i.name: _pulled_image(i, locate) for i in lock.images.values()}
    members = {
        b.name: _member_item(b, downloads[b.download] if b.download else images[str(b.image)])
        for b in lock.placed.values()
    }
    plan = _assemble(source, lock, [*downloads.values(), *images.values(), *members.values()], members, images)
    registries = {i.name.split("/", 1)[0] for i in lock.images.values()} if locate.registry else set()
    texts = {f"certs.d/{registry}/hosts.toml": locate.hosts_toml() for registry in sorted(registries)}
    return replace(plan, texts=texts)


@dataclass(frozen=True)
class Locate:
    """Where to fetch from: upstream itself, or a mirror of it.

    Attributes:
        registry: ``[http://|https://]host[:port][/prefix]`` that stands for every registry; empty for upstream's own.
        files: URL below which every download is at its own URL without the scheme; empty for upstream's own.
    """

    registry: str = ""
    files: str = ""

    def url(self, url: str) -> str:
        """Where a download is."""
        return f"{self.files.rstrip('/')}/{url.split('://', 1)[1]}" if self.files else url

    def image(self, name: str) -> str:
        """What to pull for an image: a mirror has it under its path, as containerd asks mirrors for it."""
        host = self.registry.split("://", 1)[-1].rstrip("/")
        return f"{host}/{name.split('/', 1)[1]}" if host else name

    @property
    def insecure(self) -> bool:
        """Whether the registry is asked by plain HTTP."""
        return self.registry.startswith("http://")

    def hosts_toml(self) -> str:
        """What has a node's containerd ask the mirror instead of a registry, and nobody else when the mirror fails.

        For ``/etc/containerd/certs.d/<registry>/hosts.toml``, see docs/hosts.md of containerd.
        """
        scheme, host = self.registry.rstrip("/").split("://") if "://" in self.registry else ("https", self.registry)
        name, _slash, prefix = host.partition("/")
        url = f"{scheme}://{name}/v2/{prefix}" if prefix else f"{scheme}://{name}"
        lines = [f'server = "{url}"', "", f'[host."{url}"]', 'capabilities = ["pull", "resolve"]']
        return "\n".join([*lines, *(["override_path = true"] if prefix else []), ""])


def _download_item(lock: Lock, name: str, locate: Locate) -> Item:
    download = lock.downloads[name]
    params = {"url": locate.url(download.url), "sha256": download.sha256, "lock_path": f"downloads.{name}.sha256"}
    return Item("download", name, download.version, key_of(params), params)


def _pulled_image(image: Image, locate: Locate) -> Item:
    params = {"image": image, "reference": locate.image(image.name), "insecure": locate.insecure}
    return Item("pull", image.short, image.tag, key_of(image.name, image.digest, params["reference"]), params)


def _member_item(binary: Binary, origin: Item) -> Item:
    params = {"binary": binary, "origin": origin}
    return Item("member", binary.name, origin.version, key_of(vars(binary), origin.key), params, (origin,))


def unpinned(lock: Lock) -> list[str]:
    """Where the lock has no digest, so that nothing tells whether a download is what its publisher released."""
    files = [f"downloads.{d.name}.sha256" for d in lock.downloads.values() if d.sha256 is None]
    return files + [f"images.{i.name}.digest" for i in lock.images.values() if i.digest is None]


def _assemble(
    source: str, lock: Lock, items: t.Sequence[Item], placed: t.Mapping[str, Item], images: t.Mapping[str, Item]
) -> Plan:
    """The plan of these items; what is placed on nodes is in its item under its name, each image as ``image.tar``."""
    paths = {**{name: f"bin/{name}" for name in lock.binaries}, **{name: f"files/{name}" for name in lock.files}}
    destinations = {b.name: b.destination for b in lock.placed.values()}
    key = key_of(source, [i.folder for i in items], destinations)
    entries = {
        name: {"path": paths[name], "version": placed[name].version, "destination": destination}
        for name, destination in destinations.items()
    }
    manifest = {
        "key": key,
        "source": source,
        "binaries": {name: entries[name] for name in lock.binaries},
        "files": {name: entries[name] for name in lock.files},
        "images": {i.name: {"path": f"images/{i.short}.tar"} for i in lock.images.values()},
    }
    files = {paths[name]: (item, name) for name, item in placed.items()}
    files.update({f"images/{i.short}.tar": (images[i.name], "image.tar") for i in lock.images.values()})
    return Plan(key, items, files, manifest)
