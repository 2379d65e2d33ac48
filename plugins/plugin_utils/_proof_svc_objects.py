# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster's objects of which the ground for Services is made, and what is known of them once they run. Pure.

This plugin util is PRIVATE to the collection. One server is on the near node, one on the far one, and one in the near
node's own network. A Deployment is there to be scaled and rolled; what makes a rolling update lose nothing is in it.
"""

from __future__ import annotations

import typing as t

from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data, Endpoint
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_plan import SERVER_PORTS
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_services import OWNER
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_svc_cases import FAR, NEAR, PORTS, Case, filled
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_workload import is_ready, pod_spec

MARK = "reftopo-services"  # the namespace, and the label of it
HEADLESS = "headless"  # the case whose Service gives the servers their names
MOVING = "moving"  # the Deployment and its Service
HOST_PORTS = {"tcp": 7080, "udp": 7081}
# Seconds that a pod of the Deployment goes on serving once it is to end: in them every node's kube-proxy hears that it
# is no endpoint any more. Its last connections have as long again.
LINGER, GRACE = 3, 6


class Server(t.NamedTuple):
    """A server: its node, its containers' ports by protocol, their names, and whether it is in its node's network."""

    node: str
    ports: tuple[t.Mapping[str, int], ...]
    names: tuple[t.Mapping[str, str], ...]
    host: bool = False


SERVERS = {
    "one": Server(NEAR, (SERVER_PORTS,), ({"tcp": "web", "udp": "talk"},)),
    "two": Server(FAR, ({"tcp": 8090, "udp": 8091}, {"tcp": 8092, "udp": 8093}), ({"tcp": "web"}, {"tcp": "admin"})),
    "host": Server(NEAR, (HOST_PORTS,), ({},), host=True),
}


def objects(nodes: t.Mapping[str, Data], image: str, found: t.Iterable[Case], words: t.Mapping[str, str]) -> list[Data]:
    """All objects, in the order in which they can be made; nodes are the two nodes of the topology, near and far."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": MARK, "labels": {MARK: "all"}}}
    account = _object("v1", "ServiceAccount", MARK)
    pods = [_pod(name, server, nodes[server.node], image) for name, server in SERVERS.items()]
    made = [one for case in found for one in (service(case, words), *_slices(case, words))]
    return [namespace, account, *pods, *made, _deployment(image), _object("v1", "Service", MOVING, spec=_moving())]


def _object(version: str, kind: str, name: str, **parts: t.Any) -> Data:
    meta = {"name": name, "namespace": MARK, **parts.pop("metadata", {})}
    return {"apiVersion": version, "kind": kind, "metadata": meta, **parts}


def service(case: Case, words: t.Mapping[str, str]) -> Data:
    """The Service of a case."""
    return _object("v1", "Service", case.name, spec=filled(case.spec, words))


def _slices(case: Case, words: t.Mapping[str, str]) -> list[Data]:
    """The EndpointSlice that a case gives its Service by hand."""
    if case.slice is None:
        return []
    ports = [
        {"name": port["name"], "port": port["targetPort"], "protocol": port.get("protocol", "TCP")}
        for port in case.ports
    ]
    body = {"addressType": "IPv4", "endpoints": [{"addresses": [words[case.slice]]}], "ports": ports}
    meta = {"labels": {OWNER: case.name, "endpointslice.kubernetes.io/managed-by": MARK}}
    return [_object("discovery.k8s.io/v1", "EndpointSlice", case.name, metadata=meta, **body)]


def _pod(name: str, server: Server, node: Data, image: str) -> Data:
    labels = {"server": name, **({} if server.host else {"app": "server"})}
    names = {"hostNetwork": True} if server.host else {"hostname": name, "subdomain": HEADLESS}
    spec = {
        **pod_spec(MARK),
        **names,
        "nodeName": node["name"],
        "containers": [_container(server, number, node, image) for number in range(len(server.ports))],
    }
    return _object("v1", "Pod", name, metadata={"labels": labels}, spec=spec)


def _container(server: Server, number: int, node: Data, image: str) -> Data:
    """Bound to any address, a server of UDP in the node's network would answer from another than the one asked."""
    ports, names = server.ports[number], server.names[number]
    arguments = ["netexec", f"--http-port={ports['tcp']}", f"--udp-port={ports['udp']}"]
    return {
        "name": f"server{number}",
        "image": image,
        "args": arguments + ([f"--udp-listen-addresses={node['address']}"] if server.host else []),
        "ports": [
            {"name": name, "protocol": protocol.upper(), "containerPort": ports[protocol]}
            for protocol, name in names.items()
        ],
    }


def _moving() -> Data:
    return {"selector": {"app": MOVING}, "ports": list(PORTS)}


def _deployment(image: str) -> Data:
    """A pod takes part when it answers, and none is taken before another does."""
    container = {
        "name": "server",
        "image": image,
        "args": ["netexec", f"--http-port={SERVER_PORTS['tcp']}", f"--udp-port={SERVER_PORTS['udp']}"],
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": SERVER_PORTS["tcp"]}, "periodSeconds": 1},
        "lifecycle": {"preStop": {"sleep": {"seconds": LINGER}}},
    }
    template = {
        "metadata": {"labels": {"app": MOVING}},
        "spec": {**pod_spec(MARK), "terminationGracePeriodSeconds": GRACE, "containers": [container]},
    }
    spec = {
        "replicas": 1,
        "selector": {"matchLabels": {"app": MOVING}},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
        "template": template,
    }
    return _object("apps/v1", "Deployment", MOVING, spec=spec)


def servers(items: list[Data], nodes: t.Mapping[str, Data]) -> dict[str, Endpoint]:
    """Those of the servers that are ready, by name; one in its node's network has the node's host name."""
    ready = {item["metadata"]["name"]: item["status"]["podIP"] for item in items if is_ready(item)}
    found = {}
    for name, server in SERVERS.items():
        node = nodes[server.node]["name"]
        if name in ready:
            kind, answer = ("nodes", node) if server.host else ("pods", name)
            found[name] = Endpoint(name, kind, node, ready[name], answers=(answer,))
    return found


def moving(items: list[Data]) -> dict[str, str]:
    """The addresses of the Deployment's pods that are there to stay, by name."""
    return {
        item["metadata"]["name"]: item["status"]["podIP"]
        for item in items
        if item["metadata"].get("labels", {}).get("app") == MOVING
        and is_ready(item)
        and not item["metadata"].get("deletionTimestamp")
    }
