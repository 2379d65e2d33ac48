# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state merged: input put over what the owner has already. PRIVATE to the collection."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ansible_collections.reftopo.lab.plugins.module_utils._link_gather import gathered
from ansible_collections.reftopo.lab.plugins.module_utils._link_identity import identity
from ansible_collections.reftopo.lab.plugins.module_utils._link_kind import MASTERS
from ansible_collections.reftopo.lab.plugins.module_utils._link_model import (
    ROOT,
    End,
    Link,
    LinkStateError,
    Problem,
    State,
    place,
)
from ansible_collections.reftopo.lab.plugins.module_utils._link_plan import doomed
from ansible_collections.reftopo.lab.plugins.module_utils._link_spec import (
    BODY_OPTIONS,
    LINK_OPTIONS,
    desired_state,
    validated,
)

Data = dict[str, t.Any]

# What means the same for a link of any kind
OF_EVERY_KIND = {"mark", "master", "hairpin", "up", "addresses", "neighbours"}


def merged_state(params: Data, current: State) -> State:
    """The desired State: what the parameters describe, and what the owner has besides.

    MTU and MAC address that are not given stay with the kernel, which adapts those of a bridge or bond to its ports;
    only a link that is made anew gets those that it had.
    """
    given = _given(params)
    present = _without_what_goes(gathered(current), given)
    desired = desired_state({**params, **_merged_bodies(present, given)})
    renewed = doomed(current, desired)

    def as_before(end: End, want: Link) -> Link:
        have = current.find(end)
        if not have or end not in renewed:
            return want
        mac = have.mac if have.kind == want.kind and want.kind not in MASTERS else None
        return replace(want, mtu=want.mtu or have.mtu, mac=want.mac or mac)

    return desired.with_links(as_before)


def _given(params: Data) -> Data:
    """The input by its types, without defaults, so that what is not said does not change."""
    problems: list[Problem] = []
    root = {name: params[name] for name in BODY_OPTIONS if params.get(name)}
    given = _given_body(ROOT, root, problems)
    bodies = params.get("namespaces") or {}
    given["namespaces"] = {str(name): _given_body(str(name), body, problems) for name, body in bodies.items()}
    if problems:
        raise LinkStateError("the input is wrong, nothing was changed:", sorted(problems))
    return given


def _given_body(namespace: str, body: t.Any, problems: list[Problem]) -> Data:
    given = validated(body, _without_defaults(BODY_OPTIONS), place(namespace), problems) or {}
    known = _without_defaults(LINK_OPTIONS)
    links = {
        str(name): validated(options, known, place(namespace, "links", str(name)), problems) or {}
        for name, options in given.get("links", {}).items()
    }
    return {**given, "links": links}


def _without_defaults(known: Data) -> Data:
    return {name: {key: option[key] for key in option if key != "default"} for name, option in known.items()}


def _without_what_goes(present: Data, given: Data) -> Data:
    """What the owner has, without other ends of veths that become something else, and what a new kind has not."""
    lost = set()
    for name, body in _bodies(present).items():
        asked = _bodies(given).get(name, {"links": {}})["links"]
        for key, link in body["links"].items():
            lost |= {_peer(link)} if _peer(link) not in (None, _peer({**link, **asked.get(key, {})})) else set()
            body["links"][key] = _of_kind(link, asked.get(key, {}).get("kind"))
    for name, body in _bodies(present).items():
        body["links"] = {key: link for key, link in body["links"].items() if End(name, key) not in lost}
        body["routes"] = [route for route in body["routes"] if not lost & {End(name, dev) for dev in _devs(route)}]
    return present


def _devs(route: Data) -> set[str]:
    """The links that a gathered route leaves by."""
    return {hop["dev"] for hop in (route, *route.get("nexthops", ())) if "dev" in hop}


def _bodies(data: Data) -> dict[str, Data]:
    return {ROOT: data, **data["namespaces"]}


def _peer(link: Data) -> End | None:
    """The other end; None for a link that is no veth, or whose peer cannot be read."""
    peer = link.get("peer")
    readable = link.get("kind") == "veth" and isinstance(peer, dict)
    return End(peer.get("namespace") or ROOT, peer.get("name", "")) if readable else None


def _of_kind(link: Data, kind: str | None) -> Data:
    same = not link.get("kind") or kind in (None, link["kind"])
    return {key: value for key, value in link.items() if key not in ("mtu", "mac") and (same or key in OF_EVERY_KIND)}


def _merged_bodies(present: Data, given: Data) -> Data:
    names = {**present["namespaces"], **given["namespaces"]}
    empty: Data = {"links": {}}
    bodies = {
        name: _merged_body(present["namespaces"].get(name, empty), given["namespaces"].get(name, empty))
        for name in names
    }
    return {**_merged_body(present, given), "namespaces": bodies}


def _merged_body(present: Data, given: Data) -> Data:
    names = {**present["links"], **given["links"]}
    links = {name: _merged(present["links"].get(name, {}), given["links"].get(name, {})) for name in names}
    return {**_merged(present, given), "links": links}


def _merged(present: Data, given: Data) -> Data:
    """Key by key; entries of the input first, so that they keep their numbers and the first translation applies."""
    merged = {**present, **given}
    for name, entries in given.items():
        if isinstance(entries, list):
            known = {identity(name, entry) for entry in entries}
            rest = [entry for entry in present.get(name, ()) if identity(name, entry) not in known]
            merged[name] = [*entries, *rest]
    return merged
