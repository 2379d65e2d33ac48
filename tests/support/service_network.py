# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster of two nodes in which cases of Services are asked, and a network that does as they say, but can lie."""

from __future__ import annotations

import itertools
import json
import typing as t

from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import NAMES, Data, Endpoint, Probe
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_snapshot import Snapshot
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_svc_cases import Case, cases, filled
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_svc_ground import Ground, askers, words
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_svc_objects import SERVERS
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_verdict import judge
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_wire import Outcome

ADDRESSES = {"cp1": "172.30.32.11", "w1": "172.30.32.12"}
OUTSIDE = Endpoint("outside", "namespaces", None, "172.30.32.201", answers=("outside",))
ENDS = {
    "pods": [
        Endpoint(f"{pod}-{node}", "pods", node, f"10.244.{number}.{last}", node, answers=(f"{pod}-{node}-x",))
        for number, node in enumerate(ADDRESSES)
        for last, pod in enumerate("ab", 2)
    ],
    "nodes": [Endpoint(name, "nodes", name, address, name, answers=(name,)) for name, address in ADDRESSES.items()],
    "namespaces": [OUTSIDE],
}
TOPOLOGY: Data = {
    "name": "services",
    "nodes": {name: {"name": name, "address": one, "proxy_mode": "nftables"} for name, one in ADDRESSES.items()},
    "namespaces": {"outside": {"name": "outside", "address": OUTSIDE.address}},
    "cluster": {
        "dns_domain": "cluster.local",
        "api_service_ip": "10.96.0.1",
        "control_plane": ["cp1"],
        "cni": {"name": "flannel", "backend": "vxlan", "device": "flannel.1"},
    },
    "checks": {"services": {"services": "all"}, "other": {"mtu": "exact"}},
}
RUNNING = {
    "one": Endpoint("one", "pods", "w1", "10.244.1.9", answers=("one",)),
    "two": Endpoint("two", "pods", "cp1", "10.244.0.9", answers=("two",)),
    "host": Endpoint("host", "nodes", "w1", ADDRESSES["w1"], answers=("w1",)),
    "outside": OUTSIDE,
}
assert {*RUNNING} == {*SERVERS, "outside"}


def snapshot(number: int, node: str) -> Snapshot:
    """A node's links as flannel makes them."""
    links = [
        {"ifname": name, "addr_info": [{"family": "inet", "local": f"10.244.{number}.{last}"}]}
        for name, last in (("cni0", 1), ("flannel.1", 0))
    ]
    return Snapshot(node, f"@@reftopo links\n{json.dumps(links)}\n@@reftopo rc 0")


def api(number: int, case: Case) -> Data:
    """The Service of a case as the API gives it back: with an address, and node ports where it has them."""
    spec = dict(filled(case.spec, words(TOPOLOGY)))
    if spec.get("type") != "ExternalName":
        spec = {"clusterIP": f"10.96.1.{number}", **spec}
        ports = itertools.count(30000 + 10 * number)
        has = {"nodePort": 0} if spec.get("type") == "NodePort" else {}
        spec["ports"] = [{"protocol": "TCP", **port, **{key: next(ports) for key in has}} for port in spec["ports"]]
    return {"kind": "Service", "metadata": {"name": case.name}, "spec": spec}


def ground() -> Ground:
    """All that runs when a check of Services begins."""
    services = {case.name: api(number, case) for number, case in enumerate(cases(), 1)}
    snapshots = {node: snapshot(number, node) for number, node in enumerate(ADDRESSES)}
    return Ground(TOPOLOGY, "w1", "cp1", askers(TOPOLOGY, ENDS), RUNNING, snapshots, services)


Lie = t.Callable[[Probe, Data], Data]


def outcomes(probes: list[Probe], lie: Lie = lambda _probe, result: result) -> list[Outcome]:
    """What a network answers that does as it must: each of those who may answer does so in turn."""
    turn: dict[tuple[str, str], t.Iterator[str]] = {}
    found = []
    for probe in probes:
        result: Data = {"observed": probe.expect[0], "ms": 1.0, "detail": ""}
        if probe.expect == ("ok",) and probe.protocol in NAMES:
            result["addresses"] = sorted(probe.target.answers)
        elif probe.expect == ("ok",):
            who = turn.setdefault((probe.source.name, probe.target.name), itertools.cycle(probe.target.answers))
            result.update(server=next(who), source=probe.expect_source)
        told = lie(probe, result)
        found.append(Outcome(probe, told, judge(probe, told)))
    return found
