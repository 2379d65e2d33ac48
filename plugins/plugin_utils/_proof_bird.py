# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What BIRD says of its sessions and routes, from the text of birdcl. Pure.

This plugin util is PRIVATE to the collection. Source of the forms: BIRD 1.6, nest/proto.c, nest/rt-table.c and
proto/bgp/bgp.c. A line of a form that is not known is an error: what it says might be what was looked for.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import ProofError

SESSION = re.compile(r"(?P<name>\S+) +BGP +\S+ +\S+ ")
FIELD = re.compile(r" +(?P<key>[A-Z][A-Za-z ]*): +(?P<value>\S.*)?")
ROUTE = re.compile(
    r"(?P<network>\S+)? +(?:via (?P<via>\S+) on (?P<device>\S+)|dev (?P<link>\S+)|(?P<kind>blackhole|unreachable))"
    r" \[(?P<protocol>\S+) "
)
ATTRIBUTE = re.compile(r"\t(?P<key>[A-Za-z_.]+): ?(?P<value>.*)")


class Session(t.NamedTuple):
    """A session of BGP: the protocol's name in BIRD, the neighbour's address and AS number, state and last error."""

    name: str
    neighbour: str
    as_number: str
    state: str
    error: str = ""


class Prefix(t.NamedTuple):
    """A route in BIRD's table: the protocol that it is of, where it leads, and attributes such as BGP.next_hop."""

    network: str
    protocol: str
    via: str
    device: str
    attributes: dict[str, str]


def sessions(text: str) -> list[Session]:
    """The sessions in the text of ``show protocols all``, in which a blank line is behind each protocol."""
    found = []
    for part in text.split("\n\n"):
        head = next((match for line in part.splitlines() if (match := SESSION.match(line))), None)
        if head:
            rows = [match for line in part.splitlines() if (match := FIELD.match(line))]
            fields = {row["key"]: row["value"] or "" for row in rows}
            values = (fields.get(key, "") for key in ("Neighbor address", "Neighbor AS", "BGP state", "Last error"))
            found.append(Session(head["name"], *values))
    return found


def prefixes(text: str) -> list[Prefix]:
    """The routes in the text of ``show route all``; further ones to the same network have none before them.

    Raises:
        ProofError: a line is none that is known.
    """
    found: list[Prefix] = []
    for line in text.splitlines():
        route, attribute = ROUTE.match(line), ATTRIBUTE.match(line)
        if route:
            network = route["network"] or found[-1].network
            device = route["device"] or route["link"] or route["kind"]
            found.append(Prefix(network, route["protocol"], route["via"] or "", device, {}))
        elif attribute and found:
            found[-1].attributes[attribute["key"]] = attribute["value"].strip()
        elif line.strip() and not line.startswith("BIRD "):
            raise ProofError(f"what BIRD printed of its routes is not understood: {line!r}")
    return found
