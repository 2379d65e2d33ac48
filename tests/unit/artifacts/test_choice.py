# SPDX-License-Identifier: GPL-3.0-or-later
"""Which source is used, and what keeps one from being used: golden/choice-<case>.txt."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils import _artifact_converge as converge
from ansible_collections.reftopo.lab.plugins.module_utils import _artifact_make as making
from ansible_collections.reftopo.lab.plugins.module_utils._artifact_go import Go
from ansible_collections.reftopo.lab.plugins.module_utils._artifact_lock import parse_lock
from ansible_collections.reftopo.lab.plugins.module_utils._artifact_model import ArtifactError, Lock
from ansible_collections.reftopo.lab.plugins.module_utils._artifact_plan import Locate, Sources
from ansible_collections.reftopo.lab.plugins.module_utils._artifact_store import Store

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture
def settings(tmp_path: Path, sources: Sources, monkeypatch: pytest.MonkeyPatch) -> converge.Settings:
    """Source auto on a machine with Go, and upstream that must not be asked."""
    monkeypatch.setattr(converge, "read_sources", lambda files: sources)
    monkeypatch.setattr(converge, "find_go", lambda *_arguments: Go("go", "go1.26.6"))
    monkeypatch.setattr(converge, "upstream_answers", lambda lock: pytest.fail("upstream was asked"))
    return converge.Settings(str(tmp_path), "/files", "auto", Locate(), False, "python3")


def choose(lock: Lock, settings: converge.Settings) -> converge.Choice:
    return converge.choose(lambda *_a, **_o: (1, "", ""), lock, settings, Store(settings.cache))


def complete(settings: converge.Settings, choice: converge.Choice) -> None:
    folder = Path(Store(settings.cache).folder(choice.plan.key))
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps({"key": choice.plan.key}))


@pytest.mark.parametrize(("answers", "source"), [(True, "upstream"), (False, "build")])
def test_auto_asks_upstream(
    lock: Lock, settings: converge.Settings, monkeypatch: pytest.MonkeyPatch, answers: bool, source: str
) -> None:
    monkeypatch.setattr(converge, "upstream_answers", lambda lock: answers)
    choice = choose(lock, settings)
    assert choice.plan.manifest["source"] == source
    assert choice.reason == ("upstream answers" if answers else "upstream does not answer")


@pytest.mark.parametrize("source", ["build", "upstream"])
def test_auto_asks_nobody_when_artifacts_are_there(lock: Lock, settings: converge.Settings, source: str) -> None:
    complete(settings, choose(lock, dataclasses.replace(settings, source=source)))
    assert choose(lock, settings).plan.manifest["source"] == source


def test_auto_builds_what_has_no_digest(data: dict[str, Any], settings: converge.Settings) -> None:
    data["downloads"]["tools"]["sha256"] = None
    choice = choose(parse_lock(data), settings)
    assert choice.plan.manifest["source"] == "build"
    assert choice.reason == "upstream not asked: 1 of the lock's digests are null"


def unpinned(data: dict[str, Any], settings: converge.Settings) -> converge.Settings:
    data["downloads"]["tools"]["sha256"] = None
    data["images"]["example.org/sub/pause:3"]["digest"] = None
    return dataclasses.replace(settings, source="upstream")


def no_mirror(data: dict[str, Any], settings: converge.Settings) -> converge.Settings:
    return dataclasses.replace(settings, source="mirror")


def everything(data: dict[str, Any], settings: converge.Settings) -> converge.Settings:
    return dataclasses.replace(unpinned(data, settings), source="mirror", locate=Locate(files="http://x"))


@pytest.mark.parametrize("case", [unpinned, no_mirror, everything])
def test_errors(data: dict[str, Any], settings: converge.Settings, case: Any) -> None:
    settings = case(data, settings)
    with pytest.raises(ArtifactError) as error:
        choose(parse_lock(data), settings)
    golden = GOLDEN / f"choice-{case.__name__.replace('_', '-')}.txt"
    assert f"{error.value}\n" == golden.read_text()


def test_unpinned_may_be_allowed(data: dict[str, Any], settings: converge.Settings) -> None:
    settings = dataclasses.replace(unpinned(data, settings), allow_unpinned=True)
    assert choose(parse_lock(data), settings).plan.manifest["source"] == "upstream"


def test_missing_tools_are_named_at_once(lock: Lock, settings: converge.Settings, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(making.shutil, "which", lambda tool: None)
    plan = choose(lock, dataclasses.replace(settings, source="build")).plan
    with pytest.raises(ArtifactError) as error:
        converge.missing(Store(settings.cache), plan)
    assert str(error.value) == (
        "not installed: gcc, mmdebstrap, podman. On Debian: apt-get install gcc libc6-dev mmdebstrap podman"
    )


def test_nothing_is_missing_when_complete(lock: Lock, settings: converge.Settings, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(making.shutil, "which", lambda tool: None)
    choice = choose(lock, dataclasses.replace(settings, source="build"))
    complete(settings, choice)
    assert converge.missing(Store(settings.cache), choice.plan) == []
