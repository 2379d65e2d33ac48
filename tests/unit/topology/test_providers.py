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


def test_a_node_in_another_proxy_mode_needs_of_this_kernel_what_it_does_not_bring(flannel_vxlan):
    topology = yaml.safe_load(flannel_vxlan)
    plain = compiled(flannel_vxlan)
    topology["nodes"]["w1"]["proxy_mode"] = "ipvs"
    container = compiled(yaml.safe_dump(topology))
    topology["nodes"]["w1"]["provider"] = "vm"
    machine = compiled(yaml.safe_dump(topology))
    assert "proxy_scheduler" not in plain["cluster"]
    for result in (container, machine):
        assert result["cluster"]["proxy_modes"] == {"cp1": "nftables", "w1": "ipvs", "w2": "nftables"}
        assert result["cluster"]["proxy_scheduler"] == "rr"
        assert result["nodes"]["w1"]["proxy_mode"] == "ipvs"
    assert set(container["needs"]) - set(plain["needs"]) == {"iptables", "ipvs"}
    assert set(machine["needs"]) - set(plain["needs"]) == {"tun"}


def test_flannel_masquerades_as_the_clusters_mode_does(flannel_vxlan):
    topology = yaml.safe_load(flannel_vxlan)
    topology["cluster"] |= {"proxy_mode": "ipvs", "proxy_scheduler": "lc"}
    for node in topology["nodes"].values():
        node["proxy_mode"] = "nftables"
    topology["nodes"]["w1"]["proxy_mode"] = "ipvs"
    topology["nodes"]["w1"]["provider"] = "vm"
    result = compiled(yaml.safe_dump(topology))
    assert result["cluster"]["proxy_scheduler"] == "lc"
    assert {"iptables", "nftables"} <= set(result["needs"])
