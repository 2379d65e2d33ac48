# SPDX-License-Identifier: GPL-3.0-or-later
"""Random input of link_state that its validator and the kernel accept, for hypothesis.

A kind, an attribute or a part of a namespace is one line in a table below.
"""

from __future__ import annotations

import typing as t
from ipaddress import ip_interface
from itertools import islice

from ansible_collections.reftopo.lab.plugins.module_utils._link_model import LinkStateError
from ansible_collections.reftopo.lab.plugins.module_utils._link_spec import desired_state
from hypothesis import strategies as st

Data = dict[str, t.Any]
Draw = t.Callable[[st.SearchStrategy[t.Any]], t.Any]

NAMESPACES = ("n1", "n2", "n3")
ROOT = ""
MOST_LINKS = 6  # declared ones, each of them perhaps a veth with two ends
PREFIXES = [f"10.{net}.{host}.1/24" for net in (1, 2) for host in (1, 2, 3)] + ["10.1.1.2/24", "10.1.1.3/24"]
PREFIXES += [f"fd00:{net}::1/64" for net in (1, 2)]
DESTINATIONS = ["default", "10.7.0.0/16", "10.8.0.0/16", "fd00:7::/64"]
# Which of the routes to a destination it is
SELECTORS: dict[str, st.SearchStrategy[t.Any]] = {
    "table": st.sampled_from(["default", 77]),
    "metric": st.sampled_from([5, 1024]),
}
TYPES = ["unicast"] * 4 + ["blackhole", "unreachable", "prohibit", "throw"]
WEIGHT = st.sampled_from([1, 3])
MTU = st.sampled_from([1400, 1500, 2000])

# By kind, its options
KINDS: dict[str, st.SearchStrategy[Data]] = {
    "bridge": st.fixed_dictionaries(
        {"mtu": MTU}, optional={"stp": st.booleans(), "ageing": st.sampled_from([10, 300])}
    ),
    "veth": st.fixed_dictionaries({"mtu": MTU}),
    "tap": st.fixed_dictionaries({"mtu": MTU}),
    "vxlan": st.fixed_dictionaries({"mtu": MTU, "remote": st.sampled_from(["192.0.2.8", "192.0.2.9"])}),
}
OFTEN = ("bridge", "veth")  # so that there are ports
# What any link may have besides
ATTRIBUTES: dict[str, st.SearchStrategy[t.Any]] = {
    "up": st.booleans(),
    "mac": st.sampled_from(["02:00:00:00:00:01", "02:00:00:00:00:02"]),
}
# What a bridge's port may have besides
OF_PORTS: dict[str, st.SearchStrategy[t.Any]] = {
    "hairpin": st.booleans(),
    "fdb": st.sampled_from([[], [{"mac": "02:00:00:00:00:aa"}]]),
}
NETWORK = st.sampled_from(["10.7.0.0/16", "10.8.0.1", "fd00:7::/64", "::/0"])
SELECTED = {
    "from": NETWORK,
    "to": NETWORK,
    "iif": st.sampled_from(["lo", "eth9"]),
    "fwmark": st.sampled_from([0, "0x10/0xff"]),
}
RULE = st.builds(
    lambda selected, leads: {**selected, **leads},
    st.fixed_dictionaries({"priority": st.sampled_from([100, 101])}, optional=SELECTED),
    st.sampled_from([{"table": 77}, {"table": "main"}, {"type": "prohibit"}]),
)
# What a namespace of its own may have besides links and routes
PARTS: dict[str, st.SearchStrategy[t.Any]] = {
    "rules": st.lists(RULE, max_size=4, unique_by=lambda rule: (rule["priority"], ":" in str(rule))),
    "sysctls": st.just({}),
    "nat": st.sampled_from([[], [{"action": "masquerade", "source": "10.1.0.0/16"}]]),
}


