# SPDX-License-Identifier: GPL-3.0-or-later
"""Captures of two virtual machines whose pods were asked, by tunl0 and by a VXLAN link, read as the suite does."""

from __future__ import annotations

import collections
from pathlib import Path

import calico_ipip_node as ipip
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_capture import CAPTURE_CLAIMS
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_outer import Outer, in_another_tunnel, packet_faults
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_pcap import Packet, Tunnel, packets
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_wire import Evidence

DATA = Path(__file__).parent / "data/calico_ipip"
NODES, PODS = {"172.30.97.11", "172.30.97.12"}, {"10.244.1.65", "10.244.2.65"}


def read(name: str) -> list[Packet]:
    return packets((DATA / name).read_bytes(), Tunnel(None, "ipip"))


def wrong(key: str, found: list[Packet]) -> list[str]:
    """What speaks against a claim of a capture."""
    return CAPTURE_CLAIMS[key][1]("n1", Evidence(ipip.TOPOLOGY, [], [], {"n1": found}))


def test_pods_in_ipip():
    found = read("ipip.pcap")
    inside = [packet for packet in found if packet.protocol == "4"]
    asked = [packet for packet in inside if packet.inner and {packet.inner.source, packet.inner.destination} == PODS]
    assert {packet.inner.protocol for packet in asked if packet.inner} == {"icmp", "tcp", "udp"}
    outer = Outer("ipip", ipip.CNI, NODES, PODS, {})
    assert [fault for packet in asked for fault in packet_faults(packet, outer)] == []
    assert max(packet.length for packet in inside) == 1500
    assert wrong("no-bare", found) == wrong("no-other-tunnel", found) == []


def test_the_same_in_vxlan():
    found = read("vxlan.pcap")
    assert not [packet for packet in found if packet.inner]
    assert collections.Counter(in_another_tunnel(packet, ipip.CNI) for packet in found)[True] > 12
    assert wrong("no-other-tunnel", found)[0].startswith("udp packet from 172.30.97.1")
