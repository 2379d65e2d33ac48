# SPDX-License-Identifier: GPL-3.0-or-later
"""The way between hosts: each claim holds on packets as they should be, and fails when one thing differs."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_between as between
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_carriers as carriers
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_hosts as hosts
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_plan as plan
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_wire as wire
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_break import cut_link, described
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_lab import Machine
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import HOST, Endpoint, Probe
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_pcap import Packet

ADDRESSES = {"h1": "192.0.2.11", "h2": "192.0.2.12", HOST: "192.0.2.10"}
HOMES = {"a1": "h1", "a2": "h1", "b1": "h2", "c1": HOST}


def machine(name: str, number: int) -> dict[str, t.Any]:
    interface = {"segment": "lan", "address": f"10.5.0.{number}/24", "mac": f"02:00:00:00:00:{number}"}
    home = {} if HOMES[name] == HOST else {"host": HOMES[name]}
    common = {"name": name, "netns": f"reftopo.t.{name}", "address": f"10.5.0.{number}"}
    return {**common, **home, "interfaces": {"eth0": interface}}


LAN = {"cidr": "10.5.0.0/24", "mtu": 1450, "hosts": ["h1", "h2", HOST], "tunnel": "rt-1", "vni": 9000001, "port": 61825}
TOPOLOGY: dict[str, t.Any] = {
    "name": "t",
    "segments": {"lan": LAN, "own": {"cidr": "10.6.0.0/24", "mtu": 1500}},
    "nodes": {},
    "namespaces": {name: machine(name, 11 + number) for number, name in enumerate(HOMES)},
    "hosts": {
        name: {"name": name, "address": address, "part": {"link_state": {"namespaces": {}}}}
        for name, address in ADDRESSES.items()
    },
    "checks": {"all": {"from": "namespaces", "to": "namespaces"}, "wire": {"mechanism": "between-hosts"}},
    "link_state": {"namespaces": {}},
}
for name, namespace in TOPOLOGY["namespaces"].items():
    part = TOPOLOGY["hosts"][namespace["host"]]["part"] if "host" in namespace else TOPOLOGY
    part["link_state"]["namespaces"][name] = {"links": {}}
ENDS = {end.name: end for end in plan.endpoints(TOPOLOGY, [])["namespaces"]}
BARE = {(p.source.name, p.target.name): p for p in between.bare_samples("wire", TOPOLOGY)}


def outcome(probe: Probe, ok: bool = True) -> wire.Outcome:
    record = {"ok": ok, "check": probe.check, "control": None, "detail": "", "from": probe.source.name}
    record |= {"to": probe.target.name, "target": probe.target.address, "protocol": probe.protocol}
    return wire.Outcome(probe, {}, {**record, "expect": "ok", "observed": "ok" if ok else "timeout"})


def asked(source: str, target: str, protocol: str = "icmp", ok: bool = True) -> wire.Outcome:
    return outcome(Probe("all", ENDS[source], ENDS[target], protocol), ok)


ACROSS, WITHIN = asked("a1", "b1"), asked("a1", "a2")
BARES = [outcome(probe) for probe in BARE.values()]


def inside(source: str, target: str) -> Packet:
    return Packet(ENDS[source].address, ENDS[target].address, "icmp", 84, False, None, b"")


def vxlan(source: str, target: str, key: str = "", **changed: t.Any) -> Packet:
    """A packet from host to host, with one from a1 to b1 in it."""
    ends, within = (ADDRESSES[source], ADDRESSES[target]), inside("a1", "b1")
    return dataclasses.replace(
        Packet(*ends, "udp", 150, False, LAN["port"], key.encode(), LAN["vni"], within, b"\2" * 14), **changed
    )


def flooded(target: str) -> Packet:
    return vxlan("h1", target, frame=b"\xff" * 14)


def plain(source: str, target: str, key: str = "") -> Packet:
    return Packet(source, target, "icmp", 84, False, None, key.encode())


BARE_WIRE = [plain(ADDRESSES["h1"], ADDRESSES[to], probe.key) for (one, to), probe in BARE.items() if one == "h1"]
FLOODED = [flooded("h2"), flooded(HOST)]
STREAMED = [vxlan("h1", "h2", ACROSS.probe.key), vxlan("h2", "h1", ACROSS.probe.key)]
WIRE = [*BARE_WIRE, *FLOODED, *STREAMED]


def evidence(wire_of_h1: list[Packet] = WIRE, outcomes: list[wire.Outcome] | None = None) -> wire.Evidence:
    found = [ACROSS, WITHIN, *BARES] if outcomes is None else outcomes
    return wire.Evidence(TOPOLOGY, [], found, {"h1": wire_of_h1, "h2": STREAMED, HOST: []})


def claim(key: str, peer: str = "", protocol: str = "") -> hosts.Claim:
    found = [one for one in hosts.claims(TOPOLOGY) if (one.machine, one.key, one.peer) == ("h1", key, peer)]
    return next(one for one in found if one.protocol == protocol)


STREAM = claim("stream", "h2", "icmp")
FDB = [{"mac": "02:00:00:00:00:13", "dst": ADDRESSES["h2"]}]


def test_all_of_it_holds_on_a_wire_as_it_should_be():
    for key in ("bare", "inside", "local", "flood"):
        assert hosts.faults(claim(key), evidence(), []) == []
    assert hosts.faults(STREAM, evidence(), []) == []
    assert hosts.faults(claim("learned", "h2"), evidence(), FDB) == []


def test_every_pair_of_hosts_has_its_claims():
    cases = [one.case for one in hosts.claims(TOPOLOGY)]
    assert len(cases) == len(set(cases)) == 3 * (3 + 1 + 2 * 4)
    assert [case for case in cases if case.startswith("h1-")][:6] == [
        "h1-bare",
        "h1-inside",
        "h1-local",
        "h1-flood-lan",
        "h1-learned-lan-h2",
        "h1-stream-lan-h2-icmp",
    ]
    assert STREAM.title == "icmp to lan on h2 travels in VXLAN with VNI 9000001 and port 61825 to h2 alone"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"vni": 1}, "VNI 1 and port 61825, not 9000001 and 61825"),
        ({"destination_port": 8472}, "VNI 9000001 and port 8472, not 9000001 and 61825"),
        ({"source": "192.0.2.99"}, "outer addresses 192.0.2.99 and 192.0.2.12, not the two hosts'"),
        ({"inner": inside("a2", "b1")}, "inner addresses 10.5.0.12 and 10.5.0.13, not the two machines'"),
        ({"inner": None}, "bare udp packet from 192.0.2.11 to 192.0.2.12"),
    ],
)
def test_what_speaks_against_a_stream(changed: dict[str, t.Any], said: str):
    packets = [dataclasses.replace(STREAMED[0], **changed), STREAMED[1]]
    assert hosts.faults(STREAM, evidence(packets), []) == [f"h1: {said}"]


def test_a_stream_is_seen_at_both_hosts():
    (said,) = hosts.faults(STREAM, evidence(STREAMED[:1]), [])
    assert said == "packets captured at each end: {'h1': 1, 'h2': 2}"
    assert hosts.faults(STREAM, evidence(outcomes=[WITHIN]), []) == ["no probe was made"]
    (said,) = hosts.faults(STREAM, evidence(outcomes=[asked("a1", "b1", ok=False)]), [])
    assert "expected ok, observed timeout" in said


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ([], ["no broadcast left this machine while it was captured"]),
        (FLOODED[:1], ["none went to 192.0.2.10"]),
        ([*FLOODED, vxlan("h1", "h1", frame=b"\xff" * 14)], ["one went to 192.0.2.11"]),
        (
            [dataclasses.replace(one, vni=7) for one in FLOODED],
            ["no broadcast left this machine while it was captured"],
        ),
    ],
)
def test_what_speaks_against_flooding(sent: list[Packet], said: list[str]):
    assert hosts.faults(claim("flood"), evidence(sent), []) == said


def test_what_speaks_against_the_rest():
    leaked = vxlan("h1", "h2", WITHIN.probe.key)
    assert len(hosts.faults(claim("local"), evidence([leaked]), [])) == 1
    assert hosts.faults(claim("local"), evidence(outcomes=[ACROSS]), []) == ["no probe within this host was made"]
    loose = plain(ENDS["a1"].address, "192.0.2.12")
    assert hosts.faults(claim("inside"), evidence([loose]), []) == ["bare icmp packet from 10.5.0.11 to 192.0.2.12"]
    assert hosts.faults(claim("bare"), evidence([]), []) == [
        "no bare packet of the probe to 192.0.2.12",
        "no bare packet of the probe to 192.0.2.10",
    ]
    assert hosts.faults(claim("bare"), evidence(outcomes=[]), []) == [
        "no probe between the hosts' own addresses was made"
    ]
    for row, said in (
        ({"dst": "192.0.2.10"}, "02:00:00:00:00:13 of b1 is at 192.0.2.10, not at 192.0.2.12"),
        ({"state": "permanent"}, "the entry of 02:00:00:00:00:13 is permanent, not learned"),
    ):
        assert hosts.faults(claim("learned", "h2"), evidence(), [{**FDB[0], **row}]) == [said]


def test_probes_start_where_namespaces_are():
    assert {name: end.machine for name, end in ENDS.items()} == HOMES
    assert set(plan.by_machine(plan.reach_probes(TOPOLOGY, "all", {"namespaces": [*ENDS.values()]}))) == {
        *HOMES.values()
    }


def test_mtu_is_asked_from_host_to_host():
    probes = between.mtu_probes("size", TOPOLOGY, [*ENDS.values(), Endpoint("x", "namespaces", None, "10.6.0.9")])
    pairs = {(probe.source.name, probe.target.name) for probe in probes}
    assert pairs == {(one, to) for one in HOMES for to in HOMES if HOMES[one] != HOMES[to]}
    assert {(probe.size, probe.expect) for probe in probes} == {(1450, ("ok",)), (1451, ("too-big",))}
    assert between.askers(TOPOLOGY) == [*HOMES]
    full = outcome(next(probe for probe in probes if (probe.source.name, probe.target.name) == ("a1", "b1")))
    assert wire.captured_at(full, TOPOLOGY) == ("h1", "h2")
    assert wire.frame(full, TOPOLOGY) == 1500
    seen = {end: [vxlan("h1", "h2", full.probe.key, length=1500)] for end in ("h1", "h2")}
    assert wire.size_faults(full, wire.Evidence(TOPOLOGY, [], [], seen), 1500) == []
    seen["h2"] = [vxlan("h1", "h2", full.probe.key, length=1500, fragment=True)]
    assert len(wire.size_faults(full, wire.Evidence(TOPOLOGY, [], [], seen), 1500)) == 1


def test_a_cut_is_between_its_host_and_others():
    broken = {"host": "h2", "segment": "lan"}
    cells = {(one, to): plan.touched(broken, ENDS[one], ENDS[to]) for one in HOMES for to in HOMES}
    assert {pair for pair, cut in cells.items() if cut} == {
        pair for pair in cells if "b1" in pair and pair != ("b1", "b1")
    }
    assert cut_link(TOPOLOGY, broken) == ("h2", "rt-1")
    words = described(TOPOLOGY, broken)
    assert (words.down, words.node) == ("the way of lan to other hosts down on h2", "h2")


def test_captures_and_forgetting_are_on_each_host():
    machines = {name: Machine(name, None, ()) for name in ADDRESSES}
    found = {one.name: command for one, command, _ready in carriers.captures(TOPOLOGY, machines)}
    assert set(found) == set(ADDRESSES)
    assert "tcpdump -i $(ip -o -4 address show to 192.0.2.11 | cut -d' ' -f2)" in found["h1"]
    assert "not tcp or net 10.5.0.0/24" in found["h1"]
    lines = carriers.forgotten(TOPOLOGY)
    assert set(lines) == set(ADDRESSES)
    again = "ip link set dev rt-1 down && ip link set dev rt-1 up"
    assert f'if test "$(ip link show dev rt-1 up)"; then {again}; fi' in lines["h2"]
    assert "ip -n reftopo.t.b1 neigh flush all" in lines["h2"]
    assert carriers.tunnel_at(TOPOLOGY, "h1").port == 61825


def test_one_host_has_nothing_of_it():
    alone = {"segments": {"lan": {"cidr": "10.5.0.0/24", "mtu": 1500}}, "nodes": {}, "namespaces": {}}
    assert hosts.claims(alone) == between.hosts(alone) == between.askers(alone) == []
