# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is claimed of an ingress controller, and what is concluded from all that was asked of it. Pure.

This plugin util is PRIVATE to the collection.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.reftopo.lab.plugins.plugin_utils._ingress_controllers import CONTROLLERS, Controller
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_claim import Claim, of_no_node
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_ingress_cases import DEFAULT, OWN, Case, Cell, cases
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_ingress_objects import MARK, NAMESPACE, WEB_PORT
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data

ANSWERED, SILENT = "answered", ("timeout", "unreachable")
KEPT, SPREAD, DEAF, ROUTED, STATUS, WITHOUT, GONE = "kept", "spread", "deaf", "routed", "status", "without", "gone"


@dataclasses.dataclass(frozen=True)
class Front:
    """A way in from outside: its name, address, ports by scheme, and the addresses of which a pod must be told one.

    Without any it leads nowhere.
    """

    name: str
    address: str
    ports: t.Mapping[str, int]
    sources: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Asked:
    """A cell that was asked at a front with a key, and what came of it (_probe_web_ask)."""

    cell: Cell
    front: Front
    key: str
    result: Data

    @property
    def line(self) -> str:
        """Who asked what where, as a person writes it."""
        return f"{self.cell.name} at {self.front.name}"


@dataclasses.dataclass
class Seen:
    """All of a check: of each case what was asked, then of the sample at fronts of each kind, and without any Ingress.

    servers are the pods' addresses by service, log what the controller wrote, statuses the addresses that each Ingress
    has in its status, balancer the one that it must be.
    """

    controller: Controller
    servers: t.Mapping[str, str]
    balancer: str
    asked: dict[str, list[Asked]] = dataclasses.field(default_factory=dict)
    fronts: dict[str, list[Asked]] = dataclasses.field(default_factory=dict)
    without: list[Asked] = dataclasses.field(default_factory=list)
    log: str = ""
    statuses: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    left: list[str] = dataclasses.field(default_factory=list)


def of(topology: Data) -> Controller:
    """The controller of a topology."""
    return CONTROLLERS[topology["cluster"]["ingress"]["controller"]]


def claims(topology: Data) -> list[Claim]:
    """What is claimed, from the topology alone."""
    shown = [Claim("", case.name, f"{case.name}: {case.shows}", _describe(case)) for case in cases(of(topology))]
    return shown + of_no_node(AROUND)


def _describe(case: Case) -> str:
    return f"kubectl -n {NAMESPACE} describe ingress {case.name}"


def faults(claim: Claim, seen: Seen) -> list[str]:
    """Why a claim does not hold; empty when it does."""
    if claim.key in AROUND:
        return AROUND[claim.key][2](seen)
    return wrong(seen.asked[claim.key], seen.controller)


def wrong(asked: list[Asked], controller: Controller) -> list[str]:
    """What was not answered as it must be; nothing asked is a fault, too."""
    found = [f"{one.line}: {fault}" for one in asked for fault in cell_faults(one, controller)]
    return found if asked else ["nothing was asked"]


def cell_faults(one: Asked, controller: Controller) -> list[str]:
    """Why an answer is not what the cell says."""
    cell, result = one.cell, one.result
    if not one.front.sources:
        ok = result["observed"] in SILENT
        return [] if ok else [f"must be silent, was {result['observed']} {result.get('status', '')}".rstrip()]
    if result["observed"] != ANSWERED:
        return [f"{result['observed']}: {result.get('detail', '')}"]
    wanted: Data = {"status": cell.status, "pod": cell.by}
    if cell.by and not cell.websocket:
        wanted.update(host=_host(cell.url), scheme=cell.scheme)
    found = [
        f"{key} is {result.get(key)}, must be {value}" for key, value in wanted.items() if result.get(key) != value
    ]
    return found + _certificate_faults(cell, result, controller) + _source_faults(one)


def _host(url: str) -> str:
    return url.partition("://")[2].partition("/")[0]


