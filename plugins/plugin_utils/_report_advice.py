# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What to do next about a cell or a claim that is not as it must be. PRIVATE to the collection."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.reftopo.lab.plugins.module_utils._cni_backend import pod_network
from ansible_collections.reftopo.lab.plugins.plugin_utils._report_model import Assertion, Item, Probe, Requests, Results
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_way import way

_DNS = (
    "the name was not resolved. kubectl -n kube-system get pods,endpointslices -l k8s-app=kube-dns: the pods must be "
    "Ready; if they are, see what CoreDNS says (kubectl -n kube-system logs -l k8s-app=kube-dns) and whether {node} "
    "translates the DNS service's address"
)
_REFUSED = (
    "the packet arrived and was turned away: nothing listens there (kubectl get pods -o wide; ss -ltnu in the pod), "
    "or a rule rejects it (a service without ready endpoints: kubectl get endpointslices)"
)
_TIMEOUT = "nothing came back. On {node}: ip route get {address}; then tcpdump -ni any host {address} on both ends"
# Between nodes, by the network plugin's backend.
_WHERE = ": packets there mean that the fault is on {peer}; none, that it is on {node} or between"
_BY_THE_NODE = (
    "nothing came back. On {node}: ip route get {address} must name the address of {peer}. Probe again with "
    "tcpdump -nei eth0 host {address} on {peer}" + _WHERE
)
_TIMEOUT_BETWEEN = {
    "vxlan": "nothing came back. On {node}: ip route get {address} must name {device}; ip neigh show dev {device} and "
    "bridge fdb show dev {device} must know {peer}. Probe again with tcpdump -ni eth0 udp port {port} on {peer}"
    + _WHERE,
    "udp": "nothing came back. On {node}: ip route get {address} must name {device}, and ss -lunp must show flanneld "
    "at port {port}. Probe again with tcpdump -ni eth0 udp port {port} on {peer}" + _WHERE,
    "ipip": "nothing came back. On {node}: ip route get {address} must name {device} and the address of {peer}. Probe "
    "again with tcpdump -ni eth0 ip proto 4 on {peer}" + _WHERE,
    "bgp": "nothing came back. On {node}: ip route get {address} must name the address of {peer}; if not, "
    "calicoctl node status must show an established session with it. Else probe again with tcpdump -nei eth0 "
    "host {address} on {peer}" + _WHERE,
    "host-gw": _BY_THE_NODE,
    "direct": _BY_THE_NODE,
}
_OPEN = (
    "it answered, but must not. In a control, what was taken away is not what carries the packet: look for the other "
    "path with ip route get {address} on {node}. Otherwise the rule or route that closes it is missing"
)
_UNREACHABLE = (
    "a machine on the way, or {node} itself, said that there is no way: ip route get {address} on {node}, and ip neigh "
    "for the next hop, whose state must not be FAILED"
)
_TOO_BIG = (
    "the path takes less than promised: ip route get {address} on {node} shows the device and its MTU, ip route show "
    "cache an MTU learned from the path; compare with the MTU of each device that the packet passes"
)
_FITS = (
    "the path takes more than promised: look for the device whose MTU is too large, with ip link on {node} and {peer}"
)
# Of a check of NetworkPolicies, where what is closed and what is open is the policies' doing.
_POLICIES = {
    "ok": "it answered, though a policy closes it: on the nodes of both pods the network plugin must have rules for "
    "the policy (Calico's: iptables-save | grep cali-), and its pods must be Ready (kubectl -n kube-system get pods)",
    "timeout": "nothing came back, though policies allow it: on the nodes of both pods iptables-save --counters | "
    "grep cali- shows which chain drops it. If none does, it is no policy: ask without any",
}
# Of an ingress controller, whose own answers say which rule is missing, or who is not behind it.
_INGRESS = {
    "ok": "a pod answered, though no rule leads there: kubectl get ingress -A -o wide shows who has that host, and "
    "kubectl describe ingress to which service each path leads",
    "404": "the controller knows no rule for it: kubectl get ingress -A -o wide must show one of its class with that "
    "host; its log (kubectl logs) has what it did not understand",
    "503": "the controller knows the rule, and nobody behind it: kubectl get endpointslices must show ready endpoints "
    "of the rule's service",
}
_STATUS = "the controller itself answered: its log (kubectl logs) has the request, and the rule that it followed"
_DETAIL = "it came out as expected, but not all of it is right: see the source address and the detail"
_REQUESTS = (
    "compare the time of the failures with when pods ended and began (kubectl get events --sort-by=.lastTimestamp) and "
    "when rules on the asker's node followed (kubectl -n kube-system logs -l k8s-app=kube-proxy)"
)
_ERROR = "the probe itself broke, so nothing is known of the network: put that right first, then run the suite again"


