# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts in, commands out: cases.yml with what ip(8) printed in recorded/ (trimmed of fields that are never read)."""

from __future__ import annotations

from dataclasses import replace

import pytest
import yaml
from ansible_collections.reftopo.lab.plugins.module_utils import _link_render
from ansible_collections.reftopo.lab.plugins.module_utils._link_model import (
    LinkStateError,
    altname,
    group,
    netns,
    split_mark,
)
from ansible_collections.reftopo.lab.plugins.module_utils._link_plan import conflicts, plan
from ansible_collections.reftopo.lab.plugins.module_utils._link_route import NextHop, Route
from ansible_collections.reftopo.lab.plugins.module_utils._link_spec import desired_state
from link_cases import CASES, FOLDER, LAB, recorded


@pytest.mark.parametrize("name", CASES["cases"])
def test_commands(name: str):
    case = CASES["cases"][name]
    steps = plan(recorded(name), desired_state(case.get("input", LAB)))
    assert [str(step).removeprefix("ip ") for step in steps] == case["commands"]


def test_every_recording_has_a_case():
    names = {name.replace(" ", "-") for name in CASES["cases"]}
    assert {path.stem for path in (FOLDER / "recorded").iterdir()} == names


def test_every_step_names_its_place_in_the_input():
    paths = {step.path for step in plan(recorded("empty machine"), desired_state(LAB))}
    assert {"links.t-lan.mtu", "namespaces.a.links.eth0.addresses", "namespaces.a.routes[1]", "namespaces.a"} <= paths


@pytest.mark.parametrize("name", [name for name, case in CASES["cases"].items() if not case["commands"]])
def test_before_and_after_are_equal_when_nothing_is_to_be_done(name: str):
    want = desired_state(CASES["cases"][name].get("input", LAB))
    assert _link_render.observed(recorded(name), want) == _link_render.wanted(want)


def test_before_and_after_differ_when_something_is_to_be_done():
    want = desired_state(LAB)
    assert _link_render.observed(recorded("link down"), want) != _link_render.wanted(want)


@pytest.mark.parametrize("name", ["nothing to do", "links on links stay", "vxlan with a group", "other kinds stay"])
def test_after_is_valid_input(name: str):
    rendered = _link_render.wanted(desired_state(CASES["cases"][name].get("input", LAB)))
    assert plan(desired_state(rendered), desired_state(CASES["cases"][name].get("input", LAB))) == []
    assert _link_render.wanted(desired_state(rendered)) == rendered


def test_what_is_removed_is_shown_whole():
    before = _link_render.observed(recorded("deleted"), desired_state({"owner": "t-link", "state": "deleted"}))
    assert before["links"]["t-lan"] == {
        "kind": "bridge",
        "mark": "lan",
        "mtu": 1450,
        "mac": before["links"]["t-lan"]["mac"],
        "addresses": ["10.9.0.1/24", "fd00:9::1/64"],
    }
    assert "eth0" not in before["links"], "a foreign link"


def test_conflicts_are_named_together():
    """The recorded lab belongs to t-link: another owner must not have its names."""
    observed = recorded("nothing to do", "t-link-2")
    current = replace(observed, namespaces={"": observed.namespaces[""]}, blocked=("a",))
    links = {name: {"kind": "bridge"} for name in ("eth0", "t-lan", "t-new")}
    problems = conflicts(current, desired_state({"owner": "t-link-2", "links": links, "namespaces": {"a": {}}}))
    file = "/run/netns/reftopo.t-link-2.a"
    assert [str(problem) for problem in problems] == [
        f"namespaces.a: {file} is no network namespace; remove it: rm {file}",
        "links.eth0: there is a link eth0 that has no mark of owner t-link-2; "
        "use another name, or delete it: ip link del eth0",
        "links.t-lan: there is a link t-lan that belongs to owner t-link; "
        "use another name, or delete it: ip link del t-lan",
    ]


