# SPDX-License-Identifier: GPL-3.0-or-later
"""A run of the suite against two nodes, recorded in tests/integration/proof's lab of namespaces."""

from __future__ import annotations

import json
import pathlib
import typing as t

import pytest
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_plan as plan
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Probe
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_pcap import Tunnel
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_snapshot import Snapshot
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_verdict import judge
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_wire import Evidence, Outcome, capture_packets

DATA = pathlib.Path(__file__).parent / "data"


def load(name: str) -> t.Any:
    return json.loads((DATA / name).read_text())


@pytest.fixture
def topology() -> dict[str, t.Any]:
    return load("topology.json")


@pytest.fixture
def objects() -> list[dict[str, t.Any]]:
    return load("objects.json")


@pytest.fixture
def endpoints(topology, objects) -> dict[str, list[t.Any]]:
    return plan.endpoints(topology, objects)


@pytest.fixture
def snapshot() -> t.Callable[..., Snapshot]:
    """The recorded state of a node, with texts replaced."""

    def read(node: str = "n1", *replaced: tuple[str, str]) -> Snapshot:
        text = (DATA / f"{node}.snapshot").read_text()
        for old, new in replaced:
            assert old in text
            text = text.replace(old, new)
        return Snapshot(node, text)

    return read


@pytest.fixture
def evidence(topology, endpoints) -> t.Callable[..., Evidence]:
    """The recorded outcomes and captures, with bytes of n1's capture replaced."""
    by_name = {end.name: end for kind in ("pods", "nodes") for end in endpoints[kind]}

    def outcome(entry: dict[str, t.Any]) -> Outcome:
        ends = (by_name[entry["from"]], by_name[entry["to"]])
        expect = ("too-big",) if entry["size"] == 1451 else ("ok",)
        probe = Probe(entry["check"], *ends, entry["protocol"], expect, size=entry["size"], key=entry["key"])
        return Outcome(probe, entry["result"], judge(probe, entry["result"]))

    def read(*replaced: tuple[bytes, bytes]) -> Evidence:
        captures = {}
        for node in topology["nodes"]:
            pcap = (DATA / f"{node}.pcap").read_bytes()
            for old, new in replaced if node == "n1" else ():
                assert old in pcap
                pcap = pcap.replace(old, new)
            captures[node] = capture_packets(node, pcap, (DATA / f"{node}.log").read_text(), Tunnel(8472))
        return Evidence(topology, endpoints["pods"], [outcome(entry) for entry in load("outcomes.json")], captures)

    return read
