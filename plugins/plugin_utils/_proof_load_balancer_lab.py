# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tries the load balancer of a running cluster: addresses, ARP, a node that is cut off, no speakers, a pool used up.

This plugin util is PRIVATE to the collection. Whatever is changed hangs on a held command: when the suite ends, however
it does, it is undone.
"""

from __future__ import annotations

import ipaddress
import json
import time
import typing as t

from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_commands as commands
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_load_balancer as proof
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_load_balancer_objects as made
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_lab import held_together, until
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_masquerade import masquerade
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import HOST, Data, Endpoint, Probe, ProofError
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_plan import TELLING
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_suite import KUBECTL, Lab
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_svc_path import Ways
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_workload import namespaces_left, workload_image
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_way import outsider, segment, underlay

SPEAKERS = f"{KUBECTL} --namespace=metallb-system", "daemonset/speaker"
# Seconds until what is made must be there, until MetalLB must have told of a service, and until the speakers must have
# found each other again: one that is back asks the others once a minute at least (speakerlist.go, joinMembers).
READY, TOLD, JOINED = 120.0, 30.0, 90.0
IMPATIENT = 0.5
SILENCE = ("timeout", "unreachable")


class Trial:
    """One check: the lab, the namespace outside that asks, and what was seen so far."""

    def __init__(self, lab: Lab, name: str) -> None:
        self.lab, self.name = lab, name
        home = segment(lab.topology, next(iter(lab.topology["nodes"])))
        self.client = outsider(lab.topology, home)
        self.source = next(end for end in lab.endpoints["namespaces"] if end.name == self.client["name"])
        self.network = lab.topology["segments"][home]
        self.main = made.main_services(lab.topology)
        self.seen = proof.Seen(lab.topology["cluster"]["load_balancer"]["pool"], nodes=self.main)
        self.pods: dict[str, str] = {}
        nodes = lab.topology["nodes"].values()
        self.macs = {one["mac"]: node["name"] for node in nodes for one in node["interfaces"].values()}

    @property
    def outside(self) -> str:
        """An address of the segment that neither a machine nor the pool has."""
        machines = [*self.lab.topology["nodes"].values(), *self.lab.topology["namespaces"].values()]
        taken = {one["address"].partition("/")[0] for machine in machines for one in machine["interfaces"].values()}
        pool = ipaddress.ip_network(self.seen.pool)
        hosts = ipaddress.ip_network(self.network["cidr"]).hosts()
        return next(
            str(one) for one in hosts if str(one) not in {*taken, self.network.get("gateway")} and one not in pool
        )

    def state(self) -> made.State:
        """What the cluster says now."""
        command = f"{KUBECTL} --namespace={made.NAMESPACE} get services,pods,events -o json"
        return made.state(json.loads(self.lab.control_plane.run(command))["items"])

    def change(self, command: str) -> None:
        """Make or delete objects in the cluster."""
        self.lab.control_plane.run(command)

    def begin(self) -> None:
        """Wait until services have addresses and pods are ready; then see who answers ARP, and ask."""
        found = until(READY, self.state, lambda one: all(one.services.get(name) for name in self.main) and _up(one))
        if not _up(found):
            raise ProofError(f"pods of namespace {made.NAMESPACE} are not ready after {READY:g} s: {found.pods}")
        self.seen.addresses = {name: found.services.get(name, "") for name in self.main}
        self.pods = {node: found.pods[made.pod_name(node)] for node in self.lab.topology["nodes"]}
        pool = [str(one) for one in ipaddress.ip_network(self.seen.pool)]
        unused = [one for one in pool if one not in found.services.values()]
        self.seen.free = [*unused[-1:], self.outside]
        if all(self.seen.addresses.values()):
            self._announced(proof.HEALTHY, JOINED)
            self._ask(proof.HEALTHY)
            self.seen.paths = self._paths()

    def _ask(self, phase: str, silent: t.Collection[str] = (), control: str | None = None) -> None:
        """Ask all services by TCP and UDP; and in the healthy lab addresses that nobody has."""
        probes = []
        for name in self.main:
            expect, source = (SILENCE, None) if name in silent else (("ok",), self._seen_by(phase, name))
            probes += [self._probe(self._end(name), protocol, expect, source, control) for protocol in TELLING]
        if phase == proof.HEALTHY:
            nobody = [Endpoint(f"nobody at {one}", "services", None, one, ports=made.PORTS) for one in self.seen.free]
            probes += [self._probe(end, protocol, SILENCE) for end in nobody for protocol in TELLING]
        self.seen.asked[phase] = self.lab.ask(probes)

    def _paths(self) -> list[Data]:
        """How the healthy lab's answers went: by the rules of the one node that claimed the address."""
        claimed, nodes = self.seen.claimed[proof.HEALTHY], self.lab.topology["nodes"]
        alone = {address: who[0] for address, who in claimed.items() if len(who) == 1 and who[0] in nodes}
        names = {node: made.pod_name(node) for node in self.pods}
        pods = [Endpoint(names[node], "pods", node, one, answers=(names[node],)) for node, one in self.pods.items()]
        outcomes = [one for one in self.seen.asked[proof.HEALTHY] if one.probe.target.address in alone]
        return Ways(self.lab.topology, self.lab.snapshots(), pods).paths(outcomes, alone)

    def _probe(
        self,
        target: Endpoint,
        protocol: str,
        expect: tuple[str, ...],
        source: str | None = None,
        control: str | None = None,
    ) -> Probe:
        return Probe(self.name, self.source, target, protocol, expect, source, control)

    def _end(self, name: str) -> Endpoint:
        return made.target(name, self.main[name], self.seen.addresses[name])

    def _seen_by(self, phase: str, name: str) -> str | None:
        """The address that a service's pod must see: the client's own, or that by which the one node masquerades."""
        if name != made.ANYWHERE:
            return self.source.address
        (node, *others) = self.seen.claimed[phase][self.seen.addresses[name]] or [""]
        if others or node not in self.lab.topology["nodes"]:
            return None  # who answers is another claim
        pod = Endpoint(name, "pods", self.main[name], self.pods[self.main[name]])
        return masquerade(self.lab.topology, self.lab.snapshots(node), node, pod)

    def who_has(self, addresses: list[str]) -> dict[str, list[str]]:
        """Who claims addresses on the wire: names of nodes, MAC addresses of others."""
        interface = min(self.client["interfaces"])
        command = commands.who_has(self.client["netns"], interface, self.source.address, addresses)
        found = json.loads(self.lab.machines[HOST].run(command))
        return {address: [self.macs.get(mac, mac) for mac in claimed] for address, claimed in found.items()}

    def _announced(self, phase: str, limit: float, nobody: t.Collection[str] = ()) -> None:
        """See who claims what, until one alone has each service's address, and nobody those of some."""
        nodes = [node["address"] for node in self.lab.topology["nodes"].values()] if phase == proof.HEALTHY else []
        asked = [*self.seen.addresses.values(), *(self.seen.free if phase == proof.HEALTHY else ()), *nodes]
        wanted = {address: int(name not in nobody) for name, address in self.seen.addresses.items()}

        def good(found: dict[str, list[str]]) -> bool:
            return all(len(found[address]) == count for address, count in wanted.items())

        self.seen.claimed[phase] = until(limit, lambda: self.who_has(asked), good)

    def use_up(self) -> None:
        """Use the pool up, let one more service come, and give an address back."""
        size = ipaddress.ip_network(self.seen.pool).num_addresses
        fillers = [made.filler_name(number) for number in range(1, size - len(self.main) + 1)]
        self.change(commands.apply(KUBECTL, [made.service(name) for name in fillers]))
        found = until(TOLD, self.state, lambda one: all(one.services.get(name) for name in fillers))
        self.seen.unfilled = [name for name in fillers if not found.services.get(name)]
        self.change(commands.apply(KUBECTL, [made.service(made.LATE)]))
        found = until(TOLD, self.state, lambda one: bool(one.told.get(made.LATE)))
        waiting = (made.ELSEWHERE, made.FOREIGN, made.LATE)
        self.seen.pending = {name: found.told.get(name, []) for name in waiting}
        self.seen.given = {name: found.services.get(name, "") for name in waiting}
        self.change(commands.remove(KUBECTL, [made.service(fillers[0])]))
        self.seen.late = until(TOLD, self.state, lambda one: bool(one.services.get(made.LATE))).services[made.LATE]

    def cut(self) -> None:
        """Cut the wire of the node that answers for a service, and see who does in its place."""
        found = self.seen.claimed[proof.HEALTHY][self.seen.addresses[made.ANYWHERE]]
        node = next(
            (one for one in found if one in self.lab.topology["nodes"]), self.lab.topology["cluster"]["workers"][0]
        )
        entry = self.lab.topology["nodes"][node]
        link, state = entry["interfaces"][underlay(entry)]["peer"], f"{node}'s wire is cut"
        held = commands.break_link(link, [f"link set dev {link} up"])
        self.seen.cut_off = node
        with held_together([(self.lab.machines[HOST], held, commands.HELD)]):
            self.seen.took = self._answers(state)
            lost = [made.local_name(node)]
            self._announced(proof.CUT, 0.0, lost)
            self._ask(proof.CUT, lost, state)
            self.seen.neighbour = self._neighbour()
        self._announced(proof.BACK, JOINED)
        self._ask(proof.BACK, control=f"{node}'s wire is whole again")

    def _answers(self, control: str) -> float | None:
        """After how many seconds somebody answers for the service again, if in time."""
        began = time.monotonic()
        while time.monotonic() - began < proof.TAKEOVER:
            probe = self._probe(self._end(made.ANYWHERE), "tcp", ("ok",), control=control)
            if self.lab.ask_once([probe], IMPATIENT)[0].record["ok"]:
                return round(time.monotonic() - began, 1)
        return None

    def _neighbour(self) -> str:
        """Whom the client's own table of neighbours has for the service."""
        address = self.seen.addresses[made.ANYWHERE]
        rows = json.loads(
            self.lab.machines[HOST].run(f"ip -n {self.client['netns']} -j neigh show to {address}") or "[]"
        )
        return next((self.macs.get(row["lladdr"], row["lladdr"]) for row in rows if "lladdr" in row), "")

    def unstaff(self) -> None:
        """Take all speakers away, and give them back. Who still knew a node's MAC address would be served."""
        with held_together([(self.lab.control_plane, commands.unstaff(*SPEAKERS), commands.HELD)]):
            self._announced(proof.SILENT, TOLD, self.main)
            self.lab.machines[HOST].run(f"ip -n {self.client['netns']} neigh flush all")
            self._ask(proof.SILENT, self.main, "no speakers")
        self._announced(proof.AGAIN, JOINED)
        self._ask(proof.AGAIN, control="speakers again")


def _up(state: made.State) -> bool:
    return bool(state.pods) and all(state.pods.values())


def prove(lab: Lab, name: str) -> proof.Seen:
    """Everything that a check of the load balancer sees."""
    trial = Trial(lab, name)
    objects = made.objects(lab.topology, workload_image(lab.objects), trial.outside)
    with held_together([(lab.control_plane, commands.populate(KUBECTL, objects, made.MARK), commands.HELD)]):
        trial.begin()
        if all(trial.seen.addresses.values()):
            trial.use_up()
            trial.cut()
            trial.unstaff()
    trial.seen.left = namespaces_left(lab.control_plane, KUBECTL, made.MARK)
    return trial.seen
