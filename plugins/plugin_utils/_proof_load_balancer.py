# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is claimed of the load balancer, and what is concluded from what was asked and seen. Pure.

This plugin util is PRIVATE to the collection. Source: MetalLB, speaker/layer2_controller.go: one node answers ARP for
an address; with externalTrafficPolicy Local it is one that has an endpoint. Control planes of kubeadm are left out.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import typing as t

from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_svc_path as ways
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_claim import Claim, of_no_node
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_load_balancer_objects import (
    ANYWHERE,
    ELSEWHERE,
    FOREIGN,
    LATE,
    MARK,
    local_name,
    main_services,
)
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_verdict import line
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_wire import Outcome

MECHANISM = "load-balancer"
# Seconds until another node must answer in place of one that is cut off. Speakers ask each other once a second, and
# take one for gone that nobody hears of for 4 s (memberlist, DefaultLANConfig); the rest is for a slow machine.
TAKEOVER = 15.0
HEALTHY, FREED, CUT, BACK, SILENT, AGAIN = "healthy", "freed", "cut", "back", "silent", "again"
SHOW, ARPING = f"kubectl --namespace={MARK} get services", "arping -I eth0 ADDRESS"
REFUSED = "AllocationFailed"


@dataclasses.dataclass
class Seen:
    """All that a check saw. Of each phase who claimed which address on the wire, by name, and the probes.

    addresses are the main services', free those that nobody has. cut_off is the node whose wire was cut, took after how
    many seconds somebody answered in its place, neighbour whom the client then knew for that address. pending has what
    MetalLB told of services that wait, given the addresses that they have nevertheless, late what the last one got.
    unfilled are services that were to use the pool up and got no address. paths are the ways of the healthy lab's
    answers through the rules of the node that claimed the address.
    """

    pool: str
    addresses: dict[str, str] = dataclasses.field(default_factory=dict)
    nodes: dict[str, str] = dataclasses.field(default_factory=dict)
    free: list[str] = dataclasses.field(default_factory=list)
    claimed: dict[str, dict[str, list[str]]] = dataclasses.field(default_factory=dict)
    asked: dict[str, list[Outcome]] = dataclasses.field(default_factory=dict)
    pending: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    given: dict[str, str] = dataclasses.field(default_factory=dict)
    cut_off: str = ""
    took: float | None = None
    neighbour: str = ""
    unfilled: list[str] = dataclasses.field(default_factory=list)
    late: str = ""
    left: list[str] = dataclasses.field(default_factory=list)
    paths: list[Data] = dataclasses.field(default_factory=list)

    def who(self, phase: str, service: str) -> list[str]:
        """Who claimed a service's address in a phase."""
        return self.claimed[phase][self.addresses[service]]


def claims(topology: Data) -> list[Claim]:
    """What is claimed, from the topology alone."""
    own = [
        claim
        for name, node in main_services(topology).items()
        for claim in (
            Claim(name, "announced", f"one node alone answers ARP for {name}: {_announcer(name, node)}", ARPING),
            Claim(name, "reached", f"a machine outside reaches {name}; {_source(name)}", SHOW),
        )
    ]
    given = Claim("", "given", "every service has an address of the pool, and none that another has", SHOW)
    return [given, *own, *of_no_node(TOLD)]


def _announcer(name: str, node: str) -> str:
    return "some worker" if name == ANYWHERE else f"{node}, where its pod is"


def _source(name: str) -> str:
    if name == ANYWHERE:
        return "its pod, on another node, sees an address of the node that answers ARP"
    return "its pod sees that machine's own address"


def faults(claim: Claim, seen: Seen, topology: Data) -> list[str]:
    """Why a claim does not hold; empty when it does."""
    if claim.key == "given":
        return _given(seen)
    if not all(seen.addresses.values()):
        return _given(seen)
    if claim.key == "announced":
        return announced(seen, HEALTHY, claim.node, topology)
    if claim.key == "reached":
        return wrong([o for o in seen.asked[HEALTHY] if o.probe.target.name == claim.node], 2)
    return TOLD[claim.key][2](seen, topology)


def wrong(outcomes: list[Outcome], least: int) -> list[str]:
    """Probes that are not as expected, or that there were too few of."""
    if len(outcomes) < least:
        return [f"{len(outcomes)} probes were made, must be {least} or more"]
    return [line(one.record) for one in outcomes if not one.record["ok"]]


def _given(seen: Seen) -> list[str]:
    pool = ipaddress.ip_network(seen.pool)
    lacking = [f"{name} has no address" for name, address in seen.addresses.items() if not address]
    given = [address for address in seen.addresses.values() if address]
    strange = [f"{one} is not in {pool}" for one in given if ipaddress.ip_address(one) not in pool]
    twice = sorted({one for one in given if given.count(one) > 1})
    return lacking + strange + [f"{one} is there twice" for one in twice]


def announced(seen: Seen, phase: str, service: str, topology: Data) -> list[str]:
    """Why not exactly one node claims a service's address, or not the right one."""
    found, workers = seen.who(phase, service), topology["cluster"]["workers"]
    right = workers if service == ANYWHERE else [seen.nodes[service]]
    if len(found) == 1 and found[0] in right:
        return []
    told = f"{', '.join(found) or 'nobody'} answered ARP for {service} ({seen.addresses[service]})"
    return [f"{told}, must be {'one of ' if len(right) > 1 else ''}{', '.join(right)}"]


