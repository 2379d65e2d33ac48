# SPDX-License-Identifier: GPL-3.0-or-later
"""What the C library makes of a name by resolv.conf, and who is asked: counts that are known by hand."""

from __future__ import annotations

import pytest
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_dns_model as model
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_dns_pods import (
    PODS,
    Conf,
    differences,
    parse,
    promised,
)
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import ProofError
from dns_cluster import CLUSTER, NODE, OWN, seen

UP, STUB = model.UPSTREAM, "corp.test"
# Of each pod, by kind of name: whether it resolves, and how many queries CoreDNS, the upstream and the stub server get.
COUNTS = {
    "cluster-first": {
        "short": (True, 1, 0, 0),
        "with-namespace": (True, 2, 0, 0),
        "full": (True, 4, 0, 0),
        "full-dot": (True, 1, 0, 0),
        "outside": (True, 4, 1, 0),
        "outside-dot": (True, 1, 1, 0),
        "stub1": (True, 4, 0, 1),
        "stub1-dot": (True, 1, 0, 1),
        "nobody": (False, 4, 1, 0),
        "nobody-outside": (False, 4, 1, 0),
    },
    "default": {
        "short": (False, 0, 1, 0),
        "with-namespace": (False, 0, 1, 0),
        "full": (False, 0, 1, 0),
        "full-dot": (False, 0, 1, 0),
        "outside": (True, 0, 1, 0),
        "outside-dot": (True, 0, 1, 0),
        "stub1": (False, 0, 1, 0),
        "stub1-dot": (False, 0, 1, 0),
        "nobody": (False, 0, 1, 0),
        "nobody-outside": (False, 0, 1, 0),
    },
    # One domain to search, and two dots make a name that is tried as it is first.
    "none": {
        "short": (True, 1, 0, 0),
        "with-namespace": (False, 2, 1, 0),
        "full": (True, 1, 0, 0),
        "full-dot": (True, 1, 0, 0),
        "outside": (True, 1, 1, 0),
        "outside-dot": (True, 1, 1, 0),
        "stub1": (True, 1, 0, 1),
        "stub1-dot": (True, 1, 0, 1),
        "nobody": (False, 2, 1, 0),
        "nobody-outside": (False, 2, 1, 0),
    },
}
COUNTS["host-net"], COUNTS["host-net-first"] = COUNTS["cluster-first"], COUNTS["default"]


@pytest.mark.parametrize("pod", PODS, ids=lambda pod: pod.name)
def test_counts_known_by_hand(pod):
    whole = seen()
    found = {}
    for lookup in whole.of(pod):
        wanted = whole.expected(lookup)
        counts = (len(wanted.seen.get(role, [])) for role in (model.COREDNS, UP, STUB))
        found[lookup.kind.key] = (bool(wanted.address), *counts)
    assert found == COUNTS[pod.name]


def test_every_spelling_resolves_somewhere_and_somewhere_not():
    """A cell that is positive has its negative; full names in the cluster have theirs in pods that ask elsewhere."""
    for kind in COUNTS["default"]:
        outcomes = {counts[kind][0] for counts in COUNTS.values()}
        assert outcomes == ({True, False} if not kind.startswith(("outside", "nobody")) else {kind[:7] == "outside"})


def test_the_searched_names_in_order():
    wanted = model.expected(OWN, "a.b", model.World(CLUSTER, {"a.b.svc.cluster.local.": "10.96.0.9"}, {UP: {}}))
    names = ["a.b.reftopo-dns.svc.cluster.local.", "a.b.svc.cluster.local."]
    assert wanted == model.Expected("10.96.0.9", {model.COREDNS: names})


def test_the_longest_stub_domain_is_asked():
    dns = {**CLUSTER["dns"], "stub_domains": {"test": ["10.1.0.7"], "corp.test": ["10.1.0.8"]}}
    world = model.World({**CLUSTER, "dns": dns}, {}, {UP: {}, "test": {}, "corp.test": {"a.corp.test.": "1.1.1.1"}})
    assert world.asked("10.96.0.10", "a.corp.test.") == (["CoreDNS", "corp.test"], "1.1.1.1")
    assert world.asked("10.96.0.10", "acorp.test.") == (["CoreDNS", "test"], None)
    assert world.asked("10.1.0.8", "a.corp.test.") == (["corp.test"], "1.1.1.1")


def test_a_server_of_which_nothing_is_known():
    with pytest.raises(ProofError, match=r"names 10\.9\.9\.9, which is none of"):
        model.World(CLUSTER, {}, {}).role("10.9.9.9")


def test_labels_are_of_one_lookup_each():
    labels = [one.label for one in model.lookups(CLUSTER, "abc123")]
    assert len(set(labels)) == len(labels)
    assert max(map(len, labels)) <= 63


@pytest.mark.parametrize(
    ("text", "conf"),
    [
        ("nameserver 10.1.0.9\n", NODE),
        (
            "# of the kubelet\nsearch a b\nnameserver 10.96.0.10\nsearch c d\noptions ndots:5 edns0\n",
            Conf(("10.96.0.10",), ("c", "d"), ("ndots:5", "edns0")),
        ),
    ],
    ids=["a server alone", "the last search counts"],
)
def test_a_resolv_conf(text, conf):
    assert parse(text) == conf


def test_a_resolv_conf_without_a_server_is_an_error():
    with pytest.raises(ProofError, match="names no nameserver"):
        parse("search a\n")


def test_what_is_promised():
    node = Conf(("10.1.0.9",), ("site.test",), ("timeout:1",))
    found = {pod.name: promised(pod, CLUSTER, node) for pod in PODS}
    search = ("reftopo-dns.svc.cluster.local", "svc.cluster.local", "cluster.local")
    assert found["cluster-first"] == Conf(("10.96.0.10",), (*search, "site.test"), ("ndots:5",))
    assert found["host-net"] == found["cluster-first"]
    assert found["default"] == found["host-net-first"] == node
    assert found["none"] == Conf(("10.96.0.10",), search[:1], ("ndots:2",))


def test_each_part_that_differs_is_told():
    assert differences(NODE, OWN) == [
        "nameserver is 10.1.0.9, must be 10.96.0.10",
        "search is not there, must be reftopo-dns.svc.cluster.local svc.cluster.local cluster.local",
        "options is not there, must be ndots:5",
    ]
