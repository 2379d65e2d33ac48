# SPDX-License-Identifier: GPL-3.0-or-later
"""Queries and answers on the wire: what a check's server says, and what is read of a capture and of its word."""

from __future__ import annotations

import json
import socket
import struct

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils import _probe_dns_server as server
from ansible_collections.reftopo.lab.plugins.module_utils._probe_dns import dns_answer, dns_query
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_dns_wire import Query, captured, told

RECORDS = {"a.example.com.": "192.0.2.80"}
COREDNS, CLIENT = "10.244.0.2", "10.244.1.9"


def of_type(query: bytes, kind: int) -> bytes:
    return query[:-4] + struct.pack("!2H", kind, 1)


@pytest.mark.parametrize(
    ("name", "kind", "answer"),
    [
        ("a.example.com.", 1, (0, ["192.0.2.80"])),
        ("A.Example.Com.", 1, (0, ["192.0.2.80"])),
        ("a.example.com.", 28, (0, [])),
        ("b.example.com.", 1, (3, [])),
    ],
    ids=["a name", "in capitals", "its AAAA", "nobody's"],
)
def test_the_server_answers(name, kind, answer):
    query = of_type(dns_query(77, name), kind)
    text, code = server.reply(query, RECORDS)
    assert dns_answer(text) == answer
    assert code == answer[0]
    assert text[:2] == query[:2]


End = tuple[str, int]  # address and port


def frame(source: End, target: End, message: bytes, protocol: int = 17) -> bytes:
    udp = struct.pack("!4H", source[1], target[1], 8 + len(message), 0) + message
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 1, 0, 64, protocol, 0)
    return bytes(12) + b"\x08\x00" + head + socket.inet_aton(source[0]) + socket.inet_aton(target[0]) + udp


def pcap(*frames: bytes) -> bytes:
    head = b"\xd4\xc3\xb2\xa1" + struct.pack("<HHiIII", 2, 4, 0, 0, 65535, 1)
    return head + b"".join(struct.pack("<4I", 0, 0, len(one), len(one)) + one for one in frames)


def asks(identifier: int, name: str, port: int = 4000) -> bytes:
    return frame((CLIENT, port), (COREDNS, 53), dns_query(identifier, name))


def answers(identifier: int, name: str, port: int = 4000) -> bytes:
    return frame((COREDNS, 53), (CLIENT, port), server.reply(dns_query(identifier, name), RECORDS)[0])


KNOWN, NOBODY = "a.example.com.", "b.example.com."
CASES = {
    "asked and answered": (
        [asks(1, NOBODY), answers(1, NOBODY), asks(2, KNOWN), answers(2, KNOWN)],
        [Query(NOBODY, CLIENT, 4000, 1, 3), Query(KNOWN, CLIENT, 4000, 2, 0)],
    ),
    "sent again after silence is one query": (
        [asks(1, KNOWN), asks(1, KNOWN), answers(1, KNOWN)],
        [Query(KNOWN, CLIENT, 4000, 1, 0)],
    ),
    "from another port it is another": (
        [asks(1, KNOWN), answers(1, KNOWN), asks(1, KNOWN, 4001)],
        [Query(KNOWN, CLIENT, 4000, 1, 0), Query(KNOWN, CLIENT, 4001, 1, None)],
    ),
    "what CoreDNS itself asks": ([frame((COREDNS, 5000), ("10.1.0.9", 53), dns_query(9, KNOWN))], []),
    "AAAA is not counted": ([frame((CLIENT, 4000), (COREDNS, 53), of_type(dns_query(1, KNOWN), 28))], []),
    "TCP, and what is no query": (
        [frame((CLIENT, 4000), (COREDNS, 53), dns_query(1, KNOWN), 6), frame((CLIENT, 4000), (COREDNS, 53), b"x")],
        [],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_captured(case):
    frames, queries = CASES[case]
    assert captured(pcap(*frames), COREDNS) == queries


def test_what_the_server_tells():
    row = {"name": KNOWN, "type": 1, "client": CLIENT, "port": 4000, "id": 1, "code": 0}
    text = "".join(json.dumps(one) + "\n" for one in (row, {**row, "type": 28}, row, {**row, "id": 2}))
    assert told(text) == [Query(KNOWN, CLIENT, 4000, 1, 0), Query(KNOWN, CLIENT, 4000, 2, 0)]
