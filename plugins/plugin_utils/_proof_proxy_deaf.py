# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pod that does not listen any more: what becomes of the services that it is an endpoint of. Pure.

This plugin util is PRIVATE to the collection. Its readiness probe takes it out of one service; another lists it
although it is not ready, as if it had no such probe.
"""

from __future__ import annotations

import dataclasses

from ansible_collections.reftopo.lab.plugins.module_utils._proxy_mode import spreads
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_proxy_asked as asked
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_proxy_rules as rules
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_claim import Claim
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data, Endpoint, Probe
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_plan import SERVER_PORTS, SERVICE, SETS
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_services import LISTED, Service, target
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_verdict import line
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_wire import Outcome, answering_pod

CLAIMS = {
    "taken-out": f"{{pod}} does not listen: its readiness probe takes it out of {SERVICE}'s rules, and nothing fails",
    "listed": f"{{pod}} does not listen: {LISTED} still leads to it, what does is refused, and all else works",
    "back": f"{{pod}} listens again: it is in {SERVICE}'s rules again",
}
SAMPLES = 8


@dataclasses.dataclass(frozen=True)
class Deaf:
    """What was asked while the pod did not listen; and the nodes' rules then and afterwards."""

    pod: Endpoint
    outcomes: list[Outcome]
    deaf: dict[str, rules.View]
    back: dict[str, rules.View]
    pods: list[Endpoint]


def chosen(topology: Data) -> str:
    """The pod: on the last node, so that others are on the same node and on others; it asks nothing itself."""
    return f"{SETS[1]}-{list(topology['nodes'])[-1]}"


def claims(topology: Data) -> list[Claim]:
    """What is claimed of each node."""
    titles = {key: title.format(pod=chosen(topology)) for key, title in CLAIMS.items()}
    return [
        Claim(name, key, title, rules.COMMANDS[node["proxy_mode"]])
        for name, node in topology["nodes"].items()
        for key, title in titles.items()
        if key != "listed" or spreads(topology, name)
    ]


def probes(name: str, found: dict[str, list[Endpoint]], services: dict[str, Service], control: str) -> list[Probe]:
    """From each node to both services by TCP, which is what is refused; to the one so many that each end is met."""
    pods = found["pods"]
    wanted = ((SERVICE, ("ok",), SAMPLES), (LISTED, ("ok", "refused"), asked.tries(len(pods))))
    return [
        Probe(name, source, target(services[service], pods), "tcp", expect, control=control)
        for service, expect, tries in wanted
        for source in asked.asking(found)
        for _try in range(tries)
    ]


def rule_faults(view: rules.View, pod: Endpoint, listens: bool) -> list[str]:
    """Both services' rules, where the API says of the pod what it must."""
    end = f"{pod.address}:{SERVER_PORTS['tcp']}"
    must = {SERVICE: listens, LISTED: True}
    wrong = [
        f"the API {'does not list' if wanted else 'lists'} {end} as ready endpoint of {service}"
        for service, wanted in must.items()
        if (end in view.services[service].ends["tcp"]) != wanted
    ]
    return wrong + [fault for service in must for fault in rules.service_faults(view, service)]


def faults(claim: Claim, seen: Deaf) -> list[str]:
    """What speaks against a claim."""
    if claim.key == "back":
        return rule_faults(seen.back[claim.node], seen.pod, listens=True)
    ends = (f"{SETS[0]}-{claim.node}", SERVICE if claim.key == "taken-out" else LISTED)
    outcomes = [o for o in seen.outcomes if (o.probe.source.name, o.probe.target.name) == ends]
    wrong = [line(o.record) for o in outcomes if not o.record["ok"]] if outcomes else ["no probe was made"]
    wrong += rule_faults(seen.deaf[claim.node], seen.pod, listens=False)
    return wrong if claim.key == "taken-out" else wrong + _listed_faults(outcomes, seen)


def _listed_faults(outcomes: list[Outcome], seen: Deaf) -> list[str]:
    """Everybody else answers; what leads to the pod is refused."""
    answered = {pod.name for pod in (answering_pod(o, seen.pods) for o in outcomes) if pod}
    missing = {pod.name for pod in seen.pods} - {seen.pod.name} - answered
    wrong = [f"{name} answered none of {len(outcomes)} connections" for name in sorted(missing)]
    if seen.pod.name in answered:
        wrong.append(f"{seen.pod.name} answered, though it must not listen")
    if all(o.record["observed"] == "ok" for o in outcomes):
        wrong.append(f"none of {len(outcomes)} connections was refused")
    return wrong
