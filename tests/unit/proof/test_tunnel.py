# SPDX-License-Identifier: GPL-3.0-or-later
"""VXLAN between namespaces: each claim holds on packets as they should be, and fails when one thing differs."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_tunnel as tunnel
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Endpoint, Probe
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_pcap import Packet
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_wire import Evidence, Outcome

GROUP = "239.1.1.1"
VXLAN = {"kind": "vxlan", "id": 42, "dev": "eth0", "group": GROUP}
UNDERLAY = {"m1": "172.30.41.11", "m2": "172.30.41.12"}


def machine(number: int) -> dict[str, t.Any]:
    name = f"m{number}"
    bridge = {"kind": "bridge", "address": f"10.1.3.{number}/24", "mac": f"02:00:00:00:00:0{number}"}
    interfaces = {"br0": bridge, "eth0": {"address": f"{UNDERLAY[name]}/24", "mac": f"02:00:00:00:01:0{number}"}}
    return {"name": name, "netns": f"reftopo.t.{name}", "interfaces": interfaces}


def member(name: str, number: int, at: str) -> dict[str, t.Any]:
    interface = {"at": at, "address": f"10.1.3.{number}/24", "mac": f"02:00:00:00:00:{number}"}
    return {"name": name, "netns": f"reftopo.t.{name}", "interfaces": {"eth0": interface}}


TOPOLOGY = {
    "namespaces": {
        "m1": machine(1),
        "m2": machine(2),
        "a": member("a", 11, "m1"),
        "a2": member("a2", 12, "m1"),
        "b": member("b", 21, "m2"),
    },
    "checks": {"all": {"from": "namespaces"}, "overlay": {"mechanism": "vxlan"}},
    "link_state": {
        "namespaces": {
            name: {"links": {"vxlan0": VXLAN} if name in UNDERLAY else {}} for name in ("m1", "m2", "a", "a2", "b")
        }
    },
}
ENDS = {
    name: Endpoint(name, "namespaces", None, next(iter(one["interfaces"].values()))["address"].partition("/")[0])
    for name, one in TOPOLOGY["namespaces"].items()
}


def outcome(check: str, source: str, target: Endpoint, protocol: str = "icmp", ok: bool = True) -> Outcome:
    record = {"ok": ok, "check": check, "control": None, "detail": "", "from": source, "to": target.name}
    record |= {"target": target.address, "protocol": protocol, "expect": "ok", "observed": "ok" if ok else "timeout"}
    return Outcome(Probe(check, ENDS[source], target, protocol), {}, record)


def vxlan(source: str, destination: str, key: str = "", frame: bytes = b"", **changed: t.Any) -> Packet:
    packet = Packet(source, destination, "udp", 150, False, 4789, key.encode(), 42, None, frame)
    return dataclasses.replace(packet, **changed)


def bare(source: str, destination: str, key: str = "") -> Packet:
    return Packet(source, destination, "icmp", 84, False, None, key.encode())


ACROSS = outcome("all", "a", ENDS["b"])
WITHIN = outcome("all", "a", ENDS["a2"])
BARE = outcome("overlay", "m1", dataclasses.replace(ENDS["m2"], address=UNDERLAY["m2"]))
FLOODED = vxlan(UNDERLAY["m1"], GROUP, frame=b"\xff" * 6)
WIRE = [
    FLOODED,
    vxlan(UNDERLAY["m1"], UNDERLAY["m2"], ACROSS.probe.key),
    vxlan(UNDERLAY["m2"], UNDERLAY["m1"], ACROSS.probe.key),
    bare(UNDERLAY["m1"], UNDERLAY["m2"], BARE.probe.key),
]


def evidence(wire: list[Packet] = WIRE, outcomes: list[Outcome] | None = None, other: list[Packet] = WIRE) -> Evidence:
    found = [ACROSS, WITHIN, BARE] if outcomes is None else outcomes
    return Evidence(TOPOLOGY, [], found, {"m1": wire, "m2": other})


def claim(key: str, peer: str = "", protocol: str = "") -> tunnel.Claim:
    return next(one for one in tunnel.claims(TOPOLOGY) if one[1] == key and one[4:] == (peer, protocol))


STREAM = claim("stream", "m2", "icmp")
FDB = [{"mac": mac, "dst": UNDERLAY["m2"], "state": ""} for mac in ("02:00:00:00:00:02", "02:00:00:00:00:21")]


def test_all_of_it_holds_on_a_wire_as_it_should_be():
    for key in ("bare", "flood", "inside", "local"):
        assert tunnel.faults(claim(key), evidence(), []) == []
    assert tunnel.faults(STREAM, evidence(), []) == []
    assert tunnel.faults(claim("learned", "m2"), evidence(), FDB) == []


@pytest.mark.parametrize(
    ("options", "flood"),
    [
        ({"group": GROUP}, {GROUP}),
        ({"remote": "10.0.0.2"}, {"10.0.0.2"}),
        (
            {"fdb": [{"mac": tunnel.FLOOD, "dst": "10.0.0.2"}, {"mac": "02:00:00:00:00:02", "dst": "10.0.0.3"}]},
            {"10.0.0.2"},
        ),
    ],
)
def test_where_unknown_frames_go(options: dict[str, t.Any], flood: set[str]):
    link = {"kind": "vxlan", "id": 42, "dev": "eth0", **options}
    topology = {"namespaces": {"m1": machine(1)}, "link_state": {"namespaces": {"m1": {"links": {"vxlan0": link}}}}}
    assert tunnel.tunnels(topology)["m1"].flood == flood


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ([bare("10.1.3.11", "10.1.3.21", ACROSS.probe.key)], "bare icmp packet from 10.1.3.11 to 10.1.3.21"),
        ([vxlan(UNDERLAY["m1"], GROUP, ACROSS.probe.key)], "outer addresses 172.30.41.11 and 239.1.1.1"),
        ([vxlan(*UNDERLAY.values(), ACROSS.probe.key, vni=43)], "VNI 43 and port 4789, not 42 and 4789"),
        ([vxlan(*UNDERLAY.values(), ACROSS.probe.key, destination_port=8472)], "VNI 42 and port 8472, not 42 and 4789"),
        ([], "packets captured at each end: {'m1': 0, 'm2': 2}"),
    ],
)
def test_what_speaks_against_a_stream(changed: list[Packet], said: str):
    assert said in "\n".join(tunnel.faults(STREAM, evidence(changed), []))


def test_a_stream_without_probes_or_with_a_failing_one_is_not_proven():
    assert tunnel.faults(STREAM, evidence(outcomes=[]), []) == ["no probe was made"]
    failed = outcome("all", "a", ENDS["b"], ok=False)
    assert "observed timeout" in tunnel.faults(STREAM, evidence(outcomes=[failed]), [])[0]


@pytest.mark.parametrize(
    ("key", "wire", "said"),
    [
        ("flood", [], "no broadcast left this machine while it was captured"),
        (
            "flood",
            [vxlan(UNDERLAY["m2"], GROUP, frame=b"\xff" * 6)],
            "no broadcast left this machine while it was captured",
        ),
        ("flood", [FLOODED, vxlan(*UNDERLAY.values(), frame=b"\xff" * 6)], "one went to 172.30.41.12"),
        ("flood", [vxlan(*UNDERLAY.values(), frame=b"\xff" * 6)], "none went to 239.1.1.1"),
        ("inside", [bare("10.1.3.11", "192.0.2.1")], "bare icmp packet from 10.1.3.11 to 192.0.2.1"),
        ("local", [vxlan(*UNDERLAY.values(), WITHIN.probe.key)], "all: a -> a2"),
        ("bare", [vxlan(*UNDERLAY.values(), BARE.probe.key)], "no bare packet of the probe to 172.30.41.12"),
    ],
)
def test_what_speaks_against_a_machine(key: str, wire: list[Packet], said: str):
    assert said in "\n".join(tunnel.faults(claim(key), evidence(wire), []))


@pytest.mark.parametrize("key", ["local", "bare"])
def test_nothing_asked_is_nothing_shown(key: str):
    assert tunnel.faults(claim(key), evidence(outcomes=[]), [])[0].startswith("no probe")


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"dst": "172.30.41.13"}, "02:00:00:00:00:21 of b is at 172.30.41.13, not at 172.30.41.12"),
        ({"state": "permanent"}, "the entry of 02:00:00:00:00:21 is permanent, not learned"),
        ({"mac": "02:00:00:00:00:99"}, "02:00:00:00:00:21 of b is at no endpoint, not at 172.30.41.12"),
    ],
)
def test_what_speaks_against_learning(row: dict[str, str], said: str):
    assert tunnel.faults(claim("learned", "m2"), evidence(), [FDB[0], {**FDB[1], **row}]) == [said]


def test_forgetting():
    found = tunnel.forget(TOPOLOGY)
    assert ("b", "ip -n reftopo.t.b neigh flush all") in found
    command = "; ".join(command for _name, command in found)
    assert "ip -n reftopo.t.m2 link set dev vxlan0 down; ip -n reftopo.t.m2 link set dev vxlan0 up" in command
    untunnelled = {name: {"links": {}} for name in TOPOLOGY["namespaces"]}
    assert tunnel.forget({**TOPOLOGY, "link_state": {"namespaces": untunnelled}}) == []
