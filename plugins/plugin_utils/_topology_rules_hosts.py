# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules on hosts that carry a topology together, and on the segments that are on several. PRIVATE to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_hosts import (
    HERE,
    OVERHEAD,
    home,
    most,
    nodes_that_carry,
    stitched,
)
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_interfaces import (
    bridges,
    first_of_nodes,
    in_order,
    interfaces,
)
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_names import vni
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_problem import Problem, did_you_mean
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_rules_ends import kind, outcomes
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_rules_existing import CONNECTION

try:
    import netaddr
except ImportError:  # the inventory plugin says what is missing
    netaddr = None

Data = dict[str, t.Any]

ASKING = {"machines", "namespaces"}  # ends of a check that are namespaces
LEAST = 576  # bytes: the datagram that every IPv4 host must take (RFC 791 section 3.1)


def host_problems(topology: Data) -> t.Iterator[Problem]:
    """Hosts that are none, or the same twice; segments that cannot be on several; and what is not supported there."""
    hosts, joined = topology.get("hosts") or {}, stitched(topology)
    yield from _names(topology)
    yield from _addresses(hosts, topology)
    for name, segment in in_order(topology.get("segments")):
        yield from _segment(name, segment or {}, topology)
    for name, on in joined.items():
        yield from _mtu(name, on, topology)
        if HERE in on and HERE not in hosts:
            what = f"missing: segment {name} is on {_words(on)}"
            fix = f"add {HERE}: {{address: …}}, by which the others reach this machine, or put all of it on others"
            yield Problem(f"hosts.{HERE}", what, fix)
    yield from _vnis(joined, topology)
    yield from _plugs(topology)
    yield from _unsupported(topology)


def _words(hosts: list[str]) -> str:
    return " and ".join("this machine" if host == HERE else host for host in hosts)


def _names(topology: Data) -> t.Iterator[Problem]:
    """Namespaces on hosts that are not there; nodes, which are on none; and hosts that are called like machines."""
    hosts, nodes = topology.get("hosts") or {}, topology.get("nodes") or {}
    namespaces = topology.get("namespaces") or {}
    for name, node in in_order(nodes):
        if (node or {}).get("host"):
            what = f"a node that is made here ({node.get('provider')}) cannot be on another host yet"
            yield Problem(f"nodes.{name}.host", what, "remove host, or use a namespace")
    known = [*hosts, *nodes, HERE]
    for name, namespace in in_order(namespaces):
        host = (namespace or {}).get("host")
        if host and host not in known:
            yield Problem(f"namespaces.{name}.host", f"there is no host {host}", did_you_mean(host, set(known)))
    for section, machines in (("node", nodes), ("namespace", namespaces)):
        for name in sorted(hosts.keys() & machines.keys()):
            yield Problem(f"hosts.{name}", f"there is a {section} {name} already", "give one of the two another name")
    for key in CONNECTION if hosts.get(HERE) else ():
        if key in hosts[HERE]:
            what = "this is the machine that runs the playbooks, which is reached without SSH"
            yield Problem(f"hosts.{HERE}.{key}", what, f"remove {key}, or call the host something else")


def _addresses(hosts: Data, topology: Data) -> t.Iterator[Problem]:
    """Addresses that two hosts have, or that a host would reach by a segment that it carries itself."""
    seen: dict[str, str] = {}
    for name, host in in_order(hosts):
        address = (host or {}).get("address")
        if not address:
            continue
        if address in seen:
            what = f"{address} is {seen[address]} already"
            yield Problem(f"hosts.{name}.address", what, "give each host its own, by which the others reach it")
        seen.setdefault(address, f"hosts.{name}.address")
        for segment, one in in_order(topology.get("segments")):
            carried = one and one.get("cidr") and name in one.get("hosts", ())
            if carried and netaddr.IPAddress(address) in netaddr.IPNetwork(one["cidr"]):
                what = f"{address} is in {one['cidr']} of segment {segment}, which this host carries"
                fix = "give the address that it has in a network outside of the topology, or choose another cidr"
                yield Problem(f"hosts.{name}.address", what, fix)
    for first in first_of_nodes(topology):
        place = (topology.get("segments") or {}).get(first.segment) or {}
        if first.machine in nodes_that_carry(topology) and place.get("hosts"):
            what = f"{first.machine} carries namespaces, but its own segment {first.segment} is on other hosts, too"
            yield Problem(f"{first.path}.segment", what, "put it on a segment whose machines are all on this one")


def _segment(name: str, segment: Data, topology: Data) -> t.Iterator[Problem]:
    path, on = f"segments.{name}", segment.get("hosts", [HERE])
    if segment.get("kind") == "veth" and len(on) > 1:
        what = f"a veth pair is within one kernel, but its ends are on {_words(on)}"
        yield Problem(f"{path}.kind", what, "put both on one host, or use kind: bridge")
    if segment.get("gateway") and HERE not in on:
        what = f"the segment is on {_words(on)} alone, and not on this machine, whose address this would be"
        yield Problem(f"{path}.gateway", what, "remove gateway")
    if segment.get("vni") and name not in stitched(topology):
        yield Problem(f"{path}.vni", "the segment is not on several hosts, so nothing of it is in VXLAN", "remove vni")


