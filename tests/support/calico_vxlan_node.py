# SPDX-License-Identifier: GPL-3.0-or-later
"""The node n1 of calico_node in a cluster with Calico and VXLAN; one value of it changed at a time."""

from __future__ import annotations

import copy

import calico_node as bare
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_backend import peers
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_calico import TUNNELS

DEVICE = "vxlan.calico"
WAY = {"backend": "vxlan", "vni": 4096, "port": 4789, "device": DEVICE}
CNI = {"name": "calico", **WAY, "overhead": 50, "mtu": 1450}
TOPOLOGY = {**bare.TOPOLOGY, "cluster": {"pod_cidr": "10.244.0.0/16", "cni": CNI}}
# What vtepMACForHost of felix/calc/vxlan_resolver.go makes of these names: printf n2 | sha1sum.
MACS = {"n1": "66:40:b3:ea:b6:3f", "n2": "66:40:24:34:76:fc", "n3": "66:26:c2:ce:28:d0"}


def tunnel_block(number: int, **allocated: str) -> dict:
    """A node's block of addresses, whose first is that of its device."""
    block = bare.block(number, **allocated)
    spec = block["spec"]
    spec["allocations"][0] = len(spec["attributes"])
    secondary = {"node": f"n{number}", "type": "vxlanTunnelAddress"}
    spec["attributes"].append({"handle_id": f"vxlan-tunnel-addr-n{number}", "secondary": secondary})
    return block


def noted(node: dict, **notes: str) -> dict:
    """A Node object with its device's address and other notes."""
    metadata = node["metadata"]
    own = {TUNNELS["vxlan"]: f"10.244.{metadata['name'][1]}.64"}
    return {**node, "metadata": {**metadata, "annotations": {**metadata["annotations"], **own, **notes}}}


OBJECTS = [
    *(noted(item) for item in bare.OBJECTS if item["kind"] == "Node"),
    *(tunnel_block(number, **({"a65": "web"} if number == 1 else {})) for number in (1, 2, 3)),
    bare.pod("web", "10.244.1.65"),
]
KNOWN = peers(OBJECTS, TOPOLOGY)


def device(**values: object) -> dict:
    data = {"id": 4096, "port": 4789, "local": "172.30.24.11", "link": "eth0", "learning": False}
    data.update({key: value for key, value in values.items() if key in data})
    link = {
        "ifname": DEVICE,
        "ifindex": 5,
        "flags": ["BROADCAST", "MULTICAST", "UP", "LOWER_UP"],
        "mtu": 1450,
        "address": MACS["n1"],
        "linkinfo": {"info_kind": "vxlan", "info_data": data},
        "addr_info": [{"family": "inet", "local": "10.244.1.64", "prefixlen": 32}],
    }
    return {**link, **{key: value for key, value in values.items() if key not in data}}


ETH0, CALI = bare.STATE["links"]
INSIDE = copy.deepcopy(bare.STATE["pods"])
INSIDE[0]["links"][1]["mtu"] = 1450
STATE = {
    "links": [ETH0, device(), {**CALI, "mtu": 1450}],
    "routes": [
        {"dst": "default", "dev": "eth0", "protocol": "152", "scope": "link", "flags": []},
        {"type": "blackhole", "dst": "10.244.1.64/26", "protocol": "80", "flags": []},
        {"dst": "10.244.1.65", "dev": "cali123", "scope": "link", "flags": []},
        {"dst": "10.244.2.64/26", "gateway": "10.244.2.64", "dev": DEVICE, "flags": ["onlink"]},
        {"dst": "10.244.3.64/26", "gateway": "10.244.3.64", "dev": DEVICE, "flags": ["onlink"]},
        {"dst": "10.244.2.64", "dev": DEVICE, "scope": "link", "flags": []},
        {"dst": "10.244.3.64", "dev": DEVICE, "scope": "link", "flags": []},
        {"dst": "172.30.24.0/24", "dev": "eth0", "protocol": "kernel", "scope": "link", "flags": []},
        {"type": "local", "dst": "10.244.1.64", "dev": DEVICE, "table": "local", "protocol": "kernel", "flags": []},
    ],
    "neighbours": [
        {"dst": f"10.244.{number}.64", "dev": DEVICE, "lladdr": MACS[f"n{number}"], "state": ["PERMANENT"]}
        for number in (2, 3)
    ],
    "fdb": [
        {"mac": "33:33:00:00:00:01", "ifname": "eth0", "flags": ["self"], "state": "permanent"},
        *({"mac": MACS[f"n{n}"], "ifname": DEVICE, "dst": f"172.30.24.1{n}", "state": "permanent"} for n in (2, 3)),
    ],
    "pods": INSIDE,
    "proxy_arp": bare.STATE["proxy_arp"],
    "bgp": "",
    "prefixes": "",
}


NODE = bare.Node(TOPOLOGY, KNOWN, STATE)
