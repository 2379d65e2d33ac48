# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster of two nodes in which cases of NetworkPolicies are played, and a network that can lie."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.reftopo.lab.plugins.plugin_utils._policy_model import Connection, End, Policy, allowed
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data, Endpoint, Probe
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_policy_cases import PODS
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_policy_ground import Ground, Lane
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_verdict import judge
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_wire import Outcome

Key = tuple[str, str, str]  # kind, namespace and name
NODES = tuple(Endpoint(name, "nodes", name, f"172.30.26.1{n}", name) for n, name in enumerate(("cp1", "w1"), 1))
OUTSIDE = Endpoint("outside", "namespaces", None, "172.30.26.201", ports={"tcp": 8080, "udp": 8081}, answers=("out",))
NAME = Endpoint("kubernetes.default.svc.cluster.local.", "dns", None, "10.96.0.1")
DNS = End(
    "10.244.9.9",
    "cp1",
    "kube-system",
    {"k8s-app": "kube-dns"},
    {"kubernetes.io/metadata.name": "kube-system"},
    {"dns": ("UDP", 53)},
)


def lane(number: int, nodes: tuple[str, ...] = ("cp1", "w1")) -> Lane:
    """A lane whose pods have addresses."""
    return Lane(number, nodes, {pod: f"10.244.{number}.{n}" for n, pod in enumerate(PODS, 2)})


def ground(*dns: End) -> Ground:
    """Two lanes, a machine outside, and these pods that answer for names."""
    return Ground((lane(1), lane(2)), NODES, OUTSIDE, NAME, dns or (DNS,), "10.244.0.0/16")


@dataclasses.dataclass
class Network:
    """A cluster that has objects, and a network that enforces what it had so many questions ago."""

    late: int = 0
    enforces: bool = True
    lie: t.Callable[[Probe, str], str] = lambda _probe, observed: observed
    objects: dict[Key, Data] = dataclasses.field(default_factory=dict)
    rounds: int = 0
    asked: int = 0
    old: dict[Key, Data] = dataclasses.field(default_factory=dict)

    def change(self, applied: list[Data], deleted: list[Data]) -> None:
        self.old, self.rounds = dict(self.objects), 0
        for item in deleted:
            del self.objects[identity(item)]
        self.objects.update({identity(item): item for item in applied})

    def ask(self, probes: list[Probe]) -> list[Outcome]:
        now = self.objects if self.rounds >= self.late else self.old
        self.rounds, self.asked = self.rounds + 1, self.asked + len(probes)
        return [self.outcome(probe, now) for probe in probes]

    def outcome(self, probe: Probe, now: dict[Key, Data]) -> Outcome:
        observed = self.lie(probe, "ok" if not self.enforces or self.passes(probe, now) else "timeout")
        answer = {"server": (*probe.target.answers, "")[0], "source": probe.source.address, "addresses": ["10.96.0.1"]}
        result = {"observed": observed, "ms": 1.0, "detail": "", **(answer if observed == "ok" else {})}
        return Outcome(probe, result, judge(probe, result))

    def passes(self, probe: Probe, now: dict[Key, Data]) -> bool:
        policies = [
            Policy(space, item["spec"]) for (kind, space, _name), item in now.items() if kind == "NetworkPolicy"
        ]
        dns = probe.protocol == "dns"
        target = DNS if dns else end(probe.target, now)
        protocol, port = ("UDP", 53) if dns else (probe.protocol.upper(), probe.target.ports[probe.protocol])
        return allowed(policies, Connection(end(probe.source, now), target, protocol, port))


def identity(item: Data) -> Key:
    return item["kind"], item["metadata"].get("namespace", ""), item["metadata"]["name"]


def end(endpoint: Endpoint, now: dict[Key, Data]) -> End:
    """By what is in the cluster."""
    pod = next((item for (kind, _, name), item in now.items() if kind == "Pod" and (name,) == endpoint.answers), None)
    if pod is None:
        return End(endpoint.address, endpoint.node)
    space = pod["metadata"]["namespace"]
    named = {
        port["name"]: (port["protocol"], port["containerPort"])
        for container in pod["spec"]["containers"]
        for port in container["ports"]
    }
    labels = {"kubernetes.io/metadata.name": space, **now["Namespace", "", space]["metadata"]["labels"]}
    return End(endpoint.address, endpoint.node, space, pod["metadata"]["labels"], labels, named)
