# SPDX-License-Identifier: GPL-3.0-or-later
"""The tests marked `rare`, run on a machine whose kernel has what they need: by this checkout, with its own Python.

`reach` makes of a command's words one that runs it there, as by ssh(1): the shell there reads the words once more.
"""

from __future__ import annotations

import os
import shlex
import sys
import sysconfig
import typing as t
from pathlib import Path
from xml.etree import ElementTree

from topologies import sh

ROOT = Path(__file__).parents[2]
SOURCES = ("collections", "plugins", "pyproject.toml", "tests/integration/link_state", "tests/support")
CASES = "tests/unit/link_state"
# pytest and yaml with what they need, and of Ansible what modules use: they do without what was compiled for one Python
PACKAGES = ("_pytest", "pytest", "py.py", "pluggy", "iniconfig", "packaging", "pygments", "yaml")
ANSIBLE = ("ansible/__init__.py", "ansible/release.py", "ansible/_vendor", "ansible/module_utils")
THERE = "/root/rare"
# What must be told as failed, for no kernel has it
CONTROL = "tests/integration/link_state/test_control.py"
CONTROL_TEST = """\
import pytest

@pytest.mark.rare
def test_control(machine):
    machine.sh("ip link add name t-control type reftopo_none")
"""
LINES = 30  # of what a failed test said

Reach = t.Callable[..., "list[str]"]


def marked() -> set[str]:
    """All integration tests that are marked so, by the names that pytest gives them."""
    pytest = (sys.executable, "-m", "pytest", "--collect-only", "--quiet", "-m", "rare")
    return {line for line in sh(*pytest, str(ROOT / "tests/integration")).splitlines() if "::" in line}


def run(reach: Reach, tests: t.Iterable[str]) -> dict[str, str]:
    """What came of each test, and of the control, by name: the end of what it said, "" for one that passed."""
    files = {test.partition("::")[0] for test in tests}
    _send(reach, ROOT, *SOURCES, CASES)
    _send(reach, Path(sysconfig.get_path("purelib")), *PACKAGES, *ANSIBLE)
    sh(*reach(f"printf %s {shlex.quote(CONTROL_TEST)} >{THERE}/{CONTROL}"))
    python = f"PYTHONPATH={THERE} REFTOPO_RECORD={os.environ.get('REFTOPO_RECORD', '')} python3"
    # Without tests/integration/conftest.py, which prepares for podman and libvirt
    options = f"-m rare --confcutdir=tests/integration/link_state --junitxml=report.xml {' '.join(files)} {CONTROL}"
    pytest = f"{python} -m pytest --quiet {options} >output 2>&1"
    return _outcomes(sh(*reach(f"cd {THERE}; rm -f report.xml; {pytest}; cat report.xml || {{ cat output; exit 1; }}")))


def fetch_recordings(reach: Reach) -> None:
    """What the tests recorded there, as the unit tests' data here."""
    folder = ROOT / CASES / "recorded"
    _pipe(reach(f"tar --create --directory={THERE}/{CASES}/recorded ."), ["tar", "--extract", f"--directory={folder}"])


def _send(reach: Reach, folder: Path, *names: str) -> None:
    create = ["tar", "--create", "--gzip", f"--directory={folder}", "--exclude=__pycache__", *names]
    _pipe(create, reach(f"mkdir -p {THERE} && tar --extract --gzip --directory={THERE}"))


def _pipe(*commands: list[str]) -> None:
    sh("bash", "-o", "pipefail", "-c", " | ".join(map(shlex.join, commands)))


def _outcomes(report: str) -> dict[str, str]:
    """From pytest's JUnit report; a test that was skipped has not passed."""
    found = {}
    for case in ElementTree.fromstring(report).iter("testcase"):
        file = case.get("classname", "").replace(".", "/")
        said = [f"{part.get('message')}\n{part.text}" for part in case if part.tag in ("failure", "error", "skipped")]
        found[f"{file}.py::{case.get('name')}"] = "\n".join("\n".join(said).splitlines()[-LINES:])
    return found
