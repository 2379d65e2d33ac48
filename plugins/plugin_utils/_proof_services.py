# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The services of the test workload as the API describes them: addresses, ports and ready endpoints. Pure.

This plugin util is PRIVATE to the collection. Source: Kubernetes, EndpointSlices: kube-proxy takes the endpoints that
are ready, and a service with publishNotReadyAddresses has all of its pods ready.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data, Endpoint, ProofError

# What roles/verify/templates/workload.yaml.j2 makes beside the plain service: one that remembers its clients, one that
# lists pods which are not ready, and one without any.
STICKY, LISTED, NOBODY = "sticky", "listed", "nobody"
OWNER = "kubernetes.io/service-name"  # the label by which an EndpointSlice says whose it is


@dataclasses.dataclass(frozen=True)
class Service:
    """A service: by protocol its port, its node port where it has them, and the endpoints as ADDRESS:PORT."""

    name: str
    address: str
    ports: t.Mapping[str, int]
    node_ports: t.Mapping[str, int]
    ends: t.Mapping[str, tuple[str, ...]]


def described(objects: list[Data]) -> dict[str, Service]:
    """The services among some objects of one namespace, by name."""
    slices = [item for item in objects if item["kind"] == "EndpointSlice"]
    return {item["metadata"]["name"]: _service(item, slices) for item in objects if item["kind"] == "Service"}


def balanced(service: Data) -> str:
    """The address that a service got of the load balancer; empty while it has none."""
    given = service["status"].get("loadBalancer", {}).get("ingress") or [{}]
    return str(given[0].get("ip", ""))


def services(objects: list[Data]) -> dict[str, Service]:
    """The test workload's services by name."""
    found = described(objects)
    missing = {STICKY, LISTED, NOBODY} - set(found)
    if missing:
        raise ProofError(f"the test workload has no service {', '.join(sorted(missing))}: run playbooks/verify.yml")
    return found


def _service(item: Data, slices: list[Data]) -> Service:
    name, spec = item["metadata"]["name"], item["spec"]
    own = [one for one in slices if one["metadata"]["labels"].get(OWNER) == name]
    return Service(
        name,
        spec["clusterIP"],
        {port["protocol"].lower(): port["port"] for port in spec["ports"]},
        {port["protocol"].lower(): port["nodePort"] for port in spec["ports"] if "nodePort" in port},
        {port["protocol"].lower(): _ends(port, own) for port in spec["ports"]},
    )


class Front(t.NamedTuple):
    """A port of any service of the cluster, the ready endpoints, and for how many seconds clients are remembered."""

    name: str
    protocol: str
    address: str
    port: int
    node_port: int | None
    ends: tuple[str, ...]
    persistence: int


def fronts(objects: list[Data]) -> list[Front]:
    """The ports of all services that have an address, whatever their namespace."""
    slices: dict[tuple[str, str], list[Data]] = {}
    for item in objects:
        if item["kind"] == "EndpointSlice":
            labels, namespace = item["metadata"]["labels"], item["metadata"]["namespace"]
            slices.setdefault((namespace, labels.get(OWNER, "")), []).append(item)
    return [
        Front(
            f"{namespace}/{name}",
            port["protocol"].lower(),
            item["spec"]["clusterIP"],
            port["port"],
            port.get("nodePort"),
            _ends(port, slices.get((namespace, name), [])),
            item["spec"].get("sessionAffinityConfig", {}).get("clientIP", {}).get("timeoutSeconds", 0),
        )
        for item in objects
        if item["kind"] == "Service" and item["spec"].get("clusterIP", "None") != "None"
        for namespace, name in [(item["metadata"]["namespace"], item["metadata"]["name"])]
        for port in item["spec"]["ports"]
    ]


def _ends(port: Data, slices: list[Data]) -> tuple[str, ...]:
    """The ready endpoints of a service's port, which a slice knows by its name."""
    return tuple(
        f"{address}:{target['port']}"
        for one in slices
        for target in one["ports"] or ()
        if (target.get("name") or "") == port.get("name", "")
        for end in one["endpoints"] or ()
        if end["conditions"]["ready"]
        for address in end["addresses"]
    )


def target(service: Service, pods: list[Endpoint]) -> Endpoint:
    """A service as the end of a probe; any of the pods may answer for it."""
    answers = tuple(answer for pod in pods for answer in pod.answers)
    return Endpoint(service.name, "services", None, service.address, ports=service.ports, answers=answers)


def port_name(service: str, node: str) -> str:
    """What the node port of a service at a node is called as the end of a probe."""
    return f"{service} at {node}"


def node_target(service: Service, node: Data, pods: list[Endpoint]) -> Endpoint:
    """A service's node port at a node as the end of a probe."""
    name = port_name(service.name, node["name"])
    common = target(service, pods)
    return dataclasses.replace(common, name=name, address=node["address"], ports=service.node_ports)
