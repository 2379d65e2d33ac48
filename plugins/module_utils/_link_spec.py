# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module's input: its options, and how it becomes a desired State.

Ansible's argument specification cannot describe the values of a mapping whose keys are names, so `links` and
`namespaces` are checked here, by Ansible's own validator, link by link. This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import typing as t
from ipaddress import ip_address, ip_interface

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.errors import UnsupportedError
from ansible_collections.reftopo.lab.plugins.module_utils._link_check import Spec, check
from ansible_collections.reftopo.lab.plugins.module_utils._link_entry import FdbEntry, Neighbour
from ansible_collections.reftopo.lab.plugins.module_utils._link_kind import KINDS, given_options
from ansible_collections.reftopo.lab.plugins.module_utils._link_kind import OPTIONS as KIND_OPTIONS
from ansible_collections.reftopo.lab.plugins.module_utils._link_model import (
    PEER_SUFFIX,
    ROOT,
    End,
    Link,
    LinkStateError,
    Namespace,
    Problem,
    State,
    place,
)
from ansible_collections.reftopo.lab.plugins.module_utils._link_nat_check import NAT_OPTIONS, nat_rules, setting
from ansible_collections.reftopo.lab.plugins.module_utils._link_route_check import (
    NEXTHOP_OPTIONS,
    ROUTE_OPTIONS,
    route,
)
from ansible_collections.reftopo.lab.plugins.module_utils._link_rule_check import RULE_OPTIONS, rule
from ansible_collections.reftopo.lab.plugins.module_utils._link_sysctl import normalised

Data = dict[str, t.Any]

# Of Ansible's types those that values of JSON have
TYPES: dict[str, type] = {"str": str, "int": int, "bool": bool, "list": list, "dict": dict}
STATES = ["merged", "overridden", "deleted", "gathered", "rendered", "verified"]
LINK_OPTIONS: Data = {
    "kind": {"type": "str", "choices": sorted(KINDS)},
    "mark": {"type": "str"},
    "peer": {"type": "raw"},  # PEER_OPTIONS
    "mtu": {"type": "int"},
    "mac": {"type": "str"},
    "master": {"type": "str"},
    "hairpin": {"type": "bool"},
    "up": {"type": "bool", "default": True},
    "addresses": {"type": "list", "elements": "str", "default": []},
    "fdb": {"type": "list", "elements": "raw"},  # FDB_OPTIONS
    "neighbours": {"type": "list", "elements": "raw"},  # NEIGHBOUR_OPTIONS
    **{name: {"type": kind} for name, kind in KIND_OPTIONS.items()},
}
FDB_OPTIONS: Data = {
    "mac": {"type": "str", "required": True},
    "dst": {"type": "str"},
    "vlan": {"type": "int"},
}
NEIGHBOUR_OPTIONS: Data = {"address": {"type": "str", "required": True}, "mac": {"type": "str", "required": True}}
PEER_OPTIONS: Data = {"name": {"type": "str", "required": True}, "namespace": {"type": "str"}}
BODY_OPTIONS: Data = {
    "links": {"type": "dict", "default": {}},
    "routes": {"type": "list", "elements": "raw", "default": []},  # ROUTE_OPTIONS
    "rules": {"type": "list", "elements": "raw", "default": []},  # RULE_OPTIONS
    "sysctls": {"type": "dict", "default": {}},
    "nat": {"type": "list", "elements": "raw", "default": []},  # NAT_OPTIONS
}
OPTIONS: Data = {
    "owner": {"type": "str", "required": True},
    "state": {"type": "str", "choices": STATES, "default": "overridden"},
    "allow_uplink": {"type": "bool", "default": False},
    "links": BODY_OPTIONS["links"],
    "routes": {
        "type": "list",
        "elements": "dict",
        "options": {**ROUTE_OPTIONS, "nexthops": {"type": "list", "elements": "dict", "options": NEXTHOP_OPTIONS}},
        "default": [],
    },
    "rules": {"type": "list", "elements": "dict", "options": RULE_OPTIONS, "default": []},
    "sysctls": BODY_OPTIONS["sysctls"],
    "nat": {"type": "list", "elements": "dict", "options": NAT_OPTIONS, "default": []},
    "namespaces": {"type": "dict", "default": {}},
}


def desired_state(params: Data) -> State:
    """The State that the module's parameters describe, with defaults for those that are not given.

    LinkStateError names every problem that they have.
    """
    problems: list[Problem] = []
    spec = _collect({**{name: option.get("default") for name, option in OPTIONS.items()}, **params}, problems)
    problems += check(spec)
    if problems:
        raise LinkStateError("the input is wrong, nothing was changed:", sorted(problems))
    return _build(spec)


def _collect(params: Data, problems: list[Problem]) -> Spec:
    spec = Spec(params["owner"], params["state"])
    if params["state"] == "gathered" and params["allow_uplink"]:
        problems.append(Problem("allow_uplink", "gathered changes nothing", "remove it"))
    _collect_body(spec, ROOT, params, problems)
    for name, body in params["namespaces"].items():
        if name == ROOT:
            problems.append(Problem("namespaces", "one has an empty name", "use letters, digits, - and _"))
            continue
        options = validated(body, BODY_OPTIONS, place(str(name)), problems)
        _collect_body(
            spec, str(name), options or {key: option["default"] for key, option in BODY_OPTIONS.items()}, problems
        )
    return spec


