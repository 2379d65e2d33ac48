# SPDX-License-Identifier: GPL-3.0-or-later
"""The progress callback: what it prints, when it stays silent, and that its thread ends."""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible import constants
from ansible_collections.reftopo.lab.plugins.callback import progress


@pytest.mark.parametrize(("seconds", "text"), [(0.9, "0:00"), (59.9, "0:59"), (61, "1:01"), (3600, "1:00:00")])
def test_clock(seconds: float, text: str) -> None:
    assert progress.clock(seconds) == text


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("1/3 kubelet\n2/3 kubeadm\n\n", "2/3 kubeadm"),
        ("2/3 \x1b[2Jkubeadm", "2/3 [2Jkubeadm"),
        ("x" * 500, "x" * progress.LONGEST_TEXT),
        ("\n", ""),
    ],
)
def test_last_line(tmp_path: Path, content: str, line: str) -> None:
    path = tmp_path / "progress"
    path.write_text(content)
    assert progress.last_line(path, since=0) == line


def test_last_line_of_an_earlier_task_or_no_task(tmp_path: Path) -> None:
    path = tmp_path / "progress"
    assert progress.last_line(path, since=0) == ""
    path.write_text("1/3 kubelet")
    os.utime(path, (100, 100))
    assert progress.last_line(path, since=101) == ""


def test_due_first_after_5_then_every_10_seconds(tmp_path: Path) -> None:
    (tmp_path / "progress").write_text("1/3 kubelet")
    run = progress.Progress(tmp_path / "progress")
    assert run.due(1e9) == "", "nothing runs yet"
    run.start_task("build", now=0, epoch=0)
    lines = {second: run.due(second) for second in range(30)}
    assert {second: line for second, line in lines.items() if line} == {
        5: "… 0:05  build  1/3 kubelet",
        15: "… 0:15  build  1/3 kubelet",
        25: "… 0:25  build  1/3 kubelet",
    }


def test_due_starts_anew_with_the_next_task(tmp_path: Path) -> None:
    run = progress.Progress(tmp_path / "absent")
    run.start_task("one", now=0, epoch=0)
    run.start_task("two", now=4, epoch=0)
    assert run.due(6) == ""
    assert run.due(9) == "… 0:05  two"


def test_summary() -> None:
    run = progress.Progress(Path(), plays=[("host", 0), ("artifacts", 3)])
    assert run.summary(now=4.9) == [], "a short run prints nothing"
    assert run.summary(now=65) == ["    0:03  host", "    1:02  artifacts", "    1:05  total"]
    assert progress.Progress(Path()).summary(now=65) == []


@pytest.fixture
def callback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> progress.CallbackModule:
    """A callback whose seconds are hundredths and whose display is a list."""
    monkeypatch.setattr(progress, "FIRST_LINE", 0.01)
    module = progress.CallbackModule()
    module._plugin_options = {"cache": str(tmp_path)}
    module.lines = []
    module._display = SimpleNamespace(display=lambda line, color=None: module.lines.append(line))
    monkeypatch.setattr(module._stop, "wait", lambda _timeout, wait=module._stop.wait: wait(0.005))
    return module


def named(name: str) -> SimpleNamespace:
    return SimpleNamespace(get_name=lambda: name)


def test_a_whole_run(callback: progress.CallbackModule, tmp_path: Path) -> None:
    callback.v2_playbook_on_start(None)
    callback.v2_playbook_on_play_start(named("Build"))
    callback.v2_playbook_on_task_start(named("go build"), False)
    (tmp_path / "progress").write_text("1/3 kubelet")
    os.utime(tmp_path / "progress", (2**31, 2**31))
    deadline = time.monotonic() + 5
    while not callback.lines and time.monotonic() < deadline:
        time.sleep(0.01)
    callback.v2_playbook_on_stats(None)
    assert callback.lines[0] == "… 0:00  go build  1/3 kubelet"
    assert [line.split()[1] for line in callback.lines[-2:]] == ["Build", "total"]
    assert not callback._thread.is_alive()


def test_a_play_without_hosts_is_not_listed(callback: progress.CallbackModule) -> None:
    for name in ("Build", "Nobody"):
        callback.v2_playbook_on_play_start(named(name))
    callback.v2_playbook_on_no_hosts_matched()
    time.sleep(0.02)
    callback.v2_playbook_on_stats(None)
    assert [line.split()[1] for line in callback.lines] == ["Build", "total"]


def test_a_second_playbook_starts_no_second_thread(callback: progress.CallbackModule) -> None:
    callback.v2_playbook_on_start(None)
    thread = callback._thread
    callback.v2_playbook_on_start(None)
    assert callback._thread is thread
    callback.v2_playbook_on_stats(None)
    assert callback.lines == []


def test_silent_beside_output_for_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not progress.CallbackModule().disabled
    monkeypatch.setattr(constants, "DEFAULT_STDOUT_CALLBACK", "ansible.posix.json", raising=False)
    assert progress.CallbackModule().disabled


def test_a_reader_that_went_away_ends_the_thread_quietly(callback: progress.CallbackModule) -> None:
    def closed(_line: str, color: str | None = None) -> None:
        raise BrokenPipeError

    callback._display = SimpleNamespace(display=closed)
    callback.v2_playbook_on_start(None)
    callback.v2_playbook_on_task_start(named("go build"), False)
    callback._thread.join(5)
    assert not callback._thread.is_alive()
