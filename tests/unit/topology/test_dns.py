# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_compile import compile_topology
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_validate import validate


def test_servers_of_the_dns_have_their_addresses_and_domains_their_order(root):
    text = (root / "inventories" / "dns-policy" / "topology.yml").read_text(encoding="utf-8")
    without_check = text.replace("  policies: {dns: policies}\n", "")
    stubs = "{x.test: [corp], corp.test: [corp]}"
    topology, problems = validate(without_check.replace("{corp.test: [corp]}", stubs), "dns-policy", [])
    assert problems == []
    dns = compile_topology(topology)["cluster"]["dns"]
    assert list(dns["stub_domains"]) == ["corp.test", "x.test"]
    corp = ["172.30.34.201"]
    assert dns == {"upstream": ["172.30.34.202"], "stub_domains": {"corp.test": corp, "x.test": corp}}