def inputs(owner: str = "t-random", first: int = 1) -> st.SearchStrategy[Data]:
    """Input of state overridden; VXLAN network identifiers, which a machine has once, are numbered from `first`."""
    return _inputs(owner, first).filter(_accepted)


def _accepted(given: Data) -> bool:
    try:
        desired_state(given)
    except LinkStateError:
        return False
    return True


@st.composite
def _inputs(draw: Draw, owner: str, first: int) -> Data:
    names = [ROOT, *draw(st.lists(st.sampled_from(NAMESPACES), unique=True, min_size=1))]
    bodies: dict[str, Data] = {name: {"links": {}} for name in names}
    for number in range(draw(st.integers(2, MOST_LINKS))):
        _declare(draw, bodies, f"{owner[-4:]}{number}", first + number)
    for name, body in bodies.items():
        _attributes(draw, body["links"])
        body["routes"] = _routes(draw, body["links"], TYPES if name != ROOT else ["unicast"])
        for part, values in PARTS.items() if name != ROOT else ():
            body[part] = draw(values)
    return {"owner": owner, **bodies.pop(ROOT), "namespaces": bodies}


def _declare(draw: Draw, bodies: dict[str, Data], name: str, number: int) -> None:
    """A link of one of the kinds; names are few, so that two inputs differ in what has the same name."""
    kind = draw(st.sampled_from([*KINDS, *OFTEN]))
    link = {"kind": kind, **draw(KINDS[kind])}
    if kind == "vxlan":
        link["id"] = number
    if kind == "veth":
        far = draw(st.sampled_from(sorted(bodies)))
        link["peer"] = {"name": f"{name}p", "namespace": far}
        bodies[far]["links"][f"{name}p"] = {"mtu": draw(MTU)}
    bodies[draw(st.sampled_from(sorted(bodies)))]["links"][name] = link


def _attributes(draw: Draw, links: Data) -> None:
    bridges = [name for name, link in links.items() if link.get("kind") == "bridge"]
    addresses = iter(draw(st.permutations(PREFIXES)))
    for name, link in links.items():
        link.update(draw(st.fixed_dictionaries({}, optional=ATTRIBUTES)))
        master = draw(st.sampled_from(["", *bridges])) if name not in bridges else ""
        if master:
            link.update(master=master, **draw(st.fixed_dictionaries({}, optional=OF_PORTS)))
        link["addresses"] = list(islice(addresses, draw(st.integers(0, 2))))


def _routes(draw: Draw, links: Data, types: list[str]) -> list[Data]:
    """By links that are up, since the kernel refuses others."""
    usable = {name: link["addresses"] for name, link in links.items() if link.get("up", True)}
    routes = []
    for to in draw(st.lists(st.sampled_from(DESTINATIONS * 2), min_size=1, max_size=6)) if usable else ():
        selectors = draw(st.fixed_dictionaries({}, optional=SELECTORS))
        kind = draw(st.sampled_from(types))
        leads = draw(_ways(usable, 6 if ":" in to else 4)) if kind == "unicast" else {"type": kind}
        routes.append({"to": to, **selectors, **leads})
    return routes


@st.composite
def _ways(draw: Draw, usable: dict[str, list[str]], version: int) -> Data:
    """By a link, by a router or by several, perhaps with a source."""
    interfaces = [(dev, ip_interface(address)) for dev, addresses in usable.items() for address in addresses]
    interfaces = [(dev, interface) for dev, interface in interfaces if interface.version == version]
    routers = [{"via": str(interface.network.network_address + 9), "dev": dev} for dev, interface in interfaces]
    several = draw(st.permutations(routers))[: draw(st.integers(0, 3))]
    source = draw(st.sampled_from([{}, *({"source": str(interface.ip)} for _dev, interface in interfaces)]))
    if len(several) > 1:
        return {"nexthops": [{**hop, "weight": draw(WEIGHT)} for hop in several], **source}
    return {**(several[0] if several else {"dev": draw(st.sampled_from(sorted(usable)))}), **source}
