# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads what ip(8) does not show: forwarding entries, settings and address translation. PRIVATE to the collection."""

from __future__ import annotations

import json
import os
import re
import shutil
import typing as t
from dataclasses import replace

from ansible_collections.reftopo.lab.plugins.module_utils import _link_nat, _link_sysctl
from ansible_collections.reftopo.lab.plugins.module_utils._link_entry import (
    FdbEntry,
    effective,
    parse_fdb,
    without_default,
)
from ansible_collections.reftopo.lab.plugins.module_utils._link_kind import AGEING, HIDDEN
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
from ansible_collections.reftopo.lab.plugins.module_utils._link_parse import with_rules

Run = t.Callable[..., "tuple[int, str, str]"]
FAILED_LINE = re.compile(r"^Command failed -:(\d+)", re.MULTILINE)  # ip(8) in batch mode
NO_TABLE = "Error: No such file or directory"  # nft(8), of a table that is not there
# Where AnsibleModule looks for a program besides PATH
PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"


def observe_fdb(run: Run, state: State) -> State:
    """The State with the forwarding entries of the owner's links; only where there are links that can have any."""
    found = {
        name: _fdb(run, state, name) for name in {end.namespace for end, _link in state.ends() if _has_fdb(state, end)}
    }

    def with_entries(end: End, link: Link) -> Link:
        entries = found.get(end.namespace, {}).get(end.name, ())
        if not entries and link.kind != "vxlan":
            return link
        read = link.kind == "vxlan" and link.owner == state.owner
        options = effective(link.options, entries) if read else link.options
        return replace(link, fdb=without_default(entries, link.options), options=options)

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


def suppose_ageing(state: State, wanted: State) -> State:
    """The State with the ageing times that are wanted where the kernel hides the bridge's own, else the default."""

    def supposed(end: End, link: Link) -> Link:
        if link.options.get("ageing") != HIDDEN:
            return link
        want = wanted.find(end)
        ageing = want.options.get("ageing", AGEING.default) if want else AGEING.default
        return replace(link, options={**link.options, "ageing": ageing})

    return state.with_links(supposed)


def observe_rules(run: Run, state: State, wanted: State | None) -> State:
    """The State with IPv6 rules, where ours are or are wanted: a process of its own, since a batch takes no -6."""
    namespaces = dict(state.namespaces)
    for name, body in state.namespaces.items():
        want = wanted.namespaces.get(name) if wanted else body
        if want and (body.rules_marked or any(rule.version == 6 for rule in want.rules)):
            rc, output, err = run(["ip", "-6", "-n", netns(state.owner, name), "-N", "-j", "-d", "rule", "show"])
            if rc != 0:
                raise LinkStateError(f"cannot read the IPv6 rules of {place(name)}: {err.strip()}")
            namespaces[name] = with_rules(body, json.loads(output or "[]"), 6)
    return replace(state, namespaces=namespaces)


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
    itself takes 2 ms for each in the batch of `ip`, a process of its own several times that. Each is asked for the
    owner's table alone: nft 1.0.6 crashes when it lists tables that kube-proxy has made.
    """
    if not shutil.which("nft", path=PATH):
        _refuse(wanted)
        return state
    names = [name for name in state.namespaces if name != ROOT and (not wanted or name in wanted.namespaces)]
    found = _tables(run, state, names)
    rc, output, err = run(["nft", "-j", "list", "table", *_link_nat.table(state.owner).split()])
    if rc == 0:
        found[ROOT] = output
    elif NO_TABLE not in err:
        raise LinkStateError(f"cannot read the address translation of this machine: {err.strip()}")
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


def _tables(run: Run, state: State, names: list[str]) -> dict[str, str]:
    """What nft prints of the owner's table, one line, by the namespaces that have one."""
    if not names:
        return {}
    table = _link_nat.table(state.owner)
    lines = [f"netns exec {netns(state.owner, name)} nft -j list table {table}\n" for name in names]
    _rc, output, err = run(["ip", "-force", "-batch", "-"], data="".join(lines))
    without = {int(number) for number in FAILED_LINE.findall(err)}
    holders = [name for number, name in enumerate(names, 1) if number not in without]
    if err.count(NO_TABLE) != len(without) or len(output.splitlines()) != len(holders):
        raise LinkStateError(f"cannot read the address translation of the namespaces: {err.strip()}")
    return dict(zip(holders, output.splitlines()))
