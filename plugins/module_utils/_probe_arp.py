# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks a wire by ARP (RFC 826) who has some addresses, and prints all who say so, as JSON: {address: [MAC address]}.

This module util is PRIVATE to the collection. It is sent to a machine as text, so it needs nothing but Python. A
machine's own table of neighbours has one MAC address of each, whoever else answers; here each that answers counts.
"""

from __future__ import annotations

import contextlib
import json
import pathlib
import socket
import struct
import sys
import time

# linux/if_ether.h; linux/if_arp.h: ARPHRD_ETHER, ARPOP_REQUEST
ETH_P_ARP, ETH_P_IP = 0x0806, 0x0800
ETHERNET, REQUEST = 1, 1
HEADER = struct.Struct("!6s6sH")  # destination, source, type
PACKET = struct.Struct("!HHBBH6s4s6s4s")  # kinds and lengths of addresses, operation, sender, target
BROADCAST = b"\xff" * 6
ANYBODY = "0.0.0.0"  # RFC 5227, section 2.1.1: who asks whether an address is free has none, and is noted by nobody
INTERFACES = pathlib.Path("/sys/class/net")
TIMES, PAUSE = 3, 0.3  # each address is asked so often, and answers are waited for so many seconds each time


def request(mac: bytes, sender: str, address: str) -> bytes:
    """The frame that asks everybody on the wire who has an address."""
    own, asked = (socket.inet_aton(one) for one in (sender, address))
    packet = PACKET.pack(ETHERNET, ETH_P_IP, len(mac), len(own), REQUEST, mac, own, bytes(6), asked)
    return HEADER.pack(BROADCAST, mac, ETH_P_ARP) + packet


def claim(frame: bytes) -> tuple[str, str] | None:
    """The address that a frame's sender says it has, and its MAC address; None where it is no ARP for IPv4."""
    if len(frame) < HEADER.size + PACKET.size:
        return None
    hardware, protocol, *_lengths, sender, address, _target, _asked = PACKET.unpack_from(frame, HEADER.size)
    if (hardware, protocol) != (ETHERNET, ETH_P_IP):
        return None
    return socket.inet_ntoa(address), ":".join(f"{byte:02x}" for byte in sender)


def ask(wire: socket.socket, sender: str, addresses: list[str]) -> dict[str, list[str]]:
    """Who says to have each address: in answers, or of their own accord meanwhile."""
    mac, found = wire.getsockname()[4], {address: set[str]() for address in addresses}
    for _time in range(TIMES):
        for address in addresses:
            wire.send(request(mac, sender, address))
        until = time.monotonic() + PAUSE
        while (left := until - time.monotonic()) > 0:
            wire.settimeout(left)
            try:
                heard = claim(wire.recv(2048))
            except socket.timeout:
                break
            if heard and heard[0] in found:
                found[heard[0]].add(heard[1])
    return {address: sorted(macs) for address, macs in found.items()}


def on_wire(interface: str, sender: str, addresses: list[str]) -> dict[str, list[str]]:
    """Who says to have each address, on an interface's wire; an interface that is down or not there is an OSError."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ARP)) as wire:
        wire.bind((interface, ETH_P_ARP))
        return ask(wire, sender, addresses)


def others(interface: str, addresses: list[str]) -> dict[str, list[str]]:
    """Which other machines say to have addresses; one with two interfaces on a wire answers itself by the other."""
    found, own = on_wire(interface, ANYBODY, addresses), _own()
    return {address: [mac for mac in macs if mac not in own] for address, macs in found.items()}


def _own() -> set[str]:
    """The MAC addresses of this machine; a link may go while it is looked at."""
    macs = set()
    for path in INTERFACES.glob("*/address"):
        with contextlib.suppress(OSError):
            macs.add(path.read_text().strip())
    return macs


def main() -> None:
    """Arguments: the interface, its address, the addresses that are asked for, with commas between."""
    interface, sender, asked = sys.argv[-3:]
    sys.stdout.write(json.dumps(on_wire(interface, sender, asked.split(","))))


if __name__ == "__main__":
    main()
