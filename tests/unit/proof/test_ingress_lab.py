# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole check of an ingress controller, by a cluster that answers as the cases say once their Ingresses are there."""

from __future__ import annotations

import base64
import contextlib
import json
import pathlib
import re
import shlex
import types
import typing as t
import zlib

import pytest
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_ingress as proof
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_ingress_lab as lab_of
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_ingress_objects as made
from ansible_collections.reftopo.lab.plugins.plugin_utils._ingress_controllers import CONTROLLERS
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_ingress_cases import DEFAULT, Cell, cases
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data, ProofError
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_compile import compile_topology
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_validate import validate

TEXT = (pathlib.Path(__file__).parents[3] / "inventories/ingress-traefik/topology.yml").read_text(encoding="utf-8")
TOPOLOGY: Data = compile_topology(validate(TEXT, "ingress-traefik", [])[0])
TRAEFIK = CONTROLLERS["traefik"]
PODS = {"one": "10.244.0.5", "two": "10.244.1.5", "traefik": "10.244.1.9"}
ADDRESSES = {"traefik": "172.30.36.240", "spread": "172.30.36.241"}
NODE_PORTS = {"traefik": (30080, 30443), "spread": (31080, 31443)}
CP1, W1, CLIENT = "172.30.36.11", "172.30.36.12", "172.30.36.201"


def pod(name: str, ready: bool = True) -> Data:
    ports = [{"name": "web", "containerPort": 8000}, {"name": "websecure", "containerPort": 8443}]
    status = {"podIP": PODS[name], "conditions": [{"type": "Ready", "status": str(ready)}]}
    spec = {"nodeName": "w1", "containers": [{"image": "agnhost", "ports": ports}]}
    return {"kind": "Pod", "metadata": {"name": name}, "spec": spec, "status": status}


def service(name: str) -> Data:
    ports = [{"port": port, "nodePort": own} for port, own in zip((80, 443), NODE_PORTS[name])]
    status = {"loadBalancer": {"ingress": [{"ip": ADDRESSES[name]}]}}
    return {"kind": "Service", "metadata": {"name": name}, "spec": {"ports": ports}, "status": status}


class Cluster:
    """Answers kubectl, and requests from outside: by the cell of a case while its Ingress is there, else by 404."""

    def __init__(self) -> None:
        self.there: dict[str, Data] = {}
        self.secrets: list[str] = []
        self.log: list[str] = []
        self.ready = True

    def run(self, command: str) -> str:
        if "ip netns exec" in command:
            return json.dumps([self.answer(job) for job in jobs_of(command)])
        if " apply " in command or " delete " in command:
            self.change(command)
        if " logs " in command:
            return "\n".join(self.log)
        kinds = re.search(r"--namespace=(\S+) get (\S+) ", command)
        found = self.items(*kinds.groups()) if kinds else []
        return json.dumps({"items": found}) if kinds else ""

    def items(self, namespace: str, kinds: str) -> list[Data]:
        if kinds == "ingresses":
            return [self.ingress(name, spec) for name, spec in self.there.items()]
        if namespace == "traefik":
            return [pod("traefik")] if kinds == "pods" else [service("traefik")]
        return [pod("one"), pod("two", self.ready), service("spread")]

    def ingress(self, name: str, spec: Data) -> Data:
        served = [{"ip": ADDRESSES["traefik"]}] if spec.get("ingressClassName") == "traefik" else None
        return {"metadata": {"name": name}, "status": {"loadBalancer": {"ingress": served}}}

    def change(self, command: str) -> None:
        items = json.loads(shlex.split(command)[2])["items"]
        for item in items:
            if " delete " in command:
                del self.there[item["metadata"]["name"]]
            else:
                self.there[item["metadata"]["name"]] = item["spec"]

    def call(self, command: str, given: bytes) -> None:
        assert "apply" in command
        self.secrets = [item["metadata"]["name"] for item in json.loads(given)["items"]]

    def answer(self, job: Data) -> Data:
        if job["address"] == CP1 and job["port"] in NODE_PORTS["traefik"]:
            return {"observed": "timeout", "detail": ""}
        cell = cell_of(job, self.there)
        result: Data = {"observed": "answered", "status": cell.status}
        if job["url"].startswith("https"):
            own = cell.certificate == DEFAULT
            result |= {"certificate": TRAEFIK.default_certificate if own else cell.certificate, "trusted": not own}
        if not cell.by:
            return result
        router = f"{made.NAMESPACE}-{cell.case}-x@kubernetes"
        server = f"http://{PODS[cell.by]}:8080"
        self.log.append(f'x - - [x] "GET /?key={job["key"]} HTTP/1.1" 200 1 "-" "-" 1 "{router}" "{server}" 1ms')
        return {**result, "pod": cell.by, **({} if cell.websocket else self.told(job))}

    def told(self, job: Data) -> Data:
        spread = job["address"] == ADDRESSES["spread"] or job["port"] in NODE_PORTS["spread"]
        by = {CP1: "cp1-flannel.1"}.get(job["address"], "w1-cni0") if spread else CLIENT
        scheme, _sep, rest = job["url"].partition("://")
        return {"host": rest.partition("/")[0], "scheme": scheme, "forwarded": [by]}


