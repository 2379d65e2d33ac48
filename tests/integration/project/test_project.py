# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/project.md, followed to the letter away from the checkout, but for where the collection is installed from."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
# Whoever runs the tests may have an office.
TEXT = (ROOT / "docs/project.md").read_text(encoding="utf-8").replace("office", "tproject")
FILES = re.findall(r"^`([^`\n]+)`[^\n]*:\n\n```\w+\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
COMMANDS = re.search(r"^Then:\n\n```sh\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL).group(1).splitlines()
DESTROY = COMMANDS[-1]


class Project:
    """Its folder, in which commands run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = os.environ | {
            "ANSIBLE_COLLECTIONS_PATH": str(folder / "collections"),
            "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
            "REFTOPO_STATE": str(folder / "state"),
        }
        for name, text in FILES:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)

    def run(self, *argv: str) -> str:
        """What a command says that must succeed."""
        given = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        done = subprocess.run(argv, cwd=self.folder, env=self.environment, text=True, check=False, **given)
        assert done.returncode == 0, done.stdout
        return done.stdout


@pytest.fixture
def project(tmp_path: Path):
    """With the collection as users get it; nothing stays of its topology."""
    made = Project(tmp_path)
    made.run("ansible-galaxy", "collection", "build", "--output-path", str(tmp_path), str(ROOT))
    (archive,) = tmp_path.glob("reftopo-lab-*.tar.gz")
    made.run("ansible-galaxy", "collection", "install", "--offline", "-p", "collections", str(archive))
    yield made
    made.run(*DESTROY.split())


def test_a_project_of_ones_own(project):
    assert [name for name, _ in FILES] == ["ansible.cfg", "inventories/tproject/topology.yml", "tproject.yml"]
    for command in COMMANDS:
        said = project.run(*command.split())
        assert "WARNING" not in said
        if command != DESTROY:
            assert " passed" in said
    assert not (project.folder / "state/tproject").exists()
