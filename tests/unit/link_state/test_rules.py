# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of policy routing: what is in their way, what is read of them and when, with an `ip` that answers as told."""

from __future__ import annotations

import json
import typing as t
from dataclasses import replace

import pytest
import yaml
from ansible_collections.reftopo.lab.plugins.module_utils._link_apply import apply
from ansible_collections.reftopo.lab.plugins.module_utils._link_body import Step
from ansible_collections.reftopo.lab.plugins.module_utils._link_model import LinkStateError, Namespace, State
from ansible_collections.reftopo.lab.plugins.module_utils._link_observe import observe_rules
from ansible_collections.reftopo.lab.plugins.module_utils._link_plan import conflicts
from ansible_collections.reftopo.lab.plugins.module_utils._link_rule import Rule, parse_rules
from ansible_collections.reftopo.lab.plugins.module_utils._link_rule_check import rule
from ansible_collections.reftopo.lab.plugins.module_utils._link_spec import desired_state

RULES = {
    "{priority: 5, table: 254}": Rule(4, 5, table="main"),
    "{priority: 5, from: 0.0.0.0/0, to: 10.0.0.1, table: '77'}": Rule(4, 5, destination="10.0.0.1/32", table="77"),
    "{priority: 5, to: '::/0', type: prohibit}": Rule(6, 5, type="prohibit"),
    "{priority: 5, from: 'FD00:0::/64', table: 253}": Rule(6, 5, source="fd00::/64", table="default"),
    "{priority: 5, fwmark: 16, table: 77}": Rule(4, 5, fwmark="0x10/0xffffffff", table="77"),
    "{priority: 5, fwmark: '0x1F/255', table: 77}": Rule(4, 5, fwmark="0x1f/0xff", table="77"),
    "{priority: 5, fwmark: 0, table: 77}": Rule(4, 5, fwmark="0x0/0xffffffff", table="77"),
}
OURS = {"priority": 5, "src": "all", "table": "77", "protocol": "152"}
MARK = {"priority": 32768, "src": "all", "nop": None, "protocol": "152"}
FOREIGN = {"priority": 5, "src": "10.0.0.0", "srclen": 8, "table": "7", "protocol": "0"}


@pytest.mark.parametrize("given", RULES)
def test_rule(given: str):
    assert rule(yaml.safe_load(given)) == RULES[given]


def test_ours_those_of_others_and_the_mark():
    """A nop of others is no mark, and one of ours elsewhere is a rule that nobody wants."""
    nop = {**MARK, "protocol": "0"}
    ours, foreign, marked = parse_rules([OURS, FOREIGN, nop, {**MARK, "priority": 7}], 4)
    assert [found.other for found in ours] == ["", "nop"]
    assert [found.key for found in foreign] == [(4, 5), (4, 32768)]
    assert not marked
    assert parse_rules([OURS, MARK], 4) == ([Rule(4, 5, table="77")], [], True)


def test_a_foreign_rule_of_the_same_priority_is_a_conflict():
    rules = [{"priority": 5, "table": 77}, {"priority": 6, "table": 77}, {"priority": 5, "from": "::/0", "table": 77}]
    wanted = desired_state({"owner": "t", "namespaces": {"a": {"rules": rules}}})
    foreign = parse_rules([FOREIGN], 4)[1]
    current = State("t", {"": Namespace(), "a": Namespace(foreign_rules=tuple(foreign))})
    assert [str(problem) for problem in conflicts(current, wanted)] == [
        "namespaces.a.rules[0].priority: there is a rule that is not the owner's: priority 5 from 10.0.0.0/8 table 7; "
        "use another priority, or delete it: ip -n reftopo.t.a rule del priority 5 from 10.0.0.0/8 table 7"
    ]
    current = State("t", {"": Namespace(), "a": Namespace(foreign_rules=(Rule(6, 5, type="prohibit"),))})
    (problem,) = conflicts(current, wanted)
    assert problem.path == "namespaces.a.rules[2].priority"
    assert problem.fix.endswith("ip -6 -n reftopo.t.a rule del priority 5 from all prohibit")


def asked(state: State, wanted: State | None) -> tuple[list[str], State]:
    """The namespaces that are asked for IPv6 rules, and what is then known."""
    names = []

    def run(command: list[str], data: str = "") -> tuple[int, str, str]:
        assert (command[:3], command[4:], data) == (["ip", "-6", "-n"], ["-N", "-j", "-d", "rule", "show"], "")
        names.append(command[3])
        return 0, json.dumps([OURS, {**FOREIGN, "src": "fd00::", "srclen": 64}]), ""

    found = observe_rules(run, state, wanted)
    return names, found


def test_ipv6_rules_are_asked_for_only_where_they_are_or_are_to_be():
    four = Namespace(rules=(Rule(4, 5, table="77"),))
    state = State("t", {"": Namespace(), "a": four, "b": replace(four, rules_marked=True), "c": four})
    six: dict[str, t.Any] = {"rules": [{"priority": 5, "from": "::/0", "table": 77}]}
    wanted = desired_state({"owner": "t", "namespaces": {"a": {}, "b": {}, "c": six, "new": six}})
    names, found = asked(state, wanted)
    assert names == ["reftopo.t.b", "reftopo.t.c"]
    assert [rule.version for rule in found.namespaces["b"].rules] == [4, 6]
    assert found.namespaces["b"].foreign_rules == (Rule(6, 5, source="fd00::/64", table="7"),)
    assert asked(found, wanted)[1] == found, "asked again, the same is known"
    assert asked(state, None)[0] == ["reftopo.t.b"], "all that the owner has"
    assert asked(state, desired_state({"owner": "t"}))[0] == [], "they go with their namespaces"


def test_rules_that_cannot_be_read_are_an_error():
    state = State("t", {"": Namespace(), "a": Namespace(rules_marked=True)})
    with pytest.raises(LinkStateError, match=r"cannot read the IPv6 rules of namespaces\.a: no permission"):
        observe_rules(lambda command: (2, "", "no permission\n"), state, None)


def test_the_batch_of_ipv6_rules():
    asked_for = []

    def run(command: list[str], data: str = "") -> tuple[int, str, str]:
        asked_for.append((command, data))
        return 0, "", ""

    step = Step("reftopo.t.a", "rule add priority 5 from all table 7", "namespaces.a.rules[0]", tool="ip -6")
    apply(run, [step])
    assert asked_for == [(["ip", "-6", "-n", "reftopo.t.a", "-batch", "-"], f"{step.command}\n")]
    assert str(step) == "ip -6 -n reftopo.t.a rule add priority 5 from all table 7"
