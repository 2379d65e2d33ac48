# SPDX-License-Identifier: GPL-3.0-or-later
"""The built artifacts, and a mirror of upstream made of them: a registry and a file server on the loopback address."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from local_mirror import command, file_server, free_port, pack_release, registry_server

ROOT = Path(__file__).parents[3]
CACHE = Path(os.environ.get("REFTOPO_CACHE", Path.home() / ".cache/reftopo"))
LOCK = ROOT / "roles/artifacts/files/lock.yml"


@dataclass(frozen=True)
class Play:
    """What a run of playbooks/artifacts.yml did."""

    code: int
    output: str
    result: dict[str, Any]


Player = Callable[..., Play]


@pytest.fixture(scope="session", name="play")
def _play() -> Player:
    """``run_role``, for tests."""
    return run_role


def run_role(work: Path, *options: str, **variables: Any) -> Play:
    """Run the role alone, without the host's packages, and keep the module's result."""
    playbook, result = work / "play.yml", work / "result.json"
    tasks = [
        {"ansible.builtin.import_role": {"name": "artifacts"}},
        {
            "ansible.builtin.copy": {
                "content": "{{ artifacts_result | to_json }}",
                "dest": str(result),
                "mode": "0600",
            },
            "check_mode": False,
            "changed_when": False,
        },
    ]
    playbook.write_text(yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
    result.unlink(missing_ok=True)
    argv = ["ansible-playbook", str(playbook), "-e", json.dumps(variables), *options]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    return Play(done.returncode, done.stdout + done.stderr, json.loads(result.read_text()) if result.exists() else {})


@pytest.fixture(scope="session")
def lock() -> dict[str, Any]:
    """The role's lock."""
    return yaml.safe_load(LOCK.read_text())


def build(work: Path, cni: str, *addons: str) -> Path:
    """The folder of the artifacts that the source build makes: minutes the first time, then there."""
    variables = {"artifacts_cni": cni, "artifacts_addons": addons, "artifacts_cache_dir": str(CACHE)}
    done = run_role(work, artifacts_source="build", **variables)
    assert done.code == 0, done.output
    return Path(done.result["path"])


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The artifacts of clusters with flannel."""
    return build(tmp_path_factory.mktemp("build"), "flannel")


@pytest.fixture(scope="session")
def built_calico(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The artifacts of clusters with Calico and all add-ons."""
    return build(tmp_path_factory.mktemp("build"), "calico", "metallb", "traefik")


@pytest.fixture(scope="session")
def work(built: Path) -> Iterator[Path]:
    """A folder on the file system of the cache."""
    folder = CACHE / "test/artifacts"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def registry(work: Path) -> Iterator[str]:
    """Address of an empty registry."""
    with registry_server(work / "registry") as address:
        yield address


@pytest.fixture
def closed_port() -> int:
    """A TCP port at which connections are refused."""
    return free_port()


@pytest.fixture(scope="session")
def digests(built: Path, built_calico: Path, registry: str, work: Path) -> dict[str, str]:
    """Push every built image under its path; returns the digests that the registry gives them.

    As upstream, it knows them by the digest of an index of the machines that they are for.
    """
    podman = ["podman", "--root", f"{work}/push", "--runroot", "/run/t-artifacts", "--storage-driver", "overlay"]
    archives, pushed = {}, {}
    for folder in (built, built_calico):
        images = json.loads((folder / "manifest.json").read_text())["images"]
        archives.update({name: folder / entry["path"] for name, entry in images.items()})
    try:
        for name, archive in archives.items():
            command(*podman, "load", "--quiet", "--input", archive)
            command(*podman, "manifest", "create", "index", f"containers-storage:{name}")
            target = f"docker://{registry}/{name.split('/', 1)[1]}"
            options = ["--all", "--tls-verify=false", "--digestfile", f"{work}/digest"]
            command(*podman, "manifest", "push", *options, "index", target)
            pushed[name] = (work / "digest").read_text().strip()
            command(*podman, "manifest", "rm", "index")
            command(*podman, "rmi", "--force", name)
    finally:
        shutil.rmtree(work / "push")
        shutil.rmtree("/run/t-artifacts")
    return pushed


@pytest.fixture(scope="session")
def files(built: Path, built_calico: Path, lock: dict[str, Any], work: Path) -> Iterator[str]:
    """A file server with every download of the lock, made of the built binaries and files."""
    placed = {**lock["binaries"], **lock["files"]}
    for name, entry in lock["downloads"].items():
        target = work / "files" / entry["url"].split("://")[1]
        target.parent.mkdir(parents=True, exist_ok=True)
        members = {b: e.get("member") for b, e in placed.items() if e.get("download") == name}
        folders = (built / "bin", built_calico / "bin", built_calico / "files")
        pack_release(next(folder for folder in folders if (folder / min(members)).exists()), members, target)
    with file_server(work / "files") as url:
        yield url


@pytest.fixture(scope="session")
def pinned(lock: dict[str, Any], digests: dict[str, str], files: str, work: Path) -> dict[str, Any]:
    """The lock with the digests of what the mirror holds."""
    copy = json.loads(json.dumps(lock))
    for entry in copy["downloads"].values():
        path = work / "files" / entry["url"].split("://")[1]
        entry["sha256"] = command("sha256sum", path).split()[0]
    for name, digest in digests.items():
        copy["images"][name]["digest"] = digest
    return copy


@pytest.fixture(scope="session")
def mirror_at(pinned: dict[str, Any], registry: str, files: str, work: Path) -> Callable[[str], dict[str, Any]]:
    """The role's variables for this mirror, with a cache and a copy of the lock under a name."""

    def variables(name: str) -> dict[str, Any]:
        lock = work / f"{name}.yml"
        lock.write_text(yaml.safe_dump(pinned))
        return {
            "artifacts_source": "mirror",
            "artifacts_mirror_registry": f"http://{registry}",
            "artifacts_mirror_files": files,
            "artifacts_lock": str(lock),
            "artifacts_cache_dir": str(work / name),
        }

    return variables


@pytest.fixture
def mirror(mirror_at: Callable[[str], dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Variables for one test that changes the lock."""
    variables = mirror_at("changed")
    yield variables
    shutil.rmtree(variables["artifacts_cache_dir"], ignore_errors=True)


@dataclass(frozen=True)
class Filled:
    """A run in check mode, one for real, one more, and what podman showed as the user's images before and after."""

    checked: Play
    existed: bool
    done: Play
    again: Play
    images: tuple[str, str]
    cache: Path


@pytest.fixture(scope="session")
def filled(mirror_at: Callable[[str], dict[str, Any]], work: Path) -> Filled:
    """Everything from the mirror, once."""
    variables = mirror_at("filled")
    before = command("podman", "images", "--all")
    checked = run_role(work, "--check", **variables)
    existed = Path(checked.result.get("path", "/")).exists()
    done, again = run_role(work, **variables), run_role(work, **variables)
    after = command("podman", "images", "--all")
    return Filled(checked, existed, done, again, (before, after), Path(variables["artifacts_cache_dir"]))


@pytest.fixture(scope="session")
def filled_calico(filled: Filled, mirror_at: Callable[[str], dict[str, Any]], work: Path) -> Play:
    """The part of Calico and of add-ons from the mirror, in the cache that has flannel's."""
    return run_role(work, **mirror_at("filled"), artifacts_cni="calico", artifacts_addons=["metallb", "traefik"])
