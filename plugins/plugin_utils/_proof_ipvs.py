# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node in mode ipvs does with packets: the kernel's load balancer, and rules of iptables around it. Pure.

This plugin util is PRIVATE to the collection. Sources: kubernetes, pkg/proxy/ipvs/README.md; Linux,
net/netfilter/ipvs/ip_vs_ctl.c (/proc/net/ip_vs) and ip_vs_core.c (what becomes of a packet without a destination).
"""

from __future__ import annotations

import functools
import ipaddress
import json
import typing as t
from fractions import Fraction

from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_iptables
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_flow import Branch, Packet, Rules, UnclearError

DEVICE = "kube-ipvs0"
Key = tuple[str, str, int]  # address, protocol and port of a virtual server


class VirtualServer(t.NamedTuple):
    """Who is balanced to, as ADDRESS:PORT with its weight, how, and for how many ticks a client is remembered."""

    scheduler: str
    persistence: int
    ends: dict[str, int]

    @property
    def taken(self) -> list[str]:
        """Those that new connections are led to: one that is taken out keeps weight 0 until its connections end."""
        return [end for end, weight in self.ends.items() if weight]


@functools.cache
def virtual_servers(text: str) -> dict[Key, VirtualServer]:
    """The virtual servers in /proc/net/ip_vs; empty without the kernel module. Those of IPv6 are in brackets."""
    found: dict[Key, VirtualServer] = {}
    for line in text.splitlines()[3:]:
        words = line.split()
        if words[0] == "->":
            list(found.values())[-1].ends[_end(words[1])] = int(words[3])
        elif words[0] in ("TCP", "UDP", "SCTP"):
            address, port = _end(words[1]).rsplit(":", 1)
            persistence = int(words[words.index("persistent") + 1]) if "persistent" in words else 0
            found[address, words[0].lower(), int(port)] = VirtualServer(words[2], persistence, {})
        else:
            raise UnclearError(f"ipvs: `{line}` is not understood")
    return found


def _end(word: str) -> str:
    """ADDRESS:PORT of what is both in hexadecimal."""
    address, port = word.rsplit(":", 1)
    return f"{address if '[' in address else ipaddress.ip_address(int(address, 16))}:{int(port, 16)}"


@functools.cache
def parse(virtual: str, ipset: str, iptables: str, links: str) -> Rules:
    """The rules of a node, and its load balancer with them; service addresses are the node's own."""
    rules = _proof_iptables.parse(iptables, ipset)
    return rules._replace(
        local=frozenset(addresses(json.loads(links))),
        balance=functools.partial(balanced, virtual_servers(virtual)),
    )


def addresses(links: list[dict[str, t.Any]]) -> list[str]:
    """The IPv4 addresses of kube-proxy's device, of the links that `ip -j address` shows."""
    own = next((link for link in links if link["ifname"] == DEVICE), {})
    return [entry["local"] for entry in own.get("addr_info", ()) if entry["family"] == "inet"]


def balanced(servers: dict[Key, VirtualServer], packet: Packet) -> list[Branch]:
    """Where the load balancer leads a packet: to each endpoint in turn, or a client that it remembers to its own.

    What comes for a virtual server without endpoints is refused by ICMP (ip_vs_leave).
    """
    key = (packet.destination, packet.protocol, packet.port)
    server = servers.get(key)
    if server is None:
        return [Branch(Fraction(1), packet)]
    packet = packet.by(f"virtual server {packet.protocol} {packet.destination}:{packet.port} {server.scheduler}")
    if not server.taken:
        return [Branch(Fraction(1), packet, "reject")]
    names = {end: f"{':'.join(map(str, key))} {end}" for end in server.taken}
    led = [end for end in server.taken if names[end] in packet.known] or server.taken
    return [Branch(Fraction(1, len(led)), _led(packet, end, names[end] if server.persistence else "")) for end in led]


def _led(packet: Packet, end: str, name: str) -> Packet:
    noted = {name} if name else set()
    return packet.towards(*end.split(":"))._replace(noted=packet.noted | noted)
