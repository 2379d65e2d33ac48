# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything from a mirror, without a word to upstream: role, lock, registry, file server, containerd's hosts.toml."""

from __future__ import annotations

import json
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.reftopo.lab.plugins.module_utils._artifact_image import runtime_folder

Player = Callable[..., Any]  # the fixture play
IMAGE = "registry.k8s.io/pause:3.10.2"


def image_id(archive: Path) -> str:
    """An image's ID: the digest of its configuration, which names all its layers."""
    with tarfile.open(archive) as tar:
        return json.load(tar.extractfile("manifest.json"))[0]["Config"]


def change_lock(mirror: dict[str, Any], section: str, name: str, key: str, value: str | None) -> None:
    """Change one entry of the test's copy of the lock."""
    path = Path(mirror["artifacts_lock"])
    lock = yaml.safe_load(path.read_text())
    lock[section][name][key] = value
    path.write_text(yaml.safe_dump(lock))


def test_check_mode_tells_what_a_run_does(filled: Any) -> None:
    assert filled.checked.code == 0, filled.checked.output
    assert filled.done.code == 0, filled.done.output
    assert not filled.existed
    assert filled.checked.result["changed"]
    assert filled.checked.result["made"] == filled.done.result["made"] != []
    assert (filled.again.code, filled.again.result["changed"], filled.again.result["made"]) == (0, False, [])


def contents(folder: Path) -> dict[str, str]:
    """What artifacts consist of: digests of binaries and files, IDs of images, by name."""
    manifest = json.loads((folder / "manifest.json").read_text())
    placed = {**manifest["binaries"], **manifest.get("files", {})}
    digests = {name: entry["sha256"] for name, entry in placed.items()}
    return {**digests, **{name: image_id(folder / entry["path"]) for name, entry in manifest["images"].items()}}


def test_mirror_gives_what_was_built(built: Path, filled: Any) -> None:
    assert filled.done.result["manifest"]["source"] == "mirror"
    assert contents(Path(filled.done.result["path"])) == contents(built)


def test_mirror_gives_what_was_built_of_calico_and_add_ons(built_calico: Path, filled_calico: Any) -> None:
    assert filled_calico.code == 0, filled_calico.output
    assert filled_calico.result["manifest"]["source"] == "mirror"
    assert contents(Path(filled_calico.result["path"])) == contents(built_calico)
    assert {label.split()[1] for label in filled_calico.result["made"]} == {  # the rest was there
        *("calico-manifest", "calico-etcd-manifest", "calico.yaml", "calico-etcd.yaml"),
        *("calicoctl", "cni", "kube-controllers", "node"),
        *("metallb-manifest", "controller", "speaker", "metallb.yaml", "traefik"),
    }


def test_podman_is_left_as_it_was(filled: Any) -> None:
    before, after = filled.images
    assert after == before, "images of ours among the user's"
    store = filled.cache / "artifacts/podman"
    assert not store.exists()
    assert not Path(runtime_folder(str(store))).exists()


WRONG = "0" * 64


@pytest.mark.parametrize("entry", ["downloads kubectl sha256 " + WRONG, f"images {IMAGE} digest sha256:{WRONG}"])
def test_another_digest_stops(play: Player, mirror: dict[str, Any], work: Path, entry: str) -> None:
    section, name, key, wrong = entry.split()
    right = yaml.safe_load(Path(mirror["artifacts_lock"]).read_text())[section][name][key]
    change_lock(mirror, section, name, key, wrong)
    done = play(work, **mirror)
    assert done.code != 0
    for part in ("digest mismatch", wrong, right, f"correct {section}.{name}.{key} in the lock"):
        assert part in done.output
    kept = [path.name for path in (Path(mirror["artifacts_cache_dir"]) / "artifacts/items").iterdir() if path.is_dir()]
    assert any(folder.startswith("download-containerd-") for folder in kept)  # made before
    assert not [
        folder for folder in kept if folder.startswith(("download-kubectl-", "pull-pause-")[section == "images"])
    ]


def test_what_has_no_digest_needs_a_word(play: Player, mirror: dict[str, Any], work: Path) -> None:
    change_lock(mirror, "images", IMAGE, "digest", None)
    refused = play(work, "--check", **mirror)
    assert refused.code != 0
    assert f"images.{IMAGE}.digest: the lock has no digest." in refused.output
    assert not Path(mirror["artifacts_cache_dir"]).exists()
    allowed = play(work, "--check", **mirror, artifacts_allow_unpinned=True)
    assert allowed.code == 0, allowed.output


@pytest.fixture
def containerd(built: Path, work: Path) -> Iterator[str]:
    """A containerd of our own, without plugins that need the machine; returns its socket."""
    home, socket = work / "containerd", work / "containerd/s.sock"
    home.mkdir()
    config = home / "config.toml"
    config.write_text(
        f"""version = 3
root = "{home}/root"
state = "{home}/state"
disabled_plugins = ["io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime", "io.containerd.grpc.v1.cri"]
[grpc]
address = "{socket}"
"""
    )
    with (home / "log").open("w") as log:
        server = subprocess.Popen([built / "bin/containerd", "--config", config], stdout=log, stderr=subprocess.STDOUT)
    try:
        until = time.monotonic() + 10
        while not socket.exists():
            assert time.monotonic() < until, (home / "log").read_text()
            time.sleep(0.05)
        yield str(socket)
    finally:
        server.terminate()
        server.wait(timeout=10)


def fetch(built: Path, containerd: str, hosts: Path) -> subprocess.CompletedProcess[str]:
    """Fetch an image by its upstream name, the way a node with this certs.d does, without unpacking it."""
    argv = [built / "bin/ctr", "--address", containerd, "content", "fetch", "--hosts-dir", hosts, IMAGE]
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture
def hosts(filled: Any) -> Path:
    """The folder for a node's ``/etc/containerd/certs.d``."""
    return Path(filled.done.result["path"]) / "certs.d"


@pytest.fixture
def nobody(hosts: Path, work: Path, registry: str, closed_port: int) -> Path:
    """The same folder for a mirror at whose address nobody listens."""
    folder = work / "nobody"
    (folder / "registry.k8s.io").mkdir(parents=True)
    text = (hosts / "registry.k8s.io/hosts.toml").read_text()
    assert registry in text
    (folder / "registry.k8s.io/hosts.toml").write_text(text.replace(registry, f"127.0.0.1:{closed_port}"))
    return folder


def test_containerd_asks_the_mirror(
    built: Path, containerd: str, hosts: Path, nobody: Path, digests: dict[str, str]
) -> None:
    assert {path.name for path in hosts.iterdir()} == {"ghcr.io", "registry.k8s.io"}
    failed = fetch(built, containerd, nobody)  # the control: upstream is not asked instead
    assert failed.returncode != 0
    assert "connection refused" in failed.stderr
    fetched = fetch(built, containerd, hosts)
    assert fetched.returncode == 0, fetched.stderr
    assert digests[IMAGE] in fetched.stdout
