# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of nftables that are taken back, and those of others that stay."""

from __future__ import annotations

import json
import pathlib

from ansible_collections.reftopo.lab.plugins.module_utils._existing_rules import removal, tables

# What `nft -j list ruleset` printed on a host that was a node: of kube-proxy, flannel, the kubelet, and its owner.
NODE = json.loads((pathlib.Path(__file__).parent / "recorded/ruleset.json").read_text(encoding="utf-8"))


def with_rule(table: str, chain: str, **verdict: object) -> dict[str, object]:
    family, name = table.split()
    rule = {"family": family, "table": name, "chain": chain, "handle": 999, "expr": [verdict]}
    return {"nftables": [*NODE["nftables"], {"rule": rule}]}


def test_all_tables_of_a_node_go_where_there_were_none():
    assert removal(NODE, ("inet t-mine",)) == [f"delete table {table}" for table in tables(NODE)[1:]]
    assert tables(NODE)[0] == "inet t-mine"
    assert {"ip kube-proxy", "ip flannel-ipv4", "ip mangle"} <= set(tables(NODE))


def test_tables_that_were_there_keep_everything_but_our_chains():
    commands = removal(NODE, tables(NODE))
    assert commands
    assert {command.split()[4] for command in commands if command.startswith("delete chain")} == {
        entry["chain"]["name"]
        for entry in NODE["nftables"]
        if "chain" in entry and entry["chain"]["name"].startswith("KUBE-")
    }
    assert not [command for command in commands if command.startswith("delete table")]


def test_a_rule_of_somebody_else_keeps_its_table():
    commands = removal(with_rule("ip mangle", "INPUT", accept=None), ())
    assert "delete table ip mangle" not in commands
    assert "delete chain ip mangle KUBE-KUBELET-CANARY" in commands
    assert "delete table ip kube-proxy" in commands


def test_what_leads_to_our_chains_goes_before_them():
    commands = removal(with_rule("ip mangle", "INPUT", jump={"target": "KUBE-KUBELET-CANARY"}), tables(NODE))
    leading = commands.index("delete rule ip mangle INPUT handle 999")
    assert leading < commands.index("delete chain ip mangle KUBE-KUBELET-CANARY")


def test_a_table_of_somebody_else_that_came_meanwhile_stays():
    foreign = {
        "nftables": [
            {"table": {"family": "inet", "name": "filter", "handle": 1}},
            {"chain": {"family": "inet", "table": "filter", "name": "mine", "handle": 2}},
        ]
    }
    assert removal(foreign, ()) == []
