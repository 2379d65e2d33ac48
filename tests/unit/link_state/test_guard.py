# SPDX-License-Identifier: GPL-3.0-or-later
"""The way to the machine is not cut unless asked for; each refusal with the change beside it that is none."""

from __future__ import annotations

import json
import typing as t
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils._link_guard import Guard
from ansible_collections.reftopo.lab.plugins.module_utils._link_model import ROOT, State
from ansible_collections.reftopo.lab.plugins.module_utils._link_parse import parse
from ansible_collections.reftopo.lab.plugins.module_utils._link_route import NextHop, Route
from ansible_collections.reftopo.lab.plugins.module_utils._link_session import session_address
from ansible_collections.reftopo.lab.plugins.module_utils._link_spec import desired_state

OWNER = "t-link"
UP = {"kind": "bridge", "addresses": ["192.0.2.7/24", "fd00:2::7/64"]}
LAB = {"owner": OWNER, "links": {"up0": UP, "br1": {"kind": "bridge", "addresses": ["10.9.0.1/24"]}}}
WAY = Route("default", 4, "192.0.2.1", "up0")
CARRIES = "but it carries the machine's default route"
ARRIVED = "but it has 10.9.0.1, the address of this SSH session"


def machine(*ways: Route, own: tuple[Route, ...] = ()) -> State:
    """The lab as it is read, with these default routes."""
    state = desired_state(LAB).with_links(lambda _end, link: replace(link, owner=OWNER))
    root = replace(state.namespaces[ROOT], default_routes=ways, routes=own)
    return replace(state, namespaces={ROOT: root})


def refused(current: State, guard: Guard, **links: t.Any) -> list[str]:
    """What is refused of the lab with other links; None removes one."""
    given = {**LAB, "links": {name: link for name, link in {**LAB["links"], **links}.items() if link}}
    return [f"{problem.path}: {problem.problem}" for problem in guard.refusals(current, desired_state(given))]


HARMS: dict[str, tuple[t.Any, str]] = {
    "deleted": (None, "would be deleted"),
    "made anew": ({**UP, "mark": "other"}, "would be made anew"),
    "down": ({**UP, "up": False}, "would be taken down"),
    "master": ({"kind": "veth", "peer": {"name": "x"}}, "would be made anew"),
    "address": ({**UP, "addresses": ["fd00:2::7/64"]}, "would lose the address 192.0.2.7/24"),
}


@pytest.mark.parametrize("name", HARMS)
def test_the_link_of_the_default_route(name: str):
    link, harm = HARMS[name]
    assert refused(machine(WAY), Guard(), up0=link) == [f"links.up0: {harm}, {CARRIES}"]
    assert refused(machine(WAY), Guard(allowed=True), up0=link) == []
    assert refused(machine(), Guard(), up0=link) == []
    assert refused(machine(replace(WAY, dev="eth0")), Guard(), up0=link) == []


def test_what_does_no_harm_is_not_refused():
    assert refused(machine(WAY), Guard()) == []
    assert refused(machine(WAY), Guard(), br1=None) == []
    assert refused(machine(WAY), Guard(), up0={**UP, "mtu": 1400, "addresses": [*UP["addresses"], "10.6.0.1/24"]}) == []
    assert refused(machine(WAY), Guard(), up0={**UP, "addresses": ["192.0.2.7/24"]}) == [], "another IP version's"


def test_another_master():
    current = machine(WAY).with_links(lambda end, link: replace(link, kind="tap") if end.name == "up0" else link)
    tap = {"kind": "tap", "master": "br1", "addresses": UP["addresses"]}
    assert refused(current, Guard(), up0=tap) == [f"links.up0: would get br1 as master instead of none, {CARRIES}"]


def test_the_address_of_the_session():
    session = Guard("10.9.0.1")
    assert refused(machine(), session, br1=None) == [f"links.br1: would be deleted, {ARRIVED}"]
    assert refused(machine(), session, br1={"kind": "bridge"}) == [
        f"links.br1: would lose the address 10.9.0.1/24, {ARRIVED}"
    ]
    assert refused(machine(), session, up0=None) == []
    assert refused(machine(), Guard("10.9.0.2"), br1=None) == []
    assert refused(machine(), Guard("10.9.0.1", allowed=True), br1=None) == []
    assert len(refused(machine(), Guard("fe80::1%br1"), br1=None)) == 1


