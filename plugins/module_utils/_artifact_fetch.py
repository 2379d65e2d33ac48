# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection.
"""Download released files, hold them against the lock, and take programs out of archives and images."""

from __future__ import annotations

import json
import os
import shutil
import tarfile
import typing as t
import urllib.error
import urllib.parse

from ansible.module_utils.urls import open_url
from ansible_collections.reftopo.lab.plugins.module_utils._artifact_model import ArtifactError, Lock
from ansible_collections.reftopo.lab.plugins.module_utils._file import sha256_of

ANSWER = 4  # seconds in which upstream has to answer to be used by the source auto
STALL = 60  # seconds without a byte after which a download has failed


def download(url: str, sha256: str | None, lock_path: str, target: str) -> None:
    """Download a file to ``target``.

    Args:
        lock_path: where the lock has the digest, for the user.

    Raises:
        ArtifactError: it cannot be had, or its SHA-256 is not the lock's.
    """
    try:
        with open_url(url, timeout=STALL) as source, open(target, "wb") as stream:
            shutil.copyfileobj(source, stream)
    except (OSError, urllib.error.URLError) as error:
        raise ArtifactError(
            f"{url}: cannot be downloaded: {error}\nCheck the network, or take another source: artifacts_source."
        ) from error
    found = sha256_of(target)
    if sha256 and found != sha256:
        raise ArtifactError(
            f"{url}: digest mismatch.\n  the lock has sha256:{sha256}\n  downloaded was sha256:{found}\n"
            f"Nothing was kept. If the file was released anew, correct {lock_path} in the lock;"
            " if it was not, somebody changed it on the way."
        )


def take_member(archive: str, member: str | None, target: str) -> None:
    """Take one file out of a tar archive, or the whole download when ``member`` is None; it becomes a program."""
    if member is None:
        os.link(archive, target)
    else:
        with tarfile.open(archive) as tar:
            _extract(tar, member, target, archive)
    os.chmod(target, 0o755)


def take_from_image(archive: str, member: str, target: str) -> None:
    """Take one file out of an image: of the last layer that has it, from a docker-archive as podman saves it."""
    with tarfile.open(archive) as image:
        layers = json.load(_open(image, "manifest.json", archive))[0]["Layers"]
        for name in reversed(layers):
            with tarfile.open(fileobj=_open(image, name, archive)) as layer:
                if member in layer.getnames():
                    _extract(layer, member, target, archive)
                    os.chmod(target, 0o755)
                    return
    raise _no_member(member, archive)


def _extract(tar: tarfile.TarFile, member: str, target: str, archive: str) -> None:
    with _open(tar, member, archive) as source, open(target, "wb") as stream:
        shutil.copyfileobj(source, stream)


def _open(tar: tarfile.TarFile, member: str, archive: str) -> t.IO[bytes]:
    try:
        stream = tar.extractfile(member)
    except KeyError:
        stream = None
    if stream is None:
        raise _no_member(member, archive)
    return stream


def _no_member(member: str, archive: str) -> ArtifactError:
    return ArtifactError(f"{archive}: has no file {member}. Correct the entry's member in the lock.")


def upstream_answers(lock: Lock) -> bool:
    """Whether every host that upstream's files and images come from answers within seconds."""
    hosts = {urllib.parse.urlsplit(d.url).netloc: d.url for d in lock.downloads.values()}
    registries = {i.name.split("/", 1)[0] for i in lock.images.values()}
    return all(_answers(url, "HEAD", ()) for url in hosts.values()) and all(
        # 401 is how a registry says that pulling needs a token, which anonymous clients get.
        # https://distribution.github.io/distribution/spec/api/#api-version-check
        _answers(f"https://{registry}/v2/", "GET", (401,))
        for registry in registries
    )


def _answers(url: str, method: str, also: t.Sequence[int]) -> bool:
    try:
        with open_url(url, method=method, timeout=ANSWER):
            return True
    except urllib.error.HTTPError as error:
        return error.code in also
    except OSError:
        return False
