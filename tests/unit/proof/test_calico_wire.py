# SPDX-License-Identifier: GPL-3.0-or-later
"""Calico with BGP: packets on the wire, MTU, what is masqueraded, and the mesh that is turned off."""

from __future__ import annotations

import contextlib
import dataclasses
import typing as t

import pytest
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_commands as commands
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_commands_bgp as commands_bgp
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_control as control
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_plan as plan
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_bgp import mesh_faults
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_capture import capture_claims
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_claim import Peer
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Endpoint
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_outer import Outer, capture_filter, packet_faults
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_pcap import Packet
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_proxy_asked import Asked
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_snapshot import Snapshot
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_wire import streams
from calico_node import BGP, CNI, KNOWN, NODES, STATE, TOPOLOGY, snapshot

BARE = Packet("10.244.1.65", "10.244.2.65", "icmp", 84, False, None, b"", to_mac="02:00:00:00:00:02")
PACKETS = {
    "bare, as it must": ({}, []),
    "in IP": ({"protocol": "4"}, ["4 packet from 10.244.1.65 to 10.244.2.65 in a tunnel"]),
    "in VXLAN": (
        {"protocol": "udp", "destination_port": 4789},
        ["udp packet from 10.244.1.65 to 10.244.2.65 in a tunnel"],
    ),
    "masqueraded": ({"source": "172.30.24.11"}, ["addresses 172.30.24.11 and 10.244.2.65, not the pods'"]),
    "to another node": (
        {"to_mac": "02:00:00:00:00:03"},
        ["a frame to 02:00:00:00:00:03, not to 02:00:00:00:00:02, which has 10.244.2.65"],
    ),
}


@pytest.mark.parametrize("case", PACKETS)
def test_packets(case: str):
    values, faults = PACKETS[case]
    macs = {"10.244.1.65": "02:00:00:00:00:01", "10.244.2.65": "02:00:00:00:00:02"}
    outer = Outer("bgp", CNI, {"172.30.24.11", "172.30.24.12"}, set(macs), macs)
    assert packet_faults(dataclasses.replace(BARE, **values), outer) == faults


def test_the_wire_is_that_of_a_bare_way():
    assert capture_claims(TOPOLOGY) == ["sees-bare", "no-tunnel", "no-local"]
    assert (
        streams(TOPOLOGY)[0].title == "icmp from pods on n1 to pods on n2 travels bare, to the other node's MAC address"
    )
    assert capture_filter(TOPOLOGY["cluster"]) == "net 10.244.0.0/16"


PODS = [Endpoint(f"a-{name}", "pods", name, f"10.244.{number}.65") for number, name in enumerate(NODES, 1)]


def test_what_is_masqueraded_has_the_nodes_address_even_towards_its_own_pods():
    seen = Asked(TOPOLOGY, [], {"n1": snapshot()}, [])
    assert [seen.masquerade("n1", one) for one in PODS[:2]] == ["172.30.24.11"] * 2


@pytest.mark.parametrize(("mtu", "narrows"), [(1500, False), (1400, True)])
def test_pods_with_a_smaller_mtu_than_the_segments(mtu: int, narrows: bool):
    topology = {**TOPOLOGY, "cluster": {**TOPOLOGY["cluster"], "cni": {**CNI, "mtu": mtu}}}
    assert plan.narrows(topology, Endpoint("n1", "nodes", "n1", "172.30.24.11"), PODS[1]) is narrows
    assert not plan.narrows(topology, PODS[0], PODS[1])


def test_without_the_mesh_pods_of_other_nodes_are_out_of_reach():
    ends = [*PODS, Endpoint("n1", "nodes", "n1", "172.30.24.11")]
    touched = {(a.name, b.name) for a in ends for b in ends if plan.touched({"mesh": "down"}, a, b)}
    assert touched == {(a.name, b.name) for a in ends for b in PODS if a.node != b.node}


def test_what_a_node_still_has_of_the_others():
    assert mesh_faults(snapshot(), TOPOLOGY, KNOWN["n1"], KNOWN) == [
        "n1 has a route to 10.244.2.64/26",
        "n1 has a route to 10.244.3.64/26",
        "n1 has session Mesh_172_30_24_12",
        "n1 has session Mesh_172_30_24_13",
    ]
    alone = snapshot(routes=STATE["routes"][:3], bgp=BGP.partition("Mesh")[0])
    assert mesh_faults(alone, TOPOLOGY, KNOWN["n1"], KNOWN) == []


def test_the_mesh_is_turned_off_by_an_object_that_goes_again():
    command = commands_bgp.unmesh("kubectl")
    assert '"nodeToNodeMeshEnabled": false' in command
    assert command.index("kubectl create") < command.index("cat >/dev/null") < command.index("kubectl delete")


def test_what_the_topology_configured_is_patched_and_only_where_nobody_said_anything():
    command = commands_bgp.unmesh("kubectl", configured=True)
    assert command.index("test -z") < command.index('"nodeToNodeMeshEnabled": false') < command.index("cat >/dev/null")
    assert command.endswith("""--patch='{"spec": {"nodeToNodeMeshEnabled": null}}' >/dev/null""")
    assert "create" not in command
    assert "delete" not in command


class Lab:
    """A cluster of n1 alone, as the suite has it, whose state is another each time that it is looked at."""

    def __init__(self, *states: Snapshot) -> None:
        cluster = {**TOPOLOGY["cluster"], "control_plane": ["n1"]}
        self.topology = {**TOPOLOGY, "nodes": {"n1": NODES["n1"]}, "cluster": cluster}
        self.states = list(states)
        self.peers = KNOWN
        self.machines, self.control_plane = {"n1": self}, self
        self.done: list[str] = []

    def snapshots(self) -> dict[str, Snapshot]:
        return {"n1": self.states.pop(0)}

    def peers_now(self) -> dict[str, Peer]:
        return {"n1": KNOWN["n1"]}

    @contextlib.contextmanager
    def held(self, command: str, ready: str) -> t.Iterator[None]:
        self.done.append("held")
        assert "nodeToNodeMeshEnabled" in command and ready == commands.HELD
        yield
        self.done.append("ended")


ALONE = snapshot(routes=STATE["routes"][:3], bgp=BGP.partition("Mesh")[0], prefixes="")


def unmeshed(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> control.Control:
    """The control without its probes."""

    def asked(_lab: Lab, _name: str, breaking: t.ContextManager[None]) -> tuple[list, list]:
        with breaking:
            lab.done.append("asked")
        return [], []

    monkeypatch.setattr(control, "_broken_and_repaired", asked)
    monkeypatch.setattr(control, "READY_TIMEOUT", 0 if len(lab.states) == 2 else 60)
    return control._unmeshed(lab, "without-the-mesh")


def test_probes_wait_until_nodes_have_followed(monkeypatch: pytest.MonkeyPatch):
    lab = Lab(snapshot(), ALONE, ALONE)
    seen = unmeshed(lab, monkeypatch)
    assert (lab.states, lab.done) == ([], ["held", "asked", "ended"])
    assert seen.residue == []
    assert seen.left == []


def test_what_does_not_go_and_what_does_not_come_back_is_told(monkeypatch: pytest.MonkeyPatch):
    lab = Lab(snapshot(), snapshot(proxy_arp="", routes=STATE["routes"][:3], bgp=BGP.partition("Mesh")[0], prefixes=""))
    seen = unmeshed(lab, monkeypatch)
    assert "n1 has a route to 10.244.2.64/26" in (seen.residue or [])
    assert seen.left == ["n1: 10.244.1.65: cali123 has no proxy ARP"]
