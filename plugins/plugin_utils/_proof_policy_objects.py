# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster's objects of which the ground for NetworkPolicies is made, at each step of a case. Pure.

This plugin util is PRIVATE to the collection.
"""

from __future__ import annotations

import typing as t

from ansible_collections.reftopo.lab.plugins.plugin_utils._policy_model import End
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_policy_cases import (
    NAME_LABEL,
    NAMESPACES,
    OPEN,
    PODS,
    Step,
    namespace_labels,
    pod_labels,
    policies,
)
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_policy_ground import (
    MARK,
    SERVERS,
    Lane,
    container_ports,
)
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_workload import is_ready, pod_spec

# By what CoreDNS' pods are known, in kubeadm's manifest and others'.
DNS_LABEL, DNS_APP = "k8s-app", "kube-dns"


def objects(
    lane: Lane, image: str, name: str = "", step: Step = OPEN, words: t.Mapping[str, str] | None = None
) -> list[Data]:
    """All objects of a lane at a step of the case with this name, in the order in which they can be made."""
    found = [_namespace(lane, key, step) for key in NAMESPACES] + [_account(lane, key) for key in NAMESPACES]
    found += [_pod(lane, pod, step, image) for pod in PODS]
    for number, policy in enumerate(policies(step, words or {}), 1):
        meta = {"name": f"{name}-{number}", "namespace": policy.namespace, "labels": {MARK: str(lane.number)}}
        found.append(
            {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": meta, "spec": policy.spec}
        )
    return found


def _namespace(lane: Lane, key: str, step: Step) -> Data:
    labels = {MARK: str(lane.number), **namespace_labels(step, key)}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": lane.namespace(key), "labels": labels}}


def _account(lane: Lane, key: str) -> Data:
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": MARK, "namespace": lane.namespace(key)}}


def _pod(lane: Lane, pod: str, step: Step, image: str) -> Data:
    key = pod.partition("/")[0]
    labels = {MARK: str(lane.number), **pod_labels(step, pod)}
    containers = [_container(key, number, image) for number in range(len(SERVERS))]
    spec = {**pod_spec(MARK), "nodeName": lane.node(pod), "containers": containers}
    meta = {"name": lane.pod(pod), "namespace": lane.namespace(key), "labels": labels}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


def _container(key: str, number: int, image: str) -> Data:
    ports = SERVERS[number]
    return {
        "name": f"server{number}",
        "image": image,
        "args": ["netexec", f"--http-port={ports['tcp']}", f"--udp-port={ports['udp']}"],
        "ports": container_ports(key, number),
    }


def difference(before: list[Data], now: list[Data]) -> tuple[list[Data], list[Data]]:
    """What is to be applied, and what deleted, to come from some objects to others."""
    had, wanted = ({_identity(item): item for item in items} for items in (before, now))
    applied = [item for key, item in wanted.items() if had.get(key) != item]
    return applied, [item for key, item in had.items() if key not in wanted]


def _identity(item: Data) -> tuple[str, str, str]:
    return item["kind"], item["metadata"].get("namespace", ""), item["metadata"]["name"]


def running(items: list[Data], lane: Lane) -> Lane:
    """A lane with the addresses of those of its pods that are ready."""
    found = {item["metadata"]["name"]: item["status"].get("podIP") for item in items if is_ready(item)}
    addresses = {pod: found[lane.pod(pod)] for pod in PODS if found.get(lane.pod(pod))}
    return Lane(lane.number, lane.nodes, addresses)


def dns_ends(items: list[Data]) -> tuple[End, ...]:
    """The pods that answer for names, as the model sees them."""
    found = [item for item in items if item["metadata"].get("labels", {}).get(DNS_LABEL) == DNS_APP]
    return tuple(_dns_end(item) for item in found if is_ready(item))


def _dns_end(item: Data) -> End:
    meta, spec = item["metadata"], item["spec"]
    ports = [port for container in spec["containers"] for port in container.get("ports", ())]
    named = {port["name"]: (port["protocol"], port["containerPort"]) for port in ports}
    labels = {NAME_LABEL: meta["namespace"]}
    return End(item["status"]["podIP"], spec["nodeName"], meta["namespace"], meta["labels"], labels, named)
