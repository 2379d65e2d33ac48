# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was put on a host that was there already, and what it was before: the record that destroying it goes by.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import json
import typing as t
from dataclasses import asdict, dataclass, field

FOLDER = "/var/lib/reftopo"
RECORD = f"{FOLDER}/existing.json"
NEW = ".new"  # what a file is called until it is whole; `write_whole` calls it so

Data = dict[str, t.Any]


class ExistingError(Exception):
    """The one error of this module; its text says what is wrong, where, and what to do."""


@dataclass(frozen=True)
class Before:
    """What a host was before anything was put there.

    Attributes:
        sysctls, paths: those of SYSCTLS, and of FOLDERS, TRACES, HOLLOW and POD_NETNS, that there were.
        modes: of FOLDERS.
        tables: of nftables, as ``family name``; ``chains`` as ``family table name``.
        ipsets: names.
        tunnel: addresses of tunl0, a link that its kernel module makes, with prefix lengths;
            ``tunnel_settings`` as ip-link(8) sets them.
        mounts: mount points.
        shared: whether mounts below / were passed on to other mount namespaces.
        modules: of the kernel.
    """

    sysctls: t.Mapping[str, str] = field(default_factory=dict)
    paths: tuple[str, ...] = ()
    modes: t.Mapping[str, int] = field(default_factory=dict)
    tables: tuple[str, ...] = ()
    chains: tuple[str, ...] = ()
    ipsets: tuple[str, ...] = ()
    tunnel: tuple[str, ...] = ()
    tunnel_settings: str = ""
    mounts: tuple[str, ...] = ()
    shared: bool = True
    modules: tuple[str, ...] = ()


@dataclass(frozen=True)
class Record:
    """What was put on a host, written before it is. It is all that is needed to take it back.

    Attributes:
        files: digests of all contents that were ever put at a path.
        folders: that were made for them.
        images: digests of the archives that were imported.
        packages: that were installed.
        links: names, or patterns of a shell, of those that the network plugin makes.
        networks: of pods and services.
    """

    owner: str
    before: Before
    files: t.Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    folders: tuple[str, ...] = ()
    images: t.Mapping[str, str] = field(default_factory=dict)
    packages: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()

    def dump(self) -> str:
        """As its file has it."""
        return json.dumps(asdict(self), indent=1, sort_keys=True) + "\n"


def _tuples(data: Data) -> Data:
    """With tuples in place of JSON's lists."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in data.items()}


def load_record(text: str | None) -> Record | None:
    """The record of a file's text; None where there is no file.

    Raises:
        ExistingError: it is none.
    """
    if text is None:
        return None
    try:
        data = json.loads(text)
        data["files"] = _tuples(data["files"])
        return Record(**{**_tuples(data), "before": Before(**_tuples(data["before"]))})
    except (KeyError, TypeError, ValueError) as error:
        raise ExistingError(
            f"{RECORD} is no record of this module ({error}): what was put here is not known"
        ) from error
