# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why names do not resolve in a cluster: the usual causes, each with what proves it. Pure. PRIVATE to the collection.

A cause is named only by an observation that no other of them makes; what follows of another one is not named beside it.
"""

from __future__ import annotations

import ipaddress
import re
import typing as t

from ansible_collections.reftopo.lab.plugins.plugin_utils._dns_facts import (
    SELECTOR,
    SYSTEM,
    Data,
    Facts,
    Step,
)
from ansible_collections.reftopo.lab.plugins.plugin_utils._policy_model import (
    Connection,
    End,
    Policy,
    PolicyError,
    allowed,
)

DEPLOYMENT = "coredns"
SERVICE_OF = "kubernetes.io/service-name"
NAME_LABEL = "kubernetes.io/metadata.name"
PORT = 53
# https://coredns.io/plugins/loop
LOOP = re.compile(r"plugin/loop: (Loop \(.*?\) detected for zone \S+?),? ")
GET = f"kubectl -n {SYSTEM} get"


def walk(facts: Facts) -> list[Step]:
    """All causes, in the order in which one looks for them, and at last whether something else is wrong."""
    loop = _loop(facts)
    steps = [loop, _down(facts, loop.found), _empty(facts, loop.found), _policy(facts), _proxy(facts)]
    return [*steps, _other(facts, any(step.found for step in steps))]


def _name(item: Data) -> str:
    return str(item["metadata"]["name"])


def _loop(facts: Facts) -> Step:
    """CoreDNS was given a node's resolv.conf that leads back to itself."""
    cause = "resolv-conf-loop"
    for pod in facts.servers:
        said = LOOP.search(facts.logs.get(_name(pod), ""))
        node = pod["spec"].get("nodeName", "")
        own = [one for one in facts.nodes.get(node, {}).get("nameservers", []) if ipaddress.ip_address(one).is_loopback]
        if said and own:
            seen = f"pod {_name(pod)} on {node} ended with '{said[1]}', and /etc/resolv.conf of {node} names {own[0]}"
            fix = (
                f"in a pod that address is the pod itself: write the true servers to /etc/resolv.conf of {node}, or to "
                "a file that resolvConf of the kubelet's configuration names (with systemd-resolved "
                f"/run/systemd/resolve/resolv.conf), then kubectl -n {SYSTEM} delete pod {_name(pod)}"
            )
            return Step(cause, True, seen, fix)
    named = {node: ", ".join(found.get("nameservers", [])) for node, found in facts.nodes.items()}
    told = "; ".join(f"{node} asks {servers or 'nobody'}" for node, servers in named.items())
    return Step(cause, False, f"no pod of CoreDNS found a loop by a node's own server: {told}")


def _down(facts: Facts, looped: bool) -> Step:
    """No pod of CoreDNS is ready, for another reason than a loop."""
    cause, counted = "coredns-down", f"{len(facts.ready)} of {len(facts.servers)} pods of CoreDNS are ready"
    if facts.ready or looped:
        return Step(cause, False, counted)
    wanted = [item["spec"].get("replicas") for item in facts.of("Deployment", SYSTEM) if _name(item) == DEPLOYMENT]
    if not wanted:
        return Step(cause, True, f"there is no deployment {DEPLOYMENT} in {SYSTEM}", "kubeadm init phase addon coredns")
    if wanted == [0]:
        seen = f"deployment/{DEPLOYMENT} wants 0 replicas; {counted}"
        return Step(cause, True, seen, f"kubectl -n {SYSTEM} scale deployment/{DEPLOYMENT} --replicas=2")
    states = "; ".join(f"{_name(pod)}: {_state(pod)}{_last(facts, pod)}" for pod in facts.servers)
    fix = f"kubectl -n {SYSTEM} describe pods -l {'='.join(SELECTOR)}"
    return Step(cause, True, f"{counted}, {wanted[0]} are wanted. {states}", fix)


def _state(pod: Data) -> str:
    """Why a pod is not ready, in a word."""
    for status in pod["status"].get("containerStatuses", []):
        for state in status["state"].values():
            if "reason" in state:
                return str(state["reason"])
    return str(pod["status"]["phase"])


def _last(facts: Facts, pod: Data) -> str:
    lines = facts.logs.get(_name(pod), "").strip().splitlines()
    return f" ({lines[-1]})" if lines else ""


def _empty(facts: Facts, looped: bool) -> Step:
    """The service leads nowhere, though pods are ready. One that ends by a loop may be so for a moment."""
    cause = "endpoints-empty"
    services = [item for item in facts.of("Service", SYSTEM) if item["spec"].get("clusterIP") == facts.service]
    if not services:
        seen, fix = f"no service in {SYSTEM} has the address {facts.service}", "kubeadm init phase addon coredns"
        return Step(cause, True, seen, fix)
    name, selector = _name(services[0]), services[0]["spec"].get("selector", {})
    ends = [address for item in facts.of("EndpointSlice", SYSTEM) for address in _addresses(item, name)]
    told = f"service {name} has the endpoints {', '.join(ends) or 'none'}"
    if ends or looped or not facts.ready:
        return Step(cause, False, told)
    pod = facts.ready[0]
    labels = pod["metadata"].get("labels", {})
    seen = f"{told}, though {_name(pod)} is ready: it selects {_words(selector)}, the pod is {_words(labels)}"
    patch = f"""'{{"spec":{{"selector":{{"{SELECTOR[0]}":"{SELECTOR[1]}"}}}}}}'"""
    fix = f"kubectl -n {SYSTEM} patch service {name} -p {patch}; if that is what it selects: {GET} endpointslices"
    return Step(cause, True, seen, fix)


