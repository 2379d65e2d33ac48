# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask a name as a pod would: the servers, search list and ndots of resolv.conf(5), on the wire of RFC 1035.

This module util is PRIVATE to the collection. It is sent to machines as text, so it needs nothing but Python. The
C library's resolver would read the machine's own resolv.conf, and tells a silent server from a missing name badly.
"""

from __future__ import annotations

import random
import socket
import struct
import typing as t

IP_RECVERR = 11  # include/uapi/linux/in.h
DNS_IN, NXDOMAIN = 1, 3  # RFC 1035 section 3.2 and 4.1.1
# What is asked for, by the protocol of a probe: RFC 1035 section 3.2.2, RFC 2782.
RECORDS = {"dns": 1, "cname": 5, "srv": 33}


class Resolver(t.NamedTuple):
    """What resolv.conf(5) says."""

    server: str
    search: list[str]
    ndots: int


def parse_resolv_conf(text: str) -> Resolver:
    words = [line.split() for line in text.splitlines() if line.strip() and line[0] not in "#;"]
    servers = [line[1] for line in words if line[0] == "nameserver"]
    if not servers:
        raise ValueError("resolv.conf names no nameserver")
    search = next((line[1:] for line in reversed(words) if line[0] == "search"), [])
    options = [option for line in words if line[0] == "options" for option in line[1:]]
    ndots = next((int(option[6:]) for option in options if option.startswith("ndots:")), 1)
    return Resolver(servers[0], search, ndots)


def candidates(name: str, resolver: Resolver) -> list[str]:
    """The full names to ask for, in order: resolv.conf(5), options ndots and search."""
    if name.endswith("."):
        return [name]
    searched = [f"{name}.{domain.rstrip('.')}." for domain in resolver.search]
    return [name + ".", *searched] if name.count(".") >= resolver.ndots else [*searched, name + "."]


def dns_query(identifier: int, name: str, kind: int = RECORDS["dns"]) -> bytes:
    """A question for records of a kind (RFC 1035 section 4.1)."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.rstrip(".").split("."))
    return struct.pack("!6H", identifier, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!2H", kind, DNS_IN)


def skip_name(message: bytes, offset: int) -> int:
    """The offset behind a name; a compression pointer ends it (RFC 1035 section 4.1.4)."""
    while message[offset]:
        if message[offset] & 0xC0:
            return offset + 2
        offset += message[offset] + 1
    return offset + 1


def read_name(message: bytes, offset: int) -> str:
    """The name at an offset, with the final dot; a pointer goes on further ahead, never behind itself."""
    labels, limit = [], len(message)
    while message[offset]:
        if message[offset] & 0xC0:
            pointer = struct.unpack("!H", message[offset : offset + 2])[0] & 0x3FFF
            if pointer >= limit:
                raise ValueError("a name of the answer points at itself")
            offset = limit = pointer
            continue
        labels.append(message[offset + 1 : offset + 1 + message[offset]].decode())
        offset += message[offset] + 1
    return ".".join(labels) + "."


def record(message: bytes, offset: int, length: int, kind: int) -> str:
    """What a record says: an address, a name, or of a service its port and the name behind it."""
    if kind == RECORDS["dns"]:
        return socket.inet_ntoa(message[offset : offset + length])
    if kind == RECORDS["cname"]:
        return read_name(message, offset)
    port = struct.unpack("!H", message[offset + 4 : offset + 6])[0]
    return f"{port} {read_name(message, offset + 6)}"


def dns_answer(message: bytes, wanted: int = RECORDS["dns"]) -> tuple[int, list[str]]:
    """The response code and the records of the kind that was asked for."""
    _identifier, flags, questions, answers = struct.unpack("!4H", message[:8])
    offset, found = 12, []
    for _question in range(questions):
        offset = skip_name(message, offset) + 4
    for _answer in range(answers):
        offset = skip_name(message, offset)
        kind, _class, _ttl, length = struct.unpack("!HHIH", message[offset : offset + 10])
        if kind == wanted:
            found.append(record(message, offset + 10, length, kind))
        offset += 10 + length
    return flags & 0x0F, found


def ask_server(sock: socket.socket, name: str, kind: int) -> tuple[int, list[str]]:
    """One question and its own answer; a late answer to an earlier question is passed over."""
    identifier = random.randrange(0x10000)
    sock.send(dns_query(identifier, name, kind))
    while True:
        message = sock.recv(4096)
        if message[:2] == struct.pack("!H", identifier):
            return dns_answer(message, kind)


def dns(job: dict[str, t.Any]) -> dict[str, t.Any]:
    """The records of a name, asked of the first server, name after name of the search list."""
    resolver = parse_resolv_conf(job["resolv_conf"])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(job["timeout"])
        sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
        sock.connect((resolver.server, 53))
        for name in candidates(job["name"], resolver):
            code, found = ask_server(sock, name, RECORDS[job["protocol"]])
            if found:
                return {"observed": "ok", "addresses": sorted(found), "server": resolver.server, "detail": name}
            if code not in (0, NXDOMAIN):
                return {"observed": "dns", "detail": f"{name}: response code {code} of {resolver.server}"}
    return {"observed": "dns", "detail": "no such name"}
