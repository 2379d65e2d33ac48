# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What routers outside of the cluster had and saw while they spoke BGP with its nodes. Pure.

This plugin util is PRIVATE to the collection. Source: RFC 2385 (the TCP MD5 signature option).
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_bird import Prefix, Session
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_claim import Peer
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_pcap import Packet
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_snapshot import Snapshot
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_wire import Outcome

UP = "Established"
BGP_PORT = 179  # IANA
SIGNATURE = 19  # the option's kind
# Linux' counters of segments that it drops: with a signature that is wrong, without one, with one that nobody wants.
DROPPED = {
    "TCPMD5Failure": "with a wrong signature",
    "TCPMD5NotFound": "without a signature",
    "TCPMD5Unexpected": "with an unexpected signature",
}


@dataclasses.dataclass(frozen=True)
class Router:
    """What a router had while BIRD ran there; dropped is by Linux' counter how many segments its kernel dropped."""

    sessions: list[Session]
    prefixes: list[Prefix]
    routes: list[Data]
    dropped: t.Mapping[str, int]

    def why(self, address: str) -> str:
        """In words, how the session with a node is, and what may be in its way."""
        found = next((one for one in self.sessions if one.neighbour == address), None)
        state = f"{found.state}, {found.error}" if found and found.error else found.state if found else "no session"
        counts = [f"{count} segments {DROPPED[key]} ({key})" for key, count in self.dropped.items() if count]
        return f"{state}; the kernel dropped {' and '.join(counts)}" if counts else state


@dataclasses.dataclass(frozen=True)
class Seen:
    """All of a check: nodes and routers while they spoke, what was asked then, and BGP's segments on nodes' wires.

    left are a router's routes of BIRD's when that had ended, and unanswered what was asked then. wrong is what routers
    had with another password, and refusing the nodes meanwhile; both are empty where there is no password.
    """

    topology: Data
    known: t.Mapping[str, Peer]
    nodes: t.Mapping[str, Snapshot]
    routers: t.Mapping[str, Router]
    outcomes: list[Outcome]
    segments: t.Mapping[str, list[Packet]]
    left: t.Mapping[str, list[Data]]
    unanswered: list[Outcome]
    wrong: t.Mapping[str, Router]
    refusing: t.Mapping[str, Snapshot]

    @property
    def cni(self) -> Data:
        return t.cast("Data", self.topology["cluster"]["cni"])

    def address(self, node: str) -> str:
        return str(self.topology["nodes"][node]["address"])

    def records(self, check: str) -> list[Data]:
        """All probes, and each session as a cell of the report: who speaks with whom, and why somebody does not."""
        cells = [
            self._cell(check, router, node, told, control)
            for control, found in ((None, self.routers), ("another password", self.wrong))
            for router, told in found.items()
            for node in self.topology["nodes"]
        ]
        return [*cells, *(one.record for one in (*self.outcomes, *self.unanswered))]

    def _cell(self, check: str, router: str, node: str, told: Router, control: str | None) -> Data:
        address, expect = self.address(node), "timeout" if control else "ok"
        up = any((one.neighbour, one.state) == (address, UP) for one in told.sessions)
        return {
            "check": check,
            "control": f"{control} on {router}" if control else None,
            "from": router,
            "to": node,
            "protocol": "bgp",
            "target": f"{address}:{BGP_PORT}",
            "expect": expect,
            "observed": "ok" if up else "timeout",
            "ms": None,
            "source": None,
            "expect_source": None,
            "detail": told.why(address),
            "ok": up == (expect == "ok"),
        }


def is_reset(packet: Packet) -> bool:
    """Whether a TCP segment resets a connection (RFC 9293 section 3.1)."""
    return bool(packet.data[13] & 0x04)


def signed(packet: Packet) -> bool:
    """Whether a TCP segment has the signature option; options are behind the 20 bytes of a header."""
    options = packet.data[20 : (packet.data[12] >> 4) * 4]
    while options and options[0] != 0:  # the end of the list
        if options[0] == SIGNATURE:
            return True
        # One of no operation has no length.
        options = options[1:] if options[0] == 1 or len(options) < 2 else options[max(options[1], 2) :]
    return False
