# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What makes two entries of a list in the input the same one. PRIVATE to the collection."""

from __future__ import annotations

import typing as t
from ipaddress import ip_address, ip_interface

from ansible_collections.reftopo.lab.plugins.module_utils._link_entry import FdbEntry
from ansible_collections.reftopo.lab.plugins.module_utils._link_nat_check import nat_rule
from ansible_collections.reftopo.lab.plugins.module_utils._link_route_check import route_key
from ansible_collections.reftopo.lab.plugins.module_utils._link_rule_check import rule_key


def _fdb(entry: dict[str, t.Any]) -> t.Hashable:
    dst = str(ip_address(entry["dst"])) if entry.get("dst") else ""
    found = FdbEntry(entry["mac"].lower(), dst, int(entry.get("vlan", 0)))
    return found if found.has_several else found.key


# What two entries of a list cannot have in common; of lists that are not named here, the whole entry
IDENTITIES: dict[str, t.Callable[[t.Any], t.Hashable]] = {
    "addresses": lambda address: ip_interface(address).ip,
    "routes": route_key,
    "rules": rule_key,
    "nexthops": lambda hop: ip_address(hop["via"]) if "via" in hop else hop["dev"],
    "nat": nat_rule,
    "fdb": _fdb,
    "neighbours": lambda neighbour: ip_address(neighbour["address"]),
}


def identity(name: str, entry: t.Any) -> t.Hashable:
    """What an entry of the list `name` is known by; its text when it is not valid."""
    given = {key: value for key, value in entry.items() if value is not None} if isinstance(entry, dict) else entry
    try:
        return IDENTITIES[name](given)
    except (AttributeError, KeyError, TypeError, ValueError):
        return str(sorted(given.items()) if isinstance(given, dict) else given)
