# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-doc knows every plugin and role, and every variable of a role is declared once and documented."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PLUGIN_TYPES = {"callback": "callback", "filter": "filter", "inventory": "inventory", "modules": "module"}


def plugins(folder: str) -> list[str]:
    """Full names of the plugins in plugins/<folder>; those of a filter file are its documented filters."""
    names = sorted(p.stem for p in (ROOT / "plugins" / folder).glob("*.py") if not p.stem.startswith("_"))
    return [f"reftopo.lab.{name}" for name in names]


def ansible_doc(kind: str, names: list[str]) -> dict:
    """What ansible-doc says about the plugins, by full name."""
    command = ["ansible-doc", "--json", "--type", kind, *names]
    return json.loads(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout)


def undocumented(docs: dict, names: list[str]) -> list[str]:
    """The names without a short description or an example; a callback has no examples."""
    return [
        name
        for name in names
        if not docs.get(name, {}).get("doc", {}).get("short_description") or not docs[name].get("examples", True)
    ]


@pytest.mark.parametrize("folder", PLUGIN_TYPES)
def test_every_plugin_has_documentation(folder: str):
    names = plugins(folder)
    if names:
        assert undocumented(ansible_doc(PLUGIN_TYPES[folder], names), names) == []


def test_undocumented_finds_what_it_looks_for():
    docs = {"a": {"doc": {"short_description": "does"}, "examples": "- a:"}, "b": {"doc": {}, "examples": "x"}}
    assert undocumented(docs, ["a", "b", "c"]) == ["b", "c"]


def load(path: Path) -> dict:
    """The mapping in a YAML file; empty when the file is missing."""
    return (yaml.safe_load(path.read_text()) or {}) if path.exists() else {}


def role_problems(role: Path) -> list[str]:
    """What is missing or misnamed in a role's defaults and argument specification."""
    specs = load(role / "meta/argument_specs.yml").get("argument_specs", {})
    defaults = load(role / "defaults/main.yml")
    entries = {path.stem for path in (role / "tasks").glob("*.yml")} & {"main"}
    documented = {name: option for spec in specs.values() for name, option in spec.get("options", {}).items()}
    problems = [f"{role.name}: no specification for tasks/{entry}.yml" for entry in sorted(entries - set(specs))]
    problems += [
        f"{role.name}: {name} is a default that is not documented" for name in sorted(set(defaults) - set(documented))
    ]
    problems += [
        f"{role.name}: {name} does not start with the role's name"
        for name in defaults
        if not name.startswith(f"{role.name}_")
    ]
    problems += [
        f"{role.name}: no description of {name}" for name, option in documented.items() if not option.get("description")
    ]
    return problems + [
        f"{role.name}: {entry} has no short_description" for entry, s in specs.items() if not s.get("short_description")
    ]


def test_every_variable_of_every_role_is_documented():
    roles = sorted(path for path in (ROOT / "roles").iterdir() if path.is_dir())
    assert [problem for role in roles for problem in role_problems(role)] == []


def test_role_problems_finds_what_it_looks_for(tmp_path: Path):
    role = tmp_path / "bad"
    for folder in ("tasks", "defaults", "meta"):
        (role / folder).mkdir(parents=True)
    (role / "tasks/main.yml").write_text("[]")
    (role / "defaults/main.yml").write_text("good_name: 1\n")
    (role / "meta/argument_specs.yml").write_text("argument_specs: {other: {options: {bad_x: {type: int}}}}\n")
    assert role_problems(role) == [
        "bad: no specification for tasks/main.yml",
        "bad: good_name is a default that is not documented",
        "bad: good_name does not start with the role's name",
        "bad: no description of bad_x",
        "bad: other has no short_description",
    ]
