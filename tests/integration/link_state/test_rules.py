# SPDX-License-Identifier: GPL-3.0-or-later
"""Policy routing moves packets, and rules of others are not touched, in real namespaces."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils._link_model import LinkStateError

OWNER = "t-rules"
DELETED = {"owner": OWNER, "state": "deleted"}
RULE = {"priority": 100, "from": "10.9.5.0/24", "table": 100}
RULE_OF_IPV6 = {"priority": 100, "from": "fd00:9:5::/64", "table": 100}


def lab(*rules: dict[str, t.Any]) -> dict[str, t.Any]:
    """A router with two neighbours; only `far` has the destination, but the default route is by `near`."""
    links: dict[str, t.Any] = {"lo": {"addresses": ["10.9.5.1/32", "10.9.6.1/32", "fd00:9:5::1/128"]}}
    namespaces: dict[str, t.Any] = {"router": {"links": links, "rules": list(rules), "routes": []}}
    for number, (name, table) in enumerate({"near": "main", "far": 100}.items(), 1):
        peer = {"name": "eth0", "namespace": name}
        links[name] = {"kind": "veth", "peer": peer, "addresses": [f"10.9.{number}.1/24", f"fd00:9:{number}::1/64"]}
        ways_out = [
            {"to": "default", "via": via, "table": table} for via in (f"10.9.{number}.2", f"fd00:9:{number}::2")
        ]
        namespaces["router"]["routes"] += ways_out
        namespaces[name] = {
            "links": {"lo": {}, "eth0": {"addresses": [f"10.9.{number}.2/24", f"fd00:9:{number}::2/64"]}},
            "routes": [{"to": "default", "via": via} for via in (f"10.9.{number}.1", f"fd00:9:{number}::1")],
        }
    namespaces["far"]["links"]["lo"] = {"addresses": ["10.100.0.1/32", "fd00:100::1/128"]}
    return {"owner": OWNER, "namespaces": namespaces}


def answered(machine: t.Any, source: str, destination: str) -> bool:
    """By one of several packets: neighbours of IPv6 answer only after a second."""
    inside = ["ip", "netns", "exec", f"reftopo.{OWNER}.router"]
    command = [*inside, "ping", "-c", "4", "-i", "0.5", "-W", "1", "-I", source, destination]
    return machine.run(command)[0] == 0


def test_a_network_has_a_way_of_its_own(machine: t.Any):
    machine.converge(lab(RULE, RULE_OF_IPV6))
    assert answered(machine, "10.9.5.1", "10.100.0.1")
    assert answered(machine, "fd00:9:5::1", "fd00:100::1")
    assert not answered(machine, "10.9.6.1", "10.100.0.1"), "control: another network"
    machine.converge(lab(RULE))
    assert answered(machine, "10.9.5.1", "10.100.0.1")
    assert not answered(machine, "fd00:9:5::1", "fd00:100::1"), "control: without its rule"
    machine.converge(DELETED)


def test_rules_of_others_are_in_the_way(machine: t.Any):
    """Both at once, nothing touched; once they are out of the way it goes through."""
    inside = f"ip -n reftopo.{OWNER}.router"
    machine.converge(lab())
    machine.sh(f"{inside} rule add priority 100 to 10.9.0.0/16 table 7", f"{inside} -6 rule add priority 100 table 8")
    found = machine.snapshot()
    for state in ("overridden", "merged"):
        with pytest.raises(LinkStateError) as raised:
            machine.result(**lab(RULE, RULE_OF_IPV6), state=state)
        paths = [f"namespaces.router.rules[{number}].priority" for number in (0, 1)]
        assert [problem.path for problem in raised.value.problems] == paths
        assert machine.snapshot() == found
    for problem in raised.value.problems:
        machine.sh(problem.fix.rpartition(": ")[2])
    machine.converge(lab(RULE, RULE_OF_IPV6))
    machine.converge(DELETED)


def test_names_of_tables_and_protocols_do_not_matter(machine: t.Any):
    """As on a machine where somebody gave table 100 and protocol 152 names."""
    machine.sh("mkdir -p /etc/iproute2", "mount -t tmpfs tmpfs /etc/iproute2")
    machine.sh("echo 100 mine > /etc/iproute2/rt_tables", "echo 152 ours > /etc/iproute2/rt_protos")
    given = lab(RULE, RULE_OF_IPV6)
    machine.converge(given)
    assert "mine" in machine.sh(f"ip -n reftopo.{OWNER}.router rule"), "control"
    assert machine.converge(given).commands == []
    gathered = machine.result(owner=OWNER, state="gathered")["gathered"]
    assert {str(rule["table"]) for rule in gathered["namespaces"]["router"]["rules"]} == {"100"}
    machine.converge(DELETED)
