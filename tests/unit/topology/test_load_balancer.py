# SPDX-License-Identifier: GPL-3.0-or-later
"""A load balancer's pool in the compiled form."""

from __future__ import annotations

import typing as t

from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_compile import compile_topology
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_validate import validate


def compiled(text: str) -> dict[str, t.Any]:
    topology, problems = validate(text, "flannel-vxlan", [])
    assert problems == []
    return compile_topology(topology)


def addresses(result: dict[str, t.Any]) -> set[str]:
    return {machine["address"] for machine in (*result["nodes"].values(), *result["namespaces"].values())}


def test_no_machine_gets_an_address_of_the_pool(flannel_vxlan):
    plain = compiled(flannel_vxlan)
    balanced = compiled(flannel_vxlan.replace("  cni: {", "  load_balancer: {pool: 172.30.10.8/29}\n  cni: {"))
    assert addresses(plain) == {f"172.30.10.{last}" for last in (11, 12, 13, 201)}
    assert addresses(balanced) == {f"172.30.10.{last}" for last in (16, 17, 18, 201)}
    assert balanced["cluster"]["load_balancer"] == {"pool": "172.30.10.8/29"}
    assert "load_balancer" not in plain["cluster"]
