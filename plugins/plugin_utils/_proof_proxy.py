# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether kube-proxy translates the test service in the mode that the topology names, and in no other. Pure.

This plugin util is PRIVATE to the collection. Sources: kubernetes, pkg/proxy/nftables/proxier.go (table kube-proxy, map
service-ips) and pkg/proxy/iptables/proxier.go (chain KUBE-SERVICES).
"""

from __future__ import annotations

import json

from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data, Endpoint
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_snapshot import Snapshot


def proxy_title(topology: Data) -> tuple[str, str]:
    """The claim, and the command that shows it."""
    mode = topology["cluster"]["proxy_mode"]
    command = {"nftables": "nft list map ip kube-proxy service-ips", "iptables": "iptables-save -t nat"}[mode]
    return f"kube-proxy translates the service in mode {mode} alone", command


def nftables_entries(snapshot: Snapshot, name: str = "service-ips") -> set[tuple[str, str, int]]:
    """Address, protocol and port of each service in a map of kube-proxy's; a key with a comment is one level deeper."""
    objects = json.loads(snapshot.text("nft"))["nftables"]
    maps = [item["map"] for item in objects if item.get("map", {}).get("name") == name]
    keys = [element[0] for one in maps if one["table"] == "kube-proxy" for element in one.get("elem", [])]
    return {tuple(key.get("elem", {"val": key})["val"]["concat"]) for key in keys}


def iptables_entries(snapshot: Snapshot) -> set[tuple[str, str, int]]:
    """Address, protocol and port of each service that a rule of KUBE-SERVICES matches."""
    rules = [line.split() for line in snapshot.text("iptables").splitlines() if line.startswith("-A KUBE-SERVICES ")]
    found = set()
    for words in rules:
        given = dict(zip(words, words[1:]))
        if {"-d", "-p", "--dport"} <= set(given):
            found.add((given["-d"].partition("/")[0], given["-p"], int(given["--dport"])))
    return found


def proxy_faults(snapshot: Snapshot, topology: Data, service: Endpoint) -> list[str]:
    """Each port of the service that is missing in the topology's mode or present in the other one."""
    entries = {"nftables": nftables_entries(snapshot), "iptables": iptables_entries(snapshot)}
    mode = topology["cluster"]["proxy_mode"]
    wanted = {(service.address, protocol, port) for protocol, port in service.ports.items()}
    missing = [f"{entry} is not in kube-proxy's {mode} rules" for entry in sorted(wanted - entries.pop(mode))]
    other = next(iter(entries))
    return missing + [f"{entry} is in kube-proxy's {other} rules too" for entry in sorted(wanted & entries[other])]
