# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of a node by what it is made of."""

from __future__ import annotations

import typing as t

import yaml
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_compile import compile_topology
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_validate import validate


def compiled(text: str) -> dict[str, t.Any]:
    topology, problems = validate(text, "flannel-vxlan", [])
    assert problems == []
    return compile_topology(topology)


def test_a_virtual_machine_is_a_tap_on_the_bridge_and_needs_nothing_of_this_kernel(flannel_vxlan):
    topology = yaml.safe_load(flannel_vxlan)
    for node in topology["nodes"].values():
        node["provider"] = "vm"
    result, containers = compiled(yaml.safe_dump(topology)), compiled(flannel_vxlan)
    node, state = result["nodes"]["w1"], result["link_state"]
    tap, port = (known["links"][node["interfaces"]["eth0"]["peer"]] for known in (state, containers["link_state"]))
    assert tap == {"kind": "tap", **{key: port[key] for key in ("mark", "mtu", "master")}}
    assert node["interfaces"] == containers["nodes"]["w1"]["interfaces"]
    assert "netns" not in node
    assert set(state["namespaces"]) == {"outside"}
    assert result["needs"] == ["bridge", "netns", "tun", "veth"]


def test_what_nodes_are_made_of_that_do_not_say_it(flannel_vxlan):
    text = flannel_vxlan.replace("w1: {role: worker", "w1: {role: worker, provider: container")
    topology, problems = validate(text, "flannel-vxlan", [], "vm")
    assert problems == []
    assert {name: node["provider"] for name, node in topology["nodes"].items()} == {
        "cp1": "vm",
        "w1": "container",
        "w2": "vm",
    }