def jobs_of(command: str) -> list[Data]:
    return json.loads(zlib.decompress(base64.b64decode(shlex.split(command)[-1])))


def cell_of(job: Data, there: t.Collection[str]) -> Cell:
    """The cell that a job is of: of a case that is there, else as without it."""
    cells = [cell for case in cases(TRAEFIK) for cell in case.cells if cell.url == job["url"]]
    same = [one for one in cells if (dict(one.headers), one.websocket) == (job["headers"], job["websocket"])]
    same = [one for one in same if one.sni == job.get("sni")]
    ready = [one for one in same if one.case in there]
    return ready[-1] if ready else same[0].without(TRAEFIK)


def link(node: str, device: str) -> Data:
    return {"addr_info": [{"family": "inet", "local": f"{node}-{device}"}]}


def lab(cluster: Cluster) -> t.Any:
    nodes = {name: types.SimpleNamespace(link=lambda device, name=name: link(name, device)) for name in ("cp1", "w1")}
    return types.SimpleNamespace(
        topology=TOPOLOGY,
        objects=[pod("one")],
        control_plane=cluster,
        machines={"cp1": cluster, "w1": cluster, "host": cluster},
        snapshots=lambda: nodes,
    )


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The commands that are held, none of which runs."""
    found: list[str] = []

    @contextlib.contextmanager
    def hold(wanted: list[tuple[t.Any, str, str]]) -> t.Iterator[list[t.Any]]:
        found.extend(command for _machine, command, _ready in wanted)
        yield []

    monkeypatch.setattr(lab_of, "held_together", hold)
    monkeypatch.setattr(lab_of, "EFFECTIVE", 0.0)
    return found


def test_all_claims_hold_of_a_cluster_that_does_as_the_cases_say(held: list[str]) -> None:
    cluster = Cluster()
    seen = lab_of.prove(lab(cluster))
    assert {claim.key: proof.faults(claim, seen) for claim in proof.claims(TOPOLOGY)} == {
        claim.key: [] for claim in proof.claims(TOPOLOGY)
    }
    assert cluster.secrets == ["secure.test", "other-secure.test"]
    assert cluster.there == {}
    (populate, *servers) = held
    assert "PRIVATE KEY" not in populate
    assert [PODS[name] in command for name, command in zip(("one", "two"), servers)] == [True, True]


def test_what_does_not_come_in_time_is_a_fault_and_not_an_error(held: list[str]) -> None:
    cluster = Cluster()
    cluster.change = lambda _command: None  # type: ignore[method-assign]
    seen = lab_of.prove(lab(cluster))
    wrong = {claim.key for claim in proof.claims(TOPOLOGY) if proof.faults(claim, seen)}
    silent = {"foreign", "classless", proof.DEAF, proof.WITHOUT, proof.GONE}
    assert wrong == {claim.key for claim in proof.claims(TOPOLOGY)} - silent


def test_pods_that_are_not_ready_end_the_suite(held: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lab_of, "READY_TIMEOUT", 0.0)
    cluster = Cluster()
    cluster.ready = False
    with pytest.raises(ProofError, match="pods are not ready"):
        lab_of.prove(lab(cluster))
    assert held