def _quiet(seen: Seen, topology: Data) -> list[str]:
    """Nobody answers for addresses that nobody has; the nodes' own answers show that the question is heard."""
    found = seen.claimed[HEALTHY]
    own = {name: node["address"] for name, node in topology["nodes"].items()}
    deaf = [f"{name} itself was not heard: {found[one]}" for name, one in own.items() if found[one] != [name]]
    heard = [f"{', '.join(found[one])} answered ARP for {one}" for one in seen.free if found[one]]
    return deaf + heard + wrong([o for o in seen.asked[HEALTHY] if o.probe.target.address in seen.free], 2 * 2)


def _refused(seen: Seen, _topology: Data) -> list[str]:
    return _kept_waiting(seen, ELSEWHERE)


def _foreign(seen: Seen, _topology: Data) -> list[str]:
    told = [f"MetalLB told of {FOREIGN}: {one}" for one in seen.pending[FOREIGN]]
    return told + ([f"{FOREIGN} got {seen.given[FOREIGN]}"] if seen.given[FOREIGN] else [])


def _exhausted(seen: Seen, _topology: Data) -> list[str]:
    return [f"{name} got no address, so the pool was not used up" for name in seen.unfilled] + _kept_waiting(seen, LATE)


def _kept_waiting(seen: Seen, service: str) -> list[str]:
    """A service that must have got no address, of which MetalLB must have told that, by its name."""
    got = [f"{service} got {seen.given[service]}"] if seen.given[service] else []
    named = [one for one in seen.pending[service] if REFUSED in one and f"{MARK}/{service}" in one]
    told = "; ".join(seen.pending[service]) or "nothing"
    return got + ([] if named else [f"MetalLB told of {service}: {told}; must be {REFUSED} with its name"])


def _freed(seen: Seen, _topology: Data) -> list[str]:
    if not seen.late:
        return [f"{LATE} still has no address"]
    inside = ipaddress.ip_address(seen.late) in ipaddress.ip_network(seen.pool)
    return [] if inside else [f"{LATE} got {seen.late}, which is not in {seen.pool}"]


def _takeover(seen: Seen, topology: Data) -> list[str]:
    """Somebody else answers in time, alone; and the client has learned it."""
    if seen.took is None or seen.took > TAKEOVER:
        return [f"nobody answered in place of {seen.cut_off} within {TAKEOVER:g} s"]
    found = seen.who(CUT, ANYWHERE)
    same = [f"{seen.cut_off} still answers, though its wire is cut"] if seen.cut_off in found else []
    known = [] if [seen.neighbour] == found else [f"the client knows {seen.neighbour or 'nobody'} for it, not {found}"]
    return same + announced(seen, CUT, ANYWHERE, topology) + known + wrong(_about(seen, CUT, ANYWHERE), 2)


def _stays(seen: Seen, _topology: Data) -> list[str]:
    """With policy Local nobody takes over from the node that has all endpoints."""
    name = local_name(seen.cut_off)
    heard = seen.who(CUT, name)
    taken = [f"{', '.join(heard)} answered ARP for {name}"] if heard else []
    return taken + wrong(_about(seen, CUT, name), 2)


def _back(seen: Seen, topology: Data) -> list[str]:
    return _all_answer(seen, BACK, topology)


def _again(seen: Seen, topology: Data) -> list[str]:
    return _all_answer(seen, AGAIN, topology)


def _all_answer(seen: Seen, phase: str, topology: Data) -> list[str]:
    lone = [fault for name in seen.addresses for fault in announced(seen, phase, name, topology)]
    return lone + wrong(seen.asked[phase], 2 * len(seen.addresses))


def _silent(seen: Seen, _topology: Data) -> list[str]:
    heard = {name: seen.who(SILENT, name) for name in seen.addresses}
    taken = [f"{', '.join(who)} answered ARP for {name}" for name, who in heard.items() if who]
    return taken + wrong(seen.asked[SILENT], 2 * len(seen.addresses))


def _about(seen: Seen, phase: str, service: str) -> list[Outcome]:
    return [one for one in seen.asked[phase] if one.probe.target.name == service]


def _ways(seen: Seen, _topology: Data) -> list[str]:
    return ways.faults(seen.paths)


def _gone(seen: Seen, _topology: Data) -> list[str]:
    return seen.left


Judge = t.Callable[[Seen, Data], list[str]]
# Title, command, judge.
TOLD: dict[str, tuple[str, str, Judge]] = {
    "quiet": ("nobody answers for an address that no service has, in the pool or outside of it", ARPING, _quiet),
    "paths": (ways.TITLE, "nft list table ip kube-proxy; iptables-save", _ways),
    "refused": (
        f"{ELSEWHERE}, which wants an address outside of the pool, waits, and MetalLB names it",
        SHOW,
        _refused,
    ),
    "foreign": (f"{FOREIGN}, which is for another load balancer, gets nothing", SHOW, _foreign),
    "exhausted": (f"when the pool is used up {LATE} waits, and MetalLB names it", SHOW, _exhausted),
    "freed": (f"{LATE} gets the address that another service gives back", SHOW, _freed),
    "takeover": (f"another node answers within {TAKEOVER:g} s for {ANYWHERE} when one is cut off", ARPING, _takeover),
    "stays": ("nobody takes over a service whose only pod is on the node that is cut off", ARPING, _stays),
    "back": ("when its wire is whole again one node alone answers for each service", ARPING, _back),
    "silent": ("without MetalLB's speakers nobody answers ARP, and services are out of reach", ARPING, _silent),
    "again": ("with speakers again one node alone answers for each service", ARPING, _again),
    "gone": ("nothing of it is left in the cluster", f"kubectl get namespace {MARK}", _gone),
}
