# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that may not be there, that are written whole or not at all, and what is in them.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import typing as t

CHUNK = 1 << 20  # bytes read at once


def read_text(path: str) -> str | None:
    """A file's text; None when it does not exist."""
    try:
        with open(path, encoding="utf-8") as stream:
            return stream.read()
    except (FileNotFoundError, NotADirectoryError):
        return None


def write_whole(path: str, content: str | bytes, mode: int = 0o666) -> None:
    """Write a file, and the folders that it needs; whoever reads it meanwhile sees the old one.

    Args:
        mode: its permissions, of which the process's umask takes some away.
    """
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    temporary = f"{path}.new"
    try:
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as stream:
            stream.write(content.encode() if isinstance(content, str) else content)
        os.replace(temporary, path)
    except OSError:  # a disk that is full, for instance
        with contextlib.suppress(FileNotFoundError):
            os.remove(temporary)
        raise


def sha256_of(path: str) -> str:
    """SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        for chunk in iter(lambda: stream.read(CHUNK), b""):
            digest.update(chunk)
    return digest.hexdigest()


def diffs(paths: t.Iterable[str], before: t.Mapping[str, str], after: t.Mapping[str, str]) -> list[dict[str, t.Any]]:
    """Files that are written as a module's ``diff`` has them, of their contents by path."""
    return [
        {"before_header": path, "after_header": path, "before": before.get(path, ""), "after": after[path]}
        for path in paths
    ]