def test_what_lies_below_the_link():
    links = {"up0": {"kind": "macvlan", "dev": "br1", "addresses": ["192.0.2.7/24"]}, "br1": {"kind": "bridge"}}
    state = desired_state({"owner": OWNER, "links": links}).with_links(lambda _end, link: replace(link, owner=OWNER))
    current = replace(state, namespaces={ROOT: replace(state.namespaces[ROOT], default_routes=(WAY,))})
    down = {"kind": "bridge", "up": False}
    assert refused(current, Guard(), **{**links, "br1": down}) == [
        "links.br1: would be taken down, but up0 lies on it, which carries the machine's default route"
    ]


def test_deleted():
    gone = desired_state({"owner": OWNER, "state": "deleted"})
    found = Guard("10.9.0.1").refusals(machine(WAY), gone)
    assert [problem.path for problem in found] == ["links.up0", "links.br1"]
    assert all("allow_uplink: true" in problem.fix for problem in found)


def routes(*given: dict[str, str]) -> State:
    return desired_state({**LAB, "routes": list(given)})


def test_default_routes_of_our_own():
    ours = {"to": "default", "via": "10.9.0.2", "dev": "br1"}
    taken = "routes[0]: would take over from the default route via 192.0.2.1 dev up0"
    six = {"to": "default", "via": "fd00:2::1", "dev": "up0"}
    own = Route("default", 4, "10.9.0.2", "br1")

    def found(current: State, *given: dict[str, str], guard: Guard = Guard()) -> list[str]:  # noqa: B008
        return [f"{problem.path}: {problem.problem}" for problem in guard.refusals(current, routes(*given))]

    assert found(machine(WAY), ours) == [taken]
    assert found(machine(WAY), ours, guard=Guard(allowed=True)) == []
    assert found(machine(), ours) == []
    assert found(machine(WAY), six) == [], "the other IP version has none"
    assert found(machine(own, own=(own,)), ours) == [], "it is there already"
    removed = "routes: the machine's default route via 10.9.0.2 dev br1 would be removed"
    assert found(machine(own, own=(own,))) == [removed]
    assert found(machine(WAY), {**ours, "table": "77"}) == [], "no way out before a rule says so"
    assert found(machine(WAY), {**ours, "metric": 7}) == [taken], "it may take over later"
    several = replace(own, via="", dev="", nexthops=(NextHop("10.9.0.2", 1, "br1"), NextHop("192.0.2.1", 1, "up0")))
    assert found(machine(own, WAY, own=(several,))) == [
        "routes: the machine's default route dev br1 dev up0 would be removed"
    ]
    assert found(machine(WAY, own=(replace(several, table="77"),))) == []


def test_default_routes_are_read():
    """Also one with several next hops, and one of a link of ours with another mark than ours; no other tables."""
    link = {"ifname": "up0", "ifindex": 3, "mtu": 1500, "flags": ["UP"], "altnames": [f"reftopo.{OWNER}.up0"]}
    hops = [{"gateway": "192.0.2.1", "dev": "up0"}, {"gateway": "198.51.100.1", "dev": "eth0"}]
    main = [{"dst": "default", "nexthops": hops}, {"dst": "10.0.0.0/8", "dev": "up0"}]
    other = [{"dst": "default", "dev": "eth0", "table": "77"}, {"dst": "default", "type": "7", "dev": "lo"}]
    dump = "\n".join(
        json.dumps(part) for part in ([link], [], [], main, [*other, {"dst": "default", "dev": "up0"}], [])
    )
    found = parse(OWNER, {ROOT: dump}).namespaces[ROOT].default_routes
    assert [(route.version, route.via, route.dev) for route in found] == [
        (4, "192.0.2.1", "up0"),
        (4, "198.51.100.1", "eth0"),
        (6, "", "up0"),
    ]


SSH = "203.0.113.9 50000 192.0.2.7 22"


def process(proc: Path, number: str, parent: str, environment: str) -> None:
    folder = proc / number
    folder.mkdir()
    (folder / "environ").write_text(environment)
    (folder / "stat").write_text(f"{number} (a) S (name) S {parent} 1 1")


def test_where_the_session_arrived(tmp_path: Path):
    assert session_address({"SSH_CONNECTION": SSH}, tmp_path) == "192.0.2.7"
    assert session_address({}, tmp_path) == ""
    assert session_address({"SSH_CONNECTION": "UNKNOWN"}, tmp_path) == ""
    process(tmp_path, "self", "12", "A=1\0")
    process(tmp_path, "12", "7", "B=2\0NOT_SSH_CONNECTION=x\0")
    assert session_address({}, tmp_path) == ""
    process(tmp_path, "7", "0", f"A=1\0SSH_CONNECTION={SSH}\0")
    assert session_address({}, tmp_path) == "192.0.2.7", "sudo dropped it"
