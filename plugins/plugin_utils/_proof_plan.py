# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a compiled topology and the cluster's objects to the probes that its checks promise. Pure.

This plugin util is PRIVATE to the collection. Names come from the topology alone, so that test cases are known before
anything is contacted; addresses come from the cluster.
"""

from __future__ import annotations

import itertools

from ansible_collections.reftopo.lab.plugins.module_utils._cni_backend import pod_network
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_ends import address, chosen, hops, targets
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import (
    HOST,
    NAMES,
    Data,
    Endpoint,
    Probe,
    ProofError,
)
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_compile import default_protocols
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_pods import pods
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_way import bare, segment, underlay_mtu

WORKLOAD = "reftopo-verify"  # namespace of the test workload, roles/verify/templates/workload.yaml.j2
SERVICE = "agnhost"
SETS = ("a", "b")  # two pods a node: same-node and cross-node pairs exist from two nodes on
SERVER_PORTS = {"tcp": 8080, "udp": 8081}  # agnhost's netexec, and our own server outside
TELLING = ("tcp", "udp")  # protocols whose servers tell the source address they see


def names(topology: Data, kind: str | list[str]) -> dict[str, str | None]:
    """The endpoints that probes of a kind, or of a list of machines, start from: name to the node it is on."""
    nodes = topology["nodes"]
    if isinstance(kind, list):
        return {name: name if name in nodes else None for name in kind}
    made = {f"{pod_set}-{node}": node for node in nodes for pod_set in SETS}
    found: dict[str, dict[str, str | None]] = {
        "pods": made if "cluster" in topology else {pod.name: pod.node for pod in pods(topology)},
        "nodes": {node: node for node in nodes},
        "namespaces": dict.fromkeys(topology["namespaces"]),
    }
    return found[kind]


def asked_names(topology: Data) -> list[str]:
    """The test service by its short name, with its namespace, and in full with and without the final dot."""
    full = f"{SERVICE}.{WORKLOAD}.svc.{topology['cluster']['dns_domain']}"
    return [SERVICE, f"{SERVICE}.{WORKLOAD}", full, full + "."]


def protocols(check: Data) -> list[str]:
    """The protocols of a check's probes; a trace finds who forwards them."""
    named = check.get("protocols") or default_protocols(check)
    return [*named, "trace"] if "hops" in check else named


def endpoints(topology: Data, objects: list[Data]) -> dict[str, list[Endpoint]]:
    """Every endpoint by kind, with addresses. objects are the pods and services of the test workload's namespace."""
    found = {
        "nodes": [
            Endpoint(name, "nodes", name, node["address"], machine=name, ports=SERVER_PORTS, answers=(name,))
            for name, node in topology["nodes"].items()
        ],
        "namespaces": [namespace_endpoint(namespace) for namespace in topology["namespaces"].values()],
    }
    if "cluster" not in topology:
        return found
    pods = pod_endpoints(topology, objects)
    service = service_endpoint(objects, pods)
    asked = [Endpoint(name, "dns", None, service.address) for name in asked_names(topology)]
    return {**found, "pods": pods, "services": [service], "dns": asked}


def namespace_endpoint(namespace: Data) -> Endpoint:
    name, path, home = namespace["name"], f"/run/netns/{namespace['netns']}", namespace.get("host", HOST)
    return Endpoint(name, "namespaces", None, namespace["address"], home, path, SERVER_PORTS, (name,))


def pod_endpoints(topology: Data, objects: list[Data]) -> list[Endpoint]:
    """The pods of the test workload; each that is missing or has no address is named."""
    found = {
        f"{item['metadata']['labels'].get('set')}-{item['spec'].get('nodeName')}": item
        for item in objects
        if item["kind"] == "Pod" and item["status"].get("podIP") and not item["metadata"].get("deletionTimestamp")
    }
    wanted = names(topology, "pods")
    missing = sorted(set(wanted) - set(found))
    if missing:
        raise ProofError(
            f"namespace {WORKLOAD}: no running test pod {', '.join(missing)}. "
            f"Deploy them: ansible-playbook playbooks/verify.yml -e topology={topology['name']}"
        )
    return [pod_endpoint(name, str(node), found[name]) for name, node in wanted.items()]


def pod_endpoint(name: str, node: str, pod: Data) -> Endpoint:
    address, answers = pod["status"]["podIP"], (pod["metadata"]["name"],)
    return Endpoint(name, "pods", node, address, machine=node, namespace=address, ports=SERVER_PORTS, answers=answers)


def service_endpoint(objects: list[Data], pods: list[Endpoint]) -> Endpoint:
    """The test service; any of the pods may answer for it."""
    spec = next(item["spec"] for item in objects if item["kind"] == "Service" and item["metadata"]["name"] == SERVICE)
    ports = {port["protocol"].lower(): port["port"] for port in spec["ports"]}
    answers = tuple(answer for pod in pods for answer in pod.answers)
    return Endpoint(SERVICE, "services", None, spec["clusterIP"], ports=ports, answers=answers)


def expected(topology: Data, check: Data, source: Endpoint, target: Endpoint, broken: bool) -> tuple[str, ...]:
    """What a probe of a check must observe; while something is broken, cells that it does not touch must stay ok."""
    expect = check.get("expect", "ok")
    if "break" in check and not (broken and touched(check["break"], source, target)):
        return ("ok",)
    if isinstance(expect, dict):
        expect = expect[apart(topology, expect, source, target)]
    return tuple(expect) if isinstance(expect, list) else (expect,)


