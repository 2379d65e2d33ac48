# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The services by which the load balancer is tried, their pods, and what the cluster says of them. Pure.

This plugin util is PRIVATE to the collection.
"""

from __future__ import annotations

import functools
import typing as t

from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data, Endpoint
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_plan import SERVER_PORTS
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_services import balanced
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_workload import is_ready, own_object, pod_spec

NAMESPACE = MARK = "reftopo-load-balancer"  # of all that is made; MARK is its label
PORTS = {"tcp": 80, "udp": 81}
# One that any worker may answer for, its only pod being on the control plane; one that wants an address outside of the
# pool; one that another load balancer is to serve; and one that comes when the pool is used up.
ANYWHERE, ELSEWHERE, FOREIGN, LATE = "anywhere", "elsewhere", "foreign", "late"
WANTED = "metallb.io/loadBalancerIPs"
SOURCE = "metallb-controller"  # whose events
_object = functools.partial(own_object, MARK, "v1")


def local_name(node: str) -> str:
    """The service whose only pod is on a node, and that keeps clients' addresses."""
    return f"local-{node}"


def filler_name(number: int) -> str:
    """One of the services that use the pool up."""
    return f"filler-{number}"


def pod_name(node: str) -> str:
    """The pod of a node."""
    return f"end-{node}"


def main_services(topology: Data) -> dict[str, str]:
    """The services that get an address and answer, and the node of each one's pod."""
    cluster = topology["cluster"]
    return {ANYWHERE: cluster["control_plane"][0], **{local_name(node): node for node in cluster["workers"]}}


def objects(topology: Data, image: str, outside: str) -> list[Data]:
    """All that is made first; `outside` is an address that is not in the pool."""
    found = [_object("Namespace", NAMESPACE), _object("ServiceAccount", MARK)]
    found += [_pod(node, image) for node in topology["nodes"]]
    found += [_service(name, node) for name, node in main_services(topology).items()]
    elsewhere, foreign = service(ELSEWHERE), service(FOREIGN)
    elsewhere["metadata"]["annotations"] = {WANTED: outside}
    foreign["spec"]["loadBalancerClass"] = "reftopo.lab/nobody"
    return [*found, elsewhere, foreign]


def service(name: str, **spec: t.Any) -> Data:
    """A service of type LoadBalancer."""
    ports = [
        {"name": protocol, "protocol": protocol.upper(), "port": port, "targetPort": SERVER_PORTS[protocol]}
        for protocol, port in PORTS.items()
    ]
    return _object("Service", name, spec={"type": "LoadBalancer", "ports": ports, **spec})


def _service(name: str, node: str) -> Data:
    policy = "Cluster" if name == ANYWHERE else "Local"
    return service(name, selector={"node": node}, externalTrafficPolicy=policy)


def _pod(node: str, image: str) -> Data:
    arguments = ["netexec", f"--http-port={SERVER_PORTS['tcp']}", f"--udp-port={SERVER_PORTS['udp']}"]
    container = {"name": "server", "image": image, "args": arguments}
    spec = {**pod_spec(MARK), "nodeName": node, "containers": [container]}
    return _object("Pod", pod_name(node), labels={"node": node}, spec=spec)


class State(t.NamedTuple):
    """What the cluster says: services' addresses, pods' addresses, and what MetalLB told of each service, by names.

    An address that is not there yet is empty.
    """

    services: dict[str, str]
    pods: dict[str, str]
    told: dict[str, list[str]]


def state(items: list[Data]) -> State:
    """The same of the namespace's services, pods and events."""
    found = State({}, {}, {})
    for item in items:
        name = item["metadata"]["name"]
        if item["kind"] == "Service":
            found.services[name] = balanced(item)
        elif item["kind"] == "Pod":
            found.pods[name] = str(item["status"].get("podIP", "")) if is_ready(item) else ""
        elif item["kind"] == "Event" and SOURCE in (item.get("reportingComponent"), _component(item)):
            found.told.setdefault(item["involvedObject"]["name"], []).append(f"{item['reason']}: {item['message']}")
    return found


def _component(event: Data) -> str:
    return str((event.get("source") or {}).get("component", ""))


def target(name: str, node: str, address: str) -> Endpoint:
    """A service as the end of a probe, which the pod of a node answers for."""
    return Endpoint(name, "services", None, address, ports=PORTS, answers=(pod_name(node),))
