# SPDX-License-Identifier: GPL-3.0-or-later
"""playbooks/destroy.yml removes what carries the mark, whatever the run that made it left undone, and nothing else."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import residue

pytestmark = pytest.mark.alone
ROOT = Path(__file__).parents[3]
MINE, OTHER = "t-destroy", "t-destroy-b"
# Named as ours are, without our mark
BRIDGE, ROUTE, STRANGER = "rt-00000000", ("blackhole", "198.18.79.0/24", "proto", "152"), f"reftopo.{MINE}.stranger"


def run(*command: str) -> str:
    """Run a command that must succeed; return what it prints."""
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, done.stdout
    return done.stdout


def destroy(topology: str, *options: str) -> tuple[int, str]:
    """Run the playbook: (how many tasks changed something, everything it prints)."""
    output = run("ansible-playbook", "playbooks/destroy.yml", "-e", f"topology={topology}", *options)
    return int(re.search(r"changed=(\d+)", output)[1]), output


def link_state(owner: str, bridge: str, cidr: str) -> None:
    """A bridge with an address, and a veth into a namespace."""
    state = {
        "owner": owner,
        "links": {
            bridge: {"kind": "bridge", "mark": "lan", "addresses": [cidr]},
            f"{bridge}-n1": {
                "kind": "veth",
                "mark": "n1.eth0",
                "master": bridge,
                "peer": {"name": "eth0", "namespace": "n1"},
            },
        },
        "namespaces": {"n1": {"links": {"lo": {}, "eth0": {}}, "routes": [{"to": "default", "dev": "eth0"}]}},
    }
    run(
        "ansible",
        "-m",
        "reftopo.lab.link_state",
        "-a",
        json.dumps(state),
        "localhost",
    )


def clear() -> None:
    """Remove all that is made here, whatever of it is there."""
    for command in (("ip", "link", "delete", BRIDGE), ("ip", "route", "delete", *ROUTE)):
        subprocess.run(command, stderr=subprocess.DEVNULL, check=False)
    run("podman", "rm", "--force", "--ignore", "--time=0", STRANGER)
    for topology in (MINE, OTHER):
        destroy(topology)


def minimal_root(folder: Path) -> Path:
    """A root file system that can sleep."""
    (folder / "bin").mkdir(parents=True)
    shutil.copy("/bin/sleep", folder / "bin/sleep")
    for library in re.findall(r"(/\S+)", run("ldd", "/bin/sleep")):
        (folder / library[1:]).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, folder / library[1:])
    return folder


def container(name: str, root: Path, *options: str) -> None:
    """A container that runs; podman's own limits may be higher than root can set."""
    limits = ("--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024")
    command = ("podman", "--runtime", "runc", "run", "--detach", "--name", name, *limits, *options)
    run(*command, "--rootfs", str(root), "/bin/sleep", "600")


@pytest.fixture
def folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> tuple[Path, Path]:
    """The product's cache and state folders, apart from the user's."""
    cache, state = tmp_path / "cache", tmp_path / "state"
    monkeypatch.setenv("REFTOPO_CACHE", str(cache))
    monkeypatch.setenv("REFTOPO_STATE", str(state))
    return cache, state


@pytest.fixture
def others(folders: tuple[Path, Path], tmp_path: Path) -> Iterator[residue.Snapshot]:
    """A machine with another topology and things that look like ours but have no mark; as it then is."""
    cache, state = folders
    root = minimal_root(tmp_path / "root")
    clear()  # what an interrupted run of the tests left
    before = residue.settled()
    with ExitStack() as undo:
        undo.callback(clear)
        link_state(OTHER, "t-dst-b", "198.18.78.1/25")
        run("ip", "link", "add", BRIDGE, "type", "bridge")
        run("ip", "route", "add", *ROUTE)
        container(STRANGER, root, "--network", "none")
        container(f"reftopo.{OTHER}.n1", root, "--network", "none", "--label", f"reftopo.topology={OTHER}")
        for folder in (cache / "nodes" / OTHER / "n1", cache / "artifacts/x", state / OTHER):
            folder.mkdir(parents=True)
        yield residue.settled()
    shutil.rmtree(cache)
    shutil.rmtree(state)
    assert residue.settled_diff(before) == []


def half_done_run(cache: Path, state: Path, root: Path) -> None:
    """What is there when a run is killed between its steps: no topology file, a node without its neighbour."""
    link_state(MINE, "t-dst-a", "198.18.78.129/25")
    run("ip", "netns", "add", f"reftopo.{MINE}.n2")
    network = f"ns:/run/netns/reftopo.{MINE}.n1"
    container(f"reftopo.{MINE}.n1", root, "--network", network, "--label", f"reftopo.topology={MINE}")
    mount = cache / "nodes" / MINE / "n1/rootfs"
    mount.mkdir(parents=True)
    run("mount", "-t", "tmpfs", f"reftopo.{MINE}.n1", str(mount))
    (cache / "nodes" / MINE / "n2").mkdir()
    (state / MINE / "report").mkdir(parents=True)
    (state / MINE / "id_ed25519").write_text("secret")


def test_only_what_carries_the_mark_goes(others: residue.Snapshot, folders: tuple[Path, Path], tmp_path: Path):
    cache, state = folders
    half_done_run(cache, state, tmp_path / "root")
    built = residue.settled()
    assert residue.diff(others, built) != []

    changed, output = destroy(MINE, "--check", "--diff")
    assert changed == 3
    for going in (f"reftopo.{MINE}.n1", "t-dst-a", f"{cache}/nodes/{MINE}", f"{state}/{MINE}"):
        assert going in output
    assert residue.settled_diff(built) == []

    assert destroy(MINE)[0] == 3
    assert residue.settled_diff(others) == []
    assert destroy(MINE)[0] == 0
    assert destroy(MINE, "--check", "--diff")[0] == 0


@pytest.mark.parametrize("name", ["", "..", "../t-destroy", "T", "a b", "a.b", "-a", "a-", "*"])
def test_what_is_no_name_is_refused(name: str):
    with pytest.raises(AssertionError, match="cannot be a topology's name"):
        run("ansible-playbook", "playbooks/destroy.yml", "-e", json.dumps({"topology": name}))
