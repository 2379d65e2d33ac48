# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of the topology pipeline share."""

from __future__ import annotations

import pathlib

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