def test_a_foreign_link_in_our_namespace_is_a_conflict():
    """CNI plugins make links in a node's namespace; they lack the mark."""
    namespaces = {"a": {"links": {"cni0": {"kind": "bridge"}}}}
    want = desired_state({"owner": "t-link", "namespaces": namespaces})
    problems = conflicts(recorded("links and namespaces of others stay"), want)
    assert [problem.path for problem in problems] == ["namespaces.a.links.cni0"]
    assert problems[0].fix == "use another name, or delete it: ip -n reftopo.t-link.a link del cni0"


def test_a_foreign_route_is_a_conflict():
    """eth0 is not ours; `ip route replace` would overwrite its route."""
    links = {"t-new": {"kind": "bridge", "addresses": ["10.3.0.1/24"]}}
    routes = [{"to": to, "via": "10.3.0.2", "dev": "t-new"} for to in ("192.0.2.0/24", "198.51.100.0/24")]
    problems = conflicts(
        recorded("nothing to do"), desired_state({"owner": "t-link", "links": links, "routes": routes})
    )
    assert [str(problem) for problem in problems] == [
        "routes[0]: there is a route to 192.0.2.0/24 by eth0 that is not the owner's; "
        "use another destination, table or metric, or delete it: ip route del 192.0.2.0/24"
    ]


FOREIGN = (
    Route("10.5.0.0/16", 4, metric=7, table="77", nexthops=(NextHop("", 1, "eth0"), NextHop("10.9.0.2", 1, "t-lan"))),
    Route("fd00:5::/64", 6, table="78", type="blackhole"),
)
TAKEN = {
    "{to: 10.5.0.0/16, dev: t-lan, table: 77, metric: 7}": "eth0 and t-lan|ip route del 10.5.0.0/16 metric 7 table 77",
    "{to: 10.5.0.0/16, dev: t-lan, table: 77}": "",
    "{to: 10.5.0.0/16, dev: t-lan, metric: 7}": "",
    "{to: 'fd00:5::/64', dev: t-lan, table: 78}": "type blackhole|ip -6 route del fd00:5::/64 table 78",
    "{to: 'fd00:5::/64', dev: t-lan, table: 78, metric: 1024}": "type blackhole|ip -6 route del fd00:5::/64 table 78",
    "{to: 'fd00:5::/64', dev: t-lan, table: 78, metric: 1}": "",
}


@pytest.mark.parametrize("given", TAKEN)
def test_a_foreign_route_of_another_table_or_metric_is_none(given: str):
    observed = recorded("nothing to do")
    root = replace(observed.namespaces[""], foreign_routes=FOREIGN)
    current = replace(observed, namespaces={"": root})
    links = {"t-lan": {"kind": "bridge", "mark": "lan"}}
    want = desired_state({"owner": "t-link", "links": links, "routes": [yaml.safe_load(given)]})
    by, _bar, command = TAKEN[given].partition("|")
    fix = f"use another destination, table or metric, or delete it: {command}"
    assert [(by in problem.problem, problem.fix) for problem in conflicts(current, want)] == [(True, fix)] * bool(by)


def test_our_own_is_no_conflict():
    assert conflicts(recorded("nothing to do"), desired_state(LAB)) == []


def test_marks():
    assert split_mark(altname("a-b", "w1.eth0")) == ("a-b", "w1.eth0")
    assert split_mark(netns("a", "ns1")) == ("a", "ns1")
    assert split_mark("reftopo.a.b.c") == ("a", "b.c")
    assert [split_mark(name) for name in ("reftopo.a", "reftopo..b", "reftopo.a.", "other.a.b", "")] == [None] * 5
    assert len({group(f"owner-{number}") for number in range(1000)}) == 1000
    assert all(0 < group(f"owner-{number}") < 2**31 for number in range(1000))


def test_an_owner_with_a_dot_is_refused():
    with pytest.raises(LinkStateError):
        desired_state({"owner": "a.b"})
