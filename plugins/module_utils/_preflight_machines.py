# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the names of a topology's nodes are free on a machine, or its own. PRIVATE to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils._preflight_model import PROBLEM, Check, Facts, Machine

Data = t.Mapping[str, t.Any]


class Kind(t.NamedTuple):
    """What a provider's machines are called, which there are, how one is marked, and what to do with one in the way."""

    word: str
    seen: t.Callable[[Facts], t.Mapping[str, Machine]]
    unmarked: str
    fix: str


KINDS = {
    "container": Kind(
        "container",
        lambda facts: facts.containers,
        "the label reftopo.topology={0}",
        "rename it (podman rename {1} OTHER), or remove it if it is a leftover (podman rm --force {1})",
    ),
    "vm": Kind(
        "libvirt domain",
        lambda facts: facts.domains,
        "the mark of the topology {0}",
        "rename it (virsh domrename {1} OTHER), or remove it if it is a leftover (virsh undefine {1})",
    ),
}


def names_of(topology: Data, provider: str) -> dict[str, str]:
    """The names that a provider's machines will have, and where in the topology's file they come from."""
    return {
        f"reftopo.{topology['name']}.{name}": f"nodes.{name}"
        for name, node in topology["nodes"].items()
        if node["provider"] == provider
    }


def machines(facts: Facts, topology: Data) -> list[Check]:
    """One line for all names of a kind that are free or ours; one for each that is not, or is of another kind."""
    lines = []
    for provider, kind in KINDS.items():
        names, seen = names_of(topology, provider), kind.seen(facts)
        taken = [
            _taken(name, needed_by, kind, topology["name"])
            for name, needed_by in names.items()
            if name in seen and seen[name].topology != topology["name"]
        ]
        others = [kind for other, kind in KINDS.items() if other != provider]
        changed = [
            _changed(name, needed_by, other.word, topology["name"])
            for name, needed_by in names.items()
            for other in others
            if name in other.seen(facts) and other.seen(facts)[name].topology == topology["name"]
        ]
        free = [Check(f"{kind.word} names", "nodes", f"{len(names)} free or ours")] if names else []
        lines += taken + changed or free
    return lines


def _taken(name: str, needed_by: str, kind: Kind, topology: str) -> Check:
    found = f"a {kind.word} without {kind.unmarked.format(topology)} has the name"
    return Check(f"{kind.word} {name}", needed_by, found, PROBLEM, kind.fix.format(topology, name))


def _changed(name: str, needed_by: str, word: str, topology: str) -> Check:
    found = f"this topology has it as a {word}"
    fix = f"destroy it first: ansible-playbook playbooks/destroy.yml -e topology={topology}"
    return Check(f"{word} {name}", f"{needed_by}.provider", found, PROBLEM, fix)