def _collect_body(spec: Spec, namespace: str, body: Data, problems: list[Problem]) -> None:
    spec.sysctls[namespace] = body["sysctls"]
    for name, given in body["links"].items():
        path = place(namespace, "links", str(name))
        options = validated(given, LINK_OPTIONS, path, problems)
        if options and "peer" in options:
            peer = validated(options["peer"], PEER_OPTIONS, f"{path}.peer", problems)
            options = {**options, "peer": peer} if peer else None
        for key, known in (("fdb", FDB_OPTIONS), ("neighbours", NEIGHBOUR_OPTIONS)):
            if options and key in options:
                options = {**options, key: _collect_list(options[key], known, f"{path}.{key}", problems)}
        spec.links[End(namespace, str(name))] = options
    lists = (
        ("routes", ROUTE_OPTIONS, spec.routes),
        ("rules", RULE_OPTIONS, spec.rules),
        ("nat", NAT_OPTIONS, spec.nat),
    )
    for key, known, found in lists:
        found[namespace] = _collect_list(body[key], known, place(namespace, key), problems)
    for path, options_of_route in spec.routes[namespace].items():
        hops = options_of_route.pop("nexthops", None)
        if hops:
            options_of_route["nexthops"] = _collect_list(hops, NEXTHOP_OPTIONS, f"{path}.nexthops", problems)


def _collect_list(given: list[t.Any], known: Data, path: str, problems: list[Problem]) -> dict[str, Data]:
    """The options of those elements that could be read, by path."""
    found = {f"{path}[{number}]": element for number, element in enumerate(given)}
    options = {where: validated(element, known, where, problems) for where, element in found.items()}
    return {where: element for where, element in options.items() if element is not None}


def validated(options: t.Any, known: Data, path: str, problems: list[Problem]) -> Data | None:
    """The options with defaults and types, or None after adding to `problems`."""
    if not isinstance(options, (dict, type(None))):
        problems.append(Problem(path, f"is {options!r}, not a mapping", f"give some of {', '.join(sorted(known))}"))
        return None
    given = {str(key): value for key, value in (options or {}).items() if value is not None}
    if as_known(given, known):
        defaults = {name: option["default"] for name, option in known.items() if "default" in option}
        return {**defaults, **given}
    result = ArgumentSpecValidator(known).validate(given)
    for name in result.unsupported_parameters:
        problems.append(Problem(f"{path}.{name}", "is unknown", f"known are {', '.join(sorted(known))}"))
    others = [error for error in result.errors.errors if not isinstance(error, UnsupportedError)]
    problems += [Problem(path, str(error.msg), "correct the value") for error in others]
    if result.errors.errors:
        return None
    return {name: value for name, value in result.validated_parameters.items() if value is not None}


def as_known(given: Data, known: Data) -> bool:
    """Whether Ansible's validator would take the options as they are; asking it takes it 0.2 ms a link."""
    missing = any(option.get("required") and name not in given for name, option in known.items())
    return not missing and all(name in known and _fits(value, known[name]) for name, value in given.items())


def _fits(value: t.Any, option: Data) -> bool:
    parts = value if isinstance(value, list) else ()
    known = _has_type(value, option["type"]) and value in option.get("choices", (value,))
    return known and all(_has_type(part, option.get("elements", "raw")) for part in parts)


def _has_type(value: t.Any, name: str) -> bool:
    """Of these types only bool is a kind of another, of int, and is none here."""
    return name == "raw" or (isinstance(value, TYPES[name]) and isinstance(value, bool) == (name == "bool"))


def _build(spec: Spec) -> State:
    """The State of input that has no problems."""
    far_ends = spec.far_ends
    bodies: dict[str, dict[str, Link]] = {namespace: {} for namespace in spec.routes}
    for end in [*spec.links, *(far for far in far_ends if far not in spec.links)]:
        bodies[end.namespace][end.name] = _link(spec, end, far_ends.get(end))
    routes = {name: tuple(map(route, routes.values())) for name, routes in spec.routes.items()}
    return State(
        spec.owner,
        {
            name: Namespace(
                links,
                routes[name],
                rules=tuple(map(rule, spec.rules[name].values())),
                sysctls={normalised(key): setting(value) for key, value in spec.sysctls[name].items()},
                nat=nat_rules(spec.nat[name].values()),
            )
            for name, links in bodies.items()
        },
    )


def _link(spec: Spec, end: End, maker: End | None) -> Link:
    """The link at `end`; `maker` is where the veth is declared whose other end it is."""
    options = spec.links.get(end) or {"up": True, "addresses": []}
    kind = "veth" if maker else options.get("kind") or ""
    return Link(
        name=end.name,
        kind=kind,
        mark=spec.mark(maker) + PEER_SUFFIX if maker else spec.mark(end) if kind else "",
        peer=maker or spec.peer(end),
        mtu=options.get("mtu"),
        mac=options["mac"].lower() if options.get("mac") else None,
        master=options.get("master") or "",
        hairpin=options.get("hairpin") or False,
        up=options["up"],
        addresses=tuple(str(ip_interface(address)) for address in options["addresses"]),
        options=given_options(kind, options),
        fdb=tuple(_fdb_entry(**entry) for entry in options.get("fdb", {}).values()),
        neighbours=tuple(
            Neighbour(str(ip_address(entry["address"])), entry["mac"].lower())
            for entry in options.get("neighbours", {}).values()
        ),
    )


def _fdb_entry(mac: str, dst: str | None = None, vlan: int = 0) -> FdbEntry:
    return FdbEntry(mac.lower(), str(ip_address(dst)) if dst else "", vlan)
