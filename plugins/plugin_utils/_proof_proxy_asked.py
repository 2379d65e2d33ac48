# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the test workload's services do, asked from pods, nodes and outside, and whose address the servers see. Pure.

This plugin util is PRIVATE to the collection. Masquerading takes an address of the link that a packet leaves by: that
of the pods' bridge towards pods of the same node, else that of the overlay's device or of the underlay; where the link
has none, as those of Calico, that of the underlay too (net/ipv4/devinet.c, inet_select_addr).
"""

from __future__ import annotations

import math
import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils._proxy_mode import hashes, spreads
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_claim import Claim
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_masquerade import masquerade
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data, Endpoint, Probe
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_plan import SERVICE, SETS, TELLING, WORKLOAD
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_services import (
    NOBODY,
    STICKY,
    Service,
    node_target,
    port_name,
    target,
)
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_snapshot import Snapshot
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_verdict import line
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_wire import Outcome, answering_pod

RISK = 1e-5  # of not meeting some endpoint although each has the same chance
STICKY_TRIES, PORT_TRIES = 8, 4
# nftables mode refuses whatever goes to a service's address and to none of its ports, and so does ipvs mode since v1.27
# (KUBE-IPVS-FILTER), although the address is the node's own; iptables mode has no rule for it, so it goes where the
# routes lead, and nobody there has the address.
PING = {"nftables": ("refused",), "iptables": ("timeout", "unreachable"), "ipvs": ("refused",)}
# Claims that only hold where one client meets every endpoint.
NEED_SPREAD = ("spread", "source", "hairpin", "affinity")
ASK = f"kubectl -n {WORKLOAD} get services; curl …/hostname; curl …/clientip"
OF_NODES = {
    "spread": f"{SERVICE} leads a pod here to each of its endpoints",
    "source": f"endpoints of {SERVICE} see a pod's own address",
    "hairpin": f"a pod that {SERVICE} leads to itself sees an address of its node",
    "hashed": f"{SERVICE} leads a pod here to one endpoint every time",
    "affinity": f"{STICKY} leads a pod here to one endpoint every time, {SERVICE} to several",
    "nobody": f"{NOBODY}, which has no endpoints, refuses a pod here at once",
    "ping": f"{SERVICE}'s address answers no ping from a pod here; another pod does",
    "ports": f"{SERVICE}'s node port of each node answers this node, masqueraded",
}
OF_NAMESPACES = {
    "ports": f"{SERVICE}'s node port of each node answers from outside, masqueraded",
    "nobody-port": f"{NOBODY}'s node port of each node refuses at once",
}


class Asked(t.NamedTuple):
    """What a claim is judged by: the outcomes of its check, the nodes' states, and the pods."""

    topology: Data
    outcomes: list[Outcome]
    snapshots: dict[str, Snapshot]
    pods: list[Endpoint]

    def of(self, source: str, *targets: str) -> list[Outcome]:
        """The outcomes between some ends."""
        return [o for o in self.outcomes if o.probe.source.name == source and o.probe.target.name in targets]

    def masquerade(self, node: str, pod: Endpoint) -> str:
        """The address that a node gives to what it masquerades towards a pod."""
        return masquerade(self.topology, self.snapshots, node, pod)


def claims(topology: Data) -> list[Claim]:
    """What is claimed of the services, by where they are asked from."""
    asked = ((topology["nodes"], OF_NODES), (topology["namespaces"], OF_NAMESPACES))
    made = [Claim(name, key, title, ASK) for names, titles in asked for name in names for key, title in titles.items()]
    return [claim for claim in made if _can_be_kept(topology, claim)]


def _can_be_kept(topology: Data, claim: Claim) -> bool:
    if claim.key == "hashed":
        return hashes(topology, claim.node)
    return claim.key not in NEED_SPREAD or spreads(topology, claim.node)


def tries(endpoints: int) -> int:
    """So many that the risk of not meeting one of the endpoints is RISK."""
    missed = 1 - 1 / endpoints
    return math.ceil(math.log(RISK / endpoints) / math.log(missed)) if missed else 1


def asking(found: dict[str, list[Endpoint]]) -> list[Endpoint]:
    """One pod of each node: all pods of a node meet the same rules."""
    return [pod for pod in found["pods"] if pod.name == f"{SETS[0]}-{pod.node}"]


def first_probes(
    topology: Data, name: str, found: dict[str, list[Endpoint]], services: dict[str, Service]
) -> list[Probe]:
    """What must be through before all the others, of connections at once each may be its client's first; and pings."""
    plain, sticky = (target(services[one], found["pods"]) for one in (SERVICE, STICKY))
    return [
        probe
        for pod in asking(found)
        for probe in (
            Probe(name, pod, plain, "icmp", PING[topology["nodes"][str(pod.node)]["proxy_mode"]]),
            Probe(name, pod, _neighbour(pod, found["pods"]), "icmp"),
            *(Probe(name, pod, sticky, protocol) for protocol in TELLING),
        )
    ]


def probes(topology: Data, name: str, found: dict[str, list[Endpoint]], services: dict[str, Service]) -> list[Probe]:
    """All other probes."""
    made = [probe for pod in asking(found) for probe in _from_pod(name, pod, found["pods"], services)]
    for node in topology["nodes"].values():
        open_port, shut_port = (node_target(services[one], node, found["pods"]) for one in (SERVICE, NOBODY))
        for protocol in TELLING:
            sources = found["nodes"] + found["namespaces"]
            made += [Probe(name, source, open_port, protocol) for source in sources for _try in range(PORT_TRIES)]
            made += [Probe(name, source, shut_port, protocol, ("refused",)) for source in found["namespaces"]]
    return made


