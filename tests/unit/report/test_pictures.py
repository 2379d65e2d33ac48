# SPDX-License-Identifier: GPL-3.0-or-later
"""The pictures: small ones word for word, all of them without labels over each other."""

from __future__ import annotations

import typing as t
import xml.etree.ElementTree as ET

import pytest
from ansible_collections.reftopo.lab.plugins.plugin_utils._report_path import path_picture
from ansible_collections.reftopo.lab.plugins.plugin_utils._report_svg import Picture, Text, svg
from ansible_collections.reftopo.lab.plugins.plugin_utils._report_topology import topology_picture
from pictures import outside, overlaps, texts

Data = dict[str, t.Any]
Golden = t.Callable[[str, str], None]


def test_topology_golden(small: Data, golden: Golden) -> None:
    golden("topology.svg", svg(topology_picture(small["topology"], small["endpoints"]), standalone=True))


def test_path_golden(small: Data, golden: Golden) -> None:
    golden("path.svg", svg(path_picture(small["topology"], small["endpoints"]), standalone=True))


@pytest.mark.parametrize("nodes", range(1, 9))
@pytest.mark.parametrize("pods", [0, 1, 2, 6])
@pytest.mark.parametrize("long_names", [False, True])
def test_nothing_overlaps_nothing_is_outside(
    make_results: t.Callable[..., Data], nodes: int, pods: int, long_names: bool
) -> None:
    results = make_results(nodes=nodes, pods=pods, control=False)
    if long_names:
        for machine in [*results["topology"]["nodes"].values(), *results["endpoints"]]:
            machine["name"] = machine["name"].ljust(63, "x")
            if machine.get("node"):
                machine["node"] = machine["node"].ljust(63, "x")
        results["topology"]["nodes"] = {node["name"]: node for node in results["topology"]["nodes"].values()}
    pictures = [topology_picture(results["topology"], results["endpoints"])]
    path = path_picture(results["topology"], results["endpoints"])
    assert (path is not None) == (nodes > 1 and pods > 0)
    for picture in [*pictures, *([path] if path else [])]:
        assert overlaps(picture) == []
        assert outside(picture) == []


def test_overlaps_are_seen() -> None:
    labels = (Text(0, 20, "one", 100), Text(10, 22, "two", 100))
    assert overlaps(Picture("p", "", "", 200, 40, labels)) == [("one", "two")]


def test_names_and_addresses_are_all_there(make_results: t.Callable[..., Data]) -> None:
    results = make_results(nodes=8, pods=3)
    text = "".join(ET.fromstring(svg(topology_picture(results["topology"], results["endpoints"]))).itertext())
    shown = [endpoint for endpoint in results["endpoints"] if endpoint["kind"] != "service"]
    assert len(shown) == 8 * 3 + 8 + 1
    for endpoint in shown:
        assert endpoint["name"] in text
        assert endpoint["address"] in text
    assert "VXLAN overlay · UDP 8472 · VNI 1 · MTU 1450" in text


def test_two_segments_and_a_router(small: Data) -> None:
    topology = small["topology"]
    topology["segments"]["far"] = topology["segments"]["lan"] | {"bridge": "rt-5e6f7a8b", "cidr": "172.30.20.0/24"}
    ends = {
        f"eth{index}": {"segment": segment, "address": f"172.30.{index}0.254/24", "mtu": 1500}
        for index, segment in enumerate(["lan", "far"], 1)
    }
    topology["namespaces"] = {"router": {"name": "router", "address": "172.30.10.254", "interfaces": ends}}
    picture = topology_picture(topology, [])
    assert overlaps(picture) == []
    assert {"rt-1a2b3c4d", "rt-5e6f7a8b", "172.30.20.254/24"} <= set(" ".join(texts(picture)).split())


def test_segments_are_beside_their_machines(small: Data) -> None:
    """The one of the namespaces below last, whatever the order of the file: so no line of theirs crosses another's."""
    topology = small["topology"]
    topology["segments"] = {"below": topology["segments"]["lan"], **topology["segments"]}
    end = {"eth0": {"segment": "below", "address": "172.30.20.2/24", "mtu": 1500}}
    topology["namespaces"] = {"n": {"name": "n", "address": "172.30.20.2", "interfaces": end}}
    shapes = topology_picture(topology, []).shapes
    words = [shape for shape in shapes if isinstance(shape, Text) and shape.text.startswith("segment ")]
    height = {shape.text.split()[1]: shape.y for shape in words}
    assert height["lan"] < height["below"]


def test_a_short_name_leaves_room_for_what_a_node_is(small: Data) -> None:
    for node in small["topology"]["nodes"].values():
        node.update(provider="vm", role="control-plane")
    assert texts(topology_picture(small["topology"], [])).count("control-plane, VM") == 2


def test_hosts_that_are_there_already(small: Data) -> None:
    topology = small["topology"]
    lan = {key: value for key, value in topology["segments"]["lan"].items() if key not in ("bridge", "gateway")}
    topology["segments"]["lan"] = {**lan, "kind": "existing"}
    for node in topology["nodes"].values():
        node["provider"] = "existing"
    pictures = [topology_picture(topology, small["endpoints"]), path_picture(topology, small["endpoints"])]
    for picture in pictures:
        assert picture
        assert overlaps(picture) == outside(picture) == []
    words = " ".join(texts(pictures[0]))
    assert "existing network" in words
    assert "worker, host" in words
    assert {"lan", "network"} <= set(texts(pictures[1]))


def test_namespaces_alone(small: Data) -> None:
    topology = {key: small["topology"][key] for key in ("name", "segments", "nodes")}
    picture = topology_picture(topology | {"nodes": {}, "namespaces": topology["nodes"]}, [])
    assert overlaps(picture) == outside(picture) == []
    assert texts(picture).count("namespace") == 2


def test_without_a_cluster_there_is_no_overlay(small: Data) -> None:
    del small["topology"]["cluster"]
    assert path_picture(small["topology"], small["endpoints"]) is None
    words = " ".join(texts(topology_picture(small["topology"], [])))
    assert "overlay" not in words
    assert "flannel" not in words


def test_a_long_text_is_cut_and_kept_for_pointing_at() -> None:
    text = Text(0, 10, "abcdefghij", room=5 * 12 * 0.61 + 1)
    assert text.shown == "abcd…"
    assert "<title>abcdefghij</title>" in svg(Picture("p", "", "", 100, 20, (text,)))
