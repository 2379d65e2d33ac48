# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of a node by what it is made of."""

from __future__ import annotations

import typing as t

import pytest
import yaml
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_compile import compile_topology
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_host import Occupied
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


# What the kernel lacks (None: that could not be tried), and what becomes of nodes in the modes nftables and ipvs.
LACKING = {
    "nothing": (
        {},
        ("container", "this machine's kernel lacks nothing of what it needs: nftables, vxlan"),
        ("container", "this machine's kernel lacks nothing of what it needs: iptables, ipvs, nftables, vxlan"),
    ),
    "what one needs": (
        {"ipvs": "no ip_vs", "ipip": "no ipip"},
        ("container", "this machine's kernel lacks nothing of what it needs: nftables, vxlan"),
        ("vm", "this machine's kernel lacks ipvs (no ip_vs)"),
    ),
    "what both need": (
        {"vxlan": "no vxlan", "ipvs": "no ip_vs"},
        ("vm", "this machine's kernel lacks vxlan (no vxlan)"),
        ("vm", "this machine's kernel lacks ipvs (no ip_vs), vxlan (no vxlan)"),
    ),
    "untried": (
        None,
        ("container", "what this machine's kernel has could not be tried"),
        ("container", "what this machine's kernel has could not be tried"),
    ),
}


@pytest.mark.parametrize("case", LACKING)
def test_auto_is_a_container_where_the_kernel_has_what_the_node_needs(flannel_vxlan, case):
    lacking, first, second = LACKING[case]
    data = yaml.safe_load(flannel_vxlan)
    data["nodes"]["w1"] = {**data["nodes"]["w1"], "provider": "auto"}
    data["nodes"]["w2"] = {**data["nodes"]["w2"], "provider": "auto", "proxy_mode": "ipvs"}
    asked: list[frozenset[str]] = []
    topology, problems = validate(
        yaml.safe_dump(data), "flannel-vxlan", [], lacking=lambda features: asked.append(features) or lacking
    )
    assert problems == []
    assert asked == [{"iptables", "ipvs", "nftables", "vxlan"}]
    nodes = compile_topology(topology)["nodes"]
    assert [(nodes[name]["provider"], nodes[name]["provider_why"]) for name in ("w1", "w2")] == [first, second]
    assert nodes["cp1"]["provider"] == "container"
    assert "provider_why" not in nodes["cp1"]


def test_auto_is_a_virtual_machine_for_ipip_on_a_kernel_without_it(flannel_vxlan):
    data = yaml.safe_load(flannel_vxlan)
    data["cluster"]["cni"] = {"name": "calico", "backend": "ipip"}
    data["checks"] = {"pods-reach-pods": {"from": "pods", "to": "pods"}, "wire": {"mechanism": "ipip"}}
    data["nodes"] = {name: {**node, "provider": "auto"} for name, node in data["nodes"].items()}
    text = yaml.safe_dump(data)
    topology, problems = validate(text, "flannel-vxlan", [], lacking=lambda _features: {"ipip": "Unknown device type"})
    assert problems == []
    result = compile_topology(topology)
    assert {(node["provider"], node["provider_why"]) for node in result["nodes"].values()} == {
        ("vm", "this machine's kernel lacks ipip (Unknown device type)")
    }
    assert "ipip" not in result["needs"]
    assert result["cluster"]["cni"] == {
        **data["cluster"]["cni"],
        "direct_routing": False,
        "device": "tunl0",
        "overhead": 20,
        "mtu": 1480,
    }
    here = validate(text.replace("provider: auto", "provider: container"), "flannel-vxlan", [])[0]
    assert {"ipip", "ipset", "iptables"} <= set(compile_topology(here)["needs"])


def test_no_kernel_is_asked_when_every_provider_is_said(flannel_vxlan):
    def asked(features: frozenset[str]) -> dict[str, str]:
        raise AssertionError(features)

    assert validate(flannel_vxlan, "flannel-vxlan", [], lacking=asked)[1] == []


def test_a_node_without_a_cluster_needs_what_its_plugins_masquerade_by(root):
    text = (root / "inventories/pod-anatomy/topology.yml").read_text(encoding="utf-8")
    topology, problems = validate(text, "pod-anatomy", [], "auto", lambda features: dict.fromkeys(features, "none"))
    assert problems == []
    whys = {node["provider_why"] for node in topology["nodes"].values()}
    assert whys == {"this machine's kernel lacks nftables (none)"}


def test_a_host_that_is_there_already_needs_nothing_of_this_machine(flannel_vxlan):
    topology = yaml.safe_load(flannel_vxlan)
    topology["segments"] = {"office": {"kind": "existing", "cidr": "192.168.50.0/24", "mtu": 1400}}
    topology["namespaces"] = {}
    topology["checks"] = {"pods": {"from": "pods", "to": "pods"}}
    for number, node in enumerate(topology["nodes"].values(), 11):
        node.pop("address", None)
        interface = {"segment": "office", "address": f"192.168.50.{number}"}
        node.update({"provider": "existing", "interfaces": {"ens3": interface}})
        del node["segment"]
    topology["nodes"]["w1"]["ansible_user"] = "admin"
    office = [Occupied("192.168.50.0/24", "this host's address on eth0")]
    valid, problems = validate(yaml.safe_dump(topology), "flannel-vxlan", office)
    assert problems == []  # the network is the one that this machine is in
    result = compile_topology(valid)
    assert result["segments"] == {"office": {"kind": "existing", "cidr": "192.168.50.0/24", "mtu": 1400}}
    assert result["nodes"]["w1"]["ansible_user"] == "admin"
    assert result["nodes"]["w1"]["interfaces"] == {
        "ens3": {"segment": "office", "address": "192.168.50.12/24", "mtu": 1400}
    }
    assert result["nodes"]["w1"]["needs"] == ["bridge", "netns", "nftables", "veth", "vxlan"]
    assert result["cluster"]["cni"]["mtu"] == 1350
    assert result["needs"] == []
    assert {key: result["link_state"][key] for key in ("links", "namespaces")} == {"links": {}, "namespaces": {}}


@pytest.mark.parametrize(
    ("cni", "faults"),
    [
        ({"name": "calico", "backend": "bgp"}, []),
        ({"name": "calico", "backend": "ipip"}, []),
        ({"name": "calico", "backend": "vxlan"}, []),
        ({"name": "flannel", "backend": "host-gw"}, ["host-gw is not supported on existing hosts yet"]),
    ],
)
def test_hosts_take_network_plugins_whose_traces_are_taken_back(flannel_vxlan, cni, faults):
    topology = yaml.safe_load(flannel_vxlan)
    topology |= {"segments": {"office": {"kind": "existing", "cidr": "192.168.50.0/24"}}, "namespaces": {}}
    topology["checks"] = {"pods": {"from": "pods", "to": "pods"}}
    topology["cluster"]["cni"] = cni
    for number, (name, node) in enumerate(topology["nodes"].items(), 11):
        address = f"192.168.50.{number}"
        topology["nodes"][name] = {
            "role": node["role"],
            "provider": "existing",
            "segment": "office",
            "address": address,
        }
    problems = validate(yaml.safe_dump(topology), "flannel-vxlan", [])[1]
    assert [problem.problem for problem in problems] == faults
