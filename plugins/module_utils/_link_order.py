# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Links that lie on links, and so the order in which they are made, set and removed. PRIVATE to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils._link_kind import MASTERS
from ansible_collections.reftopo.lab.plugins.module_utils._link_model import End, Link, State


def height(state: State, end: End) -> int:
    """How many links lie below one: none below a link without `dev`."""
    link = state.find(end)
    lower = link.options.get("dev") if link else None
    return 1 + height(state, End(end.namespace, lower)) if lower else 0


def with_uppers(current: State, doomed: set[End]) -> set[End]:
    """Besides, the owner's links that lie on them: most go with their lower one (NETDEV_UNREGISTER)."""
    uppers = {
        end
        for end, link in current.ends()
        if link.owner == current.owner and End(end.namespace, link.options.get("dev", "")) in doomed
    }
    return doomed if uppers <= doomed else with_uppers(current, doomed | uppers)


def in_order(links: t.Mapping[str, Link]) -> list[Link]:
    """Links of a namespace, each after the one that it lies on and after its own ports, bridges late."""
    ports: dict[str, list[str]] = {}
    for link in links.values():
        ports.setdefault(link.master, []).append(link.name)
    levels: dict[str, int] = {}

    def level(name: str) -> int:
        if name not in levels:
            link = links[name]
            lower = link.options.get("dev")
            below = [*ports.get(name, ()), *([lower] if lower in links else [])]
            levels[name] = max([int(link.kind in MASTERS), *(level(other) + 1 for other in below)])
        return levels[name]

    return sorted(links.values(), key=lambda link: level(link.name))
