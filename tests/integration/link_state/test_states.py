# SPDX-License-Identifier: GPL-3.0-or-later
"""merged, gathered, rendered and verified in real namespaces, and the guard of the way to the machine."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils._link_model import LinkStateError
from link_cases import CASES, LAB, parameters

OWNER = LAB["owner"]
DELETED = {"owner": OWNER, "state": "deleted"}
# Every input of the cases, by the first case that has it
INPUTS = {
    str(case["input"]): (name, case["input"])
    for name, case in reversed(CASES["cases"].items())
    if "input" in case and case["input"].get("state") != "deleted"
}
INPUTS = {"nothing to do": LAB, **dict(INPUTS.values())}


@pytest.mark.parametrize("name", parameters(INPUTS))
def test_what_is_gathered_says_it_all(name: str, machine: t.Any):
    """It is valid input, nothing is to be done for it, and it makes the same again."""
    given = INPUTS[name]
    machine.converge(given)
    gathered = machine.result(owner=OWNER, state="gathered")["gathered"]
    assert machine.converge(gathered).commands == []
    assert machine.result(state="merged", **gathered)["commands"] == []
    assert machine.result(state="merged", **given)["commands"] == []
    assert machine.result(**{**given, "state": "verified"})["changed"] is False
    before = machine.shape()
    machine.converge(DELETED)
    for namespace, body in given.get("namespaces", {}).items():
        gathered["namespaces"][namespace]["sysctls"] = (body or {}).get("sysctls", {})
    machine.converge(gathered)
    assert machine.shape() == before
    machine.converge(DELETED)


def test_merged_in_two_parts_is_the_whole(machine: t.Any):
    """In check mode first; the second time nothing is to be done; what the second part changes is changed."""
    machine.converge(LAB)
    whole = machine.shape()
    machine.converge(DELETED)
    links = {name: link for name, link in LAB["links"].items() if name != "t-b"}
    first = {
        **LAB,
        "links": links,
        "namespaces": {"a": {"links": {"eth0": {"mtu": 1300, "addresses": ["10.9.0.2/16"]}}}},
    }
    second = {key: LAB[key] for key in ("owner", "namespaces")} | {"links": {"t-b": LAB["links"]["t-b"]}}
    for part in (first, second):
        before = machine.shape()
        predicted = machine.result(check_mode=True, state="merged", **part)
        assert machine.shape() == before
        assert machine.result(state="merged", **part) == predicted
        assert machine.result(state="merged", **part)["commands"] == []
    assert machine.shape() == whole
    assert machine.result(state="merged", **first)["commands"] != [], "control: the parts contradict each other"
    machine.converge(DELETED)


def test_merged_recreates_with_what_hung_on_it(machine: t.Any):
    """Another mark is another link to the kernel: ports, addresses and routes come back, MTU and MAC address too."""
    machine.converge(LAB)
    before = machine.snapshot()
    marks = {"links": {"t-lan": {"mark": "wide"}}, "namespaces": {"a": {"links": {"eth1": {"mark": "wire"}}}}}
    done = machine.result(owner=OWNER, state="merged", **marks)
    assert [command for command in done["commands"] if "link del" in command] != []
    after = machine.snapshot()
    for name, found in before.items():
        assert sorted(found["addresses"]) == sorted(after[name]["addresses"])
        assert sorted(found["routes"], key=str) == sorted(after[name]["routes"], key=str)
        # Name, MTU and master; the MAC address too but for the bridge's
        assert sorted([link[0], link[1], link[3]] for link in found["links"]) == sorted(
            [link[0], link[1], link[3]] for link in after[name]["links"]
        )
    addresses = {name: {link[0]: link[2] for link in found["links"]} for name, found in after.items()}
    assert addresses["reftopo.t-link.a"] == {link[0]: link[2] for link in before["reftopo.t-link.a"]["links"]}
    assert machine.result(owner=OWNER, state="merged", **marks)["commands"] == []
    machine.converge(DELETED)


def test_merged_leaves_other_owners_alone(machine: t.Any):
    other = {"owner": "t-link-2", "links": {"x0": {"kind": "bridge"}}}
    machine.converge(other)
    machine.result(state="merged", owner=OWNER, links={"x1": {"kind": "bridge"}})
    assert machine.converge(other).commands == []
    with pytest.raises(LinkStateError, match=r"links\.x0: there is a link x0 that belongs to owner t-link-2"):
        machine.result(state="merged", owner=OWNER, links={"x0": {"mtu": 1400, "kind": "bridge"}})


def test_verified_names_the_drift_and_changes_nothing(machine: t.Any):
    machine.converge(LAB)
    verified = {**LAB, "state": "verified"}
    assert machine.result(**verified)["changed"] is False
    machine.sh(
        "ip -n reftopo.t-link.a link set eth0 mtu 1300",
        "ip link set t-a down",
        "ip route del 10.8.0.0/16",
        "ip -n reftopo.t-link.b addr add 10.6.0.1/24 dev eth0",
    )
    found = machine.snapshot()
    with pytest.raises(LinkStateError, match="nothing was changed") as raised:
        machine.result(**verified)
    assert machine.snapshot() == found
    assert [f"{problem.path}: {problem.problem}" for problem in raised.value.problems] == [
        "links.t-a.up: is false, not true",
        "routes[0]: {to: 10.8.0.0/16, via: 10.9.0.2, dev: t-lan} is missing",
        "namespaces.a.links.eth0.mtu: is 1300, not 1450",
        "namespaces.b.links.eth0.addresses: 10.6.0.1/24 is there, but not in the input",
    ]
    machine.converge(LAB)
    assert machine.result(**verified)["changed"] is False
    machine.converge(DELETED)


ANOTHER_MARK = {**LAB, "links": {**LAB["links"], "t-lan": {**LAB["links"]["t-lan"], "mark": "wide"}}}


@pytest.mark.parametrize("given", [DELETED, ANOTHER_MARK], ids=["deleted", "made anew"])
def test_the_way_to_the_machine_is_not_cut(given: dict[str, t.Any], machine: t.Any):
    """By its default route and by the address of the session; before anything is touched, in check mode too."""
    machine.converge(LAB)
    machine.sh("ip route add default via 10.9.0.2 dev t-lan")
    found = machine.snapshot()
    for check_mode in (True, False):
        with pytest.raises(LinkStateError, match=r"links\.t-lan: would .*default route; .* set allow_uplink: true"):
            machine.result(check_mode=check_mode, **given)
    machine.sh("ip route del default")
    with pytest.raises(LinkStateError, match=r"links\.t-lan: would .*has fd00:9::1, the address of this SSH session"):
        machine.result(session="fd00:9::1", **given)
    machine.sh("ip route add default via 10.9.0.2 dev t-lan")
    assert machine.snapshot() == found
    assert machine.result(session="10.9.0.1", **{**given, "allow_uplink": True})["changed"]
    machine.converge(DELETED)


def test_our_own_default_route_does_not_take_over(machine: t.Any):
    """Its metric is lower than the one that is there; where none is there it is made, and not removed unasked."""
    given = {**LAB, "routes": [*LAB["routes"], {"to": "default", "via": "10.9.0.2", "dev": "t-lan"}]}
    machine.sh("ip route add default via 192.0.2.254 dev eth0 metric 100")
    with pytest.raises(LinkStateError, match=r"routes\[1\]: would take over from .* via 192\.0\.2\.254 dev eth0"):
        machine.result(**given)
    machine.sh("ip route del default")
    assert machine.result(**given)["changed"]
    assert machine.result(**given)["commands"] == []
    with pytest.raises(LinkStateError, match=r"routes: the machine's default route via 10\.9\.0\.2 dev t-lan would be"):
        machine.result(**LAB)
    assert machine.result(**LAB, allow_uplink=True)["changed"]
    machine.converge(DELETED)
