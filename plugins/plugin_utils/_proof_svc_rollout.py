# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scales and rolls a Deployment of a running cluster while its Service is asked.

This plugin util is PRIVATE to the collection.
"""

from __future__ import annotations

import json
import time

from ansible_collections.reftopo.lab.plugins.module_utils._probe_steady import ASKING
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_commands as commands
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_proxy_rules as rules
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_lab import Machine, held_together
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data, Endpoint, Probe, ProofError
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_policy_run import effective
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_proxy_asked import tries
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_services import OWNER, Service, described
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_suite import KUBECTL, Lab
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_svc_follow import Rolled, Scaled, runs, tracked
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_svc_ground import Ground
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_svc_objects import MARK, MOVING, moving
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_wire import Outcome

FOLLOWS = 30.0  # seconds until rules and answers must follow
EXCHANGED = 60.0  # seconds until all pods must be others
PAUSE = 0.5
EVERY = 0.05  # seconds from a question to the next while pods are exchanged
AFTERWARDS = 3.0  # seconds of questions more, when the new pods are all there is
TRACKED = "cat /proc/net/nf_conntrack 2>/dev/null || conntrack -L 2>/dev/null"
DEPLOYMENT = f"deployment/{MOVING}"
ASKED = (("pod near", "tcp"), ("pod far", "tcp"), ("pod far", "udp"))
RECREATE = json.dumps({"spec": {"strategy": {"type": "Recreate", "rollingUpdate": None}}})


class Rollout:
    """The Deployment and its Service; who asks are the pods that ask the cases."""

    def __init__(self, lab: Lab, ground: Ground, check: str) -> None:
        self.lab = lab
        self.ground = ground
        self.check = check

    def kubectl(self, arguments: str) -> str:
        """What kubectl prints, in the namespace of the cases."""
        return self.lab.control_plane.run(f"{KUBECTL} --namespace={MARK} {arguments}")

    def pods(self) -> dict[str, str]:
        """The addresses of the pods that are there to stay, by name."""
        items: list[Data] = json.loads(self.kubectl(f"get pods --selector=app={MOVING} -o json"))["items"]
        return moving(items)

    def service(self) -> Service:
        """The Service as the API has it now."""
        items = json.loads(self.kubectl("get services,endpointslices -o json"))["items"]
        return described([one for one in items if MOVING in (one["metadata"]["name"], owner(one))])[MOVING]

    def target(self, answers: tuple[str, ...] = ()) -> Endpoint:
        """The Service as the end of a probe."""
        service = self.service()
        return Endpoint(MOVING, "services", None, service.address, ports=service.ports, answers=answers)

    def scale(self, replicas: int) -> Scaled:
        """Ask for so many pods, wait until every node's rules have them or time is up, and ask the Service."""
        self.kubectl(f"scale {DEPLOYMENT} --replicas={replicas}")
        deadline = time.monotonic() + FOLLOWS
        while (misled := self._misled(replicas)) and time.monotonic() < deadline:
            time.sleep(PAUSE)
        names = tuple(self.pods())
        return Scaled(replicas, names, self.service().ends["tcp"], misled, self._ask(names, f"{replicas} replicas"))

    def _misled(self, replicas: int) -> list[str]:
        """Where the rules of any node lead elsewhere than to so many endpoints."""
        service = self.service()
        if len(service.ends["tcp"]) != replicas:
            return [f"the API has {len(service.ends['tcp'])} ready endpoints"]
        judge = rules.service_faults if replicas else rules.refusal_faults
        views = self.lab.views({MOVING: service}, self.lab.snapshots())
        return [f"{node}: {fault}" for node, view in views.items() for fault in judge(view, MOVING)]

    def _ask(self, answers: tuple[str, ...], state: str) -> list[Outcome]:
        """From pods of both nodes, so often that each pod answers; without any it must be refused."""
        target, expect = self.target(answers), ("ok",) if answers else ("refused",)
        wanted = [
            Probe(self.check, self.ground.askers[who], target, protocol, expect, control=f"{MOVING}: {state}")
            for who in ("pod near", "pod far")
            for protocol in ("tcp", "udp")
            for _try in range(tries(max(len(answers), 1)))
        ]
        return effective(self.lab.ask_once, wanted, FOLLOWS)

    def roll(self) -> Rolled:
        """Make all pods anew while pods of both nodes ask all the time."""
        return self._exchange()

    def recreate(self) -> Rolled:
        """The same, but all pods end before a new one begins."""
        self.kubectl(f"patch {DEPLOYMENT} --type=merge --patch='{RECREATE}'")
        return self._exchange()

    def _exchange(self) -> Rolled:
        target, old = self.target(), self.pods()
        far = self.lab.machines[self.ground.far]
        with held_together([self._asker(who, protocol, target) for who, protocol in ASKED]) as held:
            before = tracked(far.run(TRACKED), target.address, target.ports["udp"])
            self.kubectl(f"rollout restart {DEPLOYMENT}")
            new = self._settled(old)
            time.sleep(AFTERWARDS)
            after = tracked(far.run(TRACKED), target.address, target.ports["udp"])
        found = [runs(one.output.decode()) for one in held]
        requests = {
            self.ground.askers[who].name: one for (who, protocol), one in zip(ASKED, found) if protocol == "tcp"
        }
        return Rolled(old, new, requests, found[-1], (before, after), self.ground.askers[ASKED[-1][0]].name)

    def _asker(self, who: str, protocol: str, target: Endpoint) -> tuple[Machine, str, str]:
        source = self.ground.askers[who]
        return self.lab.machines[source.machine], commands.steady(source, protocol, target, EVERY), ASKING

    def _settled(self, old: dict[str, str]) -> dict[str, str]:
        """The pods, once there are as many others, and the Service has no more endpoints, not even such as end."""
        deadline = time.monotonic() + EXCHANGED
        while True:
            pods, listed = self.pods(), self._listed()
            if len(pods) == len(old) and not {*pods} & {*old} and listed == {*pods.values()}:
                return pods
            if time.monotonic() > deadline:
                raise ProofError(f"{MOVING}: not rolled after {EXCHANGED:g} s: pods {pods}, endpoints {sorted(listed)}")
            time.sleep(PAUSE)

    def _listed(self) -> set[str]:
        """All addresses in the Service's EndpointSlices, ready or not."""
        items = json.loads(self.kubectl(f"get endpointslices --selector={OWNER}={MOVING} -o json"))["items"]
        return {address for one in items for end in one["endpoints"] or () for address in end["addresses"]}


def owner(item: Data) -> str:
    """The Service that an EndpointSlice is of."""
    return str(item["metadata"].get("labels", {}).get(OWNER, ""))
