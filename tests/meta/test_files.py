# SPDX-License-Identifier: GPL-3.0-or-later
"""Every file names its licence, no Python file is long, and the link farm is the collection and finite."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FARM = ROOT / "collections/ansible_collections/reftopo/lab"
LINKED = {"README.md", "galaxy.yml", "meta", "playbooks", "plugins", "roles"}
WITH_COMMENTS = {".cfg", ".j2", ".py", ".service", ".sh", ".toml", ".yaml", ".yml"}
RECORDED = {"cases", "data", "fixtures", "golden"}  # folders of tests whose files are input or output, not source
LONGEST = 250


def files() -> list[Path]:
    """What git tracks or would track, links left out, relative to the root."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
    ).stdout.decode()
    found = [Path(name) for name in listing.split("\0") if name]
    return [name for name in found if (ROOT / name).is_file() and not (ROOT / name).is_symlink()]


def needs_header(path: Path, text: str) -> bool:
    """Whether the file can hold a comment: by its suffix, or because it is a script."""
    if path.parts[0] == "tests" and RECORDED & set(path.parts):
        return False
    return path.suffix in WITH_COMMENTS or text.startswith("#!")


def without_header(paths: list[Path], root: Path = ROOT) -> list[str]:
    """The files that should name their licence within the first lines and do not."""
    found = []
    for path in paths:
        text = (root / path).read_text(errors="replace")
        if text.strip() and needs_header(path, text) and "SPDX-License-Identifier: GPL-3.0-or-later" not in text[:600]:
            found.append(str(path))
    return found


def too_long(paths: list[Path], root: Path = ROOT) -> list[str]:
    """The Python files with more lines than LONGEST."""
    return [str(p) for p in paths if p.suffix == ".py" and len((root / p).read_text().splitlines()) > LONGEST]


def cycles(folder: Path) -> list[str]:
    """The links below `folder` that lead to a folder they are in; following one would never end."""
    links = [path for path in folder.rglob("*") if path.is_symlink()]
    return [str(link) for link in links if link.resolve() in link.absolute().parents]


def weak_become(paths: list[Path], root: Path = ROOT) -> list[str]:
    """The YAML files that ask not to become root by the keyword.

    The inventory's ansible_become goes before a keyword (Ansible's precedence rules), so it would be without effect
    wherever the user is not root; a task's variable is not.
    """
    keyword = re.compile(r"^\s+become: false", re.M)
    return [str(p) for p in paths if p.suffix == ".yml" and keyword.search((root / p).read_text(errors="replace"))]


def test_nobody_relies_on_the_keyword_become_to_stay_the_user():
    assert weak_become(files()) == []


def test_every_file_names_its_licence():
    assert without_header(files()) == []


def test_no_python_file_is_long():
    assert too_long(files()) == []


def test_the_farm_is_complete():
    assert {path.name for path in FARM.iterdir()} == LINKED
    for name in LINKED:
        assert (FARM / name).is_symlink()
        assert (FARM / name).resolve(strict=True) == ROOT / name


@pytest.mark.parametrize("folder", ["collections", "meta", "playbooks", "plugins", "roles"])
def test_no_link_leads_to_its_own_parent(folder: str):
    assert cycles(ROOT / folder) == []


def test_the_checks_find_what_they_look_for(tmp_path: Path):
    (tmp_path / "a.py").write_text("pass\n" * (LONGEST + 1))
    (tmp_path / "script").write_text("#!/bin/sh\n")
    (tmp_path / "loop").symlink_to(tmp_path)
    assert without_header([Path("a.py"), Path("script")], tmp_path) == ["a.py", "script"]
    assert too_long([Path("a.py"), Path("script")], tmp_path) == ["a.py"]
    assert cycles(tmp_path) == [str(tmp_path / "loop")]
    (tmp_path / "tasks.yml").write_text("- name: x\n  become: false\n")
    assert weak_become([Path("a.py"), Path("tasks.yml")], tmp_path) == ["tasks.yml"]


def test_every_topology_has_its_molecule_scenario():
    scenarios = {path.parent.name for path in (ROOT / "molecule").glob("*/molecule.yml")}
    topologies = {path.parent.name for path in (ROOT / "inventories").glob("*/topology.yml")}
    assert scenarios - {"default"} | {"flannel-vxlan"} == topologies
