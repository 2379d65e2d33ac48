# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who forwards a packet: echo requests whose TTL ends one router later each.

This module util is PRIVATE to the collection. It is sent to machines as text, so it needs nothing but Python.
"""

from __future__ import annotations

import random
import socket
import struct
import time

from ansible_collections.reftopo.lab.plugins.module_utils._probe_protocols import (
    ICMP_ECHO_REPLY,
    Job,
    Result,
    echo_request,
)

ICMP_UNREACHABLE, ICMP_TIME_EXCEEDED = 3, 11  # RFC 792
LONGEST = 16  # hops until the way is called endless
WORDS = {ICMP_ECHO_REPLY: "ok", ICMP_UNREACHABLE: "unreachable", ICMP_TIME_EXCEEDED: "exceeded"}


def answer(packet: bytes, identifier: int) -> str | None:
    """What an IP packet says of the echo request with this identifier; None when it is about something else."""
    message = packet[(packet[0] & 0x0F) * 4 :]
    about = message
    if message[0] in (ICMP_UNREACHABLE, ICMP_TIME_EXCEEDED):
        # The refused packet's header and at least its first eight bytes follow (RFC 792).
        about = message[8 + (message[8] & 0x0F) * 4 :]
    return WORDS.get(message[0]) if about[4:6] == struct.pack("!H", identifier) else None


def ask(sock: socket.socket, job: Job, ttl: int) -> tuple[str, str]:
    """What is said of a request with this TTL, and by whom."""
    identifier = random.randrange(0x10000)
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
    sock.sendto(echo_request(identifier, job["key"].encode()), (job["address"], 0))
    deadline = time.monotonic() + job["timeout"]
    while True:
        sock.settimeout(max(deadline - time.monotonic(), 0.001))
        packet, (address, _port) = sock.recvfrom(65535)
        said = answer(packet, identifier)
        if said:
            return said, address


def trace(job: Job) -> Result:
    """The addresses of the routers between here and there, in order, once the target itself has answered."""
    hops: list[str] = []
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as sock:
        for ttl in range(1, LONGEST + 1):
            try:
                said, address = ask(sock, job, ttl)
            except socket.timeout:
                return {"observed": "timeout", "detail": f"silence after {', '.join(hops) or 'the first packet'}"}
            if said != "exceeded":
                return {"observed": said, "hops": hops, "detail": f"by {', '.join(hops)}" if hops else ""}
            hops.append(address)
    return {"observed": "unreachable", "detail": f"no end after {LONGEST} hops: {', '.join(hops)}"}
