# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is claimed of pods' resolvers, and what is concluded from their answers and from queries. Pure.

This plugin util is PRIVATE to the collection.
"""

from __future__ import annotations

import collections
import dataclasses
import typing as t

from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_claim import Claim, of_no_node
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_dns_model import (
    COREDNS,
    UPSTREAM,
    Expected,
    Lookup,
    World,
    expected,
)
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_dns_pods import (
    MARK,
    NAMESPACE,
    PODS,
    Conf,
    Pod,
    differences,
    promised,
)
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_dns_wire import Query
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data

NOERROR, NXDOMAIN = 0, 3  # RFC 1035 section 4.1.1
UNSERVED, GONE = "unserved", "gone"
# Of each pod: title and command.
OF_PODS = {
    "conf": ("{}: /etc/resolv.conf is as promised", "kubectl -n {space} get pod {pod} -o yaml; cat /etc/resolv.conf"),
    "resolves": ("{}: resolves what that file leads to, and nothing else", "getent ahostsv4 NAME"),
    "queries": ("{}: as many queries as its search list and ndots make", "tcpdump -ni eth0 udp port 53"),
}
AROUND = {
    UNSERVED: ("without a server behind CoreDNS no name outside of the cluster resolves", "getent ahostsv4 NAME"),
    GONE: ("nothing of the check is left in the cluster", f"kubectl get namespaces --selector={MARK}"),
}


class Answer(t.NamedTuple):
    """What a pod's resolver says of a name: getent's exit status, and the addresses."""

    code: int
    addresses: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Seen:
    """All of a check: of each pod its own and its node's resolv.conf, the answers, and the queries by who saw them.

    unserved are the answers when nobody serves names outside of the cluster, left what is still in the cluster.
    """

    world: World
    lookups: list[Lookup]
    confs: t.Mapping[str, tuple[Conf, Conf]]
    answers: t.Mapping[str, Answer]
    queries: t.Mapping[str, list[Query]]
    unserved: t.Mapping[str, Answer]
    left: list[str]

    def expected(self, lookup: Lookup) -> Expected:
        """What must come of a lookup by what its pod was promised."""
        _own, node = self.confs[lookup.pod.name]
        return expected(promised(lookup.pod, self.world.cluster, node), lookup.name, self.world)

    def of(self, pod: Pod) -> list[Lookup]:
        """The lookups of a pod."""
        return [one for one in self.lookups if one.pod == pod]

    def records(self, check: str) -> list[Data]:
        """Every lookup as a cell of a check for the report."""
        return [self._record(check, lookup) for lookup in self.lookups]

    def _record(self, check: str, lookup: Lookup) -> Data:
        wanted, answer = self.expected(lookup), self.answers[lookup.name]
        seen = {role: sum(query.label == lookup.label for query in found) for role, found in self.queries.items()}
        counts = ", ".join(f"{count} at {role}" for role, count in seen.items() if count)
        return {
            "check": check,
            "control": None,
            "from": lookup.pod.name,
            "to": lookup.kind.shown,
            "protocol": "dns",
            "target": lookup.name,
            "expect": "ok" if wanted.address else "dns",
            "observed": observed(answer),
            "ms": None,
            "source": None,
            "expect_source": None,
            "detail": ", ".join([*answer.addresses, f"queries: {counts or 'none'}"]),
            "ok": not wrong_answer(lookup.name, wanted.address, answer),
        }


def observed(answer: Answer) -> str:
    """The word for what came back; getent has no other exit status for a name than found and not found."""
    return {0: "ok", 2: "dns"}.get(answer.code, "error")


def claims(topology: Data) -> list[tuple[str, Claim]]:
    """What each check of DNS claims, with the check's name."""
    of_pods = [
        Claim("", f"{pod.name}-{key}", title.format(pod.title), command.format(space=NAMESPACE, pod=pod.name))
        for pod in PODS
        for key, (title, command) in OF_PODS.items()
    ]
    servers = [Claim("", role, _title(role), "tcpdump -ni eth0 udp port 53") for role in _servers(topology)]
    return [
        (name, claim)
        for name, check in topology["checks"].items()
        if "dns" in check
        for claim in (*of_pods, *servers, *of_no_node(AROUND))
    ]


