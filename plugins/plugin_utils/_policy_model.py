# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What NetworkPolicies allow: from policies and the two ends of a connection to a verdict. Pure.

This plugin util is PRIVATE to the collection. It knows nothing of who enforces policies. Sources below
https://kubernetes.io/docs/: reference/kubernetes-api/policy-resources/network-policy-v1 (API),
concepts/services-networking/network-policies (concept), concepts/overview/working-with-objects/labels (labels).
"""

from __future__ import annotations

import dataclasses
import ipaddress
import typing as t

Data = dict[str, t.Any]
Labels = t.Mapping[str, t.Optional[str]]

INGRESS, EGRESS = "Ingress", "Egress"
# Where the rules of a direction are, and what each of them calls its peers (API, NetworkPolicySpec).
RULES = {INGRESS: ("ingress", "from"), EGRESS: ("egress", "to")}


class PolicyError(ValueError):
    """A policy that the model does not understand: what it would allow is not known."""


@dataclasses.dataclass(frozen=True)
class End:
    """One end of a connection.

    namespace is None for whoever is no pod: a node, whose name is node, or a machine outside, which has none. ports are
    a pod's container ports by name: protocol, in capitals, and number.
    """

    address: str
    node: str | None = None
    namespace: str | None = None
    labels: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    namespace_labels: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    ports: t.Mapping[str, tuple[str, int]] = dataclasses.field(default_factory=dict)


class Policy(t.NamedTuple):
    """A NetworkPolicy: its namespace, and its spec as the API takes it."""

    namespace: str
    spec: Data


class Connection(t.NamedTuple):
    """Who asks whom; protocol is TCP, UDP or SCTP, port the target's."""

    source: End
    target: End
    protocol: str
    port: int


def allowed(policies: t.Sequence[Policy], connection: Connection) -> bool:
    """Whether a connection may be made: out of its source and into its target (API: both have to allow it).

    Answers are allowed with it. A pod cannot block itself, nor its own node (concept).

    :raises PolicyError: one of the policies has what the model does not know
    """
    source, target = connection.source, connection.target
    if source == target or _is_node_of(source, target):
        return True
    leaves = _may(policies, EGRESS, source, target, connection)
    return leaves and _may(policies, INGRESS, target, source, connection)


def _is_node_of(source: End, target: End) -> bool:
    return source.namespace is None and source.node is not None and source.node == target.node


def policy_types(spec: Data) -> set[str]:
    """The directions in which a policy isolates the pods that it selects.

    Where they are not said: ingress, and egress when there is an egress rule (API, policyTypes). An empty list of rules
    has none.
    """
    return set(spec.get("policyTypes") or [INGRESS, *([EGRESS] if spec.get("egress") else [])])


def selects(selector: Data, labels: Labels) -> bool:
    """Whether a selector matches labels: all that it says must hold, so an empty one matches everything (labels)."""
    _known(selector, "matchLabels", "matchExpressions")
    equal = all(labels.get(key) == value for key, value in (selector.get("matchLabels") or {}).items())
    return equal and all(_holds(expression, labels) for expression in selector.get("matchExpressions") or [])


def _holds(expression: Data, labels: Labels) -> bool:
    """NotIn is also true of an object without the key (labels, "Set-based requirement")."""
    _known(expression, "key", "operator", "values")
    key, values = expression["key"], expression.get("values") or []
    found = {
        "In": labels.get(key) in values,
        "NotIn": labels.get(key) not in values,
        "Exists": key in labels,
        "DoesNotExist": key not in labels,
    }
    if expression["operator"] not in found:
        raise PolicyError(f"there is no operator {expression['operator']}")
    return found[expression["operator"]]


def _may(policies: t.Sequence[Policy], direction: str, subject: End, other: End, connection: Connection) -> bool:
    """Whether the policies of one direction let a pod have a connection with somebody.

    A pod that no policy selects is not isolated. Else what any rule of any of them allows is allowed (API: policies do
    not conflict, they are additive). Who is no pod is not selected.
    """
    own = [policy for policy in policies if subject.namespace is not None and _isolates(policy, direction, subject)]
    key, peers = RULES[direction]
    rules = [(policy, rule) for policy in own for rule in policy.spec.get(key) or []]
    return not own or any(_matches(policy, rule, peers, other, connection) for policy, rule in rules)


def _isolates(policy: Policy, direction: str, subject: End) -> bool:
    _known(policy.spec, "podSelector", "policyTypes", "ingress", "egress")
    selected = policy.namespace == subject.namespace and selects(policy.spec["podSelector"], subject.labels)
    return selected and direction in policy_types(policy.spec)


def _matches(policy: Policy, rule: Data, key: str, other: End, connection: Connection) -> bool:
    """Whether a rule allows a connection: by one of its peers and one of its ports; an empty list means all (API)."""
    _known(rule, key, "ports")
    peers, ports = rule.get(key) or [], rule.get("ports") or []
    by_peer = not peers or any(_is_peer(policy, peer, other) for peer in peers)
    return by_peer and (not ports or any(_is_port(port, connection) for port in ports))


def _is_peer(policy: Policy, peer: Data, other: End) -> bool:
    """podSelector alone is of the policy's own namespace; with namespaceSelector both must match (API)."""
    _known(peer, "podSelector", "namespaceSelector", "ipBlock")
    if not peer or ("ipBlock" in peer and len(peer) > 1):
        raise PolicyError(f"a peer has an ipBlock or selectors: {peer}")
    if "ipBlock" in peer:
        return _in_block(peer["ipBlock"], other)
    if other.namespace is None:
        return False
    if "namespaceSelector" in peer:
        near = selects(peer["namespaceSelector"], other.namespace_labels)
    else:
        near = other.namespace == policy.namespace
    return near and selects(peer.get("podSelector", {}), other.labels)


def _in_block(block: Data, other: End) -> bool:
    """Whether an address is in a block and in none of its exceptions, whoever has it (API, IPBlock)."""
    _known(block, "cidr", "except")
    inside, *outside = (
        ipaddress.ip_address(other.address) in ipaddress.ip_network(cidr)
        for cidr in (block["cidr"], *(block.get("except") or []))
    )
    return inside and not any(outside)


def _is_port(entry: Data, connection: Connection) -> bool:
    """TCP where no protocol is said; without port all ports; a name is of the target's own container ports (API)."""
    _known(entry, "protocol", "port", "endPort")
    if entry.get("protocol", "TCP") != connection.protocol:
        return False
    port = entry.get("port")
    if isinstance(port, str):
        return connection.target.ports.get(port) == (connection.protocol, connection.port)
    return port is None or port <= connection.port <= entry.get("endPort", port)


def _known(part: Data, *keys: str) -> None:
    unknown = sorted(set(part) - set(keys))
    if unknown:
        raise PolicyError(f"the model does not know {', '.join(unknown)}, beside {', '.join(keys)}")
