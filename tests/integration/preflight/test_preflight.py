# SPDX-License-Identifier: GPL-3.0-or-later
"""Preflight on this very machine: it tells the truth, and leaves nothing."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import residue
from ansible_collections.reftopo.lab.plugins.module_utils import _preflight_probe as probe
from ansible_collections.reftopo.lab.plugins.module_utils._preflight_model import Trial
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_names import link_name

pytestmark = pytest.mark.alone
ROOT = Path(__file__).parents[3]
NAME = "t-preflight"
TOPOLOGY = """\
name: t-preflight
description: Two namespaces on one bridge.
segments:
  lan: {cidr: 198.18.77.0/24}
namespaces:
  left: {segment: lan}
  right: {segment: lan}
"""


def execute(command: list[str]) -> tuple[int, str, str]:
    """What module.run_command does."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    """A folder of topologies with a valid one."""
    folder = tmp_path / NAME
    folder.mkdir()
    (folder / "topology.yml").write_text(TOPOLOGY)
    return tmp_path


def preflight(inventory: Path, *options: str) -> tuple[int, str]:
    """Run the playbook on that inventory: (exit status, everything it prints)."""
    command = ["ansible-playbook", "-i", str(inventory), "playbooks/preflight.yml", "-e", f"topology={NAME}", *options]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return done.returncode, done.stdout


@pytest.mark.parametrize("options", [[], ["--check", "--diff"]])
def test_a_machine_that_will_do_passes_unchanged(inventory: Path, options: list[str]):
    before = residue.settled()
    rc, output = preflight(inventory, *options)
    assert rc == 0, output
    assert "changed=0" in output
    assert "kernel: veth" in output
    assert "PROBLEM" not in output
    assert residue.settled_diff(before) == []


def test_all_problems_are_told_at_once_and_nothing_is_touched(inventory: Path):
    taken = [link_name(NAME, "lan"), link_name(NAME, "left", "eth0")]
    for name in taken:
        subprocess.run(["ip", "link", "add", name, "type", "bridge"], check=True)
    before = residue.snapshot()
    try:
        rc, output = preflight(inventory)
        after = residue.snapshot()
    finally:
        for name in taken:
            subprocess.run(["ip", "link", "delete", name], check=True)
    assert rc == 2
    for name in taken:
        assert f"link {name}" in output
    assert "2 problems, nothing was changed" in output
    assert residue.diff(before, after) == []


def test_errors_of_the_topology_file_stop_it(inventory: Path):
    file = inventory / NAME / "topology.yml"
    file.write_text(
        TOPOLOGY.replace("198.18.77.0/24", "198.18.77.0/33").replace("left: {segment: lan}", "left: {segment: wan}")
    )
    rc, output = preflight(inventory)
    assert rc == 2
    assert "segments.lan.cidr" in output
    assert "namespaces.left.segment" in output


def test_a_name_that_is_no_topology_is_an_error(tmp_path: Path):
    rc, output = preflight(tmp_path)
    assert rc == 2
    assert f"There is no topology {NAME}" in output


def test_a_feature_the_kernel_lacks_is_said_to_fail(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(probe.FEATURES, "none", probe.Feature("ip", "ip link add x type reftopo_none", "none"))
    monkeypatch.setitem(probe.FEATURES, "gone", probe.Feature("reftopo-gone", "reftopo-gone", "gone"))
    assert probe.try_features(execute, ["none", "veth", "gone"]) == {
        "none": Trial(False, "Error: Unknown device type."),
        "veth": Trial(True),
        "gone": Trial(None, missing="reftopo-gone"),
    }


def test_every_trial_ends_without_a_trace():
    before = residue.snapshot()
    trials = probe.try_features(execute, probe.FEATURES)
    assert set(trials) == set(probe.FEATURES)
    assert residue.settled_diff(before) == []
