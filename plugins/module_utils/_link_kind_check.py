# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with the options that belong to a link's kind. PRIVATE to the collection."""

from __future__ import annotations

import typing as t
from graphlib import CycleError, TopologicalSorter
from ipaddress import ip_address

from ansible_collections.reftopo.lab.plugins.module_utils._link_kind import KINDS, OPTIONS, WITHOUT_MAC, Option
from ansible_collections.reftopo.lab.plugins.module_utils._link_model import ROOT, End, Problem, place

if t.TYPE_CHECKING:
    from ansible_collections.reftopo.lab.plugins.module_utils._link_check import Spec

Data = dict[str, t.Any]
Problems = t.Iterator[Problem]

# Outer Ethernet, IP, UDP and VXLAN headers: RFC 7348, section 5; VXLAN_HEADROOM in the kernel's include/net/vxlan.h
VXLAN_OVERHEAD = {4: 50, 6: 70}


def kinds(spec: Spec) -> Problems:
    """Every problem with the options of kinds."""
    for end, options in spec.links.items():
        kind = spec.kind(end)
        if options is None or not kind:
            continue
        path = place(end.namespace, "links", end.name)
        yield from _foreign_options(kind, options, path)
        for option in KINDS[kind]:
            yield from _option(option, options, path)
        if kind in WITHOUT_MAC and options.get("mac"):
            yield Problem(f"{path}.mac", f"a link of kind {kind} has no MAC address", "remove it")
        if options.get("dev"):
            yield from _dev(spec, end, options["dev"], f"{path}.dev")
        if kind == "vxlan":
            yield from _vxlan(spec, end, options, path)
        if kind == "ipip":
            yield from _ipip(options, path)
    yield from _cycles(spec)


def _foreign_options(kind: str, options: Data, path: str) -> Problems:
    own = {option.name for option in KINDS[kind]}
    for name in sorted(set(options) & set(OPTIONS) - own):
        having = [other for other, known in KINDS.items() if name in {option.name for option in known}]
        verb = "have it" if len(having) > 1 else "has it"
        fix = f"remove it, or use another kind: {', '.join(having)} {verb}"
        yield Problem(f"{path}.{name}", f"a link of kind {kind} has no such option", fix)


def _option(option: Option, options: Data, path: str) -> Problems:
    value = options.get(option.name)
    if value is None or value == "":
        if option.required:
            yield Problem(f"{path}.{option.name}", "is missing", f"{options.get('kind')} needs it")
        return
    if option.choices and value not in option.choices:
        yield Problem(f"{path}.{option.name}", f"{value!r} is unknown", f"use one of {', '.join(option.choices)}")
    if option.allowed and value not in option.allowed:
        fix = f"use {option.allowed[0]} to {option.allowed[-1]}"
        yield Problem(f"{path}.{option.name}", f"{value} is out of range", fix)
    if option.address and _version(value) is None:
        yield Problem(f"{path}.{option.name}", f"{value!r} is no IP address", "write it as 10.0.0.1 or fd00::1")


def _version(address: str | None) -> int | None:
    """The IP version of an address, None when it is none."""
    try:
        return ip_address(address).version if address else None
    except ValueError:
        return None


def _dev(spec: Spec, end: End, dev: str, path: str) -> Problems:
    if dev == end.name:
        yield Problem(path, "a link cannot lie on itself", "name another link")
    elif end.namespace != ROOT and not spec.declares(End(end.namespace, dev)):
        yield Problem(path, f"{dev!r} is not among the links of its namespace", "declare it")
    elif spec.kind(end) == spec.kind(End(end.namespace, dev)) == "macvlan":
        # macvlan_common_newlink in drivers/net/macvlan.c
        lower = (spec.links[End(end.namespace, dev)] or {}).get("dev")
        yield Problem(path, f"the kernel puts a macvlan beside another one, not on it: {dev} is one", f"use {lower}")


def _vxlan(spec: Spec, end: End, options: Data, path: str) -> Problems:
    group, remote, local = (options.get(name) for name in ("group", "remote", "local"))
    if group and remote:
        yield Problem(f"{path}.group", "excludes remote, both are where unknown frames go", "remove one of them")
    if group and not options.get("dev"):
        fix = "name the link whose network the group is in"
        yield Problem(f"{path}.dev", "is missing, and a group is joined by a link", fix)
    if group and _version(group) and not ip_address(group).is_multicast:
        yield Problem(f"{path}.group", f"{group} is no multicast address", "use one such as 239.1.1.1, or remote")
    for name in ("remote", "local"):
        if _version(options.get(name)) and ip_address(options[name]).is_multicast:
            fix = "use group" if name == "remote" else "use an address of this end"
            yield Problem(f"{path}.{name}", f"{options[name]} is a multicast address", fix)
    if len({_version(address) for address in (group, remote, local)} - {None}) > 1:
        yield Problem(f"{path}.local", "its other end is of another IP version", "use one version")
    yield from _vxlan_mtu(spec, end, options, path)


def _vxlan_mtu(spec: Spec, end: End, options: Data, path: str) -> Problems:
    below = spec.links.get(End(end.namespace, options.get("dev") or "")) or {}
    version = next(filter(None, (_version(options.get(name)) for name in ("group", "remote", "local"))), 4)
    if options.get("mtu") and below.get("mtu") and options["mtu"] > below["mtu"] - VXLAN_OVERHEAD[version]:
        problem = (
            f"{options['mtu']} with {VXLAN_OVERHEAD[version]} bytes of headers is more than {options['dev']} carries"
        )
        fix = f"use at most {below['mtu'] - VXLAN_OVERHEAD[version]}, or raise the MTU of {options['dev']}"
        yield Problem(f"{path}.mtu", problem, fix)


def _ipip(options: Data, path: str) -> Problems:
    for name in ("local", "remote"):
        if _version(options.get(name)) == 6:
            yield Problem(f"{path}.{name}", "ipip is a tunnel through IPv4", "use an IPv4 address")


def _cycles(spec: Spec) -> Problems:
    """A link is made after its `dev`, and set after its ports."""
    below: dict[End, set[End]] = {end: set() for end in spec.links}
    for end, options in spec.links.items():
        dev, master = (End(end.namespace, (options or {}).get(name) or "") for name in ("dev", "master"))
        below[end] |= {dev} if dev.name and dev != end else set()
        if master.name:
            below.setdefault(master, set()).add(end)
    while ring := _ring(below):
        names = ", ".join(end.name for end in ring)
        yield Problem(place(ring[0].namespace, "links", ring[0].name), f"{names} lie on each other", "break the ring")
        below = {end: others for end, others in below.items() if end not in ring}


def _ring(below: dict[End, set[End]]) -> list[End]:
    try:
        TopologicalSorter(below).prepare()
    except CycleError as error:
        return sorted(set(error.args[1]))
    return []