_TEXTS = {
    "ok": _OPEN,
    "refused": _REFUSED,
    "timeout": _TIMEOUT,
    "unreachable": _UNREACHABLE,
    "too-big": _TOO_BIG,
    "dns": _DNS,
}


def advice(probe: Probe, results: Results) -> str:
    """Return what to do next about a cell that failed or broke."""
    known = {endpoint["name"]: endpoint for endpoint in results.endpoints}
    origin, to = known.get(probe.origin, {}), known.get(probe.to, {})
    cni = pod_network(results.topology).get("cni", {})
    between_nodes = len({origin.get("node"), to.get("node"), None}) == 3
    backend = way(results.topology, origin["node"], to["node"]) if between_nodes and cni else None
    checked = results.topology.get("checks", {}).get(probe.check, {})
    return _text(probe, backend, _own(checked)).format(
        node=origin.get("node") or probe.origin,
        peer=to.get("node") or probe.to,
        address=to.get("address") or probe.target.rsplit(":", 1)[0],
        device=cni.get("device"),
        port=cni.get("port"),
    )


def _own(check: dict[str, t.Any]) -> dict[str, str]:
    """What outcomes mean in a check whose subject decides on them."""
    return _POLICIES if "policy" in check else _INGRESS if check.get("mechanism") == "ingress" else {}


def _text(probe: Probe, backend: str | None, own: dict[str, str]) -> str:
    if probe.state == "error":
        return _ERROR
    if probe.expected:
        return _DETAIL
    if probe.observed in own:
        return own[probe.observed]
    if probe.observed == "timeout" and backend:
        return _TIMEOUT_BETWEEN[backend]
    if probe.observed == "ok" and probe.expect == "too-big":
        return _FITS
    return _TEXTS.get(probe.observed, _STATUS)


def assert_advice(item: Assertion) -> str:
    """Return what to do next about a claim that did not hold."""
    return _ERROR if item.error else f"run it yourself on {item.node or 'the host'} and compare: {item.command}"


def describe(probe: Probe) -> str:
    """Return what a cell had to see and what it saw, in one line."""
    words = [f"{probe.protocol} to {probe.target}: expected {probe.expect}", f"observed {probe.observed}"]
    if probe.ms is not None:
        words.append(f"{probe.ms:g} ms")
    if probe.server and probe.server != probe.to:
        words.append(f"answered by {probe.server}")
    if probe.source:
        words.append(f"seen as {probe.source}")
    if probe.detail:
        words.append(probe.detail)
    return ", ".join(words)


def describe_requests(item: Requests) -> str:
    """Return what was asked all the while and what came of it, in one line."""
    told = f"{item.protocol}, expected: {item.expect}; observed: {item.failed} of {item.asked} failed"
    words = [f"{word} {count}" for word, count in failures(item).items()]
    told += f" ({', '.join(words)})" if words else ""
    return f"{told}; {item.detail}" if item.detail else told


def failures(item: Requests) -> dict[str, int]:
    """Return what came in place of an answer of a pod, and how often."""
    found: dict[str, int] = {}
    for word, count in item.runs:
        if word not in (*item.before, *item.after):
            found[word] = found.get(word, 0) + count
    return found


def described(item: Item) -> tuple[str, str]:
    """Return where something was decided, and what came of it."""
    if isinstance(item, Probe):
        return f"{item.origin} → {item.to}", describe(item)
    if isinstance(item, Requests):
        return f"{item.origin} → {item.to}", f"{item.name}: {describe_requests(item)}"
    return item.node or "host", f"{item.name}: {item.detail}"


@dataclass
class Trouble:
    """What is not as it must be at one place, in words for a reader; `whats` has one line a cell."""

    error: bool
    check: str
    control: str | None
    where: str
    next_step: str
    whats: list[str] = field(default_factory=list)


def troubles(items: t.Sequence[Item], results: Results) -> list[Trouble]:
    """Return what is wrong with cells and claims; those that differ only in what was seen share an entry."""
    found: dict[tuple[t.Any, ...], Trouble] = {}
    for item in items:
        if item.state not in ("failed", "error"):
            continue
        where, what = described(item)
        key = (item.state == "error", item.check, item.control, where, _next_step(item, results))
        found.setdefault(key, Trouble(*key)).whats.append(what)
    return list(found.values())


def _next_step(item: Item, results: Results) -> str:
    if isinstance(item, Probe):
        return advice(item, results)
    return _REQUESTS if isinstance(item, Requests) else assert_advice(item)
