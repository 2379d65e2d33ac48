# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys of a state folder: made once, kept closed, and complete after an interrupted run."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils import _node_keys as node_keys
from ansible_collections.reftopo.lab.plugins.module_utils._node_run import Runner

ADDRESSES = ["172.30.10.11", "172.30.10.12"]
ALL = [("generate", "id_ed25519"), ("generate", "ssh_host_ed25519_key"), ("list", "known_hosts")]


def run_command(argv: list[str], handle_exceptions: bool = True) -> tuple[int, str, str]:
    result = subprocess.run(argv, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    return result.returncode, result.stdout, result.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A state folder with everything in it."""
    path = tmp_path / "state"
    converge(path)
    return path


def converge(folder: Path, addresses: list[str] = ADDRESSES) -> list[tuple[str, str]]:
    steps = node_keys.plan(node_keys.observe(str(folder)), addresses)
    node_keys.KeyMaker(str(folder), "small", addresses, Runner(run_command)).apply(steps)
    return steps


def test_a_new_folder(tmp_path: Path) -> None:
    assert converge(tmp_path / "state") == ALL
    modes = {path.name: oct(path.stat().st_mode & 0o777) for path in (tmp_path / "state").iterdir()}
    assert modes.pop("known_hosts") and modes == {
        "id_ed25519": "0o600",
        "id_ed25519.pub": "0o644",
        "ssh_host_ed25519_key": "0o600",
        "ssh_host_ed25519_key.pub": "0o644",
    }
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700


def test_a_second_run_changes_nothing(folder: Path) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert converge(folder) == []
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_known_hosts_has_a_line_a_node(folder: Path) -> None:
    key = " ".join((folder / "ssh_host_ed25519_key.pub").read_text().split()[:2])
    assert (folder / "known_hosts").read_text() == f"172.30.10.11 {key}\n172.30.10.12 {key}\n"


def test_another_node_is_added_to_known_hosts_alone(folder: Path) -> None:
    assert converge(folder, [*ADDRESSES, "172.30.10.13"]) == [("list", "known_hosts")]
    assert "172.30.10.13 ssh-ed25519" in (folder / "known_hosts").read_text()


def test_a_lost_public_key_is_derived_again(folder: Path) -> None:
    public = folder / "id_ed25519.pub"
    before = public.read_text().split()[:2]
    public.unlink()
    assert converge(folder) == [("derive", "id_ed25519")]
    assert public.read_text().split()[:2] == before


def test_an_interrupted_generation_is_begun_anew(folder: Path) -> None:
    (folder / "id_ed25519").rename(folder / "id_ed25519.new")
    assert converge(folder) == [("generate", "id_ed25519")]
    assert converge(folder) == []
    assert not list(folder.glob("*.new*"))


def test_what_others_can_read_is_closed(folder: Path) -> None:
    (folder / "id_ed25519").chmod(0o644)
    folder.chmod(0o755)
    assert converge(folder) == [("close", str(folder)), ("close", str(folder / "id_ed25519"))]
    assert (folder / "id_ed25519").stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700


def test_another_host_key_is_another_known_hosts(folder: Path) -> None:
    (folder / "ssh_host_ed25519_key").unlink()
    assert converge(folder) == [("generate", "ssh_host_ed25519_key"), ("list", "known_hosts")]
    assert converge(folder) == []
