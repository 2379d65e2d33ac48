# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the cases of Services and what runs to probes, and the source address that each server must see. Pure.

This plugin util is PRIVATE to the collection.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_masquerade import masquerade
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data, Endpoint, Probe, ProofError
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_plan import SETS
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_proxy_asked import PING, tries
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_services import port_name
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_snapshot import Snapshot
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_svc_cases import (
    ADDRESS,
    ASKERS,
    CLOSED,
    FAR,
    NEAR,
    OUTSIDE,
    Case,
    cases,
    filled,
)
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_svc_objects import MARK

NOT_A_PORT = 9  # discard (RFC 863): no case has it
# Nobody outside has a route to a Service's address, so it is asked for on the segment, or nowhere.
INSTEAD = {"nowhere": ("timeout", "unreachable"), "timeout": ("timeout",)}
# Without the Service nothing has its address: a node drops what is for it, or its routes lead to nobody. A node's port
# is the node's own again, where nothing listens.
GONE = {ADDRESS: ("refused", "timeout", "unreachable"), NEAR: ("refused",), FAR: ("refused",)}


class Port(t.NamedTuple):
    """A port of a Service in the API."""

    name: str
    protocol: str
    number: int
    node_port: int


@dataclasses.dataclass(frozen=True)
class Ground:
    """What runs: the two nodes, who asks, who answers, the nodes' state, and the Services of the API by name."""

    topology: Data
    near: str
    far: str
    askers: t.Mapping[str, Endpoint]
    servers: t.Mapping[str, Endpoint]
    snapshots: t.Mapping[str, Snapshot] = dataclasses.field(default_factory=dict)
    services: t.Mapping[str, Data] = dataclasses.field(default_factory=dict)

    def node(self, which: str) -> Data:
        """The node that is near or far."""
        return t.cast("Data", self.topology["nodes"][self.near if which == NEAR else self.far])

    def masked(self, which: str, server: Endpoint) -> str:
        """The address that a node gives to what it masquerades towards a server: its own, but towards pods."""
        node = self.node(which)
        if server.kind != "pods":
            return str(node["address"])
        return masquerade(self.topology, self.snapshots, node["name"], server)

    def words(self, case: Case) -> dict[str, str]:
        """What stands for what in the records of a case."""
        domain = self.topology["cluster"]["dns_domain"]
        own = {name: server.address for name, server in self.servers.items()}
        service, address = f"{case.name}.{MARK}.svc.{domain}.", self.services[case.name]["spec"].get("clusterIP", "")
        return {**own, **words(self.topology), "service": service, "address": address}

    def ports(self, case: Case) -> list[Port]:
        """The ports of the Service of a case."""
        return [
            Port(port["name"], port["protocol"].lower(), port["port"], port.get("nodePort", 0))
            for port in self.services[case.name]["spec"].get("ports", ())
        ]


def nodes(topology: Data) -> dict[str, Data]:
    """The near node, which has the endpoint, and the far one: the last and the first."""
    found = list(topology["nodes"].values())
    return {NEAR: found[-1], FAR: found[0]}


def askers(topology: Data, found: t.Mapping[str, list[Endpoint]]) -> dict[str, Endpoint]:
    """Who asks, by what the cases call them."""
    two = nodes(topology)
    by_name = {end.name: end for kind in ("pods", "nodes", "namespaces") for end in found[kind]}
    pods = {f"pod {which}": by_name[f"{SETS[0]}-{node['name']}"] for which, node in two.items()}
    machines = {f"node {which}": by_name[node["name"]] for which, node in two.items()}
    return {**pods, **machines, OUTSIDE: found["namespaces"][0]}


def words(topology: Data) -> dict[str, str]:
    """What stands for what in the cluster's objects."""
    cluster, outside = topology["cluster"], next(iter(topology["namespaces"].values()))
    name = f"kubernetes.default.svc.{cluster['dns_domain']}"
    return {"api": name, "api-address": cluster["api_service_ip"], OUTSIDE: outside["address"]}


def probes(ground: Ground, check: str, case: Case) -> list[Probe]:
    """All that a case asks."""
    asked = [
        probe
        for front, row in case.asked.items()
        for who in ASKERS
        if who in row
        for port in _at(ground, case, front)
        for probe in _asking(ground, check, case, (front, who, row[who]), port)
    ]
    return asked + _names(ground, check, case)


