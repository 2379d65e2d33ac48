# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection.
"""The lock of the artifacts from YAML, with every error of it at once."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils._artifact_model import (
    ADDONS,
    CNIS,
    ArtifactError,
    Binary,
    Debian,
    Download,
    Image,
    Lock,
    Module,
    Toolchain,
)

HEX_DIGEST = re.compile(r"[0-9a-f]{64}")
IMAGE_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")

ONE = {"toolchain": Toolchain}
MANY = {
    "debian": Debian,
    "modules": Module,
    "downloads": Download,
    "binaries": Binary,
    "files": Binary,
    "images": Image,
}


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
    problems = [*_references(lock), *_clusters(lock), *_digests(lock), *_image_names(lock)]
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
    "t.Mapping[str, t.Sequence[str]]": (
        "a mapping of lists of strings",
        lambda v: isinstance(v, dict) and all(SHAPES["t.Sequence[str]"][1](i) for i in v.values()),
    ),
    "t.Mapping[str, t.Mapping[str, str]]": (
        "a mapping of mappings of strings",
        lambda v: isinstance(v, dict) and all(SHAPES["t.Mapping[str, str]"][1](i) for i in v.values()),
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
    for name, module in lock.modules.items():
        if module.files and not module.path:
            yield f"modules.{name}.files: needs path, to say which module has them."
    for section, entries in (("binaries", lock.binaries), ("files", lock.files)):
        for name, entry in entries.items():
            yield from _missing(f"{section}.{name}.module", entry.module, lock.modules)
            yield from _missing(f"{section}.{name}.download", entry.download, lock.downloads)
            yield from _missing(f"{section}.{name}.image", entry.image, lock.images)
            if (entry.download is None) == (entry.image is None):
                yield f"{section}.{name}: needs either download or image, to say where upstream has it."
    for name, image in lock.images.items():
        for program, module in image.programs.items():
            yield from _missing(f"images.{name}.programs.{program}", module, lock.modules)


def _clusters(lock: Lock) -> t.Iterable[str]:
    """Entries for clusters that there are not, and images that not all have who need something of them."""
    sections: dict[str, t.Mapping[str, t.Any]] = {"binaries": lock.binaries, "files": lock.files, "images": lock.images}
    for section, entries in sections.items():
        for name, entry in entries.items():
            if entry.cni not in (None, *CNIS):
                yield f"{section}.{name}.cni: there is no {entry.cni}. Use one of: {', '.join(CNIS)}."
            if entry.addon not in (None, *ADDONS):
                yield f"{section}.{name}.addon: there is no {entry.addon}. Use one of: {', '.join(ADDONS)}."
    for name, entry in lock.placed.items():
        image = lock.images.get(entry.image or "")
        if image and image.cni not in (None, entry.cni):
            yield f"{name}: its image {image.name} is only there with the CNI {image.cni}. Give both the same cni."
        if image and image.addon not in (None, entry.addon):
            what = f"{name}: its image {image.name} is only there with the add-on {image.addon}."
            yield f"{what} Give both the same addon."


def _missing(path: str, name: str | None, known: t.Mapping[str, t.Any]) -> t.Iterable[str]:
    if name is not None and name not in known:
        yield f"{path}: there is no {name}. Use one of: {', '.join(sorted(known))}."


def _digests(lock: Lock) -> t.Iterable[str]:
    written = {f"toolchain.sha256[{i}]": digest for i, digest in enumerate(lock.toolchain.sha256)}
    written.update({f"downloads.{d.name}.sha256": d.sha256 for d in lock.downloads.values() if d.sha256 is not None})
    written.update({f"debian.{d.name}.sha256.{n}": s for d in lock.debian.values() for n, s in d.sha256.items()})
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