def _servers(topology: Data) -> list[str]:
    return [UPSTREAM, *topology.get("cluster", {}).get("dns", {}).get("stub_domains", ())]


def _title(role: str) -> str:
    if role == UPSTREAM:
        return "the upstream server is asked for names of neither the cluster nor a stub domain, and for nothing else"
    return f"the servers of {role} are asked for its names, and for nothing else"


def faults(key: str, seen: Seen) -> list[str]:
    """Why a claim does not hold; empty when it does."""
    if key == GONE:
        return seen.left
    if key == UNSERVED:
        return [fault for name, answer in seen.unserved.items() for fault in wrong_answer(name, None, answer)]
    if key in seen.queries:
        return _server_faults(key, seen)
    pod, what = next((pod, what) for pod in PODS for what in OF_PODS if key == f"{pod.name}-{what}")
    if what == "conf":
        own, node = seen.confs[pod.name]
        return differences(own, promised(pod, seen.world.cluster, node))
    judge = _wrong if what == "resolves" else _miscounted
    return [fault for lookup in seen.of(pod) for fault in judge(lookup, seen)] or _empty(seen.of(pod))


def _empty(lookups: list[Lookup]) -> list[str]:
    return [] if lookups else ["no name was looked up"]


def _wrong(lookup: Lookup, seen: Seen) -> list[str]:
    return wrong_answer(lookup.name, seen.expected(lookup).address, seen.answers[lookup.name])


def wrong_answer(name: str, address: str | None, answer: Answer) -> list[str]:
    """Why a name did not come out as this address, or as no name; a resolver that broke says neither."""
    if answer.code not in (0, 2):
        return [f"{name}: getent broke with exit status {answer.code}"]
    wanted = (address,) if address else ()
    if answer.addresses == wanted and (answer.code == 0) == bool(wanted):
        return []
    return [f"{name}: {' '.join(answer.addresses) or 'does not resolve'}, must be {address or 'no name'}"]


def _miscounted(lookup: Lookup, seen: Seen) -> list[str]:
    """Where queries of a lookup arrived that must not, or did not that must, or were not answered as they must be."""
    wanted, found = seen.expected(lookup), []
    for role, queries in seen.queries.items():
        own = [query for query in queries if query.label == lookup.label]
        names = [query.name for query in own]
        if collections.Counter(names) != collections.Counter(wanted.seen.get(role, [])):
            must = wanted.seen.get(role, [])
            found.append(
                f"{lookup.name}: {role} was asked {len(names)} times ({' '.join(names)}), "
                f"must be {len(must)} ({' '.join(must)})"
            )
        found += [fault for query in own for fault in _unanswered(role, query, wanted)]
    return found


def _unanswered(role: str, query: Query, wanted: Expected) -> list[str]:
    """A name that is there is the last one that is asked for."""
    last = wanted.seen.get(role, [""])[-1]
    code = NOERROR if wanted.address and query.name == last else NXDOMAIN
    return [] if query.code == code else [f"{query.name}: {role} answered with code {query.code}, must be {code}"]


def _server_faults(role: str, seen: Seen) -> list[str]:
    """Queries at a server of the check that no lookup leads to; and none at all would show nothing."""
    wanted = {name for lookup in seen.lookups for name in seen.expected(lookup).seen.get(role, [])}
    labels = {lookup.label for lookup in seen.lookups}
    found = {query.name for query in seen.queries[role] if query.label in labels}
    return (
        [f"was not asked for {name}" for name in sorted(wanted - found)]
        + [f"was asked for {name}" for name in sorted(found - wanted)]
        + ([] if wanted else ["nothing is asked of it"])
    )


def sees_all(queries: t.Mapping[str, list[Query]]) -> bool:
    """Whether CoreDNS was seen to be asked at all; else a capture was blind."""
    return bool(queries.get(COREDNS))
