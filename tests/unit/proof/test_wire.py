# SPDX-License-Identifier: GPL-3.0-or-later
"""Recorded captures prove what they should, and nothing once they are changed."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_capture import bare_faults, blind_faults, leak_faults
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import ProofError
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_pcap import Tunnel, frames, packets, with_key
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_wire import (
    Stream,
    capture_packets,
    size_faults,
    stream_faults,
    streams,
)

WHOLE = "0 packets dropped by kernel"
STREAMS = [Stream("n1", "n2", protocol, "vxlan") for protocol in ("icmp", "tcp", "udp")]
VNI_1, VNI_7 = b"\x08\x00\x00\x00\x00\x00\x01\x00", b"\x08\x00\x00\x00\x00\x00\x07\x00"
N1, N2, STRANGER = bytes([172, 30, 99, 11]), bytes([172, 30, 99, 12]), bytes([172, 30, 99, 66])
POD, OTHER_POD = bytes([10, 99, 2, 2]), bytes([10, 99, 2, 77])
PORT, OTHER_PORT = (8472).to_bytes(2, "big"), (4789).to_bytes(2, "big")


@pytest.mark.parametrize("stream", STREAMS, ids=lambda stream: stream.protocol)
def test_a_recorded_stream_is_proven(evidence, stream):
    assert stream_faults(stream, evidence()) == []


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        (VNI_1, VNI_7, "n1: VNI 7, not 1"),
        (N2, STRANGER, "n1: outer addresses 172.30.99.11 and 172.30.99.66, not the nodes'"),
        (POD, OTHER_POD, "n1: inner addresses 10.99.1.2 and 10.99.2.77, not the pods'"),
        (PORT, OTHER_PORT, "n1: bare udp packet from 172.30.99.11 to 172.30.99.12"),
        (b"reftopo", b"xxxxxxx", "packets captured at each end: {'n1': 0"),
    ],
)
def test_a_changed_capture_is_not_proof(evidence, old, new, fault):
    for stream in STREAMS:
        found = stream_faults(stream, evidence((old, new)))
        assert any(fault in one for one in found), found


def test_no_probe_is_no_proof(evidence):
    empty = dataclasses.replace(evidence(), outcomes=[])
    assert stream_faults(STREAMS[0], empty) == ["no probe was answered by a pod on the other end"]
    assert blind_faults("n1", empty) == ["no probe between nodes was made"]
    assert leak_faults("n1", empty) == ["no probe between pods of this node was made"]


def test_a_failed_probe_is_no_proof(evidence):
    seen = evidence()
    for outcome in seen.outcomes:
        outcome.record["ok"] = False
    assert "a-n1 -> a-n2 (10.99.2.2:8080) tcp" in stream_faults(STREAMS[1], seen)[0]


def test_what_must_not_be_on_the_wire(evidence):
    seen = evidence()
    assert [find(node, seen) for find in (bare_faults, blind_faults) for node in ("n1", "n2")] == [[]] * 4
    assert leak_faults("n1", seen) == []
    inner = [packet.inner for packet in seen.captures["n1"] if packet.inner]
    naked = dataclasses.replace(seen, captures={"n1": inner, "n2": []})
    assert "bare icmp packet from 10.99.1.2 to 10.99.2.2" in bare_faults("n1", naked)
    assert blind_faults("n1", naked) == ["no bare packet of the probe n1 -> n2"]


def test_a_local_probe_on_the_wire_is_a_leak(evidence):
    seen = evidence()
    local = next(o for o in seen.outcomes if o.probe.target.name == "b-n1" and o.probe.protocol == "udp")
    remote = next(o for o in seen.outcomes if o.probe.target.name == "a-n2" and o.probe.protocol == "udp")
    leaked = dataclasses.replace(local, probe=dataclasses.replace(local.probe, key=remote.probe.key))
    assert len(leak_faults("n1", dataclasses.replace(seen, outcomes=[leaked]))) == 1


def test_the_largest_packet_fills_the_frame(evidence):
    seen = evidence()
    full = next(o for o in seen.outcomes if o.probe.size == 1450)
    assert size_faults(full, seen, 1500) == []
    assert size_faults(full, seen, 1499)[0] == "n1: a packet of 1500 bytes on the wire, not one of 1499"
    cut = [dataclasses.replace(packet, fragment=True) for packet in seen.captures["n1"]]
    assert size_faults(full, dataclasses.replace(seen, captures={**seen.captures, "n1": cut}), 1500)
    none = dataclasses.replace(seen, captures={"n1": [], "n2": seen.captures["n2"]})
    assert size_faults(full, none, 1500) == ["n1: no packet of the probe was captured"]


def test_a_capture_that_dropped_packets_proves_nothing(evidence):
    for log in ("3 packets dropped by kernel", ""):
        with pytest.raises(ProofError, match="n1: the capture is not whole"):
            capture_packets("n1", b"", log, Tunnel(8472))
    with pytest.raises(ProofError, match="not a pcap file"):
        capture_packets("n1", b"oops", WHOLE, Tunnel(8472))


def test_a_file_that_is_cut_off_keeps_its_whole_frames():
    header = b"\xd4\xc3\xb2\xa1" + bytes(16) + b"\x01\x00\x00\x00"
    record = bytes(8) + b"\x04\x00\x00\x00" + b"\x04\x00\x00\x00" + b"abcd"
    assert list(frames(header + record + record[:-1])) == [b"abcd"]
    with pytest.raises(ProofError, match="link type 113, not Ethernet"):
        list(frames(header[:20] + b"\x71\x00\x00\x00"))


def test_only_ipv4_and_only_its_own_key():
    header = b"\xd4\xc3\xb2\xa1" + bytes(16) + b"\x01\x00\x00\x00"
    arp = bytes(12) + b"\x08\x06" + bytes(28)
    record = bytes(8) + len(arp).to_bytes(4, "little") * 2 + arp
    assert packets(header + record, Tunnel(8472)) == []
    assert with_key([], "reftopo") == []


def test_streams_are_every_pair_and_the_service(topology):
    assert len(streams(topology)) == 2 * 3 + 2 * 2
    assert streams(topology)[0].title == "icmp from pods on n1 to pods on n2 travels in VXLAN"
    assert streams(topology)[-1].title == "udp from pods on n2 to the service's pods on other nodes travels in VXLAN"
