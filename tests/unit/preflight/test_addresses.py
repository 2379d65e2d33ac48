# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is asked for a topology's addresses on bridges that are there, and whose answers count."""

from __future__ import annotations

import dataclasses
import errno
import json
import typing as t

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils import _preflight_addresses as preflight
from ansible_collections.reftopo.lab.plugins.module_utils import _probe_arp as arp
from ansible_collections.reftopo.lab.plugins.module_utils._preflight_model import Link, PreflightError, Stranger, Wire
from preflight_machines import GOOD, TOPOLOGY

BRIDGE = "rt-00000001"
LINKS = {
    "lo": Link(),
    BRIDGE: Link("bridge", "small"),
    "rt-00000002": Link("veth", "small"),
    "rt-0000000f": Link("veth", "other"),
}
PLUGGED = {**LINKS, "vnet3": Link("tun"), "eth1": Link()}
PORTS = {"rt-00000002": BRIDGE, "rt-0000000f": "rt-0000000e", "vnet3": BRIDGE, "eth1": BRIDGE}
OURS, THEIRS = "02:00:00:00:00:0c", "52:54:00:00:00:07"
FDB = [
    {"mac": OURS, "ifname": "rt-00000002"},
    {"mac": THEIRS, "ifname": "vnet3"},
    {"mac": "33:33:00:00:00:01", "ifname": "vnet3"},
]


class Machine:
    """Answers of a bridge's wire and of its forwarding entries; keeps what was asked."""

    def __init__(self, answers: dict[str, list[str]], fails: int = 0) -> None:
        self.answers, self.fails = answers, fails
        self.asked: list[tuple[str, list[str]]] = []
        self.ports: list[dict[str, str]] = []

    def others(self, interface: str, addresses: list[str]) -> dict[str, list[str]]:
        self.asked.append((interface, addresses))
        if self.fails:
            raise OSError(self.fails, "no")
        return {address: self.answers.get(address, []) for address in addresses}

    def run(self, command: list[str]) -> tuple[int, str, str]:
        told = {"ip -j link show": self.ports, f"bridge -j fdb show br {BRIDGE}": FDB}
        return 0, json.dumps(told[" ".join(command)]), ""


@pytest.fixture
def wires(monkeypatch: pytest.MonkeyPatch) -> t.Callable[..., dict[str, Wire]]:
    def look(machine: Machine, links: dict[str, Link] = PLUGGED) -> dict[str, Wire]:
        monkeypatch.setattr(preflight, "others", machine.others)
        machine.ports = [{"ifname": name, "master": PORTS.get(name, "")} for name in links]
        facts = dataclasses.replace(GOOD, links=links)
        return dict(preflight.with_wires(machine.run, facts, TOPOLOGY).wires)

    return look


def test_nobody_is_asked_where_all_ports_are_the_topologys_own(wires):
    machine = Machine({})
    assert wires(machine, LINKS) == {"lan": Wire(BRIDGE)}
    assert machine.asked == []


def test_a_bridge_of_others_and_one_that_is_not_there_are_left_alone(wires):
    machine = Machine({})
    foreign = {**PLUGGED, BRIDGE: Link("bridge", "other")}
    assert wires(machine, foreign) == wires(machine, {"vnet3": Link("tun")}) == {}
    assert machine.asked == []


def test_everybody_is_asked_for_each_address_as_soon_as_somebody_else_is_there(wires):
    machine = Machine({})
    assert wires(machine) == {"lan": Wire(BRIDGE, ("eth1", "vnet3"))}
    assert machine.asked == [(BRIDGE, ["172.30.10.1", "172.30.10.11", "172.30.10.12"])]


@pytest.mark.parametrize(
    ("macs", "port"),
    [
        ([THEIRS], "vnet3"),
        ([OURS, THEIRS], "vnet3"),
        ([OURS], ""),
        (["52:54:00:00:00:08"], "eth1, vnet3"),  # that the bridge has not learned
    ],
)
def test_who_answers_behind_one_of_our_ports_is_no_stranger(wires, macs, port):
    found = wires(Machine({"172.30.10.12": macs}))["lan"].strangers
    assert found == ((Stranger("172.30.10.12", macs[-1], port),) if port else ())


def test_a_bridge_that_is_down_is_not_asked_and_that_is_said(wires):
    assert wires(Machine({}, errno.ENETDOWN))["lan"] == Wire(BRIDGE, ("eth1", "vnet3"), down=True)


def test_who_may_not_try_features_asks_nobody():
    machine = Machine({})
    facts = dataclasses.replace(GOOD, links=PLUGGED, trials=None)
    assert preflight.with_wires(machine.run, facts, TOPOLOGY).wires == {}


def test_a_wire_that_cannot_be_asked_is_an_error_and_not_free(wires):
    with pytest.raises(PreflightError, match=f"by ARP on {BRIDGE}"):
        wires(Machine({}, errno.EPERM))


def test_places_of_addresses():
    interfaces = {
        "eth0": {"segment": "lan", "address": "172.30.10.201/24"},
        "eth1": {"segment": "wan", "address": "10.0.0.1/8"},
    }
    topology = {
        "segments": {"lan": {}, "wan": {"gateway": "10.0.0.9"}},
        "namespaces": {"r1": {"interfaces": interfaces}},
    }
    assert preflight.wanted(topology, "lan") == {"172.30.10.201": "namespaces.r1.interfaces.eth0.address"}
    assert preflight.wanted(topology, "wan") == {
        "10.0.0.9": "segments.wan.gateway",
        "10.0.0.1": "namespaces.r1.interfaces.eth1.address",
    }


def test_answers_of_the_machines_own_interfaces_do_not_count(tmp_path, monkeypatch):
    (tmp_path / "eth1").mkdir()
    (tmp_path / "eth1/address").write_text(f"{OURS}\n")
    monkeypatch.setattr(arp, "INTERFACES", tmp_path)
    monkeypatch.setattr(arp, "on_wire", lambda _interface, sender, _asked: {"192.0.2.1": [OURS, THEIRS], sender: []})
    assert arp.others("eth0", ["192.0.2.1"]) == {"192.0.2.1": [THEIRS], "0.0.0.0": []}
