# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps that touch files, in a folder of their own; commands are recorded."""

from __future__ import annotations

import dataclasses
import hashlib
import subprocess

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils import _existing_apply as apply
from ansible_collections.reftopo.lab.plugins.module_utils import _existing_observe as observe
from ansible_collections.reftopo.lab.plugins.module_utils._existing_model import Source
from ansible_collections.reftopo.lab.plugins.module_utils._existing_record import ExistingError, load_record
from ansible_collections.reftopo.lab.plugins.module_utils._step import Step
from existing_names import PAUSE


class Host:
    """Answers commands: what starts with a key of `answers` gets its (code, output)."""

    def __init__(self, **answers: tuple[int, str]) -> None:
        self.answers = answers
        self.ran: list[str] = []

    def __call__(self, argv, environ_update=None):
        self.ran.append(" ".join(argv))
        code, out = self.answers.get(argv[0].replace("-", "_"), (0, ""))
        return code, out, ""


@pytest.fixture
def brought(tmp_path):
    """A folder with one content, and its digest."""
    sha256 = hashlib.sha256(b"program").hexdigest()
    (tmp_path / "incoming").mkdir()
    (tmp_path / "incoming" / sha256).write_bytes(b"program")
    return str(tmp_path / "incoming"), sha256


def test_a_file_comes_whole_with_its_mode(tmp_path, desired, brought):
    incoming, sha256 = brought
    path = tmp_path / "usr/bin/tool"
    wanted = dataclasses.replace(desired, files={str(path): Source(sha256, 0o755)})
    apply.Applier(Host(), wanted, None, incoming).apply([Step("write", str(path))])
    assert path.read_bytes() == b"program"
    assert path.stat().st_mode & 0o777 == 0o755
    assert [entry.name for entry in path.parent.iterdir()] == ["tool"]


def test_a_content_that_was_cut_off_on_the_way_is_refused(tmp_path, desired, brought):
    incoming, sha256 = brought
    (tmp_path / "incoming" / sha256).write_bytes(b"prog")
    path = tmp_path / "tool"
    wanted = dataclasses.replace(desired, files={str(path): Source(sha256)})
    with pytest.raises(ExistingError, match="its digest differs"):
        apply.Applier(Host(), wanted, None, incoming).apply([Step("write", str(path))])
    assert not path.exists()


def test_an_image_is_recorded_once_containerd_has_it(tmp_path, monkeypatch, desired, record, brought):
    monkeypatch.setattr(apply, "RECORD", str(tmp_path / "record.json"))
    incoming, sha256 = brought
    wanted = dataclasses.replace(desired, images={PAUSE: Source(sha256)})
    steps = [Step("import", PAUSE)]
    started = dataclasses.replace(record, images={})
    with pytest.raises(ExistingError, match="has no such image"):
        apply.Applier(Host(ctr=(0, "")), wanted, started, incoming).apply(steps)
    assert not (tmp_path / "record.json").exists()
    apply.Applier(Host(ctr=(0, f"{PAUSE}\n")), wanted, started, incoming).apply(steps)
    kept = load_record((tmp_path / "record.json").read_text())
    assert kept == dataclasses.replace(record, images={PAUSE: sha256})
    assert (tmp_path / "record.json").stat().st_mode & 0o777 == 0o600


def test_a_command_that_fails_ends_the_run(desired, record):
    host = Host(apt_get=(100, "E: Could not get lock"))
    applier = apply.Applier(host, desired, record, "")
    with pytest.raises(ExistingError, match="Could not get lock"):
        applier.apply([Step("install", "conntrack"), Step("reload", "systemd")])
    assert host.ran == ["apt-get install --yes --no-install-recommends --no-upgrade conntrack"]


def test_folders_are_emptied_or_removed_and_those_with_others_files_stay(tmp_path, desired, record):
    for path in ("full/a/b", "kept/mine"):
        (tmp_path / path).mkdir(parents=True)
    (tmp_path / "empty").mkdir()

    def run(argv, environ_update=None):
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr

    steps = [Step("empty", str(tmp_path / "full")), *(Step("rmdir", str(tmp_path / one)) for one in ("kept", "empty"))]
    apply.Applier(run, None, record, "").apply(steps)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["full", "kept"]
    assert list((tmp_path / "full").iterdir()) == []


