# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of nftables that are taken back, and those of others that stay."""

from __future__ import annotations

import json
import pathlib

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils._existing_record import Before, ExistingError
from ansible_collections.reftopo.lab.plugins.module_utils._existing_rules import chains, removal, tables

RECORDED = pathlib.Path(__file__).parent / "recorded"
# What `nft -j list ruleset` printed on a host that was a node: of kube-proxy, flannel, the kubelet, and its owner.
NODE = json.loads((RECORDED / "ruleset.json").read_text(encoding="utf-8"))
# The same of rules as Felix makes them, in tables of which the owner had one, with a chain and a rule that leads there;
# and what iptables-save printed of them.
CALICO = json.loads((RECORDED / "calico-ruleset.json").read_text(encoding="utf-8"))
SAVED = (RECORDED / "calico-iptables.txt").read_text(encoding="utf-8")
OWN = Before(tables=("ip filter",), chains=("ip filter INPUT", "ip filter T-MINE"))


def with_rule(table: str, chain: str, **verdict: object) -> dict[str, object]:
    family, name = table.split()
    rule = {"family": family, "table": name, "chain": chain, "handle": 999, "expr": [verdict]}
    return {"nftables": [*NODE["nftables"], {"rule": rule}]}


def test_all_tables_of_a_node_go_where_there_were_none():
    assert removal(NODE, Before(tables=("inet t-mine",)), "") == [f"delete table {table}" for table in tables(NODE)[1:]]
    assert tables(NODE)[0] == "inet t-mine"
    assert {"ip kube-proxy", "ip flannel-ipv4", "ip mangle"} <= set(tables(NODE))


def test_tables_that_were_there_keep_everything_but_our_chains():
    commands = removal(NODE, Before(tables=tables(NODE), chains=chains(NODE)), "")
    assert commands
    assert {command.split()[4] for command in commands if command.startswith("delete chain")} == {
        entry["chain"]["name"]
        for entry in NODE["nftables"]
        if "chain" in entry and entry["chain"]["name"].startswith("KUBE-")
    }
    assert not [command for command in commands if command.startswith("delete table")]


def test_a_rule_of_somebody_else_keeps_its_table():
    commands = removal(with_rule("ip mangle", "INPUT", accept=None), Before(), "")
    assert "delete table ip mangle" not in commands
    assert "delete chain ip mangle KUBE-KUBELET-CANARY" in commands
    assert "delete table ip kube-proxy" in commands


def test_what_leads_to_our_chains_goes_before_them():
    commands = removal(
        with_rule("ip mangle", "INPUT", jump={"target": "KUBE-KUBELET-CANARY"}), Before(tables=tables(NODE)), ""
    )
    leading = commands.index("delete rule ip mangle INPUT handle 999")
    assert leading < commands.index("delete chain ip mangle KUBE-KUBELET-CANARY")


def test_a_table_of_somebody_else_that_came_meanwhile_stays():
    foreign = {
        "nftables": [
            {"table": {"family": "inet", "name": "filter", "handle": 1}},
            {"chain": {"family": "inet", "table": "filter", "name": "mine", "handle": 2}},
        ]
    }
    assert removal(foreign, Before(), "") == []


def test_of_calico_nothing_stays_and_of_others_everything():
    commands = removal(CALICO, OWN, SAVED)
    assert "delete table ip raw" in commands
    assert "delete table ip filter" not in commands
    chains_gone = [command.split()[-1] for command in commands if command.startswith("delete chain")]
    assert chains_gone == ["cali-FORWARD", "cali-INPUT", "cali-wl-to-host", "FORWARD"]  # the last came for its rules
    assert not [command for command in commands if "T-MINE" in command]
    leading = [command for command in commands if command.startswith("delete rule")]
    assert len(leading) == SAVED.count("-A INPUT -m comment") + SAVED.count("-A FORWARD") == 4


def test_a_rule_without_calicos_comment_is_not_calicos():
    """Of what marks and accepts packets, like Calico's own rules, nothing but the comment tells whose it is."""
    foreign = SAVED.replace("cali:S93hcgKJrXEqnTfs", "mine")
    commands = removal(CALICO, OWN, foreign)
    assert len([command for command in commands if command.startswith("delete rule")]) == 3
    assert "delete chain ip filter FORWARD" not in commands


def test_tables_of_calico_alone_go_as_a_whole():
    without = {"nftables": [one for one in CALICO["nftables"] if "T-MINE" not in json.dumps(one)]}
    saved = "".join(line for line in SAVED.splitlines(keepends=True) if "T-MINE" not in line)
    assert removal(without, Before(), saved) == ["delete table ip filter", "delete table ip raw"]


def test_rules_that_change_meanwhile_are_not_guessed_at():
    with pytest.raises(ExistingError, match="the chain FORWARD in ip filter right now"):
        removal(CALICO, OWN, SAVED.replace("-A FORWARD", "-A FORWARD -j ACCEPT\n-A FORWARD", 1))
