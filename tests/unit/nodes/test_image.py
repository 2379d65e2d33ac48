# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node image is made of, and its keys."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils import _node_image as node_image

MANIFEST = {
    "key": "art",
    "binaries": {
        "kubelet": {"path": "bin/kubelet", "destination": "/usr/bin/kubelet"},
        "containerd": {"path": "bin/containerd", "destination": "/usr/bin/containerd"},
        "ctr": {"path": "bin/ctr", "destination": "/usr/bin/ctr"},
    },
    "images": {
        "registry.k8s.io/pause:3.10.1": {"path": "images/pause.tar"},
        "registry.k8s.io/etcd:3.7.0": {"path": "images/etcd.tar"},
    },
}
RECIPE = node_image.Recipe(
    suite="trixie",
    packages=("python3", "dbus"),
    architecture="amd64",
    masked_units=("b.service", "a.service"),
    artifacts="/artifacts",
    manifest=MANIFEST,
    files="/files",
    files_digest="f",
)


@pytest.mark.parametrize(
    ("change", "base_stays"),
    [
        ({"suite": "forky"}, False),
        ({"packages": ("python3",)}, False),
        ({"architecture": "arm64"}, False),
        ({"manifest": {**MANIFEST, "key": "other"}}, True),
        ({"masked_units": ()}, True),
        ({"files_digest": "g"}, True),
    ],
)
def test_every_input_changes_the_key_but_only_packages_that_of_the_base(change: dict, base_stays: bool) -> None:
    other = dataclasses.replace(RECIPE, **change)
    assert other.key() != RECIPE.key()
    assert (other.base_key() == RECIPE.base_key()) is base_stays


def test_order_and_place_do_not_change_the_key() -> None:
    other = dataclasses.replace(RECIPE, packages=("dbus", "python3"), artifacts="/elsewhere", files="/there")
    assert other.key() == RECIPE.key()


def test_folder_digest(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/a").write_text("1")
    digests = [node_image.folder_digest(str(tmp_path))]
    (tmp_path / "etc/a").chmod(0o755)
    digests.append(node_image.folder_digest(str(tmp_path)))
    (tmp_path / "etc/a").write_text("2")
    digests.append(node_image.folder_digest(str(tmp_path)))
    (tmp_path / "etc/a").rename(tmp_path / "etc/b")
    digests.append(node_image.folder_digest(str(tmp_path)))
    assert len(set(digests)) == 4
    assert node_image.folder_digest(str(tmp_path)) == digests[-1]


MIRRORS = {
    "the machine's own Debian archive": (
        "http://mirror.example/debian/ Debian main\nhttp://other.example/debian/ Debian main\n",
        "http://mirror.example/debian/",
    ),
    "neither its updates nor another origin": (
        "http://mirror.example/debian-security/ Debian main\n"
        "http://mirror.example/tools/ Tools main\n"
        "http://mirror.example/debian/ Debian contrib\n"
        "http://mirror.example/debian/ Debian main\n",
        "http://mirror.example/debian/",
    ),
    "an archive whose index was not fetched yet": (
        "http://mirror.example/tools/ $(ORIGIN) main\nhttp://mirror.example/debian $(ORIGIN) main\n",
        "http://mirror.example/debian",
    ),
    "Debian's own on other systems": ("http://archive.example/ubuntu/ Ubuntu main\n", node_image.DEBIAN),
    "Debian's own on a machine without sources": ("", node_image.DEBIAN),
}


@pytest.mark.parametrize("case", MIRRORS)
def test_debian_mirror(case: str) -> None:
    targets, expected = MIRRORS[case]
    assert node_image.debian_mirror(targets) == expected


def test_apt_options_are_those_for_fetching() -> None:
    dump = 'APT "";\nAcquire "";\nAcquire::http::Proxy "http://proxy.example:3142";\nDir::Log "var/log/apt";\n'
    assert node_image.apt_options(dump) == ['Acquire::http::Proxy "http://proxy.example:3142";']


def test_base_commands() -> None:
    (command,) = node_image.base_commands(RECIPE, "/root", "http://mirror.example/debian", ['Acquire::x "y";'])
    assert "mmdebstrap" in command
    assert "--include=dbus,python3" in command
    assert '--aptopt=Acquire::x "y";' in command
    assert command[-3:] == ["trixie", "/root", "http://mirror.example/debian"]


def test_image_commands() -> None:
    commands = node_image.image_commands(RECIPE, "/base", "/new/rootfs")
    assert commands[0] == ["cp", "--archive", "--reflink=auto", "/base", "/new/rootfs"]
    assert [
        "install",
        "-D",
        "--mode=0755",
        "/artifacts/bin/kubelet",
        "/new/rootfs/usr/bin/kubelet",
    ] in commands
    assert commands[-1][-2:] == ["a.service", "b.service"]


def test_files_are_not_executable() -> None:
    files = {"a.yaml": {"path": "files/a.yaml", "destination": "/usr/local/share/reftopo/a.yaml"}}
    recipe = dataclasses.replace(RECIPE, manifest={**MANIFEST, "files": files})
    target = "/new/rootfs/usr/local/share/reftopo/a.yaml"
    command = ["install", "-D", "--mode=0644", "/artifacts/files/a.yaml", target]
    assert command in node_image.image_commands(recipe, "/base", "/new/rootfs")


@pytest.mark.parametrize(("source", "copied"), [("build", False), ("mirror", True)])
def test_a_mirror_is_told_to_the_nodes_containerd(source: str, copied: bool) -> None:
    recipe = dataclasses.replace(RECIPE, manifest={**MANIFEST, "source": source})
    command = ["cp", "--recursive", "/artifacts/certs.d", "/new/rootfs/etc/containerd/"]
    assert (command in node_image.image_commands(recipe, "/base", "/new/rootfs")) is copied


def test_import_command_names_every_archive_once() -> None:
    manifest = {**MANIFEST, "images": {**MANIFEST["images"], "etcd:alias": {"path": "images/etcd.tar"}}}
    command = node_image.import_command(dataclasses.replace(RECIPE, manifest=manifest), "/new/rootfs", "/new/store")
    assert command[len(node_image.ISOLATED) :] == [
        "/files/import-images",
        "/new/rootfs/usr/bin/containerd",
        "/new/rootfs/usr/bin/ctr",
        "/new/store",
        "/artifacts/images/etcd.tar",
        "/artifacts/images/pause.tar",
    ]


def test_the_sandbox_image_is_the_artifacts_own() -> None:
    assert "sandbox = 'registry.k8s.io/pause:3.10.1'" in node_image.sandbox_config(RECIPE.sandbox_image())


def test_a_complete_manifest_has_no_problems() -> None:
    assert list(node_image.manifest_problems(MANIFEST)) == []
