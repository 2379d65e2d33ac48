# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects by which an ingress controller is tried, and what the cluster says of it. Pure.

This plugin util is PRIVATE to the collection. Two services have a pod each: `one` on a control plane, where no
controller is, and `two` on a worker; a third has none. Beside the controller's own service, which keeps clients'
addresses, there is one that does not, with the controller's pod as its endpoint.
"""

from __future__ import annotations

import base64
import functools
import typing as t

from ansible_collections.reftopo.lab.plugins.plugin_utils._ingress_controllers import Controller
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_ingress_cases import OWN, Case
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data, ProofError
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_services import OWNER
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_workload import is_ready, own_object, pod_spec

NAMESPACE = MARK = "reftopo-ingress"  # of all that is made; MARK is its label
ONE, TWO, EMPTY = "one", "two", "empty"
SPREAD = "spread"  # the service that does not keep clients' addresses
WEB_PORT = 8080  # of the pods' servers
PORTS = {"http": 80, "https": 443}  # of the controller's services
_object = functools.partial(own_object, MARK)


class Found(t.NamedTuple):
    """The controller's pod: its address, node, and ports by scheme."""

    name: str
    address: str
    node: str
    ports: t.Mapping[str, int]


def controller_pod(items: list[Data], controller: Controller) -> Found:
    """The controller's one pod.

    Raises:
        ProofError: there is not exactly one that is ready, so nobody knows who answers.
    """
    ready = [item for item in items if is_ready(item)]
    if len(ready) != 1:
        raise ProofError(f"namespace {controller.namespace}: {len(ready)} ready pods of the controller, must be one")
    ports = [port for container in ready[0]["spec"]["containers"] for port in container.get("ports", ())]
    by_name = {port.get("name"): port["containerPort"] for port in ports}
    found = {scheme: by_name[name] for scheme, name in controller.ports.items()}
    return Found(ready[0]["metadata"]["name"], ready[0]["status"]["podIP"], ready[0]["spec"]["nodeName"], found)


def homes(topology: Data) -> dict[str, str]:
    """The node of each pod."""
    cluster = topology["cluster"]
    return {ONE: cluster["control_plane"][0], TWO: cluster["workers"][0]}


def objects(topology: Data, image: str, found: Found) -> list[Data]:
    """All that is made before the Ingresses."""
    made = [_object("v1", "Namespace", NAMESPACE), _object("v1", "ServiceAccount", MARK)]
    made += [_pod(name, node, image) for name, node in homes(topology).items()]
    made += [_service(name) for name in (ONE, TWO, EMPTY)]
    return [*made, *_spread(found)]


def _pod(name: str, node: str, image: str) -> Data:
    """The suite runs a server in its network; the container itself only keeps that."""
    container = {"name": "pause", "image": image, "args": ["pause"]}
    spec = {**pod_spec(MARK), "nodeName": node, "containers": [container]}
    return _object("v1", "Pod", name, labels={"server": name}, spec=spec)


def _service(name: str) -> Data:
    ports = [{"name": "http", "port": 80, "targetPort": WEB_PORT}]
    return _object("v1", "Service", name, spec={"selector": {"server": name}, "ports": ports})


def _spread(found: Found) -> list[Data]:
    """The service without a selector, whose endpoint is the controller's pod."""
    ports = [{"name": scheme, "port": PORTS[scheme], "targetPort": port} for scheme, port in found.ports.items()]
    spec = {"type": "LoadBalancer", "externalTrafficPolicy": "Cluster", "ports": ports}
    slices = [{"name": scheme, "port": port, "protocol": "TCP"} for scheme, port in found.ports.items()]
    end = {"addresses": [found.address], "nodeName": found.node, "conditions": {"ready": True}}
    labels = {OWNER: SPREAD, "endpointslice.kubernetes.io/managed-by": MARK}
    body = {"addressType": "IPv4", "endpoints": [end], "ports": slices}
    return [
        _object("v1", "Service", SPREAD, spec=spec),
        _object("discovery.k8s.io/v1", "EndpointSlice", SPREAD, labels=labels, **body),
    ]


def secret(host: str, certificate: str, key: str) -> Data:
    """A host's certificate and its key, both PEM."""
    data = {
        name: base64.b64encode(text.encode()).decode() for name, text in (("tls.crt", certificate), ("tls.key", key))
    }
    return _object("v1", "Secret", host, type="kubernetes.io/tls", data=data)


def ingress(case: Case, name: str) -> Data:
    """The Ingress of a case; name is that of the controller's class."""
    owner = {} if case.owner is None else {"ingressClassName": name if case.owner == OWN else case.owner}
    default = {"defaultBackend": _backend(case.default)} if case.default else {}
    tls = {"tls": [{"hosts": [host], "secretName": host} for host in case.tls]} if case.tls else {}
    rules = {"rules": _rules(case)} if case.rules else {}
    return _object("networking.k8s.io/v1", "Ingress", case.name, spec={**owner, **default, **tls, **rules})


def _rules(case: Case) -> list[Data]:
    paths: dict[str, list[Data]] = {}
    for rule in case.rules:
        kind = "exact" if "exact" in rule else "prefix"
        path = {"path": rule[kind], "pathType": kind.title(), "backend": _backend(rule["to"])}
        paths.setdefault(rule["host"], []).append(path)
    return [{"host": host, "http": {"paths": found}} for host, found in paths.items()]


def _backend(service: str) -> Data:
    return {"service": {"name": service, "port": {"number": 80}}}


def node_ports(service: Data) -> dict[str, int]:
    """A service's node ports by scheme."""
    schemes = {port: scheme for scheme, port in PORTS.items()}
    return {schemes[port["port"]]: port["nodePort"] for port in service["spec"]["ports"] if port["port"] in schemes}
