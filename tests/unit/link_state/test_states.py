# SPDX-License-Identifier: GPL-3.0-or-later
"""merged, gathered, rendered and verified, over everything that was recorded of real machines."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils import _link_render
from ansible_collections.reftopo.lab.plugins.module_utils._link_drift import drift
from ansible_collections.reftopo.lab.plugins.module_utils._link_gather import gathered
from ansible_collections.reftopo.lab.plugins.module_utils._link_merge import merged_state
from ansible_collections.reftopo.lab.plugins.module_utils._link_model import End, LinkStateError
from ansible_collections.reftopo.lab.plugins.module_utils._link_plan import plan
from ansible_collections.reftopo.lab.plugins.module_utils._link_spec import OPTIONS, desired_state
from ansible_collections.reftopo.lab.plugins.module_utils._link_states import result
from link_cases import CASES, LAB, recorded

# What the input has no word for, and so is undone by it: a foreign master, two routes in one place, translations that
# are not ours, hundredths of a second, entries for what has none, and what an interrupted run or a lost link left. Nor
# what was not read, since its namespace goes.
NOT_DESCRIBED = {
    "another master",
    "routes beside ours that only another program can add",
    "rule of translation missing",
    "unknown rule of translation",
    "unknown set, and chain with another priority",
    "empty table of ours goes",
    "rules drift",
    "rules without their mark",
    "a rule like a wanted one, but for something that is not read",
    "rules go with their owner",
    "options of kinds drift",
    "entries and neighbours drift",
    "what lies on a link is made anew with it",
    "a bridge is made anew, and entries of its ports come back",
    "a tap made by a run that was killed at once",
    "options of other kinds drift",
    "a bond is made anew",
    "veth made by a run that was killed at once",
    "bridge without its mark is made anew, and its ports come back",
    "stale file of a namespace",
    "links of ours that nobody wants any more",
}
OWNER = LAB["owner"]


def never(*command: t.Any, **options: t.Any) -> t.Any:
    raise AssertionError(f"a command was run: {command} {options}")


@pytest.mark.parametrize("name", CASES["cases"])
def test_there_is_drift_where_something_is_to_be_done(name: str):
    case = CASES["cases"][name]
    given = case.get("input", LAB)
    problems = drift(recorded(name), desired_state(given), given)
    assert bool(problems) == bool(case["commands"])
    assert all(problem.path and problem.problem and problem.fix for problem in problems)


@pytest.mark.parametrize("name", CASES["cases"])
def test_what_is_gathered_is_a_description_of_it(name: str):
    current = recorded(name)
    commands = [str(step) for step in plan(current, desired_state(gathered(current)))]
    assert bool(commands) == (name in NOT_DESCRIBED), commands


@pytest.mark.parametrize("name", CASES["cases"])
def test_nothing_merged_changes_nothing(name: str):
    current = recorded(name)
    commands = [str(step) for step in plan(current, merged_state({"owner": LAB["owner"], "state": "merged"}, current))]
    assert bool(commands) == (name in NOT_DESCRIBED), commands


def test_gathered_takes_the_owner_alone():
    with pytest.raises(LinkStateError) as raised:
        result(
            never, complete({"state": "gathered", "allow_uplink": True, "links": {"br0": {"kind": "bridge"}}}), False
        )
    assert [problem.path for problem in raised.value.problems] == ["allow_uplink", "state"]


def test_rendered_asks_nothing():
    found = result(never, complete({**LAB, "state": "rendered"}), check_mode=False)
    assert [command.removeprefix("ip ") for command in found["commands"]] == CASES["cases"]["empty machine"]["commands"]
    assert found["changed"] is False
    assert desired_state(found["rendered"]) == desired_state(_link_render.wanted(desired_state(LAB)))


def complete(given: dict[str, t.Any]) -> dict[str, t.Any]:
    """As AnsibleModule passes it on."""
    return {
        "owner": OWNER,
        **{name: option.get("default") for name, option in OPTIONS.items() if name != "owner"},
        **given,
    }


DRIFT = {
    "nothing to do": [],
    "mtu in a namespace": ["namespaces.a.links.eth0.mtu: is 1300, not 1450"],
    "link down": ["links.t-a.up: is false, not true"],
    "no master": ["links.t-a.master: is unset, not t-lan"],
    "a master that nobody asked for": ["namespaces.b.links.eth0.master: is br1, not unset"],
    "address missing": ["links.t-lan.addresses[1]: fd00:9::1/64 is missing"],
    "address with another prefix length": ["namespaces.b.links.eth0.addresses[0]: is 10.9.0.3/16, not 10.9.0.3/24"],
    "extra address": ["namespaces.a.links.eth0.addresses: 10.6.0.1/24 is there, but not in the input"],
    "route missing": ["namespaces.a.routes[0]: {to: default, dev: eth0} is missing"],
    "route by another router": [
        "namespaces.b.routes[0].via: is 10.9.0.2, not 10.9.0.1",
        "namespaces.b.routes[0].dev: is eth0, not unset",
    ],
    "veth lost": [
        "links.t-b: is missing",
        "namespaces.b.links.eth0: is missing",
        "namespaces.b.routes[0]: {to: default, via: 10.9.0.1} is missing",
    ],
    "setting changed": ["namespaces.a.sysctls.net/ipv4/conf/e0.5/rp_filter: is 0, not 2"],
    "stale file of a namespace": ["namespaces.old: is a file, left by a run that was interrupted"],
    "routes of all kinds drift": [
        "routes[0].nexthops[0]: {via: 10.9.5.9, dev: t-lan, weight: 1} is missing",
        "routes[0].nexthops[1]: {via: 10.9.6.9, dev: t-wan, weight: 1} is missing",
        "routes[0].via: is 10.9.5.9, not unset",
        "routes[0].dev: is t-lan, not unset",
        "namespaces.a.routes[2]: {to: 10.7.0.0/16, dev: eth1, metric: 7, source: 10.9.1.3} is missing",
        "namespaces.a.routes[0].nexthops[1].weight: is 1, not 2",
        "namespaces.a.routes[0].nexthops[1].dev: is eth0, not unset",
        "namespaces.a.routes[1].source: is unset, not 10.9.1.3",
        "namespaces.a.routes[1].dev: is eth0, not unset",
        "namespaces.a.routes[5]: {to: 10.8.0.0/16, metric: 3, table: 100, type: throw} is missing",
        "namespaces.a.routes[4].type: is prohibit, not blackhole",
        "namespaces.a.routes[6].nexthops[1]: {via: fd00:9:1::1, weight: 3} is missing",
        "namespaces.a.routes[6].nexthops[0]: {via: fd00:9::1, weight: 1} is missing",
        "namespaces.a.routes[6].via: is fd00:9:1::1, not unset",
        "namespaces.a.routes[6].dev: is eth1, not unset",
        "namespaces.a.routes[7].source: is unset, not fd00:9::2",
        "namespaces.a.routes[7].dev: is eth0, not unset",
        "namespaces.a.routes[8].type: is unset, not unreachable",
        "namespaces.a.routes[8].dev: is eth0, not unset",
        "namespaces.a.routes: {to: default, via: 10.9.1.1, dev: eth1, metric: 5, table: default} is there,"
        " but not in the input",
    ],
    "rules drift": [
        "namespaces.a.rules[0]: {priority: 100, from: 10.9.5.0/24, table: 100} is missing",
        "namespaces.a.rules[2].to: is unset, not 10.8.0.0/16",
        "namespaces.a.rules[2].iif: is unset, not eth0",
        "namespaces.a.rules[2].oif: is unset, not eth1",
        "namespaces.a.rules[2].fwmark: is unset, not 0x10/0xff",
        "namespaces.a.rules[3].type: is unset, not blackhole",
        "namespaces.a.rules[3].table: is 7, not unset",
        "namespaces.a.rules[1].table: is 101, not 100",
        "namespaces.a.rules: {priority: 104, table: 100} is there, but not in the input",
        "namespaces.a.rules: {priority: 104, from: ::/0, table: 100} is there, but not in the input",
    ],
    "rules without their mark": [
        "namespaces.a.rules: 'ip -n reftopo.t-link.a rule add priority 32768 nop protocol 152' is still to be done"
    ],
    "hairpin that nobody asked for": ["links.t-a.hairpin: is true, not false"],
}


@pytest.mark.parametrize("name", DRIFT)
def test_each_difference_has_its_place(name: str):
    given = CASES["cases"][name].get("input", LAB)
    problems = drift(recorded(name), desired_state(given), given)
    assert [f"{problem.path}: {problem.problem}" for problem in problems] == DRIFT[name]


def test_lists_are_numbered_as_in_the_input():
    """The output is sorted; the input is not."""
    links = {
        **LAB["links"],
        "t-lan": {**LAB["links"]["t-lan"], "addresses": ["fd00:9::1/64", "10.9.0.7/24", "10.9.0.1/24"]},
    }
    given = {**LAB, "links": links}
    problems = drift(recorded("nothing to do"), desired_state(given), given)
    assert [problem.path for problem in problems] == ["links.t-lan.addresses[1]"]


def merged(given: dict[str, t.Any], name: str = "nothing to do") -> t.Any:
    return merged_state({"owner": OWNER, "state": "merged", **given}, recorded(name))


def test_merged_adds_and_changes():
    links = {"eth0": {"mtu": 1400, "addresses": ["10.9.0.22/25", "10.6.0.1/24"]}}
    routes = [{"to": "10.7.0.0/16", "via": "10.9.1.1", "dev": "eth0"}]
    found = merged({"namespaces": {"a": {"links": links, "routes": routes}}, "links": {"br7": {"kind": "bridge"}}})
    eth0 = found.find(End("a", "eth0"))
    assert (eth0.mtu, eth0.addresses) == (1400, ("10.9.0.22/25", "10.6.0.1/24", "10.9.0.2/24"))
    assert {(route.to, route.via) for route in found.namespaces["a"].routes} == {
        ("10.7.0.0/16", "10.9.1.1"),
        ("default", ""),
        ("fd00:7::/64", "fd00:9:1::2"),
    }
    assert found.find(End("", "t-a")).up
    assert found.find(End("", "br7")).kind == "bridge"
    assert set(dict(found.ends())) == {*dict(desired_state(LAB).ends()), End("", "br7"), End("b", "lo")}


def test_merged_knows_rules_by_ip_version_and_priority():
    rules = [{"priority": priority, "from": "::/0", "table": 7} for priority in (100, 105)]
    found = merged({"namespaces": {"a": {"rules": rules}}}, "rules stay").namespaces["a"].rules
    before = recorded("rules stay").namespaces["a"].rules
    assert {rule.key: rule.table for rule in found} == {
        **{rule.key: rule.table for rule in before},
        (6, 100): "7",
        (6, 105): "7",
    }


def test_merged_leaves_alone_what_is_not_said():
    """Defaults of options are no wishes: t-a is down, and named for its MTU only."""
    found = merged({"links": {"t-a": {"mtu": 1300}}}, "link down")
    assert (found.find(End("", "t-a")).up, found.find(End("", "t-a")).master) == (False, "t-lan")
    assert found.find(End("", "t-b")).mac is None


def test_a_link_that_is_made_anew_keeps_what_it_had():
    before = recorded("nothing to do").find(End("a", "eth1"))
    found = merged({"namespaces": {"a": {"links": {"eth1": {"mark": "wire"}}}}}).find(End("a", "eth1"))
    assert (found.mark, found.mtu, found.mac, found.addresses) == ("wire", before.mtu, before.mac, before.addresses)


def test_the_other_end_of_a_veth_that_goes_elsewhere_is_forgotten():
    found = merged({"namespaces": {"a": {"links": {"eth1": {"peer": {"name": "eth7", "namespace": "b"}}}}}})
    assert (found.find(End("b", "eth1")), found.find(End("b", "eth7")).peer) == (None, End("a", "eth1"))


def test_a_link_becomes_a_bridge():
    found = merged({"links": {"t-b": {"kind": "bridge", "master": ""}}})
    assert (found.find(End("", "t-b")).kind, found.find(End("b", "eth0"))) == ("bridge", None)
    assert found.namespaces["b"].routes == ()


def test_what_is_wrong_is_numbered_as_in_the_input():
    with pytest.raises(LinkStateError) as raised:
        merged({"links": {"t-lan": {"addresses": ["10.9.0.1/24", "10.9.0.9"]}, "t-a": {"colour": "red"}}})
    assert [problem.path for problem in raised.value.problems] == ["links.t-a.colour"]
    with pytest.raises(LinkStateError) as raised:
        merged({"links": {"t-lan": {"addresses": ["10.9.0.1/24", "10.9.0.9"]}}})
    assert [problem.path for problem in raised.value.problems] == ["links.t-lan.addresses[1]"]
