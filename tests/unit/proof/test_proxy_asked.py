# SPDX-License-Identifier: GPL-3.0-or-later
"""What is concluded from what services did: here they do as they should, but for one thing."""

from __future__ import annotations

import collections
import itertools
import json
import typing as t

import pytest
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_proxy_asked as asked
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data, Endpoint, Probe
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_services import Service
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_snapshot import Snapshot
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_verdict import judge
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_wire import Outcome

NODES = {"n1": "172.30.99.11", "n2": "172.30.99.12"}
NAMES = [f"{pod}-{node}" for node in NODES for pod in ("a", "b")]
PODS = [
    Endpoint(name, "pods", name[2:], f"10.99.{name[-1]}.{2 + (name[0] == 'b')}", name[2:], answers=(f"{name}-x",))
    for name in NAMES
]
ENDS = {
    "pods": PODS,
    "nodes": [Endpoint(name, "nodes", name, address, name) for name, address in NODES.items()],
    "namespaces": [Endpoint("outside", "namespaces", None, "172.30.99.201")],
}
TOPOLOGY = {
    "nodes": {name: {"name": name, "address": address, "proxy_mode": "nftables"} for name, address in NODES.items()},
    "namespaces": {"outside": {}},
    "cluster": {"proxy_mode": "nftables", "cni": {"name": "flannel", "backend": "vxlan", "device": "flannel.1"}},
}
PORTS = {"tcp": 80, "udp": 81}
SERVICES = {
    name: Service(name, f"10.98.0.{number}", PORTS, {"tcp": 30080, "udp": 30081}, {})
    for number, name in enumerate(("agnhost", "sticky", "listed", "nobody"), 1)
}


def snapshot(node: str) -> Snapshot:
    net = f"10.99.{node[-1]}"
    links = [
        {"ifname": name, "addr_info": [{"family": "inet", "local": f"{net}.{last}"}]}
        for name, last in (("cni0", 1), ("flannel.1", 0))
    ]
    return Snapshot(node, f"@@reftopo links\n{json.dumps(links)}\n@@reftopo rc 0")


SNAPSHOTS = {node: snapshot(node) for node in NODES}
Answer = t.Callable[[Probe, Data], Data]


def answered(probe: Probe, pod: Endpoint) -> Data:
    """The answer of a pod, with the source address that it sees."""
    entry = probe.target.name.partition(" at ")[2] or probe.source.node
    kept = probe.source.kind == "pods" and probe.source != pod
    link = ".1" if pod.node == entry else ".0"
    return {"server": pod.answers[0], "source": probe.source.address if kept else f"10.99.{entry[-1]}{link}"}


def world(*changes: Answer) -> asked.Asked:
    """All probes with the answers that they should have, each then changed."""
    turns: dict[t.Any, t.Iterator[Endpoint]] = collections.defaultdict(lambda: itertools.cycle(PODS))
    arguments = (TOPOLOGY, "proxy", ENDS, SERVICES)
    outcomes = []
    for probe in asked.first_probes(*arguments) + asked.probes(*arguments):
        service = probe.target.name.partition(" ")[0]
        result: Data = {"observed": probe.expect[0], "ms": 1.0}
        if service in ("agnhost", "sticky") and probe.protocol != "icmp":
            key = (probe.source.name, probe.target.name, probe.protocol)
            result |= answered(probe, PODS[2] if service == "sticky" else next(turns[key]))
        for change in changes:
            result = change(probe, result)
        outcomes.append(Outcome(probe, result, judge(probe, result)))
    return asked.Asked(TOPOLOGY, outcomes, SNAPSHOTS, PODS)


def found(seen: asked.Asked) -> dict[str, list[str]]:
    """The faults of each claim that has some."""
    faults = {claim.case: asked.faults(claim, seen) for claim in asked.claims(TOPOLOGY)}
    return {case: texts for case, texts in faults.items() if texts}


def where(asking: str, target: str, protocol: str = "tcp", **values: t.Any) -> Answer:
    """A change of the answers of these probes."""

    def change(probe: Probe, result: Data) -> Data:
        hit = (probe.source.name, probe.target.name, probe.protocol) == (asking, target, protocol)
        return {**result, **values} if hit else result

    return change


def test_what_holds():
    assert found(world()) == {}
    assert len(asked.claims(TOPOLOGY)) == 2 * (len(asked.OF_NODES) - 1) + len(asked.OF_NAMESPACES)


def test_so_many_tries_that_no_endpoint_is_missed():
    assert [asked.tries(number) for number in (1, 2, 6, 16)] == [1, 18, 73, 222]
    for number in (2, 6, 16):
        assert number * (1 - 1 / number) ** asked.tries(number) <= asked.RISK


