# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pods of a check of DNS, one for each dnsPolicy, and the resolv.conf that Kubernetes promises each. Pure.

This plugin util is PRIVATE to the collection. Source of what is promised:
https://kubernetes.io/docs/concepts/services-networking/dns-pod-service (Pod's DNS Policy, Pod's DNS Config).
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils._probe_dns import Resolver
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data, ProofError
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_workload import pod_spec

NAMESPACE = "reftopo-dns"
MARK = "reftopo-dns"  # label of all that is made
NDOTS = 5  # what the kubelet writes for the policies of the cluster
OWN_NDOTS = 2  # of the pod that says everything itself


@dataclasses.dataclass(frozen=True)
class Conf:
    """What resolv.conf(5) says: servers, the last search list, and all options."""

    servers: tuple[str, ...]
    search: tuple[str, ...]
    options: tuple[str, ...]

    @property
    def resolver(self) -> Resolver:
        """The same as the C library takes it; ndots is 1 where nothing is said."""
        ndots = next((int(option[6:]) for option in self.options if option.startswith("ndots:")), 1)
        return Resolver(self.servers[0], list(self.search), ndots)


def parse(text: str) -> Conf:
    """The contents of a resolv.conf.

    Raises:
        ProofError: it names no server.
    """
    words = [line.split() for line in text.splitlines() if line.strip() and line[0] not in "#;"]
    found = Conf(
        servers=tuple(line[1] for line in words if line[0] == "nameserver"),
        search=next((tuple(line[1:]) for line in reversed(words) if line[0] == "search"), ()),
        options=tuple(option for line in words if line[0] == "options" for option in line[1:]),
    )
    if not found.servers:
        raise ProofError(f"a resolv.conf names no nameserver: {text.strip()!r}")
    return found


class Pod(t.NamedTuple):
    """A pod: what of its spec is about names, and whose resolv.conf it is promised: cluster, node or own."""

    name: str
    spec: Data
    promised: str
    title: str


PODS = (
    Pod("cluster-first", {"dnsPolicy": "ClusterFirst"}, "cluster", "dnsPolicy ClusterFirst"),
    Pod("default", {"dnsPolicy": "Default"}, "node", "dnsPolicy Default"),
    Pod("none", {"dnsPolicy": "None"}, "own", "dnsPolicy None with dnsConfig"),
    Pod(
        "host-net",
        {"hostNetwork": True, "dnsPolicy": "ClusterFirstWithHostNet"},
        "cluster",
        "hostNetwork with dnsPolicy ClusterFirstWithHostNet",
    ),
    # "If the Pod runs with hostNetwork and ClusterFirst, it behaves as Default": the control of the one above.
    Pod(
        "host-net-first",
        {"hostNetwork": True, "dnsPolicy": "ClusterFirst"},
        "node",
        "hostNetwork with dnsPolicy ClusterFirst",
    ),
)


def own_search(cluster: Data) -> str:
    """The one domain that the pod with dnsConfig searches."""
    return f"{NAMESPACE}.svc.{cluster['dns_domain']}"


def promised(pod: Pod, cluster: Data, node: Conf) -> Conf:
    """The resolv.conf that a pod on a node with this one must have."""
    domain, servers = cluster["dns_domain"], (cluster["dns_service_ip"],)
    search = (f"{NAMESPACE}.svc.{domain}", f"svc.{domain}", domain)
    return {
        "cluster": Conf(servers, search + node.search, (f"ndots:{NDOTS}",)),
        "node": node,
        "own": Conf(servers, (own_search(cluster),), (f"ndots:{OWN_NDOTS}",)),
    }[pod.promised]


def differences(found: Conf, wanted: Conf) -> list[str]:
    """Each part of a resolv.conf that is not as promised."""
    words = {"servers": "nameserver", "search": "search", "options": "options"}
    return [
        f"{word} is {' '.join(getattr(found, part)) or 'not there'}, must be {' '.join(getattr(wanted, part))}"
        for part, word in words.items()
        if getattr(found, part) != getattr(wanted, part)
    ]


def objects(cluster: Data, nodes: t.Sequence[str], image: str, services: t.Iterable[str]) -> list[Data]:
    """All that is made in the cluster, in the order in which it can be; the pods are spread over the nodes."""
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": {MARK: ""}}}
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": MARK, "namespace": NAMESPACE}}
    pods = [_pod(pod, cluster, nodes[number % len(nodes)], image) for number, pod in enumerate(PODS)]
    return [space, account, *pods, *(_service(name) for name in services)]


def _pod(pod: Pod, cluster: Data, node: str, image: str) -> Data:
    spec = {
        **pod_spec(MARK),
        **pod.spec,
        "nodeName": node,
        "containers": [{"name": "pause", "image": image, "args": ["pause"]}],
    }
    if pod.promised == "own":
        options = [{"name": "ndots", "value": str(OWN_NDOTS)}]
        servers = [cluster["dns_service_ip"]]
        spec["dnsConfig"] = {"nameservers": servers, "searches": [own_search(cluster)], "options": options}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": pod.name, "namespace": NAMESPACE}, "spec": spec}


def _service(name: str) -> Data:
    """A service that only has a name and an address; nobody connects to it."""
    spec = {"ports": [{"port": 80}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": NAMESPACE}, "spec": spec}
