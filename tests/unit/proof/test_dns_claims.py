# SPDX-License-Identifier: GPL-3.0-or-later
"""What is concluded of names that were looked up: each claim holds where all is right, and fails by what breaks it."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_dns as dns
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_dns_model as model
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_dns_wire import Query
from dns_cluster import CLUSTER, NODE, seen

TOPOLOGY = {"cluster": CLUSTER, "checks": {"names": {"dns": "policies"}, "pods": {"from": "pods", "to": "pods"}}}
KEYS = [claim.key for _name, claim in dns.claims(TOPOLOGY)]
Change = t.Callable[[dns.Seen], dict[str, t.Any]]


def test_every_pod_and_every_server_has_its_claims():
    assert len(KEYS) == len(set(KEYS)) == 5 * 3 + 2 + 2
    assert dns.claims({"checks": {"pods": {"from": "pods", "to": "pods"}}}) == []


@pytest.mark.parametrize("key", KEYS)
def test_all_is_right(key):
    assert dns.faults(key, seen()) == []


def answers(kind: str, answer: dns.Answer) -> Change:
    return lambda whole: {"answers": {**whole.answers, name_of(whole, kind): answer}}


def name_of(whole: dns.Seen, kind: str) -> str:
    return next(one.name for one in whole.lookups if one.kind.key == kind and one.pod.name == "cluster-first")


def queries(role: str, change: t.Callable[[list[Query]], list[Query]]) -> Change:
    return lambda whole: {"queries": {**whole.queries, role: change(whole.queries[role])}}


def once_more(found: list[Query]) -> list[Query]:
    return [*found, found[0]._replace(port=1)]


# What is changed, the claim that must fail, and in which words.
CASES: dict[str, tuple[Change, str, str]] = {
    "the node's file in place of the cluster's": (
        lambda whole: {"confs": {**whole.confs, "cluster-first": (NODE, NODE)}},
        "cluster-first-conf",
        "nameserver is 10.1.0.9, must be 10.96.0.10",
    ),
    "a name does not resolve": (answers("short", dns.Answer(2, ())), "cluster-first-resolves", "does not resolve"),
    "another address": (answers("stub1", dns.Answer(0, ("192.0.2.80",))), "cluster-first-resolves", "192.0.2.80, must"),
    "nobody's name resolves": (answers("nobody", dns.Answer(0, ("1.1.1.1",))), "cluster-first-resolves", "must be no"),
    "getent breaks": (answers("nobody", dns.Answer(127, ())), "cluster-first-resolves", "broke with exit status 127"),
    "a query more": (queries(model.COREDNS, once_more), "cluster-first-queries", "CoreDNS was asked 2 times"),
    "a query less": (queries(model.COREDNS, lambda q: q[1:]), "cluster-first-queries", "was asked 0 times"),
    "silence": (
        queries(model.COREDNS, lambda q: [q[0]._replace(code=None), *q[1:]]),
        "cluster-first-queries",
        "answered with code None, must be 0",
    ),
    "failure in place of no such name": (
        queries(model.COREDNS, lambda q: [one._replace(code=2) if one.code else one for one in q]),
        "cluster-first-queries",
        "answered with code 2, must be 3",
    ),
    "the upstream server sees a name of the stub domain": (
        lambda whole: {
            "queries": {
                **whole.queries,
                model.UPSTREAM: [*whole.queries[model.UPSTREAM], whole.queries["corp.test"][0]],
            }
        },
        model.UPSTREAM,
        "was asked for stub1-cluster-first-abc123.corp.test.",
    ),
    "the stub domain's server sees nothing": (queries("corp.test", lambda _q: []), "corp.test", "was not asked for"),
    "names resolve without a server": (
        lambda _whole: {"unserved": {"a.example.com.": dns.Answer(0, ("192.0.2.80",))}},
        "unserved",
        "must be no name",
    ),
    "something is left": (lambda _whole: {"left": ["namespace/x is still there"]}, "gone", "still there"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_wrong_is_told(case):
    change, key, words = CASES[case]
    whole = seen()
    assert words in "\n".join(dns.faults(key, dataclasses.replace(whole, **change(whole))))


def test_what_others_ask_is_no_fault():
    other = Query("kubernetes.default.svc.cluster.local.", "10.244.1.9", 1, 1, 0)
    whole = seen()
    found = {role: [*queries, other] for role, queries in whole.queries.items()}
    assert not any(dns.faults(key, dataclasses.replace(whole, queries=found)) for key in KEYS)


def test_cells_for_the_report():
    cells = seen().records("names")
    assert len(cells) == 5 * 10
    assert all(cell["ok"] for cell in cells)
    first = cells[0]
    assert (first["from"], first["to"], first["expect"], first["observed"]) == ("cluster-first", "name", "ok", "ok")
    assert first["detail"] == "10.96.1.1, queries: 1 at CoreDNS"
    assert {cell["observed"] for cell in cells if "nobody" in cell["to"]} == {"dns"}
