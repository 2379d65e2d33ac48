# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection.
"""The artifacts' part of the cache: items that appear whole or not at all, and folders put together from them.

    artifacts/items/<item>/      what one build or download made; shared by every folder that needs it
    artifacts/<key>/             hard links into items, and manifest.json, written last

A run that is killed leaves ``*.part``, which the next one replaces. Two runs at once meet at a lock file per item.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils._file import sha256_of, write_whole

WITH_DIGESTS = ("binaries", "files", "images")  # parts of the manifest


def key_of(*parts: t.Any) -> str:
    """Content key, 16 hexadecimal digits: equal for equal parts, which are whatever JSON can hold."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


class Progress:
    """Says what is being done, in one line of a file, ``<done>/<all> <what>``, that reftopo.lab.progress shows."""

    def __init__(self, path: str, total: int) -> None:
        self.path, self.total, self.done, self.text = path, total, 0, ""

    def start(self, text: str) -> None:
        """Say what is being done."""
        self.text = text
        self._write(text)

    def wait(self, holder: str) -> None:
        """Say that this waits for another run."""
        self._write(f"{self.text}: waiting for process {holder}, which makes it")

    def _write(self, text: str) -> None:
        """Replace the line. Whole or not at all: the callback reads at any moment."""
        temporary = f"{self.path}.{os.getpid()}"
        with open(temporary, "w", encoding="utf-8") as stream:
            stream.write(f"{self.done}/{self.total} {text}\n")
        os.replace(temporary, self.path)

    def finish(self) -> None:
        """Remove the line: nothing is running any more."""
        with contextlib.suppress(FileNotFoundError):
            os.remove(self.path)


@contextlib.contextmanager
def locked(path: str, waiting: t.Callable[[str], None]) -> t.Iterator[None]:
    """Hold a lock file; calls ``waiting`` with the holder's process id when it has to wait.

    The kernel releases flock(2) when its holder dies, so a killed run blocks nobody.
    """
    with open(path, "a+", encoding="utf-8") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stream.seek(0)
            waiting(stream.read().strip())
            fcntl.flock(stream, fcntl.LOCK_EX)
        stream.seek(0)
        stream.truncate()
        stream.write(f"{os.getpid()}\n")
        stream.flush()
        yield


class Store:
    """The folder ``artifacts`` of a cache."""

    def __init__(self, cache: str) -> None:
        self.root = os.path.join(cache, "artifacts")
        self.items = os.path.join(self.root, "items")

    def item(self, name: str) -> str:
        """Folder of an item."""
        return os.path.join(self.items, name)

    def has(self, name: str) -> bool:
        """Whether an item is there, whole."""
        return os.path.isdir(self.item(name))

    def make(self, name: str, maker: t.Callable[[str], None], waiting: t.Callable[[str], None]) -> bool:
        """Have ``maker`` fill the folder of an item that is not there yet; tells whether it had to."""
        with locked(self.item(name) + ".lock", waiting):
            if self.has(name):
                return False
            part = self.item(name) + ".part"
            shutil.rmtree(part, ignore_errors=True)
            os.mkdir(part)
            try:
                maker(part)
                os.rename(part, self.item(name))
            finally:
                shutil.rmtree(part, ignore_errors=True)
            return True

    def folder(self, key: str) -> str:
        """Folder of the artifacts with this key."""
        return os.path.join(self.root, key)

    def manifest(self, key: str) -> dict[str, t.Any] | None:
        """Manifest of complete artifacts, or None."""
        try:
            with open(os.path.join(self.folder(key), "manifest.json"), encoding="utf-8") as stream:
                return json.load(stream)
        except FileNotFoundError:
            return None

    def link(self, key: str, files: t.Mapping[str, str]) -> None:
        """Link files (path below the artifacts' folder: path in the store)."""
        for path, source in files.items():
            target = os.path.join(self.folder(key), path)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with contextlib.suppress(FileNotFoundError):
                os.remove(target)  # what a killed run left
            os.link(source, target)

    def write(self, key: str, texts: t.Mapping[str, str]) -> None:
        """Write files (path below the artifacts' folder: content)."""
        for path, text in texts.items():
            target = os.path.join(self.folder(key), path)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with open(target, "w", encoding="utf-8") as stream:
                stream.write(text)

    def complete(self, key: str, manifest: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        """Write the manifest, with the digest of all that it names, which is there; returns it."""
        folder = self.folder(key)
        done = {**manifest, **{part: self._with_digests(folder, manifest[part]) for part in WITH_DIGESTS}}
        write_whole(os.path.join(folder, "manifest.json"), json.dumps(done, indent=1, sort_keys=True))
        return done

    @staticmethod
    def _with_digests(folder: str, entries: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        return {n: {**e, "sha256": sha256_of(os.path.join(folder, e["path"]))} for n, e in entries.items()}
