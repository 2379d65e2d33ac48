# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection.
"""Whether the files of artifacts hold what they were made with."""

from __future__ import annotations

import glob
import os
import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils._artifact_store import WITH_DIGESTS
from ansible_collections.reftopo.lab.plugins.module_utils._file import sha256_of


def damaged(folder: str, manifest: t.Mapping[str, t.Any]) -> list[str]:
    """One sentence for each file that is not there or holds something else than the manifest says, with what to do."""
    entries = [entry for part in WITH_DIGESTS for entry in manifest.get(part, {}).values() if "sha256" in entry]
    paths = {os.path.join(folder, entry["path"]): entry["sha256"] for entry in entries}
    return [
        f"{path}: damaged or not there, for its digest is not that of {folder}/manifest.json. "
        f"Remove {' and '.join([folder, *_origins(folder, path)])} and run this again, which makes it anew."
        for path, sha256 in sorted(paths.items())
        if not os.path.isfile(path) or sha256_of(path) != sha256
    ]


def _origins(folder: str, path: str) -> list[str]:
    """The items of the store that the file is of: artifacts have links to them, so these are damaged, too."""
    if not os.path.isfile(path):
        return []
    items = os.path.join(glob.escape(os.path.dirname(folder)), "items")
    return [os.path.dirname(one) for one in sorted(glob.glob(f"{items}/*/*")) if os.path.samefile(one, path)]
