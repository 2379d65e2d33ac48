# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes pods, certificates and Ingresses in a running cluster, asks its controller, and sees that nothing is left.

This plugin util is PRIVATE to the collection. All of it lives on held commands: when the suite ends, however it does,
the servers end and the namespace is deleted. The authority's key is in a folder that goes as soon as it has signed.
"""

from __future__ import annotations

import json
import pathlib
import subprocess
import tempfile
import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils import _certificates as certificates
from ansible_collections.reftopo.lab.plugins.module_utils._probe_web import READY
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_commands as commands
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_ingress as proof
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_ingress_commands as web
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_ingress_objects as made
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_ingress import Asked, Front
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_ingress_cases import Cell, cases
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_lab import held_together, until
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_masquerade import masquerade
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import (
    HOST,
    Data,
    Endpoint,
    ProofError,
    new_key,
)
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_services import balanced
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_suite import KUBECTL, TIMEOUT, Lab
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_workload import (
    is_ready,
    namespaces_left,
    workload_image,
)
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_way import outsider, segment

READY_TIMEOUT = 120.0  # seconds until pods must be ready and services have their addresses
EFFECTIVE = 30.0  # seconds until the controller must know of what was made or deleted


def authority(hosts: t.Sequence[str], name: str) -> tuple[str, list[Data]]:
    """The certificate of a new authority, and a Secret for each host with one that it signed."""
    wanted = [certificates.Wanted(host, "server", host=host) for host in hosts]
    with tempfile.TemporaryDirectory() as path:
        folder, files = certificates.Folder(_run, path, name), pathlib.Path(path)
        folder.apply(folder.plan(wanted), wanted)
        secrets = [
            made.secret(
                host, *((files / host / file).read_text() for file in (certificates.CERTIFICATE, certificates.KEY))
            )
            for host in hosts
        ]
        return (files / certificates.AUTHORITY / certificates.CERTIFICATE).read_text(), secrets


def _run(command: list[str], data: str | None = None) -> tuple[int, str, str]:
    done = subprocess.run(command, input=data, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


class Trial:
    """One check: the lab, the controller, the namespace outside that asks, and what was seen so far."""

    def __init__(self, lab: Lab) -> None:
        self.lab, self.controller = lab, proof.of(lab.topology)
        self.cases = cases(self.controller)
        self.kind = lab.topology["cluster"]["ingress"]["controller"]
        home = segment(lab.topology, next(iter(lab.topology["nodes"])))
        self.client = outsider(lab.topology, home)
        self.pod = made.controller_pod(self._items("pods", self.controller.namespace, self._labels), self.controller)
        hosts = [host for case in self.cases for host in case.tls]
        self.authority, self.secrets = authority(hosts, f"reftopo {lab.topology['name']} ingress")
        self.fronts: dict[str, list[Front]] = {}
        self.seen = proof.Seen(self.controller, {}, "")

    @property
    def _labels(self) -> str:
        return ",".join(f"{name}={value}" for name, value in self.controller.labels.items())

    def _items(self, kinds: str, namespace: str, selector: str = "") -> list[Data]:
        command = f"{KUBECTL} --namespace={namespace} get {kinds} --selector={selector} -o json"
        return t.cast("list[Data]", json.loads(self.lab.control_plane.run(command))["items"])

    def objects(self) -> list[Data]:
        """All that is made at first, but for what is secret."""
        return made.objects(self.lab.topology, workload_image(self.lab.objects), self.pod)

    def wait(self) -> list[tuple[t.Any, str, str]]:
        """Wait for pods and addresses; the servers of the pods, ready to be held."""
        names = made.homes(self.lab.topology)

        def there(items: list[Data]) -> bool:
            ready = {item["metadata"]["name"] for item in items if item["kind"] == "Pod" and is_ready(item)}
            spread = [one for one in items if one["kind"] == "Service" and one["metadata"]["name"] == made.SPREAD]
            return {*names} <= ready and all(balanced(one) for one in spread)

        found = until(READY_TIMEOUT, lambda: self._items("pods,services", made.NAMESPACE), there)
        if not there(found):
            raise ProofError(f"namespace {made.NAMESPACE}: pods are not ready, or {made.SPREAD} has no address")
        pods = {one["metadata"]["name"]: one["status"]["podIP"] for one in found if one["kind"] == "Pod"}
        self.seen.servers = pods
        self.fronts = self._fronts(found)
        machines = self.lab.machines
        return [(machines[node], web.serve(name, pods[name], made.WEB_PORT), READY) for name, node in names.items()]

    def _fronts(self, items: list[Data]) -> dict[str, list[Front]]:
        """The ways in, by what must be seen there."""
        own = until(READY_TIMEOUT, self._service, lambda found: bool(balanced(found)))
        spread = _named([one for one in items if one["kind"] == "Service"], made.SPREAD)
        self.seen.balancer = balanced(own)
        client, nodes = self.client["address"], self.lab.topology["nodes"]
        ports, others = made.node_ports(own), [name for name in nodes if name != self.pod.node]
        masks = self._masquerading()
        workers = tuple(masks[name] for name in self.lab.topology["cluster"]["workers"])
        at = {name: node["address"] for name, node in nodes.items()}
        return {
            proof.KEPT: [
                Front("the load balancer's address", self.seen.balancer, made.PORTS, (client,)),
                Front(f"{self.pod.node}'s node port", at[self.pod.node], ports, (client,)),
            ],
            proof.DEAF: [Front(f"{name}'s node port", at[name], ports) for name in others],
            proof.SPREAD: [
                Front(f"the address of {made.SPREAD}", balanced(spread), made.PORTS, workers),
                *(
                    Front(f"{name}'s node port of {made.SPREAD}", at[name], made.node_ports(spread), (masks[name],))
                    for name in nodes
                ),
            ],
        }

    def _service(self) -> Data:
        """The controller's own service."""
        return _named(self._items("services", self.controller.namespace), self.controller.service)

    def _masquerading(self) -> dict[str, str]:
        """The address that each node gives to what it masquerades towards the controller."""
        pod = Endpoint(self.pod.name, "pods", self.pod.node, self.pod.address)
        snapshots = self.lab.snapshots()
        return {name: masquerade(self.lab.topology, snapshots, name, pod) for name in self.lab.topology["nodes"]}

    def make(self, late: bool) -> None:
        """Make the Ingresses of cases, and see what they do; what is late is made behind the others."""
        chosen = [case for case in self.cases if case.late == late]
        self.lab.control_plane.run(commands.apply(KUBECTL, [made.ingress(case, self.kind) for case in chosen]))
        cells = [(cell, front) for case in chosen for cell in case.cells for front in self.fronts[proof.KEPT]]
        asked = self.settled(cells)
        self.seen.asked.update({case.name: [one for one in asked if one.cell.case == case.name] for case in chosen})

    def sample(self) -> None:
        """Ask one cell at all fronts, of each kind."""
        cell = next(cell for case in self.cases for cell in case.cells if cell.by)
        for kind, fronts in self.fronts.items():
            self.seen.fronts[kind] = self.settled([(cell, front) for front in fronts])

    def look(self) -> None:
        """Read the Ingresses' status and the controller's log."""
        self.seen.statuses = until(EFFECTIVE, self._statuses, lambda found: not proof.status_faults(self.seen, found))
        command = f"{KUBECTL} --namespace={self.controller.namespace} logs {self.pod.name}"
        self.seen.log = self.lab.control_plane.run(command)

    def _statuses(self) -> dict[str, list[str]]:
        found = self._items("ingresses", made.NAMESPACE)
        return {
            item["metadata"]["name"]: [
                one.get("ip", "") for one in item["status"].get("loadBalancer", {}).get("ingress") or []
            ]
            for item in found
        }

    def unmake(self) -> None:
        """Delete all Ingresses, and ask the same again."""
        self.lab.control_plane.run(commands.remove(KUBECTL, [made.ingress(case, self.kind) for case in self.cases]))
        front = self.fronts[proof.KEPT][0]
        self.seen.without = self.settled(
            [(cell.without(self.controller), front) for case in self.cases for cell in case.cells]
        )

    def settled(self, cells: list[tuple[Cell, Front]]) -> list[Asked]:
        """What cells come to: what is not as it must be is asked anew until the controller must know."""
        asked = self.ask(cells)

        def again() -> list[Asked]:
            late = [index for index, one in enumerate(asked) if proof.cell_faults(one, self.controller)]
            for index, one in zip(late, self.ask([(asked[index].cell, asked[index].front) for index in late])):
                asked[index] = one
            return asked

        return until(EFFECTIVE, again, lambda found: not any(proof.cell_faults(one, self.controller) for one in found))

    def ask(self, cells: list[tuple[Cell, Front]]) -> list[Asked]:
        """Ask cells at fronts, from outside."""
        if not cells:
            return []
        keys = [new_key() for _cell in cells]
        jobs = [self._job(cell, front, key) for (cell, front), key in zip(cells, keys)]
        results = json.loads(self.lab.machines[HOST].run(web.ask(self.client["netns"], jobs)))
        return [Asked(cell, front, key, result) for (cell, front), key, result in zip(cells, keys, results)]

    def _job(self, cell: Cell, front: Front, key: str) -> Data:
        tls = {"authority": self.authority, "sni": cell.sni} if cell.scheme == "https" else {}
        target = {"address": front.address, "port": front.ports[cell.scheme], "url": cell.url, "timeout": TIMEOUT}
        return {**target, **tls, "headers": dict(cell.headers), "key": key, "websocket": cell.websocket}


def _named(items: list[Data], name: str) -> Data:
    return next(one for one in items if one["metadata"]["name"] == name)


def prove(lab: Lab) -> proof.Seen:
    """Everything that a check of the ingress controller sees."""
    trial = Trial(lab)
    with held_together([(lab.control_plane, commands.populate(KUBECTL, trial.objects(), made.MARK), commands.HELD)]):
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": trial.secrets})
        lab.control_plane.call(f"{KUBECTL} apply --server-side --filename=- >/dev/null", text.encode())
        with held_together(trial.wait()):
            trial.make(late=False)
            trial.sample()
            trial.look()
            trial.make(late=True)
            trial.unmake()
    trial.seen.left = namespaces_left(lab.control_plane, KUBECTL, made.MARK)
    return trial.seen
