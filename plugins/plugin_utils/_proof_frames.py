# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with frames that VXLAN carries, whoever has it: what was learned, where broadcasts went. Pure.

This plugin util is PRIVATE to the collection.
"""

from __future__ import annotations

import typing as t

from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_pcap import Packet, with_key
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_wire import Outcome

BROADCAST = b"\xff" * 6


def misplaced(wanted: list[Data], address: str, fdb: list[Data]) -> list[str]:
    """Interfaces whose MAC addresses a VXLAN link has not learned at an address."""
    rows = {row["mac"]: row for row in fdb if "dst" in row}
    found = []
    for member in wanted:
        row = rows.get(member["mac"], {})
        if row.get("dst") != address:
            found.append(f"{member['mac']} of {member['name']} is at {row.get('dst', 'no endpoint')}, not at {address}")
        elif row.get("state"):
            found.append(f"the entry of {member['mac']} is {row['state']}, not learned")
    return found


def flooded(sent: list[Packet], wanted: t.Collection[str]) -> list[str]:
    """Where broadcasts did not go that they had to, and where they went beside."""
    seen = {packet.destination for packet in sent}
    if not sent:
        return ["no broadcast left this machine while it was captured"]
    return [f"none went to {address}" for address in sorted({*wanted} - seen)] + [
        f"one went to {address}" for address in sorted(seen - {*wanted})
    ]


def unseen(sent: list[Outcome], captured: list[Packet]) -> list[str]:
    """Probes of which no packet was captured outside of VXLAN."""
    return [
        f"no bare packet of the probe to {o.probe.target.address}"
        for o in sent
        if not any(p.vni is None for p in with_key(captured, o.probe.key))
    ]
