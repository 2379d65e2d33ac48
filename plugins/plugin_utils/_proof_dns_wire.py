# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Queries as they arrived: in what was captured at CoreDNS' pods, and in what a check's own servers tell. Pure.

This plugin util is PRIVATE to the collection. A query that is sent again after silence (resolv.conf(5), attempts) keeps
its port and its identifier, so it is the same one.
"""

from __future__ import annotations

import json
import struct
import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils._probe_dns_server import DNS_A, question
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_pcap import packets

DNS_PORT = 53
HEADER = 8  # bytes of UDP's


class Query(t.NamedTuple):
    """A query for A records at a server: who asks, and the code of the answer, None where there was none."""

    name: str
    client: str
    port: int
    identifier: int
    code: int | None

    @property
    def label(self) -> str:
        """The first label of its name."""
        return self.name.partition(".")[0]


def captured(capture: bytes, address: str) -> list[Query]:
    """The queries that arrived at the pod with an address, in the order of a pcap file."""
    asked: dict[tuple[str, int, int, str], int | None] = {}
    for packet in packets(capture, None):
        if packet.protocol != "udp" or packet.fragment or len(packet.data) < HEADER + 12:
            continue
        ports, message = struct.unpack("!2H", packet.data[:4]), packet.data[HEADER:]
        name, kind, _end = question(message)
        identifier, flags = struct.unpack("!2H", message[:4])
        if kind != DNS_A:
            continue
        if packet.destination == address and ports[1] == DNS_PORT:
            asked.setdefault((packet.source, ports[0], identifier, name), None)
        elif packet.source == address and ports[0] == DNS_PORT:
            asked[packet.destination, ports[1], identifier, name] = flags & 0x0F
    return [Query(name, client, port, number, code) for (client, port, number, name), code in asked.items()]


def told(text: str) -> list[Query]:
    """The queries that a server of a check tells of."""
    rows = [json.loads(line) for line in text.splitlines()]
    found = [
        Query(row["name"], row["client"], row["port"], row["id"], row["code"]) for row in rows if row["type"] == DNS_A
    ]
    return list(dict.fromkeys(found))
