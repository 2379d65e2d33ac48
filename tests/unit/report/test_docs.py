# SPDX-License-Identifier: GPL-3.0-or-later
"""The pictures of the documentation are those that the report draws of the topology as it is.

After an intended change: REFTOPO_GOLDEN=write pytest tests/unit/report, and look at the pictures.
"""

from __future__ import annotations

import ipaddress
import json
import typing as t
from pathlib import Path

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils._cni_backend import pod_network
from ansible_collections.reftopo.lab.plugins.plugin_utils._report_model import read_results
from ansible_collections.reftopo.lab.plugins.plugin_utils._report_path import path_picture
from ansible_collections.reftopo.lab.plugins.plugin_utils._report_requests import requests_picture
from ansible_collections.reftopo.lab.plugins.plugin_utils._report_service import service_pictures
from ansible_collections.reftopo.lab.plugins.plugin_utils._report_svg import svg
from ansible_collections.reftopo.lab.plugins.plugin_utils._report_topology import topology_picture
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_compile import compile_topology
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_pods import subnets
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_validate import validate

ROOT = Path(__file__).parents[3]
TOPOLOGIES = sorted(path.parent.name for path in (ROOT / "inventories").glob("*/topology.yml"))


@pytest.mark.parametrize("name", TOPOLOGIES)
def test_pictures_of_a_topology(name: str, golden: t.Callable[[str | Path, str], None]) -> None:
    text = (ROOT / "inventories" / name / "topology.yml").read_text(encoding="utf-8")
    valid, problems = validate(text, name, [])
    assert problems == []
    topology = compile_topology(valid)
    # In the order in which the suite has them.
    nodes = [{"name": n, "kind": "node", "node": n, "address": x["address"]} for n, x in topology["nodes"].items()]
    endpoints = [*nodes, *example_pods(topology)]
    images = ROOT / "docs" / "images"
    golden(images / f"{name}.svg", svg(topology_picture(topology, endpoints), standalone=True))
    path = path_picture(topology, endpoints)
    if path:
        golden(images / f"{name}-path.svg", svg(path, standalone=True))


def example_pods(topology: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    """The pods made by hand, or the suite's two a node; with the addresses that they get when all are made in order."""
    network = pod_network(topology)
    if not network:
        made = [(node, pod) for node, entry in topology["nodes"].items() for pod in entry.get("pods", ())]
        first = [ipaddress.ip_network(network)[0] for _path, network in subnets(topology)]
        return [
            {"name": pod, "kind": "pod", "node": node, "address": str(first[0] + number)}
            for number, (node, pod) in enumerate(made, 2)
        ]
    parts = ipaddress.ip_network(network["pod_cidr"]).subnets(new_prefix=network["node_prefix"])
    if "pod_network" in topology:
        next(parts)  # flannel leases all but the first
    return [
        {"name": pod, "kind": "pod", "node": name, "address": str(subnet[number])}
        for (name, node), subnet in zip(topology["nodes"].items(), parts)
        for number, pod in enumerate(node.get("pods", [f"a-{name}", f"b-{name}"]), 2)
    ]


def test_pictures_of_what_was_seen_of_services(golden: t.Callable[[str | Path, str], None]) -> None:
    """Recorded in one run of the topology services: the ways of the case external-local, and the rolled Deployment."""
    results = read_results(json.loads((Path(__file__).parent / "data/services.json").read_text(encoding="utf-8")))
    images = ROOT / "docs" / "images"
    ways = service_pictures(results, "services")["external-local"]
    golden(images / "services-rules.svg", svg(ways, standalone=True))
    golden(images / "services-requests.svg", svg(requests_picture("services", results.requests), standalone=True))