def _certificate_faults(cell: Cell, result: Data, controller: Controller) -> list[str]:
    if not cell.certificate:
        return []
    own = cell.certificate == DEFAULT
    name = controller.default_certificate if own else cell.certificate
    found = [] if result["certificate"] == name else [f"the certificate is {result['certificate']}'s, must be {name}'s"]
    if own and result["trusted"]:
        found.append("the authority signed the certificate, which must be the controller's own")
    if not own and not result["trusted"]:
        found.append("the authority did not sign the certificate for this name")
    return found


def _source_faults(one: Asked) -> list[str]:
    """A pod must be told the one address that the controller saw."""
    if "forwarded" not in one.result or one.result["forwarded"] in [[source] for source in one.front.sources]:
        return []
    told = ", ".join(one.result["forwarded"]) or "nothing"
    return [f"X-Forwarded-For is {told}, must be {' or '.join(one.front.sources)}"]


def _at(kind: str) -> t.Callable[[Seen], list[str]]:
    return lambda seen: wrong(seen.fronts[kind], seen.controller)


def routed(seen: Seen) -> list[str]:
    """Of each request that a pod answered the controller must have noted the Ingress or service, and the pod."""
    lines = (seen.controller.line.search(line) for line in seen.log.splitlines())
    noted = {found["path"].rpartition("key=")[2]: found for found in lines if found}
    own = [case.name for case in cases(seen.controller) if not case.late]  # others are led by each other's Ingresses
    answered = [one for name in own for one in seen.asked[name] if one.result.get("pod")]
    found = [fault for one in answered for fault in _route_faults(one, noted.get(one.key), seen)]
    return found if answered else ["no pod answered"]


def _route_faults(one: Asked, noted: t.Any, seen: Seen) -> list[str]:
    if not noted:
        return [f"{one.line}: no line of the controller's log has its key"]
    pod = one.result["pod"]
    words = {"namespace": NAMESPACE, "service": pod, "ingress": one.cell.case}
    router, server = seen.controller.router.format(**words), f"{seen.servers[pod]}:{WEB_PORT}"
    found = [] if router in noted["router"] else [f"{one.line}: was led by {noted['router']}, must be {router}…"]
    return found + ([] if server in noted["server"] else [f"{one.line}: was led to {noted['server']}, not {server}"])


def status_faults(seen: Seen, found: t.Mapping[str, list[str]]) -> list[str]:
    """Why Ingresses do not say where they are served: those of the class at its address, the others nowhere."""
    owners = {case.name: case.owner for case in cases(seen.controller) if case.name in found}
    wanted = {name: [seen.balancer] if owner == OWN else [] for name, owner in owners.items()}
    wrong_ones = [name for name, addresses in wanted.items() if found[name] != addresses]
    told = [f"{name} is at {', '.join(found[name]) or 'no address'}, must be at {wanted[name]}" for name in wrong_ones]
    return told if found else ["there is no Ingress"]


def _statuses(seen: Seen) -> list[str]:
    return status_faults(seen, seen.statuses)


def _without(seen: Seen) -> list[str]:
    return wrong(seen.without, seen.controller)


def _gone(seen: Seen) -> list[str]:
    return seen.left


ASK = "curl -H 'Host: one.test' http://ADDRESS/"
Judge = t.Callable[[Seen], list[str]]
# What is claimed beside the cases: title, command, judge.
AROUND: dict[str, tuple[str, str, Judge]] = {
    KEPT: (
        "by the controller's own service, at its address and its pod's node, pods are told the client's address",
        ASK,
        _at(KEPT),
    ),
    DEAF: ("the node ports of that service at other nodes lead nowhere", ASK, _at(DEAF)),
    SPREAD: (
        "by a service with externalTrafficPolicy Cluster, at its address and every node, pods are told the node's",
        ASK,
        _at(SPREAD),
    ),
    ROUTED: ("the controller's log names the way and the pod of each request", "kubectl logs", routed),
    STATUS: (
        "each Ingress of the class has the controller's address in its status, one of another class has none",
        f"kubectl -n {NAMESPACE} get ingress",
        _statuses,
    ),
    WITHOUT: (
        "when all Ingresses are deleted every request is 404",
        ASK,
        _without,
    ),
    GONE: ("nothing of it is left in the cluster", f"kubectl get namespace {MARK}", _gone),
}