def test_a_folder_gets_its_mode_again(tmp_path, record):
    apply.Applier(Host(), None, record, "").apply([Step("chmod", f"750 {tmp_path}")])
    assert tmp_path.stat().st_mode & 0o777 == 0o750


def test_a_setting_is_written_only_where_it_differs(tmp_path, monkeypatch, record):
    path = tmp_path / "panic"
    monkeypatch.setattr(apply, "sysctl_file", lambda name: str(path))
    path.write_text("0\n")
    path.chmod(0o400)
    applier = apply.Applier(Host(), None, record, "")
    applier.apply([Step("set", "kernel.panic=0")])
    assert path.read_text() == "0\n"
    path.chmod(0o600)
    path.write_text("10\n")
    applier.apply([Step("set", "kernel.panic=0")])
    assert path.read_text() == "0"


def test_what_ended_meanwhile_is_not_ended_again(tmp_path, monkeypatch, record):
    """Processes of pods are killed until none is left, and their groups go, the innermost first."""
    group = tmp_path / "memory/kubepods/burstable"
    foreign = tmp_path / "memory/container/kubepods"  # of a container that has pods of its own
    for folder in (group, foreign):
        folder.mkdir(parents=True)
    (group / "cgroup.procs").write_text("4194304\n")  # no process has this number: the kernel's limit (pid_max)
    killed = []

    def kill(pid, dummy):
        killed.append(pid)
        (group / "cgroup.procs").unlink()  # of a group without processes the file is empty; here it is in rmdir's way
        raise ProcessLookupError

    monkeypatch.setattr(observe, "CONTROL_GROUPS", str(tmp_path))
    monkeypatch.setattr(apply.os, "kill", kill)
    host = Host(systemctl=(3, ""))  # inactive: pods' groups are not systemd's
    apply.Applier(host, None, record, "").apply([Step("end", "pods")])
    assert host.ran == ["systemctl is-active --quiet kubepods.slice"]
    assert killed == [4194304]
    assert not (tmp_path / "memory/kubepods").exists()
    assert foreign.exists()


def test_groups_that_are_systemds_go_by_systemd(tmp_path, monkeypatch, record):
    monkeypatch.setattr(observe, "CONTROL_GROUPS", str(tmp_path))
    applier = apply.Applier(Host(), None, record, "")
    applier.apply([Step("end", "pods")])
    assert applier.commands == ["systemctl stop kubepods.slice"]


def test_a_set_that_rules_hold_yet_is_asked_again(monkeypatch, record):
    monkeypatch.setattr(apply.time, "sleep", lambda dummy: None)
    codes = [0, 1, 1]
    host = Host()
    monkeypatch.setattr(Host, "__call__", lambda self, argv, environ_update=None: (codes.pop(), "in use", ""))
    applier = apply.Applier(host, None, record, "")
    applier.apply([Step("destroy", "cali40s:abc")])
    assert applier.commands == ["ipset destroy cali40s:abc"] * 3
    monkeypatch.setattr(apply, "PATIENCE", -1)
    codes[:] = [0, 1]
    with pytest.raises(ExistingError, match="in use"):
        applier.apply([Step("destroy", "cali40s:abc")])


def test_a_link_that_went_meanwhile_is_no_failure(monkeypatch, record):
    there = [False, True]
    monkeypatch.setattr(apply.os.path, "exists", lambda dummy: there.pop())
    apply.Applier(Host(ip=(1, "Cannot find device")), None, record, "").apply([Step("unlink", "cali1")])
    there[:] = [True, True]
    with pytest.raises(ExistingError, match="Cannot find device"):
        apply.Applier(Host(ip=(1, "Cannot find device")), None, record, "").apply([Step("unlink", "cali1")])
