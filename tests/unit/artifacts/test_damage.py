# SPDX-License-Identifier: GPL-3.0-or-later
"""Artifacts that hold something else than they were made with are named, with all that has to go."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils._artifact_damage import damaged
from ansible_collections.reftopo.lab.plugins.module_utils._artifact_store import Store

GOLDEN = Path(__file__).parent / "golden/damaged.txt"
FILES = {"bin/kubelet": "kubelet", "bin/ctr": "ctr", "images/pause.tar": "pause"}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(str(tmp_path))
    for path in FILES.values():
        Path(made.item(f"{path}-1")).mkdir(parents=True)
        Path(made.item(f"{path}-1"), "file").write_text(path)
    made.link("k", {path: f"{made.item(name)}-1/file" for path, name in FILES.items()})
    return made


@pytest.fixture
def manifest(store: Store) -> dict[str, Any]:
    binaries = {path.name: {"path": str(path)} for path in map(Path, FILES) if path.parent.name == "bin"}
    return store.complete("k", {"binaries": binaries, "files": {}, "images": {"pause": {"path": "images/pause.tar"}}})


def test_what_is_as_it_was_made(store: Store, manifest: dict[str, Any]):
    assert damaged(store.folder("k"), manifest) == []


def test_what_is_not_is_named_and_so_is_where_it_came_from(store: Store, manifest: dict[str, Any]):
    Path(store.folder("k"), "bin/kubelet").write_text("Kubelet")
    Path(store.folder("k"), "images/pause.tar").unlink()
    told = "".join(f"{line}\n" for line in damaged(store.folder("k"), manifest))
    assert told.replace(store.root, "/cache/artifacts") == GOLDEN.read_text()


def test_what_is_said_to_be_removed_makes_it_whole(store: Store, manifest: dict[str, Any]):
    """The folder alone would be linked to the same file again."""
    item = Path(store.item("kubelet-1"), "file")
    item.write_text("Kubelet")
    assert str(item.parent) in damaged(store.folder("k"), manifest)[0]


def test_a_manifest_without_digests_tells_nothing(store: Store):
    assert damaged(store.folder("k"), {"binaries": {"kubelet": {"path": "bin/kubelet"}}}) == []
