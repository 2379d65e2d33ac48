# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A DNS server for a check: it knows some names, says that there are no others, and tells of every query.

This module util is PRIVATE to the collection. It is sent to a machine as text, so beside its own it needs nothing but
Python. It runs until its standard input closes. Wire format: RFC 1035 section 4.
"""

from __future__ import annotations

import json
import socket
import socketserver
import struct
import sys
import threading
import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils._probe_dns import DNS_IN, NXDOMAIN

READY = "reftopo: answering"
PORT = 53
DNS_A = 1  # RFC 1035 section 3.2.2
RESPONSE, AUTHORITATIVE, RECURSION_DESIRED = 0x8000, 0x0400, 0x0100  # flags
QUESTION = 12  # offset of the first question
TTL = 30  # seconds


def question(message: bytes) -> tuple[str, int, int]:
    """Name with its final dot, type, and where the question ends. It is never compressed."""
    labels, offset = "", QUESTION
    while message[offset]:
        length = message[offset]
        labels += message[offset + 1 : offset + 1 + length].decode("ascii", "replace") + "."
        offset += length + 1
    (kind,) = struct.unpack("!H", message[offset + 1 : offset + 3])
    return labels.lower() or ".", kind, offset + 5


def reply(message: bytes, records: t.Mapping[str, str]) -> tuple[bytes, int]:
    """The response to a query by names' addresses, and its code. A name has no records but its address."""
    identifier, flags = struct.unpack("!2H", message[:4])
    name, kind, end = question(message)
    code = 0 if name in records else NXDOMAIN
    answer = b""
    if code == 0 and kind == DNS_A:
        pointer = 0xC000 | QUESTION
        answer = struct.pack("!3HIH", pointer, DNS_A, DNS_IN, TTL, 4) + socket.inet_aton(records[name])
    said = RESPONSE | AUTHORITATIVE | (flags & RECURSION_DESIRED) | code
    return struct.pack("!6H", identifier, said, 1, int(bool(answer)), 0, 0) + message[QUESTION:end] + answer, code


class Handler(socketserver.BaseRequestHandler):
    """Answers a query, and writes a line of JSON about it to standard output."""

    records: t.Mapping[str, str] = {}

    def handle(self) -> None:
        """Answer one datagram; one that is no query is passed over."""
        data, sock = self.request
        try:
            text, code = reply(data, self.records)
        except (IndexError, struct.error):
            return
        sock.sendto(text, self.client_address)
        name, kind, _end = question(data)
        client, port = self.client_address
        identifier = int.from_bytes(data[:2], "big")
        told = {"name": name, "type": kind, "client": client, "port": port, "id": identifier, "code": code}
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()


def main() -> None:
    """Arguments: the address, and a JSON object of names, with a final dot, to addresses."""
    address, records = sys.argv[-2:]
    Handler.records = json.loads(records)
    server = socketserver.UDPServer((address, PORT), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stderr.write(READY + "\n")
    sys.stderr.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main()
