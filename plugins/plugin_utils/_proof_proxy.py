# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether kube-proxy translates the test service in the mode that the topology names, and in no other. Pure.

This plugin util is PRIVATE to the collection. Sources: kubernetes, pkg/proxy/nftables/proxier.go (table kube-proxy, map
service-ips), pkg/proxy/iptables/proxier.go (chain KUBE-SERVICES) and pkg/proxy/ipvs/proxier.go; cleanup.go beside the
last two.
"""

from __future__ import annotations

import json
import typing as t

from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_ipvs
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data, Endpoint
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_snapshot import Snapshot

TABLE = "kube-proxy"
COMMANDS = {
    "nftables": "nft list map ip kube-proxy service-ips",
    "iptables": "iptables-save -t nat",
    "ipvs": "cat /proc/net/ip_vs",
}
# Chains of iptables by whose they are. The kubelet's stay in every mode (pkg/kubelet/kubelet_network_linux.go), with
# KUBE-FIREWALL for IPv6, which mode iptables makes and leaves empty. Modes iptables and ipvs have some in common.
KUBELETS = ("KUBE-KUBELET-CANARY", "KUBE-IPTABLES-HINT", "KUBE-FIREWALL")
ONLY_IPTABLES = (
    *("KUBE-SVC-", "KUBE-SVL-", "KUBE-SEP-", "KUBE-EXT-", "KUBE-FW-"),
    *("KUBE-NODEPORTS", "KUBE-EXTERNAL-SERVICES", "KUBE-PROXY-CANARY"),
)
ONLY_IPVS = ("KUBE-NODE-PORT", "KUBE-LOAD-BALANCER", "KUBE-IPVS-", "KUBE-SOURCE-RANGES-FIREWALL")


def proxy_title(mode: str) -> tuple[str, str]:
    """The claim on a node in a mode, and the command that shows it."""
    return f"kube-proxy translates the service in mode {mode} alone", COMMANDS[mode]


def nftables_entries(snapshot: Snapshot, name: str = "service-ips") -> set[tuple[str, str, int]]:
    """Address, protocol and port of each service in a map of kube-proxy's; a key with a comment is one level deeper."""
    maps = [item["map"] for item in _objects(snapshot) if item.get("map", {}).get("name") == name]
    keys = [element[0] for one in maps if one["table"] == TABLE for element in one.get("elem", [])]
    return {tuple(key.get("elem", {"val": key})["val"]["concat"]) for key in keys}


def _objects(snapshot: Snapshot) -> list[Data]:
    return t.cast("list[Data]", json.loads(snapshot.text("nft"))["nftables"])


def iptables_entries(snapshot: Snapshot) -> set[tuple[str, str, int]]:
    """Address, protocol and port of each service that a rule of KUBE-SERVICES matches."""
    rules = [line.split() for line in snapshot.text("iptables").splitlines() if line.startswith("-A KUBE-SERVICES ")]
    found = set()
    for words in rules:
        given = dict(zip(words, words[1:]))
        if {"-d", "-p", "--dport"} <= set(given):
            found.add((given["-d"].partition("/")[0], given["-p"], int(given["--dport"])))
    return found


def ipvs_entries(snapshot: Snapshot) -> set[tuple[str, str, int]]:
    """Address, protocol and port of each virtual server."""
    return set(_proof_ipvs.virtual_servers(snapshot.text("ipvs")))


def proxy_faults(snapshot: Snapshot, topology: Data, service: Endpoint) -> list[str]:
    """Each port of the service that is missing in the node's mode, and all that another mode has there."""
    mode = topology["nodes"][snapshot.machine]["proxy_mode"]
    found = {"nftables": nftables_entries, "iptables": iptables_entries, "ipvs": ipvs_entries}[mode](snapshot)
    wanted = {(service.address, protocol, port) for protocol, port in service.ports.items()}
    missing = [f"{entry} is not in kube-proxy's {mode} rules" for entry in sorted(wanted - found)]
    return missing + [f"{one} is there, though kube-proxy is in mode {mode}" for one in leftovers(snapshot, mode)]


def leftovers(snapshot: Snapshot, mode: str) -> list[str]:
    """What a mode other than the node's has in the kernel, by IPv4 or IPv6."""
    found = []
    chains = [body for item in _objects(snapshot) for kind, body in item.items() if kind == "chain"]
    tables = [body for item in _objects(snapshot) for kind, body in item.items() if kind == "table"]
    foreign = {"nftables": ("KUBE-",), "iptables": ONLY_IPVS, "ipvs": ONLY_IPTABLES}[mode]
    for chain in chains:
        name = chain["name"]
        # KUBE-NODE-PORT begins as no other chain does, KUBE-NODEPORTS included.
        if name.startswith(foreign) and name not in KUBELETS:
            found.append(f"chain {name} of table {chain['family']} {chain['table']}")
    if mode != "nftables":
        found += [f"table {table['family']} {TABLE}" for table in tables if table["name"] == TABLE]
    if mode != "ipvs":
        found += [f"link {_proof_ipvs.DEVICE}"] if snapshot.link(_proof_ipvs.DEVICE) else []
        found += [f"virtual server {entry}" for entry in sorted(ipvs_entries(snapshot))]
        sets = [line.split()[1] for line in snapshot.text("ipset").splitlines() if line.startswith("create KUBE-")]
        found += [f"set {name}" for name in sets]
    return found
