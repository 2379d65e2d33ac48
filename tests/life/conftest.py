# SPDX-License-Identifier: GPL-3.0-or-later
"""Two topologies, and this machine as it was before them. The tests are one story: they share clusters, in order."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
import residue
from topologies import Topology, sh

NAMES = ("life-a", "life-b")


@pytest.fixture(scope="session")
def at_first(tmp_path_factory: pytest.TempPathFactory) -> Iterator[residue.Snapshot]:
    """This machine before any topology, with a state folder of the tests' own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REFTOPO_STATE", str(tmp_path_factory.mktemp("state")))
        for name in NAMES:
            sh("ansible-playbook", "playbooks/destroy.yml", "-e", f"topology={name}")  # of a run that was killed
        residue.first_uses()
        yield residue.settled()


@pytest.fixture(scope="session")
def topologies(at_first: residue.Snapshot, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Topology]]:
    """The topologies life-a and life-b, of which nothing exists yet; whatever happens, nothing is left."""
    folder = tmp_path_factory.mktemp("life")
    with contextlib.ExitStack() as undo:
        made = {
            NAMES[0]: Topology.make(NAMES[0], 81, folder),
            NAMES[1]: Topology.make(NAMES[1], 82, folder, proxy_mode="iptables"),
        }
        for topology in made.values():
            undo.callback(topology.destroy)
        yield made


@pytest.fixture
def a(topologies: dict[str, Topology]) -> Topology:
    return topologies["life-a"]


@pytest.fixture
def b(topologies: dict[str, Topology]) -> Topology:
    return topologies["life-b"]
