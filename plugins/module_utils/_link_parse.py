# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `ip -N -j -d` prints about a machine's namespaces, as a State. PRIVATE to the collection."""

from __future__ import annotations

import json
import typing as t
from dataclasses import replace

from ansible_collections.reftopo.lab.plugins.module_utils._link_entry import Neighbour, parse_neighbours
from ansible_collections.reftopo.lab.plugins.module_utils._link_kind import TUNTAP, WITHOUT_MAC, kind_of, read_options
from ansible_collections.reftopo.lab.plugins.module_utils._link_model import (
    ADDRESSES_OF_LO,
    PEER_SUFFIX,
    ROOT,
    End,
    Link,
    Namespace,
    State,
    group,
    split_mark,
)
from ansible_collections.reftopo.lab.plugins.module_utils._link_route import (
    PROTOCOL,
    SCOPES,
    TABLES,
    Route,
    parse_route,
)
from ansible_collections.reftopo.lab.plugins.module_utils._link_rule import parse_rules

Data = dict[str, t.Any]

# A namespace is read by one process. `root` is the only filter that selects the IP version inside a batch.
READ = f"""addr show
route show root 0.0.0.0/0 table all proto {PROTOCOL}
route show root ::/0 table all proto {PROTOCOL}
"""
# On the machine itself, besides: what our routes must not replace
READ_MAIN = """route show root 0.0.0.0/0 table all
route show root ::/0 table all
"""
# In namespaces that are ours, besides
READ_RULES = "rule show\n"
# Read last
READ_NEIGHBOURS = "neigh show nud permanent\n"


def parse(owner: str, dumps: t.Mapping[str, str]) -> State:
    """The observed State, from the answers to READ by namespace."""
    state = State(owner, {name: _namespace(owner, name, dump) for name, dump in dumps.items()})
    return _pair_up(state)


def _namespace(owner: str, name: str, dump: str) -> Namespace:
    entries, *tables = (json.loads(line) for line in dump.splitlines() if line.strip())
    neighbours = parse_neighbours(entry for table in tables[4 if name == ROOT else 3 :] for entry in table)
    entries = [entry for entry in entries if "ifname" in entry]
    indices = {entry["ifname"]: entry["ifindex"] for entry in entries}
    links = {
        entry["ifname"]: _link(owner, entry, neighbours.get(entry["ifname"], ()), indices.get(entry.get("link"), 0))
        for entry in entries
    }
    routes = [
        [parse_route(entry, version) for entry in table if TABLES.get(entry.get("table")) != "local"]
        for table, version in zip(tables[: 4 if name == ROOT else 2], (4, 6, 4, 6))
    ]
    marked = (*routes[0], *routes[1])
    if name != ROOT:
        return with_rules(Namespace(links, marked), tables[2], 4)
    # The protocol says that a route is of this module; on the machine itself only its link says of which owner.
    ours = {link.name for link in links.values() if link.owner == owner}
    foreign = [route for table in routes[2:] for route in table if not _is_by(ours, route)]
    ways_out = [way for table in routes[2:] for route in table for way in _ways_out(route)]
    return Namespace(links, tuple(route for route in marked if _is_by(ours, route)), tuple(foreign), tuple(ways_out))


def with_rules(body: Namespace, entries: t.Iterable[Data], version: int) -> Namespace:
    """The namespace with its rules of an IP version, which `ip -N -j -d rule show` prints."""
    ours, foreign, marked = parse_rules(entries, version)
    rules, others = (
        (*(rule for rule in known if rule.version != version), *found)
        for known, found in ((body.rules, ours), (body.foreign_rules, foreign))
    )
    return replace(body, rules=rules, foreign_rules=others, rules_marked=body.rules_marked or marked)


def _is_by(links: set[str], route: Route) -> bool:
    return bool(route.devs) and route.devs <= links


def _ways_out(route: Route) -> t.Iterator[Route]:
    if route.to == "default" and route.table == "main" and route.devs:
        hops = [replace(route, via=hop.via, dev=hop.dev, nexthops=()) for hop in route.nexthops]
        yield from hops or [route]


def _link(owner: str, entry: Data, neighbours: t.Iterable[Neighbour], linked: int) -> Link:
    """`linked` is the index of the link below, or a veth's other end, which is shown by its name if it is there."""
    altnames = tuple(entry.get("altnames", ()))
    holder, mark = next(filter(None, map(split_mark, altnames)), ("", ""))
    kind = kind_of(entry)
    return Link(
        name=entry["ifname"],
        kind=kind,
        mark=mark,
        mtu=entry["mtu"],
        mac=None if kind in WITHOUT_MAC else entry.get("address"),
        master=entry.get("master", ""),
        hairpin=entry.get("linkinfo", {}).get("info_slave_data", {}).get("hairpin", False),
        up="UP" in entry["flags"],
        addresses=tuple(filter(None, map(_address, entry.get("addr_info", ())))),
        options=read_options(entry),
        neighbours=tuple(neighbours),
        owner=holder or (owner if str(_group(kind, entry)) == str(group(owner)) else ""),
        grouped=entry.get("group") == str(group(owner)),
        altnames=altnames,
        index=entry["ifindex"],
        peer_index=entry.get("link_index") or linked,
    )


def _group(kind: str, entry: Data) -> t.Any:
    """What carries the owner's mark from the creation on: see made_inside in _link_create.py."""
    return entry.get("linkinfo", {}).get("info_data", {}).get("group") if kind in TUNTAP else entry.get("group")


def _address(entry: Data) -> str | None:
    """The address with its prefix length; None for one that the kernel sets: link-local, by router, of lo."""
    if "local" not in entry or entry.get("dynamic") or _is_link_local(entry):
        return None
    address = f"{entry['local']}/{entry['prefixlen']}"
    return None if address in ADDRESSES_OF_LO else address


def _is_link_local(entry: Data) -> bool:
    return entry["family"] == "inet6" and SCOPES.get(entry["scope"]) == "link"


def _pair_up(state: State) -> State:
    """The State with the peers of the owner's veths.

    A peer's interface index alone would not do: it says nothing of the namespace, and in every new one counting begins
    anew. JSON output shows the other namespace only as a number that each namespace assigns by itself.
    """
    marked = {link.mark: (end, link) for end, link in state.ends() if link.owner == state.owner and link.mark}

    def paired(end: End, link: Link) -> Link:
        base = link.mark[: -len(PEER_SUFFIX)] if link.mark.endswith(PEER_SUFFIX) else link.mark + PEER_SUFFIX
        far, other = marked.get(base, (None, None))
        if not (far and other) or marked.get(link.mark, (None,))[0] != end:
            return link
        mutual = (link.index, link.peer_index) == (other.peer_index, other.index)
        return replace(link, peer=far) if mutual else link

    return state.with_links(paired)
