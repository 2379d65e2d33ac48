# SPDX-License-Identifier: GPL-3.0-or-later
"""The benchmark runs, reports every engine, and leaves nothing; what it measures is not looked at."""

from __future__ import annotations

import json
import os
import re
import subprocess
import typing as t
from pathlib import Path

ROOT = Path(__file__).parents[3]
BENCH = ROOT / "bench/link_state"
ENGINES = ROOT / "bench/link_engines"
COLUMNS = ["reftopo", "batch", "same", "single", "mininet", "pyroute2"]


def test_the_benchmark(machine: t.Any, tmp_path: Path):
    """Engines that are not installed have their column too."""
    found = machine.snapshot()
    figures = tmp_path / "figures.json"
    command = [BENCH, "--pairs", "2", "--runs", "1", "--json", figures]
    environment = {**os.environ, "REFTOPO_CACHE": str(tmp_path)}  # where pyroute2 is not there
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert machine.snapshot() == found
    header, create = re.findall(r"^ +reftopo.*|^create .*", done.stdout, re.MULTILINE)[:2]
    assert header.split() == COLUMNS
    assert create.endswith("not there")
    results = json.loads(figures.read_text())["results"]
    assert [(result["shape"], result["pairs"]) for result in results] == [
        ("1 namespace", 2),
        ("50 namespaces", 2),
        ("hosts on one bridge", 2),
    ]
    for result in results:
        assert {"reftopo", "batch", "same", "single"} <= set(result["seconds"])
        assert list(result["seconds"]["reftopo"]) == ["create", "no-op", "change", "delete"]


def test_an_engine_that_does_nothing(machine: t.Any):
    """Control: a time without the work is no figure."""
    code = "import layout, types; layout.measure(lambda given: types.SimpleNamespace(create=lambda: None))"
    layout = json.dumps({"pairs": 2, "namespaces": 1, "bridges": 1})
    done = subprocess.run(
        ["python3", "-c", code], cwd=ENGINES, input=layout, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "after create bridges have 0 ports instead of 2" in done.stderr
