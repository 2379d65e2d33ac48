# SPDX-License-Identifier: GPL-3.0-or-later
"""A segment's router: where its machines' default routes go, and what makes it one."""

from __future__ import annotations

import copy
import typing as t

import yaml
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_compile import compile_topology
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_validate import validate

TOPOLOGY: dict[str, t.Any] = {
    "name": "routed",
    "description": "Two networks and what joins them.",
    "segments": {"lan": {"cidr": "172.30.20.0/24", "router": "r1"}, "wan": {"cidr": "172.30.21.0/24", "router": "r1"}},
    "namespaces": {
        "a": {"segment": "lan"},
        "b": {"segment": "wan", "routes": [{"to": "10.0.0.0/8", "via": "172.30.21.7"}]},
        "r1": {"interfaces": {"eth0": {"segment": "lan"}, "eth1": {"segment": "wan", "address": "172.30.21.254"}}},
    },
}


def compiled(topology: dict[str, t.Any]) -> dict[str, t.Any]:
    valid, problems = validate(yaml.safe_dump(topology), "routed", [])
    assert problems == []
    return compile_topology(valid)


def test_default_routes_go_by_the_router():
    result = compiled(TOPOLOGY)
    bodies = result["link_state"]["namespaces"]
    assert (result["segments"]["lan"]["router"], result["namespaces"]["a"]["router"]) == ("r1", "172.30.20.202")
    assert bodies["a"]["routes"] == [{"to": "default", "via": "172.30.20.202"}]
    assert bodies["b"]["routes"] == [
        {"to": "10.0.0.0/8", "via": "172.30.21.7"},
        {"to": "default", "via": "172.30.21.254"},
    ]
    assert "sysctls" not in bodies["a"]


def test_the_router_forwards_what_is_for_its_own_networks():
    result = compiled(TOPOLOGY)
    body = result["link_state"]["namespaces"]["r1"]
    assert (body["routes"], body["sysctls"]) == ([], {"net.ipv4.ip_forward": 1})
    assert "router" not in result["namespaces"]["r1"]


def test_a_router_may_be_told_not_to_forward():
    topology = copy.deepcopy(TOPOLOGY)
    topology["namespaces"]["r1"]["sysctls"] = {"net.ipv4.ip_forward": 0, "net.ipv4.conf.all.rp_filter": 1}
    body = compiled(topology)["link_state"]["namespaces"]["r1"]
    assert body["sysctls"] == topology["namespaces"]["r1"]["sysctls"]


def test_a_router_behind_another():
    topology = copy.deepcopy(TOPOLOGY)
    topology["segments"]["lan"]["router"] = "r0"
    topology["namespaces"]["r0"] = {"segment": "lan", "address": "172.30.20.254"}
    bodies = compiled(topology)["link_state"]["namespaces"]
    assert bodies["r1"]["routes"] == [{"to": "default", "via": "172.30.20.254"}]
