# SPDX-License-Identifier: GPL-3.0-or-later
"""Items appear whole or not at all, two runs share one item, the manifest is last."""

from __future__ import annotations

import fcntl
import json
import threading
from pathlib import Path

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils._artifact_store import Progress, Store, key_of, locked


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty store."""
    (tmp_path / "artifacts/items").mkdir(parents=True)
    return Store(str(tmp_path))


def fill(target: str) -> None:
    Path(target, "file").write_text("content")


def test_item_is_made_once(store: Store) -> None:
    assert store.make("a", fill, lambda holder: None)
    assert not store.make("a", lambda target: pytest.fail("made again"), lambda holder: None)
    assert store.has("a")


def test_failed_item_leaves_nothing(store: Store) -> None:
    def fail(target: str) -> None:
        fill(target)
        raise ValueError

    with pytest.raises(ValueError):
        store.make("a", fail, lambda holder: None)
    assert not store.has("a")
    assert not Path(store.item("a") + ".part").exists()


def test_killed_run_s_half_item_is_replaced(store: Store) -> None:
    Path(store.item("a") + ".part").mkdir()
    Path(store.item("a") + ".part", "half").touch()
    assert not store.has("a")
    assert store.make("a", fill, lambda holder: None)
    assert [path.name for path in Path(store.item("a")).iterdir()] == ["file"]


def test_second_run_waits_and_says_for_whom(store: Store) -> None:
    holds, waits, told = threading.Event(), threading.Event(), []

    def slow(target: str) -> None:
        holds.set()
        assert waits.wait(10)
        fill(target)

    def waiting(holder: str) -> None:
        told.append(holder)
        waits.set()

    first = threading.Thread(target=lambda: store.make("a", slow, lambda holder: None))
    first.start()
    assert holds.wait(10)
    assert not store.make("a", lambda target: pytest.fail("made twice"), waiting)
    first.join()
    assert len(told) == 1
    assert told[0].isdigit()


def test_lock_is_free_afterwards(tmp_path: Path) -> None:
    with locked(str(tmp_path / "lock"), pytest.fail):
        pass
    with (tmp_path / "lock").open() as stream:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_manifest_is_last_and_has_digests(store: Store) -> None:
    store.make("a", fill, lambda holder: None)
    assert store.manifest("k") is None
    for _turn in range(2):  # a killed run may have linked before
        store.link("k", {"bin/tool": f"{store.item('a')}/file"})
    store.write("k", {"certs.d/x/hosts.toml": "text"})
    assert store.manifest("k") is None
    done = store.complete("k", {"binaries": {"tool": {"path": "bin/tool"}}, "files": {}, "images": {}})
    assert done["binaries"]["tool"]["sha256"] == "ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73"
    assert store.manifest("k") == done == json.loads(Path(store.folder("k"), "manifest.json").read_text())
    assert Path(store.folder("k"), "bin/tool").stat().st_ino == Path(store.item("a"), "file").stat().st_ino


def test_key_depends_on_every_part() -> None:
    assert key_of({"a": 1, "b": 2}, "x") == key_of({"b": 2, "a": 1}, "x")
    assert len({key_of("a", "b"), key_of("ab"), key_of("b", "a"), key_of(["a", "b"])}) == 4


def test_progress_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "progress"
    progress = Progress(str(path), 3)
    progress.start("go tools v1.2.3")
    assert path.read_text() == "0/3 go tools v1.2.3\n"
    progress.done = 1
    progress.wait("42")
    assert path.read_text() == "1/3 go tools v1.2.3: waiting for process 42, which makes it\n"
    progress.finish()
    progress.finish()
    assert not path.exists()
