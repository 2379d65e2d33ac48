# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One probe by TCP, UDP or ICMP, and the word for what the network said to it.

This module util is PRIVATE to the collection. It is sent to machines as text, so it needs nothing but Python.
"""

from __future__ import annotations

import errno
import http.client
import random
import socket
import struct
import time
import typing as t

# include/uapi/linux/in.h; Python's socket module has no names for these
IP_MTU_DISCOVER = 10
IP_RECVERR = 11
IP_PMTUDISC_DO = 2
ICMP_ECHO_REPLY, ICMP_ECHO = 0, 8  # RFC 792

OBSERVED = {
    errno.ECONNREFUSED: "refused",
    errno.EHOSTUNREACH: "unreachable",
    errno.ENETUNREACH: "unreachable",
    errno.EMSGSIZE: "too-big",
    errno.ETIMEDOUT: "timeout",
}

Job = dict[str, t.Any]
Result = dict[str, t.Any]


def observed(problem: Exception) -> str:
    """The word for what the network said; whatever is not the network's word is an error."""
    if isinstance(problem, (socket.timeout, TimeoutError)):
        return "timeout"
    return OBSERVED.get(problem.errno or 0, "error") if isinstance(problem, OSError) else "error"


def host_part(address: str) -> str:
    """The host of HOST:PORT."""
    return address.rpartition(":")[0]


def expect_echo(answer: str, key: str) -> None:
    """An answer to somebody else's question must not pass for an answer to this one."""
    if answer != key:
        raise ValueError(f"echo of {key!r} came back as {answer[:60]!r}")


def http_get(connection: http.client.HTTPConnection, path: str) -> str:
    connection.request("GET", path)
    response = connection.getresponse()
    text = response.read().decode()
    if response.status != 200:
        raise ValueError(f"GET {path}: status {response.status}")
    return text


def tcp(job: Job) -> Result:
    """Three requests on one connection: the key, who answers, and whom the server sees."""
    connection = http.client.HTTPConnection(job["address"], job["port"], timeout=job["timeout"])
    try:
        expect_echo(http_get(connection, "/echo?msg=" + job["key"]), job["key"])
        server = http_get(connection, "/hostname")
        return {"observed": "ok", "server": server, "source": host_part(http_get(connection, "/clientip"))}
    finally:
        connection.close()


def udp_ask(sock: socket.socket, question: str) -> str:
    sock.send(question.encode())
    return sock.recv(2048).decode()


def udp(job: Job) -> Result:
    """The same three questions from one port, so that all of them reach the same end of a service."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(job["timeout"])
        sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
        sock.connect((job["address"], job["port"]))
        expect_echo(udp_ask(sock, "echo " + job["key"]), job["key"])
        server = udp_ask(sock, "hostname")
        return {"observed": "ok", "server": server, "source": host_part(udp_ask(sock, "clientip"))}


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    total = sum(struct.unpack(f"!{len(data) // 2}H", data[: len(data) // 2 * 2]))
    total += data[-1] << 8 if len(data) % 2 else 0
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def echo_request(identifier: int, payload: bytes) -> bytes:
    """An ICMP echo request (RFC 792)."""
    header = struct.pack("!BBHHH", ICMP_ECHO, 0, 0, identifier, 1)
    return header[:2] + struct.pack("!H", checksum(header + payload)) + header[4:] + payload


def is_echo_reply(packet: bytes, identifier: int, payload: bytes) -> bool:
    """Whether an IP packet answers exactly this request: a raw socket sees everybody's ICMP."""
    icmp_part = packet[(packet[0] & 0x0F) * 4 :]
    return (
        icmp_part[0] == ICMP_ECHO_REPLY and icmp_part[4:6] == struct.pack("!H", identifier) and icmp_part[8:] == payload
    )


def icmp(job: Job) -> Result:
    """One echo request; with a size it is exactly that long and must not be fragmented."""
    identifier = random.randrange(0x10000)
    payload = job["key"].encode().ljust(job["size"] - 28 if job.get("size") else 0, b"x")
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as sock:
        sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
        if job.get("size"):
            sock.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO)
        sock.connect((job["address"], 0))
        try:
            sock.send(echo_request(identifier, payload))
        except OSError as problem:
            # "local" tells a packet that this machine did not send from one that a router sent back (RFC 1191).
            return {"observed": observed(problem), "detail": str(problem), "local": True}
        deadline = time.monotonic() + job["timeout"]
        while True:
            sock.settimeout(max(deadline - time.monotonic(), 0.001))
            if is_echo_reply(sock.recv(65535), identifier, payload):
                return {"observed": "ok"}
