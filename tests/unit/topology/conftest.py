# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of the topology pipeline share."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys

import pytest
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_host import Occupied


@pytest.fixture(scope="session")
def root() -> pathlib.Path:
    """The checkout."""
    return pathlib.Path(__file__).resolve().parents[3]


@pytest.fixture
def host() -> list[Occupied]:
    """The networks of a host with one wire, a container engine's bridge and a VPN."""
    return [
        Occupied("192.0.2.2/24", "this host's address on eth0"),
        Occupied("172.17.0.1/16", "this host's address on docker0"),
        Occupied("10.99.0.0/16", "this host's route by way of tun0"),
    ]


@pytest.fixture(scope="session")
def flannel_vxlan(root: pathlib.Path) -> str:
    """The text of the topology that the collection brings."""
    return (root / "inventories" / "flannel-vxlan" / "topology.yml").read_text(encoding="utf-8")


@pytest.fixture
def inventory(root, tmp_path):
    """Run ansible-inventory on folders of topologies; returns the finished process."""

    def run(*words: str, path: str | None = None, hosts: str = "", **files: str) -> subprocess.CompletedProcess[str]:
        for name, text in files.items():
            folder = tmp_path / "inventories" / name.replace("_", "-")
            folder.mkdir(parents=True)
            (folder / "topology.yml").write_text(text, encoding="utf-8")
        environment = {
            "ANSIBLE_CONFIG": str(root / "ansible.cfg"),
            "HOME": str(tmp_path),
            "PATH": f"{pathlib.Path(sys.executable).parent}:{path or os.environ['PATH']}",
            "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
            "REFTOPO_STATE": str(tmp_path / "some state"),
            "ANSIBLE_NOCOLOR": "1",
            "COLUMNS": "500",
            **({"REFTOPO_HOSTS": hosts} if hosts else {}),
        }
        command = [
            f"{pathlib.Path(sys.executable).parent}/ansible-inventory",
            "-i",
            str(tmp_path / "inventories"),
            *words,
        ]
        return subprocess.run(command, capture_output=True, text=True, check=True, env=environment, cwd=root)

    return run


@pytest.fixture
def listed(inventory):
    return lambda **files: json.loads(inventory("--list", **files).stdout)