def _addresses(item: Data, service: str) -> list[str]:
    """The ready addresses of an EndpointSlice of a service."""
    if item["metadata"].get("labels", {}).get(SERVICE_OF) != service:
        return []
    ready = [one for one in item.get("endpoints") or [] if one.get("conditions", {}).get("ready", True)]
    return [address for one in ready for address in one["addresses"]]


def _words(labels: t.Mapping[str, str]) -> str:
    return ", ".join(f"{key}={value}" for key, value in sorted(labels.items())) or "nothing"


def _policy(facts: Facts) -> Step:
    """Silence between a pod and CoreDNS that a NetworkPolicy accounts for, though CoreDNS answers its own node."""
    cause, policies = "policy-blocks-53", facts.of("NetworkPolicy")
    for server in facts.ready:
        address, home = server["status"]["podIP"], server["spec"]["nodeName"]
        for pod in _clients(facts):
            node = pod["spec"]["nodeName"]
            if facts.answer(node, pod["status"]["podIP"], address) != "timeout":
                continue
            blocking = [_full(item) for item in policies if _blocks(facts, item, pod, server)]
            if blocking and facts.answer(home, None, address) == "ok":
                seen = (
                    f"{_full(pod)} asks {address}:{PORT} ({_name(server)}) and hears nothing, while {home}, the node "
                    f"of that, is answered; what allows it not: NetworkPolicy {', '.join(blocking)}"
                )
                fix = "allow UDP and TCP 53 there, out of the pods that ask and into CoreDNS': docs/network-policy.md"
                return Step(cause, True, seen, fix)
    asked = sum(len(found.get("answers", [])) for found in facts.nodes.values())
    return Step(cause, False, f"{len(policies)} NetworkPolicies; none accounts for silence, of {asked} questions")


def _full(item: Data) -> str:
    return f"{item['metadata']['namespace']}/{_name(item)}"


def _clients(facts: Facts) -> list[Data]:
    """The pods that asked."""
    asked = {one["from"] for found in facts.nodes.values() for one in found.get("answers", [])}
    return [pod for pod in facts.of("Pod") if pod["status"].get("podIP") in asked and _own_network(pod)]


def _own_network(pod: Data) -> bool:
    return not pod["spec"].get("hostNetwork", False)


def _blocks(facts: Facts, item: Data, source: Data, target: Data) -> bool:
    """Whether this policy alone would close DNS between two pods. One that the model does not know does not."""
    policy = Policy(item["metadata"]["namespace"], item["spec"])
    try:
        return not allowed([policy], Connection(_end(facts, source), _end(facts, target), "UDP", PORT))
    except PolicyError:
        return False


def _end(facts: Facts, pod: Data) -> End:
    meta, spec = pod["metadata"], pod["spec"]
    spaces = {_name(item): item["metadata"].get("labels", {}) for item in facts.of("Namespace")}
    ports = [port for container in spec["containers"] for port in container.get("ports", ()) if "name" in port]
    named = {port["name"]: (port.get("protocol", "TCP"), port["containerPort"]) for port in ports}
    space = meta["namespace"]
    labels = {NAME_LABEL: space, **spaces.get(space, {})}
    return End(pod["status"]["podIP"], spec["nodeName"], space, meta.get("labels", {}), labels, named)


def _proxy(facts: Facts) -> Step:
    """A node that knows no service address, though CoreDNS' pods answer it."""
    cause = "proxy-rules-missing"
    addresses = [pod["status"]["podIP"] for pod in facts.ready]
    for node, found in facts.nodes.items():
        direct = [address for address in addresses if facts.answer(node, None, address) == "ok"]
        service = facts.answer(node, None, facts.service)
        if not found.get("rules") and direct and service != "ok":
            seen = (
                f"{node} asks {direct[0]}:{PORT} and is answered, asks the service, {facts.service}:{PORT}: {service}; "
                "nftables, iptables and IPVS there have nothing for that address"
            )
            fix = (
                f"kube-proxy makes them: {GET} pods -l k8s-app=kube-proxy -o wide; on {node} one must run, and its log "
                f"must end without an error (kubectl -n {SYSTEM} logs POD)"
            )
            return Step(cause, True, seen, fix)
    told = "; ".join(f"{node}: {', '.join(found.get('rules', [])) or 'none'}" for node, found in facts.nodes.items())
    return Step(cause, False, f"rules for {facts.service}: {told}")


def _other(facts: Facts, explained: bool) -> Step:
    """Questions without an answer that none of the causes accounts for."""
    failed = [
        f"{one['from'] or node} asks {one['server']}: {one['observed']}"
        for node, found in facts.nodes.items()
        for one in found.get("answers", [])
        if one["observed"] != "ok"
    ]
    asked = sum(len(found.get("answers", [])) for found in facts.nodes.values())
    if explained or (asked and not failed):
        return Step("something-else", False, f"{asked - len(failed)} of {asked} questions are answered")
    fix = "is the pod network whole? ansible-playbook playbooks/verify.yml proves it path by path"
    return Step("something-else", True, "; ".join(failed[:5]) or "nobody could ask", fix)
