# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Captured packets: the pcap file format, and what of IPv4, UDP, TCP, ICMP and tunnels the checks need. Pure.

This plugin util is PRIVATE to the collection. Filters of tcpdump cannot look inside VXLAN, so everything is captured
and decided here. Sources: pcap, https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-05.html; IPv4, RFC 791; VXLAN,
RFC 7348 section 5; IPIP, RFC 2003; flannel's udp, pkg/backend/udp/proxy_amd64.c: an IP packet as it is behind the UDP
header.
"""

from __future__ import annotations

import dataclasses
import socket
import struct
import typing as t

from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import ProofError

MAGICS = {b"\xd4\xc3\xb2\xa1": "<", b"\xa1\xb2\xc3\xd4": ">", b"\x4d\x3c\xb2\xa1": "<", b"\xa1\xb2\x3c\x4d": ">"}
LINKTYPE_ETHERNET = 1
ETHERTYPE_IPV4 = 0x0800
PROTOCOLS = {1: "icmp", 6: "tcp", 17: "udp"}
IP_IN_IP, UDP = 4, 17
VXLAN_I_FLAG = 0x08  # the VNI is valid


@dataclasses.dataclass(frozen=True)
class Packet:
    """An IPv4 packet. length is the header's total length in bytes; data is what was captured behind the IP header.

    to_mac is the destination of the frame that it was in. In a tunnel, inner is the packet inside where it is IPv4; in
    VXLAN, frame is the Ethernet frame around that.
    """

    source: str
    destination: str
    protocol: str
    length: int
    fragment: bool
    destination_port: int | None
    data: bytes
    vni: int | None = None
    inner: Packet | None = None
    frame: bytes = b""
    to_mac: str = ""


class Tunnel(t.NamedTuple):
    """What carries packets: VXLAN or flannel's udp, in UDP to a port, or ipip, in IP itself."""

    port: int | None
    kind: str = "vxlan"


def frames(capture: bytes) -> t.Iterator[bytes]:
    """The frames of a pcap file; a record that is cut off at the end is left out."""
    order = MAGICS.get(capture[:4])
    if order is None:
        raise ProofError(f"not a pcap file: it begins with {capture[:4]!r}")
    (link_type,) = struct.unpack(order + "I", capture[20:24])
    if link_type & 0xFFFF != LINKTYPE_ETHERNET:
        raise ProofError(f"pcap of link type {link_type}, not Ethernet")
    offset = 24
    while offset + 16 <= len(capture):
        (captured,) = struct.unpack(order + "I", capture[offset + 8 : offset + 12])
        offset += 16 + captured
        if offset <= len(capture):
            yield capture[offset - captured : offset]


def ipv4(data: bytes, tunnel: Tunnel | None) -> Packet | None:
    """The packet of an Ethernet frame, with the packet that a tunnel carries in it; None for anything but IPv4."""
    if len(data) < 34 or struct.unpack("!H", data[12:14])[0] != ETHERTYPE_IPV4:
        return None
    return dataclasses.replace(ip_packet(data[14:], tunnel), to_mac=data[:6].hex(":"))


def ip_packet(packet: bytes, tunnel: Tunnel | None = None) -> Packet:
    """The packet whose IPv4 header comes first."""
    header = (packet[0] & 0x0F) * 4
    length, _identifier, fragment = struct.unpack("!HHH", packet[2:8])
    protocol, payload = packet[9], packet[header:]
    # A later fragment has no port numbers; 0x2000 is MF, 0x1FFF the offset.
    has_ports = protocol in (6, 17) and not fragment & 0x1FFF and len(payload) >= 4
    port = struct.unpack("!H", payload[2:4])[0] if has_ports else None
    inside = carried(protocol, port, payload, tunnel) if tunnel and not fragment & 0x1FFF else Inside()
    return Packet(
        source=socket.inet_ntoa(packet[12:16]),
        destination=socket.inet_ntoa(packet[16:20]),
        protocol=PROTOCOLS.get(protocol, str(protocol)),
        length=length,
        fragment=bool(fragment & 0x3FFF),
        destination_port=port,
        data=payload,
        vni=inside.vni,
        inner=inside.packet,
        frame=inside.frame,
    )


class Inside(t.NamedTuple):
    """What a packet carries, as far as it does."""

    packet: Packet | None = None
    vni: int | None = None
    frame: bytes = b""


def carried(protocol: int, port: int | None, payload: bytes, tunnel: Tunnel) -> Inside:
    """What is in a packet that the tunnel made, in any other nothing."""
    if tunnel.kind == "ipip":
        return plain(payload) if protocol == IP_IN_IP else Inside()
    if protocol != UDP or port != tunnel.port:
        return Inside()
    return vxlan(payload[8:]) if tunnel.kind == "vxlan" else plain(payload[8:])


def vxlan(payload: bytes) -> Inside:
    """The VNI and the Ethernet frame of a VXLAN payload."""
    if len(payload) < 8 or not payload[0] & VXLAN_I_FLAG:
        return Inside()
    return Inside(ipv4(payload[8:], None), int.from_bytes(payload[4:7], "big"), payload[8:])


def plain(payload: bytes) -> Inside:
    """The IPv4 packet that a payload is, by its version and the least length of its header."""
    return Inside(ip_packet(payload)) if len(payload) >= 20 and payload[0] >> 4 == 4 else Inside()


def packets(capture: bytes, tunnel: Tunnel | None) -> list[Packet]:
    """The IPv4 packets of a pcap file."""
    found = (ipv4(frame, tunnel) for frame in frames(capture))
    return [packet for packet in found if packet]


def with_key(found: list[Packet], key: str) -> list[Packet]:
    """The packets that hold a probe's key, wherever it is."""
    return [packet for packet in found if key.encode() in packet.data]
