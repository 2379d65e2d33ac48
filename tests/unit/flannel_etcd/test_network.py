# SPDX-License-Identifier: GPL-3.0-or-later
"""A pod network without a cluster, compiled."""

from __future__ import annotations

import pytest
import yaml
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_compile import compile_topology
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_validate import validate

PODS = {"c": {"tcp": 1, "udp": 2}}


@pytest.mark.parametrize(
    ("cni", "backend", "needs", "mtu"),
    [
        (
            {"backend": "vxlan", "port": 4789},
            {"Type": "vxlan", "VNI": 1, "Port": 4789, "DirectRouting": False},
            "vxlan",
            1450,
        ),
        ({"backend": "host-gw"}, {"Type": "host-gw"}, "veth", 1500),
        ({"backend": "udp"}, {"Type": "udp", "Port": 8285}, "tun", 1472),
    ],
)
def test_a_pod_network_without_a_cluster(cni, backend, needs, mtu):
    topology = {
        "name": "pair",
        "description": "Two machines with a pod each.",
        "segments": {"lan": {"cidr": "172.30.20.0/24"}},
        "nodes": {name: {"segment": "lan", "pods": {f"p{name}": PODS}} for name in ("m1", "m2")},
        "pod_network": {"pod_cidr": "10.9.0.0/16", "node_prefix": 26, "cni": {"name": "flannel", **cni}, "etcd": "m2"},
    }
    valid, problems = validate(yaml.safe_dump(topology), "pair", [])
    assert problems == []
    result = compile_topology(valid)
    made = result["pod_network"]
    assert made["endpoint"] == f"https://{result['nodes']['m2']['address']}:2379"
    assert made["config"] == {"Network": "10.9.0.0/16", "SubnetLen": 26, "EnableNFTables": True, "Backend": backend}
    assert made["cni"]["mtu"] == mtu
    assert {needs, "nftables"} <= {*result["needs"]}
    assert {node["cni"]["plugins"][0]["type"] for node in result["nodes"].values()} == {"flannel"}
