# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which machines a check means: by kind or by name, as targets, as those that answer, and as those that forward. Pure.

This plugin util is PRIVATE to the collection.
"""

from __future__ import annotations

import dataclasses

from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data, Endpoint, Hop


def address(topology: Data, reference: str) -> str:
    """The address of a machine, or with an interface behind a dot that of the interface."""
    name, _dot, interface = reference.partition(".")
    machine = {**topology["nodes"], **topology["namespaces"]}[name]
    given = machine["interfaces"][interface]["address"] if interface else machine["address"]
    return str(given.partition("/")[0])


def chosen(topology: Data, found: dict[str, list[Endpoint]], kind: str | list[str]) -> list[Endpoint]:
    """The endpoints of a kind, or of a list of machines and their interfaces."""
    if isinstance(kind, str):
        return found[kind]
    machines = {end.name: end for end in (*found["nodes"], *found["namespaces"])}
    return [
        dataclasses.replace(machines[name.partition(".")[0]], name=name, address=address(topology, name))
        for name in kind
    ]


def targets(topology: Data, found: dict[str, list[Endpoint]], check: Data) -> list[Endpoint]:
    """The endpoints that a check's probes go to, with the ports and the answer that it names."""
    other = {"ports": check.get("ports"), "answers": (check["answers"],) if "answers" in check else None}
    given = {key: value for key, value in other.items() if value}
    return [dataclasses.replace(end, **given) for end in chosen(topology, found, check["to"])]


def servers(topology: Data, found: dict[str, list[Endpoint]]) -> list[Endpoint]:
    """The machines' addresses at which a check wants an answer."""
    checks = [check for check in topology["checks"].values() if "to" in check]
    wanted = [[check["answers"]] if "answers" in check else check["to"] for check in checks]
    ends = {end.name: end for kind in wanted for end in chosen(topology, found, kind)}
    return [end for end in ends.values() if end.kind in ("nodes", "namespaces")]


def hops(topology: Data, check: Data) -> tuple[Hop, ...]:
    """The machines that forward a check's probes, with all their addresses."""
    machines = {**topology["nodes"], **topology["namespaces"]}
    return tuple(
        Hop(name, frozenset(i["address"].partition("/")[0] for i in machines[name]["interfaces"].values()))
        for name in check.get("hops", ())
    )