def apart(topology: Data, expect: Data, source: Endpoint, target: Endpoint) -> str:
    """How far two endpoints are from each other, as a check's expectation tells it apart."""
    if source.node == target.node:
        return "same-node"
    segments = {segment(topology, str(end.node)) for end in (source, target)} if "cross-segment" in expect else set()
    return "cross-segment" if len(segments) > 1 else "cross-node"


def touched(broken: Data, source: Endpoint, target: Endpoint) -> bool:
    """Whether what a check breaks is to be noticed between two endpoints."""
    if "pod" in broken:
        return broken["pod"] in (source.name, target.name)
    if "mesh" in broken or "reflectors" in broken:
        ends = {source.node, target.node}
        return target.kind == "pods" and len(ends) > 1 and bool(ends & set(broken.get("cut", ends)))
    if "host" in broken:
        return source.machine != target.machine and broken["host"] in (source.machine, target.machine)
    if "routes" in broken:
        ends = {source.node, target.node} - {broken["node"]}
        return broken["node"] in (source.node, target.node) and bool(ends & {*broken["routes"]})
    if "pairs" in broken:
        return {source.name, target.name} in map(set, broken["pairs"])
    return broken["node"] in (source.node, target.node)


def expected_source(topology: Data, check: Data, source: Endpoint, target: Endpoint) -> str | None:
    """The address that the target must see, where the check says whose.

    Between pods it is the pod's own even if the check does not say so: Kubernetes' network model has no NAT there. And
    what a pod sends to its own node does not leave it, so nothing masquerades it.
    """
    if check["from"] != "pods" and "source" in check:
        return address(topology, check["source"])
    whose = check.get("source") or ("pod" if check["from"] == check["to"] == "pods" else None)
    if whose == "node" and source.node != target.node:
        return str(topology["nodes"][source.node]["address"])
    return source.address if whose else None


def reach_probes(
    topology: Data, name: str, found: dict[str, list[Endpoint]], control: str | None = None, broken: bool = False
) -> list[Probe]:
    """The cells of a check with from and to: every source to every target by every protocol."""
    check = topology["checks"][name]
    return [
        Probe(
            name,
            source,
            target,
            "dns" if check["to"] == "dns" else protocol,
            expected(topology, check, source, target, broken),
            expected_source(topology, check, source, target) if protocol in TELLING else None,
            control,
            hops=hops(topology, check) if protocol == "trace" else (),
        )
        for source in chosen(topology, found, check["from"])
        for target in targets(topology, found, check)
        for protocol in protocols(check)
    ]


def mtu_probes(topology: Data, name: str, found: dict[str, list[Endpoint]]) -> list[Probe]:
    """From every pod and node to every pod of other nodes: a packet of the path's MTU, and one byte more (RFC 1191).

    A node that sends bare towards pods with a smaller MTU than its own is told so by the node of the pod.
    """
    mtu = pod_network(topology)["cni"]["mtu"]
    return [
        Probe(name, source, target, "icmp", expect, size=size, refused_anywhere=narrows(topology, source, target))
        for source in found["pods"] + found["nodes"]
        for target in found["pods"]
        if source.node != target.node
        for size, expect in ((mtu, ("ok",)), (mtu + 1, ("too-big",)))
    ]


def narrows(topology: Data, source: Endpoint, target: Endpoint) -> bool:
    """Whether it is behind the first device of a packet's path that it becomes too large."""
    outside = underlay_mtu(topology["nodes"][str(source.node)])
    is_bare = bare(topology, str(source.node), str(target.node))
    return source.kind == "nodes" and is_bare and pod_network(topology)["cni"]["mtu"] < outside


def service_samples(name: str, found: dict[str, list[Endpoint]], tries: int = 8) -> list[Probe]:
    """Probes of the service, if any, for the capture: so many that each node surely meets an end on another node."""
    return [
        Probe(name, source, target, protocol)
        for source in found["pods"]
        for target in found.get("services", ())
        for protocol in ("tcp", "udp")
        for _try in range(tries)
    ]


def bare_samples(name: str, found: dict[str, list[Endpoint]]) -> list[Probe]:
    """Probes between nodes: they travel bare, so a capture that does not show them is blind."""
    return [Probe(name, *ends, "icmp") for ends in itertools.permutations(found["nodes"], 2)]


def job(probe: Probe, timeout: float) -> Data:
    """The probe agent's job for a probe (plugins/module_utils/_probe_agent.py)."""
    common = {"namespace": probe.source.namespace, "protocol": probe.protocol, "timeout": timeout, "key": probe.key}
    common |= {"silent": True} if "timeout" in probe.expect else {}
    if probe.protocol in NAMES:
        return {**common, "name": probe.target.name}
    port = probe.target.ports.get(probe.protocol)
    return {**common, "address": probe.target.address, "port": port, "size": probe.size}


def groups(topology: Data) -> list[tuple[str, str, str]]:
    """The test cases of all checks with from and to: check, source, protocol."""
    return [
        (name, source, "dns" if check["to"] == "dns" else protocol)
        for name, check in topology["checks"].items()
        if "from" in check
        for source in names(topology, check["from"])
        for protocol in protocols(check)
    ]


def by_machine(probes: list[Probe]) -> dict[str, list[Probe]]:
    """Probes by the machine that runs them: one agent call each."""
    found: dict[str, list[Probe]] = {}
    for probe in probes:
        found.setdefault(probe.source.machine, []).append(probe)
    return found
