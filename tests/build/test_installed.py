# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection as users get it: built, installed into the folder REFTOPO_INSTALLED, with nothing missing."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# A KeyError here is right: without an installed copy there is nothing to test, and nothing passes.
COLLECTIONS = Path(os.environ["REFTOPO_INSTALLED"])
INSTALLED = COLLECTIONS / "ansible_collections/reftopo/lab"
SHIPPED = ["meta", "playbooks", "plugins", "roles", "tests/topology"]
NOT_SHIPPED = ["collections", "inventories", "molecule", "tests/unit", "lab", "requirements.lock"]


def content(folder: Path) -> dict[str, bytes]:
    """Every file below the folder by its path in it."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def run(*command: str) -> str:
    """Run a command that sees the installed collection only, away from the checkout."""
    settings = COLLECTIONS / "empty.cfg"
    settings.touch()
    env = os.environ | {"ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS), "ANSIBLE_CONFIG": str(settings)}
    done = subprocess.run(
        command, cwd="/", env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.mark.parametrize("folder", SHIPPED)
def test_the_folder_arrived_whole(folder: str):
    assert content(INSTALLED / folder) == content(ROOT / folder)
    assert content(INSTALLED / folder) or not content(ROOT / folder)


@pytest.mark.parametrize("name", NOT_SHIPPED)
def test_what_only_the_checkout_needs_is_left_out(name: str):
    assert not (INSTALLED / name).exists()


def test_ansible_finds_the_modules_in_the_installed_copy():
    listed = json.loads(run("ansible-doc", "--json", "--list", "--type", "module", "reftopo.lab"))
    modules = {f"reftopo.lab.{path.stem}" for path in (ROOT / "plugins/modules").glob("*.py")}
    assert set(listed) == modules
    assert modules


@pytest.mark.parametrize("playbook", sorted(path.name for path in (ROOT / "playbooks").glob("*.yml")))
def test_the_installed_playbook_parses(playbook: str):
    run(
        "ansible-playbook",
        "-i",
        "localhost,",
        "-e",
        "topology=none",
        "--syntax-check",
        str(INSTALLED / "playbooks" / playbook),
    )