def never_met(probe: Probe, result: Data) -> Data:
    """b-n2 never answers a-n1 over TCP; a-n2 does instead."""
    hit = (probe.source.name, probe.protocol, result.get("server")) == ("a-n1", "tcp", "b-n2-x")
    return {**result, "server": "a-n2-x"} if hit and probe.target.name == "agnhost" else result


def hairpin_kept(probe: Probe, result: Data) -> Data:
    """a-n1 sees its own address where it meets itself."""
    hit = result.get("server") == f"{probe.source.name}-x" and probe.source.name == "a-n1"
    return {**result, "source": probe.source.address} if hit else result


def forgetful(probe: Probe, result: Data) -> Data:
    """sticky leads a-n2 over UDP to another endpoint, but for the first time."""
    hit = (probe.source.name, probe.target.name, probe.protocol) == ("a-n2", "sticky", "udp")
    return {**result, "server": "b-n1-x"} if hit and next(TURNS) else result


TURNS = itertools.count()
SILENCE = "expected refused, observed timeout"
NO_ANSWER = "proxy: a-n1 -> nobody (10.98.0.4:80) tcp: expected refused, observed "
CASES = {
    "an endpoint is never met": (never_met, {"n1-spread": "tcp: b-n2 answered none of 45 connections"}),
    "masqueraded without need": (
        where("a-n2", "agnhost", "udp", source="10.99.2.1"),
        {"n2-source": "udp a-n2 -> agnhost: a-n1-x saw 10.99.2.1, must be 10.99.2.2"},
    ),
    "a pod sees itself": (
        hairpin_kept,
        {"n1-hairpin": "tcp a-n1 -> agnhost: a-n1-x saw 10.99.1.2, must be 10.99.1.1"},
    ),
    "another endpoint each time": (forgetful, {"n2-affinity": "udp: sticky led to a-n2, b-n1"}),
    "all services are sticky": (
        where("a-n1", "agnhost", server="a-n1-x", source="10.99.1.1"),
        {
            "n1-affinity": "tcp: agnhost led to one endpoint too",
            "n1-spread": "tcp: b-n1 answered none of 45 connections",
        },
    ),
    "silence where nobody is": (
        where("a-n1", "nobody", observed="timeout"),
        {"n1-nobody": NO_ANSWER + "timeout"},
    ),
    "a broken probe where nobody is": (
        where("a-n1", "nobody", observed="error", detail="sh: python3: not found"),
        {"n1-nobody": NO_ANSWER + "error (sh: python3: not found)"},
    ),
    "the address answers ping": (
        where("a-n1", "agnhost", "icmp", observed="ok"),
        {"n1-ping": "proxy: a-n1 -> agnhost (10.98.0.1) icmp: expected refused, observed ok"},
    ),
    "no pod answers ping": (
        where("a-n1", "b-n1", "icmp", observed="timeout"),
        {"n1-ping": "proxy: a-n1 -> b-n1 (10.99.1.3) icmp: expected ok, observed timeout"},
    ),
    "a node port that is not masqueraded": (
        where("outside", "agnhost at n2", source="172.30.99.201"),
        {"outside-ports": "tcp outside -> agnhost at n2: a-n1-x saw 172.30.99.201, must be 10.99.2.0"},
    ),
    "a node port that is shut": (
        where("n1", "agnhost at n2", "udp", observed="refused"),
        {"n1-ports": "proxy: n1 -> agnhost at n2 (172.30.99.12:30081) udp: expected ok, observed refused"},
    ),
    "silence at nobody's port": (
        where("outside", "nobody at n1", observed="timeout"),
        {"outside-nobody-port": "proxy: outside -> nobody at n1 (172.30.99.11:30080) tcp: " + SILENCE},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_one_change_is_named(name):
    change, wanted = CASES[name]
    faults = found(world(change))
    assert {case: texts[0] for case, texts in faults.items() if case in wanted} == wanted
    # A pod that only ever meets itself breaks what is claimed of the others too.
    assert set(faults) - set(wanted) <= ({"n1-source"} if name == "all services are sticky" else set())


@pytest.mark.parametrize("scheduler", ["dh", "sh"])
def test_a_scheduler_that_hashes_leads_a_pod_to_one_endpoint(scheduler):
    topology = {"nodes": {"n1": {"proxy_mode": "ipvs"}}, "namespaces": {}, "cluster": {"proxy_scheduler": scheduler}}
    claim = next(claim for claim in asked.claims(topology) if claim.key == "hashed")
    same = [where("a-n1", "agnhost", protocol, server="b-n2-x") for protocol in PORTS]
    assert asked.faults(claim, world(*same)) == []
    assert asked.faults(claim, world(same[0])) == ["udp: agnhost led to a-n1, a-n2, b-n1, b-n2"]


def test_what_was_not_asked_proves_nothing():
    nothing = found(world()._replace(outcomes=[]))
    assert len(nothing) == len(asked.claims(TOPOLOGY))
    assert {texts[0] for texts in nothing.values()} == {"0 probes were made, must be 2 or more"}
