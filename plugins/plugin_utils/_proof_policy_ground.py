# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pods on which cases of NetworkPolicies are played, the cells, and what the model says of each. Pure.

This plugin util is PRIVATE to the collection. There are several lanes, each with all namespaces and pods, so that as
many cases are played at once.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.reftopo.lab.plugins.plugin_utils._policy_model import Connection, End, allowed
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data, Endpoint, Probe, ProofError
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_policy_cases import (
    NAME_LABEL,
    NAMESPACES,
    PODS,
    Step,
    namespace_labels,
    pod_labels,
    policies,
)

MARK = "reftopo-policy"  # label of all that is made, and the beginning of the namespaces' names
LANES = 6
# What each pod answers at, by two containers, since agnhost's netexec has one port of a protocol.
SERVERS = ({"tcp": 8080, "udp": 8081}, {"tcp": 8090, "udp": 8091})
PORT_NAMES = ({"tcp": "web", "udp": "talk"}, {"tcp": "admin", "udp": "report"})
# In this namespace web and admin are exchanged, so that a name is another number there.
EXCHANGED = "z"
DNS_PORT = 53
NOBODY = "192.0.2.1"  # RFC 5737: an address outside, where the topology has no machine outside


@dataclasses.dataclass(frozen=True)
class Lane:
    """A set of namespaces and pods of its own. addresses are the pods', once they run."""

    number: int
    nodes: tuple[str, ...]
    addresses: t.Mapping[str, str] = dataclasses.field(default_factory=dict)

    def namespace(self, key: str) -> str:
        """The name of a namespace."""
        return f"{MARK}-{self.number}-{key}"

    def pod(self, pod: str) -> str:
        """The name of a pod, and its host name, by which it answers."""
        return f"{pod.replace('/', '-')}-{self.number}"

    def node(self, pod: str) -> str:
        """The node of a pod: in every other lane the two of a namespace are on one, in the others on two."""
        return self.nodes[(list(PODS).index(pod) + self.number % 2) // 2 % len(self.nodes)]


@dataclasses.dataclass(frozen=True)
class Ground:
    """All lanes, and who is no pod of theirs: the nodes, a machine outside, a name and the pods that know it."""

    lanes: tuple[Lane, ...]
    nodes: tuple[Endpoint, ...]
    outside: Endpoint | None
    name: Endpoint
    dns: tuple[End, ...]
    pod_cidr: str

    def words(self, lane: Lane) -> dict[str, str]:
        """What stands for what in the policies of a lane."""
        names = {key: lane.namespace(key) for key in NAMESPACES}
        outside = self.outside.address if self.outside else NOBODY
        return {**names, **lane.addresses, "pods": self.pod_cidr, "outside": outside}


class Cell(t.NamedTuple):
    """Who asks whom by what: one port of the target."""

    source: Endpoint
    target: Endpoint
    protocol: str

    @property
    def port(self) -> int:
        """The port that is asked; of a name, that of the DNS."""
        return self.target.ports.get(self.protocol, DNS_PORT)


def cells(ground: Ground, lane: Lane) -> list[Cell]:
    """Each pod asks every pod, itself too, at all ports, the machine outside and the DNS; each node asks every pod."""
    pods = {pod: [_endpoint(lane, pod, ports) for ports in SERVERS] for pod in PODS}
    targets = [end for ends in pods.values() for end in ends] + [*filter(None, [ground.outside])]
    found: list[Cell] = []
    for source, *_other in pods.values():
        found += [Cell(source, target, protocol) for target in targets for protocol in ("tcp", "udp")]
        found.append(Cell(source, ground.name, "dns"))
    return found + [Cell(node, target, "tcp") for node in ground.nodes for target, *_other in pods.values()]


def _endpoint(lane: Lane, pod: str, ports: t.Mapping[str, int]) -> Endpoint:
    node, address = lane.node(pod), lane.addresses[pod]
    return Endpoint(pod, "pods", node, address, node, address, ports, (lane.pod(pod),))


def verdicts(ground: Ground, lane: Lane, step: Step) -> list[bool]:
    """Of each cell whether the model allows it at a step."""
    ends = _ends(ground, lane, step)
    given = policies(step, ground.words(lane))

    def verdict(cell: Cell) -> bool:
        protocol = "UDP" if cell.protocol == "dns" else cell.protocol.upper()
        targets = ground.dns if cell.protocol == "dns" else (ends[cell.target.name],)
        source = ends[cell.source.name]
        found = {allowed(given, Connection(source, target, protocol, cell.port)) for target in targets}
        if len(found) != 1:
            raise ProofError(f"{cell.source.name} may ask only some of the {len(targets)} pods of {cell.target.name}")
        return found.pop()

    return [verdict(cell) for cell in cells(ground, lane)]


def _ends(ground: Ground, lane: Lane, step: Step) -> dict[str, End]:
    """What the model has to know of everybody, by name."""
    others = [*ground.nodes, *filter(None, [ground.outside])]
    found = {end.name: End(end.address, node=end.node) for end in others}
    for pod in PODS:
        key = pod.partition("/")[0]
        labels = {NAME_LABEL: lane.namespace(key), **namespace_labels(step, key)}
        ports = [port for number in range(len(SERVERS)) for port in container_ports(key, number)]
        named = {port["name"]: (port["protocol"], port["containerPort"]) for port in ports}
        own = pod_labels(step, pod)
        found[pod] = End(lane.addresses[pod], lane.node(pod), lane.namespace(key), own, labels, named)
    return found


def container_ports(key: str, number: int) -> list[Data]:
    """A container's ports and their names."""
    names = {**PORT_NAMES[number], **({"tcp": PORT_NAMES[1 - number]["tcp"]} if key == EXCHANGED else {})}
    return [
        {"name": names[protocol], "protocol": protocol.upper(), "containerPort": port}
        for protocol, port in SERVERS[number].items()
    ]


def probes(check: str, control: str, asked: t.Iterable[Cell], expected: t.Iterable[str]) -> list[Probe]:
    """A probe for each cell, with what it must observe; a pod must be seen by its own address by pods."""
    return [
        Probe(
            check,
            cell.source,
            cell.target,
            cell.protocol,
            (outcome,),
            cell.source.address if cell.source.kind == cell.target.kind == "pods" else None,
            control,
        )
        for cell, outcome in zip(asked, expected)
    ]