def _mtu(name: str, on: list[str], topology: Data) -> t.Iterator[Problem]:
    """What VXLAN leaves of the way between hosts must hold the segment's packets, and those that every host takes."""
    limit, host = most(topology, on)
    given, path = topology["segments"][name].get("mtu"), f"segments.{name}.mtu"
    left = f"VXLAN leaves {limit} bytes of the {limit + OVERHEAD} that {host} has"
    if limit < LEAST:
        yield Problem(path, f"{left}, fewer than {LEAST}", f"raise the MTU of the network between hosts at {host}")
    elif given and given > limit:
        more = "the mtu of its segment" if host in (topology.get("nodes") or {}) else f"hosts.{host}.mtu"
        fix = f"write {limit} or less, or leave it out; or raise {more}, if the network between hosts has more"
        yield Problem(path, f"{given} is too large on several hosts: {left}", fix)


def _vnis(joined: t.Mapping[str, list[str]], topology: Data) -> t.Iterator[Problem]:
    """Two segments with one identifier would be one network."""
    seen: dict[int, str] = {}
    for name in joined:
        given = topology["segments"][name].get("vni")
        number, derived = (given, "") if given else (vni(topology.get("name") or "", name), " (derived)")
        where = f"segments.{name}.vni"
        if number in seen:
            what = f"{number}{derived} is {seen[number]} already"
            yield Problem(
                where, what, "write another vni for one of the two; between 8388608 and 16777215 few are used"
            )
        seen.setdefault(number, where + derived)


def _plugs(topology: Data) -> t.Iterator[Problem]:
    """Interfaces that are plugged into a bridge in a namespace of another host."""
    inside = bridges(topology)
    for end in interfaces(topology):
        own = inside.get(str(end.segment), {})
        bridge = own.get(str(end.at or next(iter(own), "")))
        if bridge and end.kind != "bridge" and home(topology, end) != home(topology, bridge):
            places = [_words([home(topology, one)]) for one in (end, bridge)]
            what = f"{end.machine} is on {places[0]}, the bridge in {bridge.machine} on {places[1]}"
            yield Problem(f"{end.path}.at", what, "put both on one host, or name a bridge there")


def _unsupported(topology: Data) -> t.Iterator[Problem]:
    """Clusters and pods: what is proven of them asks from namespaces of this machine."""
    for section in ("cluster", "pod_network"):
        if topology.get("hosts") and section in topology:
            what = "not supported beside hosts yet: its nodes and all that asks them are on one machine"
            yield Problem(section, what, f"remove {section}, or hosts and every host of a namespace")
    for name, node in in_order(topology.get("nodes")):
        clustered = [key for key in ("cluster", "pod_network") if key in topology]
        if name in nodes_that_carry(topology) and (clustered or (node or {}).get("pods")):
            what = "a node of a cluster, or with pods, cannot carry namespaces yet"
            yield Problem(f"nodes.{name}", what, "let namespaces be on a node that does nothing else")


def between_problems(path: str, topology: Data) -> t.Iterator[Problem]:
    """The mechanism `between-hosts` where no segment is on several, or nobody asks across."""
    if not stitched(topology):
        yield Problem(path, "no segment is on several hosts", "give namespaces of a segment host, or remove the check")
    asked = [check or {} for check in (topology.get("checks") or {}).values()]
    if not any({kind(one.get(end)) for end in ("from", "to")} <= ASKING and not one.get("break") for one in asked):
        fix = "add a check {from: namespaces, to: namespaces}, or remove this one"
        yield Problem(path, "is seen by what namespaces ask each other, and no check has them ask", fix)


def break_host_problems(path: str, check: Data, topology: Data) -> t.Iterator[Problem]:
    """A way between hosts that is taken down: there must be one, and probes of the check at `path` that take it."""
    host, segment, joined = check["break"].get("host"), check["break"].get("segment"), stitched(topology)
    if segment is not None and segment not in joined:
        fix = did_you_mean(segment, joined) if joined else "give namespaces of a segment host"
        yield Problem(f"{path}.break.segment", f"no segment {segment} is on several hosts", fix)
    elif segment is not None and host is not None and host not in joined[segment]:
        what = f"segment {segment} is not on {host}"
        yield Problem(f"{path}.break.host", what, did_you_mean(host, joined[segment]))
    if host is None:
        return
    if not {kind(check.get("from")), kind(check.get("to"))} <= {*ASKING, None}:
        what = "the way between hosts is tried from namespaces to namespaces"
        yield Problem(f"{path}.break.host", what, "write from: namespaces, to: namespaces")
    if "ok" in outcomes(check.get("expect", "ok")):
        what = "the host is cut off from the others, so they cannot be ok"
        yield Problem(f"{path}.expect", what, "name what they see: timeout or unreachable")


HOSTS_RULES = {"between-hosts": between_problems}  # of checks, by their mechanism
