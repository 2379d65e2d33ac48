# SPDX-License-Identifier: GPL-3.0-or-later
"""How an image is built, and what an interrupted or incomplete build leaves. Commands are played, folders are real."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils._node_image import Recipe
from ansible_collections.reftopo.lab.plugins.module_utils._node_image_apply import ImageBuilder
from ansible_collections.reftopo.lab.plugins.module_utils._node_run import NodeError, Runner

PAUSE, ETCD = "registry.k8s.io/pause:3.10.1", "registry.k8s.io/etcd:3.7.0"
RECIPE = Recipe(
    suite="trixie",
    packages=("python3",),
    architecture="amd64",
    masked_units=("a.service",),
    artifacts="/artifacts",
    manifest={"key": "art", "binaries": {}, "images": {PAUSE: {"path": "p.tar"}, ETCD: {"path": "e.tar"}}},
    files="/files",
    files_digest="f",
)


class Machine:
    """Plays the commands: makes the folders that they make, and remembers their names.

    Attributes:
        imported: what containerd has after the import.
        fails: name of a command that fails.
    """

    def __init__(self) -> None:
        self.imported = [PAUSE, ETCD, "sha256:0123"]
        self.fails = ""
        self.ran: list[str] = []

    def __call__(self, argv: list[str], handle_exceptions: bool = True) -> tuple[int, str, str]:
        name = next(Path(word).name for word in argv if Path(word).name in NAMES)
        if name == self.fails:
            return 1, "", "interrupted"
        self.ran.append(name)
        return 0, NAMES[name](self, argv), ""

    def mmdebstrap(self, argv: list[str]) -> str:
        Path(argv[-2]).mkdir()
        return ""

    def cp(self, argv: list[str]) -> str:
        Path(argv[-1], "etc/containerd").mkdir(parents=True, exist_ok=True)
        return ""

    def rm(self, argv: list[str]) -> str:
        Path(argv[-1]).rename(f"{argv[-1]}.removed")
        return ""

    def import_images(self, argv: list[str]) -> str:
        return "\n".join(self.imported)

    def containerd(self, argv: list[str]) -> str:
        return "containerd github.com/containerd/containerd/v2 v2.4.2 0123\n"

    def nothing(self, argv: list[str]) -> str:
        return ""


NAMES = {
    "mmdebstrap": Machine.mmdebstrap,
    "cp": Machine.cp,
    "rm": Machine.rm,
    "import-images": Machine.import_images,
    "containerd": Machine.containerd,
    "chroot": Machine.nothing,
    "apt-get": Machine.nothing,
    "apt-config": Machine.nothing,
}
IMAGE = ["cp", "cp", "chroot", "chroot", "chroot", "import-images", "containerd"]


@pytest.fixture
def machine() -> Machine:
    return Machine()


def builder(machine: Machine, tmp_path: Path, recipe: Recipe = RECIPE) -> ImageBuilder:
    return ImageBuilder(recipe, str(tmp_path), "", Runner(machine))


def test_a_new_image(machine: Machine, tmp_path: Path) -> None:
    image = builder(machine, tmp_path)
    assert not image.complete()
    assert image.build()
    assert machine.ran == ["apt-get", "apt-config", "mmdebstrap", *IMAGE]
    assert image.complete()
    assert json.loads(Path(image.path, "manifest.json").read_text()) == {
        "key": RECIPE.key(),
        "artifacts": "art",
        "containerd": "2.4.2",
        "images": [ETCD, PAUSE],
    }
    assert PAUSE in Path(image.path, "rootfs/etc/containerd/sandbox.toml").read_text()


def test_an_image_that_another_run_made_meanwhile_is_taken(machine: Machine, tmp_path: Path) -> None:
    builder(machine, tmp_path).build()
    machine.ran.clear()
    assert not builder(machine, tmp_path).build()
    assert machine.ran == []


def test_other_artifacts_need_no_packages_again(machine: Machine, tmp_path: Path) -> None:
    builder(machine, tmp_path).build()
    machine.ran.clear()
    recipe = dataclasses.replace(RECIPE, manifest={**RECIPE.manifest, "key": "newer"})
    assert builder(machine, tmp_path, recipe).build()
    assert machine.ran == IMAGE


@pytest.mark.parametrize(("fails", "again"), [("mmdebstrap", ["apt-get", "apt-config", "mmdebstrap"]), ("chroot", [])])
def test_an_interrupted_build_is_resumed(machine: Machine, tmp_path: Path, fails: str, again: list[str]) -> None:
    image = builder(machine, tmp_path)
    machine.fails = fails
    with pytest.raises(NodeError, match="interrupted"):
        image.build()
    assert not image.complete()
    assert not list(Path(image.cache.images).glob("*.partial"))
    machine.fails, machine.ran = "", []
    assert image.build()
    assert machine.ran == again + IMAGE


def test_what_a_killed_run_left_is_removed_first(machine: Machine, tmp_path: Path) -> None:
    image = builder(machine, tmp_path)
    Path(f"{image.path}.partial").mkdir(parents=True)
    assert image.build()
    assert machine.ran == ["rm", "apt-get", "apt-config", "mmdebstrap", *IMAGE]


def test_an_image_that_was_not_imported_is_an_error(machine: Machine, tmp_path: Path) -> None:
    machine.imported = [PAUSE]
    image = builder(machine, tmp_path)
    with pytest.raises(NodeError) as error:
        image.build()
    golden = Path(__file__).parent / "golden/image_not_imported.txt"
    assert f"{error.value}\n" == golden.read_text()
    assert not image.complete()


def test_damaged_artifacts_are_refused_before_anything_is_copied(machine: Machine, tmp_path: Path) -> None:
    """Which texts there are: tests/unit/artifacts/test_damage.py."""
    (tmp_path / "kubelet").write_text("damaged")
    manifest = {**RECIPE.manifest, "binaries": {"kubelet": {"path": "kubelet", "sha256": "0", "destination": "/k"}}}
    image = builder(machine, tmp_path, dataclasses.replace(RECIPE, artifacts=str(tmp_path), manifest=manifest))
    with pytest.raises(NodeError, match="kubelet: damaged"):
        image.build()
    assert machine.ran == ["apt-get", "apt-config", "mmdebstrap"]
    assert [path.name for path in Path(image.cache.images).iterdir() if path.name != "lock"] == [Path(image.base).name]


def test_progress_is_one_line(machine: Machine, tmp_path: Path) -> None:
    builder(machine, tmp_path).build()
    assert (tmp_path / "progress").read_text() == "3/3 container images of the node image\n"
