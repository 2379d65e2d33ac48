# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a bridge in a namespace has learned of the machines on its ports. Pure.

This plugin util is PRIVATE to the collection. A bridge learns a MAC address from the frames that come in by a port
(IEEE 802.1D-2004, 7.8) and forgets it after its ageing time, 300 seconds by default.
"""

from __future__ import annotations

import typing as t

from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data


class Learned(t.NamedTuple):
    """A claim: the bridge of a namespace knows a machine's MAC address, and by which port it came."""

    machine: str
    netns: str
    bridge: str
    member: str
    port: str
    mac: str

    @property
    def case(self) -> str:
        """The claim in a test case's id."""
        return f"{self.machine}-{self.port}"

    @property
    def title(self) -> str:
        """The claim in words."""
        return f"{self.bridge} in {self.machine} has learned {self.member} at port {self.port}"

    @property
    def command(self) -> str:
        """What shows the same to a person."""
        return f"bridge -n {self.netns} fdb show br {self.bridge}"


def claims(topology: Data) -> list[Learned]:
    """One for each interface that is plugged into a bridge in a namespace."""
    return [
        Learned(
            interface["at"],
            topology["namespaces"][interface["at"]]["netns"],
            topology["segments"][interface["segment"]]["bridges"][interface["at"]],
            member["name"],
            interface["peer"],
            interface["mac"],
        )
        for member in topology["namespaces"].values()
        for interface in member["interfaces"].values()
        if "at" in interface
    ]


def faults(claim: Learned, rows: list[Data]) -> list[str]:
    """What speaks against a claim in the bridge's FDB: a static entry was not learned."""
    found = [row for row in rows if row["mac"] == claim.mac and row.get("master") == claim.bridge]
    if not found:
        return [f"{claim.bridge} has no entry for {claim.mac}"]
    wrong = [f"{claim.mac} is at port {row['ifname']}" for row in found if row["ifname"] != claim.port]
    return wrong + [f"the entry is {row['state']}, not learned" for row in found if row.get("state")]