def _from_pod(name: str, pod: Endpoint, pods: list[Endpoint], services: dict[str, Service]) -> t.Iterator[Probe]:
    plain, sticky, nobody = (target(services[one], pods) for one in (SERVICE, STICKY, NOBODY))
    for protocol in TELLING:
        yield Probe(name, pod, nobody, protocol, ("refused",))
        yield from (Probe(name, pod, sticky, protocol) for _try in range(STICKY_TRIES))
        yield from (Probe(name, pod, plain, protocol) for _try in range(tries(len(pods))))


def _neighbour(pod: Endpoint, pods: list[Endpoint]) -> Endpoint:
    """The other pod of the same node."""
    return next(other for other in pods if other.node == pod.node and other != pod)


def faults(claim: Claim, asked: Asked) -> list[str]:
    """What speaks against a claim; that nothing was asked does."""
    pod = f"{SETS[0]}-{claim.node}"
    entries = asked.topology["nodes"]
    source, targets = {
        "affinity": (pod, [STICKY]),
        "nobody": (pod, [NOBODY]),
        "ports": (claim.node, [port_name(SERVICE, node) for node in entries]),
        "nobody-port": (claim.node, [port_name(NOBODY, node) for node in entries]),
    }.get(claim.key, (pod, [SERVICE]))
    outcomes = asked.of(source, *targets)
    if claim.key == "ping":
        outcomes = [o for o in asked.of(pod, SERVICE, f"{SETS[1]}-{claim.node}") if o.probe.protocol == "icmp"]
        return _wrong(outcomes, 2)
    kept = [o for o in outcomes if o.probe.protocol != "icmp"]
    return _wrong(kept, 2) or JUDGES[claim.key](kept, asked)


def _wrong(outcomes: list[Outcome], least: int) -> list[str]:
    """Probes that are not as expected, or that there were too few of."""
    wrong = [line(o.record) for o in outcomes if not o.record["ok"]]
    return wrong if len(outcomes) >= least else [f"{len(outcomes)} probes were made, must be {least} or more"]


def servers(outcomes: list[Outcome], asked: Asked) -> dict[str, set[str]]:
    """The pods that answered, by protocol."""
    found: dict[str, set[str]] = {protocol: set() for protocol in TELLING}
    for outcome in outcomes:
        pod = answering_pod(outcome, asked.pods)
        found[outcome.probe.protocol] |= {pod.name} if pod else set()
    return found


def _nothing(_outcomes: list[Outcome], _asked: Asked) -> list[str]:
    return []


def _spread(outcomes: list[Outcome], asked: Asked) -> list[str]:
    return [
        f"{protocol}: {pod.name} answered none of {sum(o.probe.protocol == protocol for o in outcomes)} connections"
        for protocol, names in servers(outcomes, asked).items()
        for pod in asked.pods
        if pod.name not in names
    ]


def _hashed(outcomes: list[Outcome], asked: Asked) -> list[str]:
    return [
        f"{protocol}: {outcomes[0].probe.target.name} led to {', '.join(sorted(names)) or 'nobody'}"
        for protocol, names in servers(outcomes, asked).items()
        if len(names) != 1
    ]


def _affinity(outcomes: list[Outcome], asked: Asked) -> list[str]:
    """One endpoint; and the control, that the same pod meets several where a service does not remember its clients."""
    source = outcomes[0].probe.source.name
    plain = servers([o for o in asked.of(source, SERVICE) if o.probe.protocol != "icmp"], asked)
    wrong = _hashed(outcomes, asked)
    return wrong + [f"{protocol}: {SERVICE} led to one endpoint too" for protocol in plain if len(plain[protocol]) < 2]


def _source(outcomes: list[Outcome], asked: Asked) -> list[str]:
    """To other pods nothing is masqueraded."""
    ends = [(o, answering_pod(o, asked.pods)) for o in outcomes]
    return _seen([(o, o.probe.source.address) for o, pod in ends if pod and pod.name != o.probe.source.name])


def _hairpin(outcomes: list[Outcome], asked: Asked) -> list[str]:
    ends = [(o, answering_pod(o, asked.pods)) for o in outcomes]
    own = [(o, asked.masquerade(str(pod.node), pod)) for o, pod in ends if pod and pod.name == o.probe.source.name]
    missing = set(TELLING) - {o.probe.protocol for o, _address in own}
    return [f"{protocol}: the pod was never led to itself" for protocol in sorted(missing)] + _seen(own)


def _ports(outcomes: list[Outcome], asked: Asked) -> list[str]:
    """The node that was asked masquerades, whoever asks: answers must come back by it."""
    entries = {port_name(SERVICE, node): node for node in asked.topology["nodes"]}
    ends = [(o, answering_pod(o, asked.pods)) for o in outcomes]
    return _seen([(o, asked.masquerade(entries[o.probe.target.name], pod)) for o, pod in ends if pod])


def _seen(wanted: list[tuple[Outcome, str]]) -> list[str]:
    """Connections whose source the server saw with another address than it must; that there were none is wrong too."""
    if not wanted:
        return ["no connection was answered by such a pod"]
    return [
        f"{o.probe.protocol} {o.probe.source.name} -> {o.probe.target.name}: {o.result['server']} saw "
        f"{o.result['source']}, must be {address}"
        for o, address in wanted
        if o.result["source"] != address
    ]


JUDGES: dict[str, t.Callable[[list[Outcome], Asked], list[str]]] = {
    "spread": _spread,
    "source": _source,
    "hairpin": _hairpin,
    "hashed": _hashed,
    "affinity": _affinity,
    "nobody": _nothing,
    "ports": _ports,
    "nobody-port": _nothing,
}