def _at(ground: Ground, case: Case, front: str) -> list[Port]:
    """The ports of a front; at a port that is not there it is asked by both protocols."""
    found = ground.ports(case)
    return [Port("", protocol, NOT_A_PORT, 0) for protocol in ("tcp", "udp")] if front == CLOSED else found


def _asking(ground: Ground, check: str, case: Case, cell: tuple[str, str, str], port: Port) -> t.Iterator[Probe]:
    """The probes of one cell by one port: so many that each who may answer does, if nothing is overlooked."""
    front, who, word = cell
    source, ends = ground.askers[who], [ground.servers[name] for name in case.ends.get(port.name, ())]
    expect, seen = _expected(ground, word, source, ends[0] if ends else None)
    if _unheard(source, port.protocol, expect):
        return
    target = _front(ground, case, front, port, ends)
    for _try in range(tries(len(ends)) if expect == ("ok",) else 1):
        yield Probe(check, source, target, port.protocol, expect, seen, case.name)


def _unheard(source: Endpoint, protocol: str, expect: tuple[str, ...]) -> bool:
    """What a node itself drops on its way out is no silence to a program that sends UDP, but EPERM: an error here."""
    return source.kind == "nodes" and protocol == "udp" and "timeout" in expect


def _expected(
    ground: Ground, word: str, source: Endpoint, server: Endpoint | None
) -> tuple[tuple[str, ...], str | None]:
    """What must be observed, and the address that the server must see."""
    if word == "nobody":
        return PING[ground.topology["nodes"][str(source.node)]["proxy_mode"]], None
    if word in INSTEAD:
        return INSTEAD[word], None
    if server is None:
        raise ProofError(f"{word} must be seen, but the case names nobody who sees it")
    if word == "own":
        return ("ok",), source.address
    kind, _space, which = word.rpartition(" ")
    return ("ok",), str(ground.node(which)["address"]) if kind else ground.masked(which, server)


def _front(ground: Ground, case: Case, front: str, port: Port, ends: list[Endpoint]) -> Endpoint:
    """A port of a Service at one of its fronts, as the end of a probe."""
    if front in (ADDRESS, CLOSED):
        name, address, number = case.name, ground.services[case.name]["spec"]["clusterIP"], port.number
    else:
        node = ground.node(front)
        name, address, number = port_name(case.name, node["name"]), node["address"], port.node_port
    answers = tuple(answer for end in ends for answer in end.answers)
    return Endpoint(name, "services", None, address, ports={port.protocol: number}, answers=answers)


def _names(ground: Ground, check: str, case: Case) -> list[Probe]:
    """What a case asks of the DNS, from both nodes' pods."""
    found, known = [], ground.words(case)
    for kind, name, wanted in case.names:
        target = Endpoint(filled(name, known), "dns", None, "", answers=tuple(filled(wanted, known)))
        expect = ("ok",) if wanted else ("dns",)
        for which in (NEAR, FAR):
            found.append(Probe(check, ground.askers[f"pod {which}"], target, kind, expect, None, case.name))
    return found


def without(ground: Ground, asked: list[Probe], case: Case) -> list[Probe]:
    """The control: what a case had answered, asked again when its Service is gone."""
    address = ground.services[case.name]["spec"].get("clusterIP")
    found: dict[tuple[str, str, str, int], Probe] = {}
    for probe in asked:
        if probe.expect != ("ok",):
            continue
        is_name, front = probe.target.kind == "dns", ADDRESS if probe.target.address == address else NEAR
        expect = ("dns",) if is_name else GONE[front]
        if not _unheard(probe.source, probe.protocol, expect):
            key = (probe.source.name, probe.target.name, probe.protocol, probe.target.ports.get(probe.protocol, 0))
            control = f"{case.name}: deleted"
            found[key] = dataclasses.replace(probe.again(), expect=expect, expect_source=None, control=control)
    return list(found.values())


def everything(ground: Ground, check: str) -> dict[str, list[Probe]]:
    """All that all cases ask, by case."""
    return {case.name: probes(ground, check, case) for case in cases()}
