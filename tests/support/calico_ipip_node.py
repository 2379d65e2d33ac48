# SPDX-License-Identifier: GPL-3.0-or-later
"""The node n1 of calico_node in a cluster with Calico and IPIP; one value of it changed at a time."""

from __future__ import annotations

import copy

import calico_node as bare
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_backend import peers
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_calico import TUNNELS

DEVICE = "tunl0"
CNI = {"name": "calico", "backend": "ipip", "direct_routing": False, "device": DEVICE, "overhead": 20, "mtu": 1480}
TOPOLOGY = {**bare.TOPOLOGY, "cluster": {"pod_cidr": "10.244.0.0/16", "cni": CNI}}


def tunnel_block(number: int, **allocated: str) -> dict:
    """A node's block of addresses, whose first is that of its device."""
    block = bare.block(number, **allocated)
    spec = block["spec"]
    spec["allocations"][0] = len(spec["attributes"])
    secondary = {"node": f"n{number}", "type": "ipipTunnelAddress"}
    spec["attributes"].append({"handle_id": f"ipip-tunnel-addr-n{number}", "secondary": secondary})
    return block


def noted(node: dict) -> dict:
    """A Node object with its device's address."""
    metadata = node["metadata"]
    own = {TUNNELS["ipip"]: f"10.244.{metadata['name'][1]}.64"}
    return {**node, "metadata": {**metadata, "annotations": {**metadata["annotations"], **own}}}


def pool(cidr: str = "10.244.0.0/16", ipip: str = "Always", vxlan: str = "Never") -> dict:
    return {"kind": "IPPool", "spec": {"cidr": cidr, "ipipMode": ipip, "vxlanMode": vxlan}}


def objects(*pools: dict) -> list[dict]:
    """What the API has of this cluster, with these pools."""
    return [
        *(noted(item) for item in bare.OBJECTS if item["kind"] == "Node"),
        *(tunnel_block(number, **({"a65": "web"} if number == 1 else {})) for number in (1, 2, 3)),
        bare.pod("web", "10.244.1.65"),
        *pools,
    ]


KNOWN = peers(objects(pool()), TOPOLOGY)


def device(**values: object) -> dict:
    data = {"remote": "any", "local": "any", "ttl": 0}
    data.update({key: value for key, value in values.items() if key in data})
    link = {
        "ifname": DEVICE,
        "ifindex": 5,
        "flags": ["NOARP", "UP", "LOWER_UP"],
        "mtu": 1480,
        "address": "0.0.0.0",
        "linkinfo": {"info_kind": "ipip", "info_data": data},
        "addr_info": [{"family": "inet", "local": "10.244.1.64", "prefixlen": 32}],
    }
    return {**link, **{key: value for key, value in values.items() if key not in data}}


def through(dst: str, node: int) -> dict:
    """A route of Felix' by a node through the device."""
    return {"dst": dst, "gateway": f"172.30.24.1{node}", "dev": DEVICE, "protocol": "80", "flags": ["onlink"]}


ETH0, CALI = bare.STATE["links"]
INSIDE = copy.deepcopy(bare.STATE["pods"])
INSIDE[0]["links"][1]["mtu"] = 1480
STATE = {
    "links": [ETH0, device(), {**CALI, "mtu": 1480}],
    "routes": [
        {"dst": "default", "dev": "eth0", "protocol": "152", "scope": "link", "flags": []},
        {"type": "blackhole", "dst": "10.244.1.64/26", "protocol": "80", "flags": []},
        {"dst": "10.244.1.65", "dev": "cali123", "scope": "link", "flags": []},
        through("10.244.2.64/26", 2),
        through("10.244.3.64/26", 3),
        {"dst": "172.30.24.0/24", "dev": "eth0", "protocol": "kernel", "scope": "link", "flags": []},
        {"type": "local", "dst": "10.244.1.64", "dev": DEVICE, "table": "local", "protocol": "kernel", "flags": []},
    ],
    "neighbours": [],
    "fdb": [],
    "pods": INSIDE,
    "proxy_arp": bare.STATE["proxy_arp"],
    "bgp": "",
    "prefixes": "",
}


NODE = bare.Node(TOPOLOGY, KNOWN, STATE)
