# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said of a disk that is full, by whichever program says it, and what is left on it."""

from __future__ import annotations

import errno
import os
import types
from pathlib import Path

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils import _disk_full as disk_full
from ansible_collections.reftopo.lab.plugins.module_utils._artifact_model import ArtifactError
from ansible_collections.reftopo.lab.plugins.module_utils._artifact_run import checked
from ansible_collections.reftopo.lab.plugins.module_utils._file import write_whole
from ansible_collections.reftopo.lab.plugins.module_utils._node_run import NodeError, Runner

GOLDEN = Path(__file__).parent / "golden/disk_full.txt"
SAID = {
    "cp": "cp: error writing '/cache/a': No space left on device",
    "go": "write /cache/go/a.o: no space left on device",
    "a quota": "mkdir: cannot create directory '/cache/a': Disk quota exceeded",
    "apt-get": "E: You don't have enough free space in /cache/var/cache/apt/archives/.",
}


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small file system at /cache of which 3 MiB are left."""
    status = types.SimpleNamespace(f_bavail=3 * 256, f_frsize=4096, f_favail=77)
    monkeypatch.setattr(os.path, "ismount", lambda path: path in ("/", "/cache"))
    monkeypatch.setattr(os, "statvfs", lambda path: status if path == "/cache" else None)


def failed(output: str) -> NodeError:
    """What a command's failure becomes."""
    with pytest.raises(NodeError) as caught:
        Runner(lambda argv, **dummy: (1, "", output)).change(["cp", "a", "b"])
    return caught.value


def test_the_file_system_and_a_remedy_are_told(full: None):
    assert f"{disk_full.explained(failed(SAID['cp']), '/cache/reftopo')}\n" == GOLDEN.read_text()


@pytest.mark.parametrize("program", SAID)
def test_whoever_says_it(full: None, program: str):
    assert "A disk is full. /cache/reftopo is on" in disk_full.explained(failed(SAID[program]), "/cache/reftopo")


def test_a_write_that_failed_says_it_too(full: None):
    error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert "A disk is full" in disk_full.explained(error, "/cache/reftopo")


def test_other_failures_stay_what_they_are():
    error = failed("cp: cannot stat 'a': No such file or directory")
    assert disk_full.explained(error, "/cache") == str(error)


@pytest.mark.parametrize("what", ["node", "artifact"])
def test_it_is_shown_once_however_much_a_command_says_after_it(what: str):
    again = [line for number in range(100) for line in (f"line {number}", f"cp: 'b{number}': No space left on device")]
    output = "\n".join([SAID["cp"], *again])
    if what == "node":
        told = str(failed(output))
    else:
        with pytest.raises(ArtifactError) as caught:
            checked(lambda argv, **dummy: (1, "", output), "copying", ["cp", "a", "b"])
        told = str(caught.value)
    assert told.count(SAID["cp"]) == told.count("No space") == 1
    assert "line 99" in told
    assert "line 50" not in told


def test_a_file_that_could_not_be_written_leaves_the_old_one_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "file"
    path.write_text("old")

    def refuse(*dummy: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(OSError, match="No space"):
        write_whole(str(path), "new")
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("file", "old")]
