# SPDX-License-Identifier: GPL-3.0-or-later
"""libvirt's daemons: started where nobody else does it, and only those that were started here are ended."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils import _vm_libvirt as vm_libvirt
from ansible_collections.reftopo.lab.plugins.module_utils._node_run import Runner
from topologies import becomes


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of the tests' own, and a process that is called as the daemon would be."""
    monkeypatch.setattr(vm_libvirt, "PID_FILES", {"virtlogd": str(tmp_path / "log"), "sleep": str(tmp_path / "pid")})
    monkeypatch.setattr(vm_libvirt, "SETTINGS_FILE", str(tmp_path / "settings"))
    monkeypatch.setattr(vm_libvirt, "SYSTEMD", str(tmp_path / "nowhere"))
    monkeypatch.setattr(vm_libvirt, "FOR_VAGRANT", str(tmp_path / "for-vagrant"))


@pytest.fixture
def daemon() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "60"]) as process:
        name = Path(f"/proc/{process.pid}/comm")
        assert becomes(lambda: name.read_text() == "sleep\n")  # the kernel gives it that after all else of an exec
        yield process
        process.kill()


class Machine:
    """Answers after so many commands have started something."""

    def __init__(self, starts: int) -> None:
        self.starts = starts
        self.ran: list[str] = []

    def __call__(self, argv: list[str], **dummy: object) -> tuple[int, str, str]:
        if argv[0] == "virsh":
            return (0 if len(self.ran) >= self.starts else 1), "", ""
        self.ran.append(argv[-2])
        return 0, "", ""


def test_a_daemon_that_answers_is_left_alone(tmp_path: Path):
    machine = Machine(0)
    vm_libvirt.ensure(Runner(machine))
    assert machine.ran == []
    assert not (tmp_path / "settings").exists()


def test_daemons_are_started_with_settings_of_their_own(tmp_path: Path):
    machine = Machine(2)
    vm_libvirt.ensure(Runner(machine))
    assert machine.ran == ["--daemon", "--daemon"]
    assert (tmp_path / "settings").read_text() == vm_libvirt.SETTINGS


def test_what_was_started_here_is_ended(tmp_path: Path, daemon: subprocess.Popen[bytes]):
    (tmp_path / "pid").write_text(f"{daemon.pid}\n")
    (tmp_path / "settings").touch()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vm_libvirt, "_wait_for_end", lambda *dummy: daemon.wait(5))
        vm_libvirt.stop()
    assert daemon.returncode == -15
    assert not (tmp_path / "settings").exists()


@pytest.mark.parametrize("number", ["1", "999999999", ""])
def test_what_others_have_started_is_not(number: str, tmp_path: Path, daemon: subprocess.Popen[bytes]):
    (tmp_path / "pid").write_text(number)
    vm_libvirt.stop()
    assert daemon.poll() is None


def test_what_vagrant_needs_goes_on(tmp_path: Path, daemon: subprocess.Popen[bytes]):
    (tmp_path / "pid").write_text(f"{daemon.pid}\n")
    (tmp_path / "for-vagrant").touch()
    vm_libvirt.stop()
    assert daemon.poll() is None
