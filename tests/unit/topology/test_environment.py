# SPDX-License-Identifier: GPL-3.0-or-later
"""What the inventory takes from environment variables that are there and empty."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys

TEXT = """\
name: t-pair
description: A node beside nothing else.
segments: {lan: {cidr: 198.18.77.0/24}}
nodes: {n1: {segment: lan}}
"""
EMPTY = ("REFTOPO_PROVIDER", "REFTOPO_STATE", "REFTOPO_CACHE")


def test_an_empty_variable_counts_as_not_set(root, tmp_path):
    (tmp_path / "t-pair").mkdir()
    (tmp_path / "t-pair/topology.yml").write_text(TEXT, encoding="utf-8")
    environment = {**os.environ, "ANSIBLE_CONFIG": str(root / "ansible.cfg"), "HOME": str(tmp_path)}
    command = [f"{pathlib.Path(sys.executable).parent}/ansible-inventory", "-i", str(tmp_path), "--host", "n1.t-pair"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env={**environment, **dict.fromkeys(EMPTY, "")}, cwd=root
    )
    node = json.loads(done.stdout)
    assert node["reftopo_node"]["provider"] == "container"
    assert node["reftopo_state_dir"] == f"{tmp_path}/.local/state/reftopo/t-pair"
    assert node["reftopo_cache_dir"] == f"{tmp_path}/.cache/reftopo"
