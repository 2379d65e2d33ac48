# SPDX-License-Identifier: GPL-3.0-or-later
"""What kube-proxy made of services on a worker, recorded once for each mode, and the claims that do not hold of it."""

from __future__ import annotations

import json
import pathlib
import re

from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_plan as plan
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_proxy_rules as rules
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_services import fronts, services
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_snapshot import Snapshot

DATA = pathlib.Path(__file__).parents[1] / "unit/proof/data/proxy"
# Of each mode the parts of the snapshot with their files, and the address of the node.
RECORDED = {
    "nftables": ({"nft": "nftables.json"}, "172.30.10.12"),
    "iptables": ({"iptables": "iptables.txt"}, "172.30.12.12"),
    "ipvs": (
        {"ipvs": "ipvs.txt", "ipset": "ipvs-ipset.txt", "iptables": "ipvs-iptables.txt", "links": "ipvs-links.json"},
        "172.30.14.12",
    ),
}


def recorded(mode: str, *replaced: tuple[str, str]) -> rules.View:
    """What was recorded on w1, with the first match of each pattern replaced."""
    files, address = RECORDED[mode]
    objects = json.loads((DATA / f"{mode}-objects.json").read_text())
    text = "".join(f"@@reftopo {part}\n{(DATA / file).read_text()}\n@@reftopo rc 0\n" for part, file in files.items())
    for pattern, new in replaced:
        text, count = re.subn(pattern, new, text, count=1, flags=re.MULTILINE)
        assert count == 1, pattern
    node = {"address": address, "proxy_mode": mode}
    nodes = {item["spec"]["nodeName"]: node for item in objects if item["kind"] == "Pod"}
    cluster = {"proxy_scheduler": "rr"}
    topology = {"name": "recorded", "nodes": nodes, "namespaces": {}, "cluster": cluster}
    pods = [pod for pod in plan.pod_endpoints(topology, objects) if pod.node == "w1"]
    own = [item for item in objects if item["metadata"].get("namespace") in (None, plan.WORKLOAD)]
    found = fronts(objects) if mode == "ipvs" else []
    return rules.View(topology, Snapshot("w1", text), services(own), pods, found)


def broken(view: rules.View) -> dict[str, list[str]]:
    """The claims on the recorded node that do not hold, with what speaks against them."""
    claims = rules.claims({"nodes": {"w1": view.topology["nodes"]["w1"]}})
    return {claim.key: faults for claim in claims if (faults := rules.faults(claim.key, view))}
