# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads what ip(8) does not show: forwarding entries, settings and address translation. PRIVATE to the collection."""

from __future__ import annotations

import json
import os
import shutil
import typing as t
from dataclasses import replace

from ansible_collections.reftopo.lab.plugins.module_utils import _link_nat, _link_sysctl
from ansible_collections.reftopo.lab.plugins.module_utils._link_entry import FdbEntry, parse_fdb, without_default
from ansible_collections.reftopo.lab.plugins.module_utils._link_model import (
    ROOT,
    End,
    Link,
    LinkStateError,
    Namespace,
    Problem,
    State,
    netns,
    place,
)

Run = t.Callable[..., "tuple[int, str, str]"]
# Where AnsibleModule looks for a program besides PATH
PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"


def observe_fdb(run: Run, state: State) -> State:
    """The State with the forwarding entries of the owner's links; only where there are links that can have any."""
    found = {
        name: _fdb(run, state, name) for name in {end.namespace for end, _link in state.ends() if _has_fdb(state, end)}
    }

    def with_entries(end: End, link: Link) -> Link:
        entries = found.get(end.namespace, {}).get(end.name, ())
        return replace(link, fdb=without_default(entries, link.options))

    return state.with_links(with_entries) if found else state


def _has_fdb(state: State, end: End) -> bool:
    link = state.find(end)
    master = state.find(End(end.namespace, link.master)) if link else None
    of_a_bridge = bool(master) and master.kind == "bridge"
    return bool(link) and link.owner == state.owner and (link.kind == "vxlan" or of_a_bridge)


def _fdb(run: Run, state: State, name: str) -> dict[str, list[FdbEntry]]:
    where = ["-n", netns(state.owner, name)] if name != ROOT else []
    rc, output, err = run(["bridge", *where, "-j", "fdb", "show"])
    if rc != 0:
        raise LinkStateError(f"cannot read the forwarding entries of {place(name) or 'this machine'}: {err.strip()}")
    return parse_fdb(json.loads(output or "[]"))


def observe_sysctls(run: Run, state: State, wanted: State) -> State:
    """The State with the settings that are wanted; one that is not there yet, as of a link to be made, is left out."""
    namespaces = dict(state.namespaces)
    for name, body in wanted.namespaces.items():
        if body.sysctls and name in namespaces:
            command = ["ip", "netns", "exec", netns(state.owner, name), "sysctl", "-e", *body.sysctls]
            values = _link_sysctl.parse(run(command)[1])
            namespaces[name] = replace(namespaces[name], sysctls=values)
    return replace(state, namespaces=namespaces)


def observe_nat(run: Run, state: State, wanted: State | None) -> State:
    """The State with the owner's tables.

    A namespace that goes takes its table along, so that it is not asked. All others are asked by one process: nft
    itself takes 2 ms for each in the batch of `ip`, a process of its own several times that.
    """
    if not shutil.which("nft", path=PATH):
        _refuse(wanted)
        return state
    names = [name for name in state.namespaces if name != ROOT and (not wanted or name in wanted.namespaces)]
    holders = [name for name, tables in zip(names, _each(run, state, names, "tables ip")) if _has(tables, state.owner)]
    found = dict(zip(holders, _each(run, state, holders, f"table {_link_nat.table(state.owner)}")))
    rc, output, _err = run(["nft", "-j", "list", "tables", "ip"])
    if rc == 0 and _has(output, state.owner):
        _rc, found[ROOT], _err = run(["nft", "-j", "list", "table", *_link_nat.table(state.owner).split()])
    namespaces = {
        name: replace(body, nat=_link_nat.parse(found[name])) if name in found else body
        for name, body in state.namespaces.items()
    }
    return replace(state, namespaces=namespaces)


def _refuse(wanted: State | None) -> None:
    bodies = wanted.namespaces if wanted else {ROOT: Namespace()}
    fix = "install the package nftables"
    problems = [Problem(place(name, "nat"), "there is no nft here", fix) for name, body in bodies.items() if body.nat]
    if problems:
        raise LinkStateError("a program is missing, nothing was changed:", problems)


def _each(run: Run, state: State, names: list[str], what: str) -> list[str]:
    """What `nft list` prints in each namespace, always one line."""
    if not names:
        return []
    lines = [f"netns exec {netns(state.owner, name)} nft -j list {what}\n" for name in names]
    rc, output, err = run(["ip", "-batch", "-"], data="".join(lines))
    if rc != 0 or len(output.splitlines()) != len(names):
        raise LinkStateError(f"cannot read the address translation of the namespaces: {err.strip()}")
    return output.splitlines()


def _has(tables: str, owner: str) -> bool:
    entries = json.loads(tables or '{"nftables": []}')["nftables"]
    return _link_nat.table(owner).split()[1] in [entry["table"]["name"] for entry in entries if "table" in entry]
