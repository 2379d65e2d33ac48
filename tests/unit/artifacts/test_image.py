# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian's part of the images: mirrors and versions from recorded output, and the command."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils import _artifact_image as image
from ansible_collections.reftopo.lab.plugins.module_utils._artifact_model import Image, Lock

BOOKWORM = """\
Debian Debian http://mirror.example/debian/
Debian Debian-Security http://mirror.example/debian-security/
Debian Debian http://mirror.example/debian/
Vendor Stable https://vendor.example/apt/
"""


@pytest.mark.parametrize(
    ("answer", "lines"),
    [
        (
            (0, BOOKWORM, ""),
            [
                "deb http://mirror.example/debian/ trixie main",
                "deb http://mirror.example/debian/ trixie-updates main",
                "deb http://mirror.example/debian-security/ trixie-security main",
            ],
        ),
        ((0, "Ubuntu Ubuntu http://mirror.example/ubuntu/\n", ""), []),
        ((0, "", ""), []),
        ((127, "", "apt-get: not found"), []),
    ],
)
def test_debian_sources_are_the_machine_s(answer: tuple[int, str, str], lines: list[str]) -> None:
    assert image.debian_sources(lambda argv: answer, "trixie") == lines


def test_package_versions() -> None:
    names = ["lock", "partial", "conntrack_1%3a1.4.8-2_amd64.deb", "libzstd1_1.5.7+dfsg-1_amd64.deb"]
    assert image.package_versions(names) == {"conntrack": "1:1.4.8-2", "libzstd1": "1.5.7+dfsg-1"}


def test_debian_command(lock: Lock) -> None:
    command = image.debian_command(lock.debian["debian"], ["deb x y z"], "/out/debian.tar", "/out/packages")
    assert command[-3:] == ["trixie", "/out/debian.tar", "deb x y z"]
    assert "--include=nftables" in command
    assert '--extract-hook=ln -sf xtables-nft-multi "$1"/usr/sbin/iptables' in command
    (cleaning,) = (word for word in command if "rm -rf" in word)
    assert "etc/apt" in cleaning
    assert "etc/hostname" in cleaning


def test_digests_of_packages_are_compared_before_the_packages_are_gone(lock: Lock) -> None:
    pinned = dataclasses.replace(
        lock.debian["debian"], sha256={"a_1+b1_amd64.deb": "ab" * 32, "b_1_amd64.deb": "cd" * 32}
    )
    hooks = [word for word in image.debian_command(pinned, (), "x", "y") if word.startswith("--extract-hook=")]
    (check,) = (hook for hook in hooks if "sha256sum --check" in hook)
    assert f"{'ab' * 32}  a_1+b1_amd64.deb\n{'cd' * 32}  b_1_amd64.deb\n" in check
    assert hooks.index(check) < hooks.index(next(hook for hook in hooks if "rm -rf" in hook))


@pytest.mark.parametrize(
    ("sha256", "packages"), [({}, {"a": "1", "libc6": "2"}), ({"a_1_amd64.deb": "ab"}, {"a": "1"})]
)
def test_packages_that_only_came_with_pinned_ones_are_not_named(
    lock: Lock, tmp_path: Path, sha256: dict[str, str], packages: dict[str, str]
) -> None:
    def run(_argv: list[str], **_options: Any) -> tuple[int, str, str]:
        (tmp_path / "packages").write_text("a_1_amd64.deb\nlibc6_2_amd64.deb\nlock\n")
        return 0, "", ""

    image.make_debian(run, dataclasses.replace(lock.debian["debian"], sha256=sha256), str(tmp_path))
    assert json.loads((tmp_path / "packages.json").read_text()) == packages


def test_build_context_has_programs_folders_and_what_is_beside_the_containerfile(tmp_path: Path) -> None:
    (tmp_path / "made/etc").mkdir(parents=True)
    (tmp_path / "made/etc/run").write_text("#!/bin/sh\n")
    (tmp_path / "made/agent").write_text("ELF")
    (tmp_path / "files/agent/lua").mkdir(parents=True)
    for name in ("Containerfile", "lua/lock.lua"):
        (tmp_path / "files/agent" / name).touch()
    seen: list[str] = []

    def run(argv: list[str], **_options: Any) -> tuple[int, str, str]:
        if "build" in argv:
            seen.extend(str(p.relative_to(argv[-1])) for p in sorted(Path(argv[-1]).rglob("*")))
        return 0, "", ""

    programs = {name: str(tmp_path / "made" / name) for name in ("agent", "etc")}
    (tmp_path / "target").mkdir()
    podman = image.Podman(run, "/home", "/run")
    image.build_image(
        podman, Image("example.org/agent:v1"), str(tmp_path / "files/agent"), programs, str(tmp_path / "target")
    )
    assert seen == ["agent", "etc", "etc/run", "lua", "lua/lock.lua"]
    assert list((tmp_path / "target").iterdir()) == []


def test_store_of_podman_is_gone_afterwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image.os, "geteuid", lambda: 1000)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    home = tmp_path / "podman"
    runtime = Path(image.runtime_folder(str(home)))
    for folder in (home, runtime):
        folder.mkdir(parents=True)
        (folder / "left").touch()  # by a killed run

    def run(argv: list[str], **_options: Any) -> tuple[int, str, str]:
        assert ["--root", str(home), "--runroot", str(runtime)] == argv[1:5]
        assert not (home / "left").exists()
        home.mkdir()
        return 0, "", ""

    with image.podman_store(run, str(home)) as podman:
        podman("Pulling x", "pull", "x")
    assert not home.exists()
    assert not runtime.exists()


def test_runtime_folder_of_root_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image.os, "geteuid", lambda: 0)
    assert len(image.runtime_folder("/home/" + "x" * 200)) <= 50
