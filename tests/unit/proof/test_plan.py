# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks become probes: how many, what they expect, and what is missing for them."""

from __future__ import annotations

import collections
import json
import pathlib

import pytest
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_ends as ends
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_plan as plan
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Endpoint, ProofError

FLANNEL = pathlib.Path(__file__).parents[1] / "topology/golden/flannel-vxlan.json"
CONTROL = {"break": {"node": "n1"}, "expect": {"same-node": "ok", "cross-node": ["timeout", "unreachable"]}}


def pod(name: str) -> Endpoint:
    return Endpoint(name, "pods", name.partition("-")[2], "10.0.0.1")


def test_the_cases_of_flannel_vxlan_are_known_without_a_cluster():
    topology = json.loads(FLANNEL.read_text())
    counts = collections.Counter(check for check, _source, _protocol in plan.groups(topology))
    assert counts == {
        "pods-reach-pods": 6 * 3,
        "pods-reach-services": 6 * 2,
        "names-resolve": 6,
        "nodes-reach-pods": 3 * 3,
        "pods-reach-outside": 6 * 3,
        "without-overlay": 6 * 3,
    }


def test_every_source_probes_every_target_by_every_protocol(topology, endpoints):
    cells = {(p.source.name, p.target.name, p.protocol) for p in plan.reach_probes(topology, "pods", endpoints)}
    assert len(cells) == 4 * 4 * 3
    assert {p.protocol for p in plan.reach_probes(topology, "services", endpoints)} == {"tcp", "udp"}


def test_every_probe_has_a_key_of_its_own(topology, endpoints):
    probes = plan.reach_probes(topology, "pods", endpoints)
    assert len({p.key for p in probes} | {p.again().key for p in probes}) == 2 * len(probes)


@pytest.mark.parametrize(
    ("source", "target", "broken", "expect"),
    [
        ("a-n1", "b-n1", True, ("ok",)),
        ("a-n1", "a-n2", True, ("timeout", "unreachable")),
        ("a-n2", "a-n1", True, ("timeout", "unreachable")),
        ("a-n2", "a-n3", True, ("ok",)),
        ("a-n2", "b-n2", True, ("ok",)),
        ("a-n1", "a-n2", False, ("ok",)),
    ],
)
def test_a_control_expects_silence_only_across_the_broken_node(source, target, broken, expect):
    assert plan.expected({}, CONTROL, pod(source), pod(target), broken) == expect


@pytest.mark.parametrize(
    ("source", "target", "broken", "expect"),
    [
        ("a", "b", True, ("timeout",)),
        ("b", "a", True, ("timeout",)),
        ("a", "c", True, ("ok",)),
        ("a", "a", True, ("ok",)),
        ("a", "b", False, ("ok",)),
    ],
)
def test_a_change_cuts_off_its_pairs_alone(source, target, broken, expect):
    check = {"expect": "timeout", "break": {"pairs": [["a", "b"]]}}
    ends = [Endpoint(name, "namespaces", None, "198.18.0.1") for name in (source, target)]
    assert plan.expected({}, check, *ends, broken) == expect


def test_a_check_without_break_expects_by_place():
    check = {"expect": {"same-node": "ok", "cross-node": "refused"}}
    assert plan.expected({}, check, pod("a-n1"), pod("a-n2"), False) == ("refused",)
    assert plan.expected({}, check, pod("a-n1"), pod("b-n1"), False) == ("ok",)
    assert plan.expected({}, {}, pod("a-n1"), pod("b-n1"), False) == ("ok",)


def test_whose_address_the_target_must_see(topology, endpoints):
    outside = plan.reach_probes(topology, "outside", endpoints)
    assert {(p.source.node, p.expect_source) for p in outside if p.protocol == "tcp"} == {
        ("n1", "172.30.99.11"),
        ("n2", "172.30.99.12"),
    }
    assert {p.expect_source for p in outside if p.protocol == "icmp"} == {None}
    pods = plan.reach_probes(topology, "pods", endpoints)
    assert all(p.expect_source == p.source.address for p in pods if p.protocol != "icmp")
    assert {p.expect_source for p in plan.reach_probes(topology, "services", endpoints)} == {None}


def test_the_mtu_is_tried_exactly_and_with_one_byte_more(topology, endpoints):
    probes = plan.mtu_probes(topology, "mtu", endpoints)
    assert {(p.size, p.expect) for p in probes} == {(1450, ("ok",)), (1451, ("too-big",))}
    assert all(p.source.node != p.target.node for p in probes)
    assert len(probes) == (4 + 2) * 2 * 2


def test_missing_pods_are_named_with_what_deploys_them(topology, objects):
    objects[0]["status"] = {}
    objects[3]["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    with pytest.raises(ProofError) as problem:
        plan.endpoints(topology, objects)
    assert str(problem.value) == (
        "namespace reftopo-verify: no running test pod a-n1, b-n2. "
        "Deploy them: ansible-playbook playbooks/verify.yml -e topology=t-proof"
    )


def test_a_topology_without_a_cluster_has_no_pods(topology):
    del topology["cluster"]
    assert set(plan.endpoints(topology, [])) == {"nodes", "namespaces"}


def test_jobs_say_where_they_run(topology, endpoints):
    job = plan.job(plan.reach_probes(topology, "pods", endpoints)[1], 1.5)
    assert {**job, "key": ""} == {
        "namespace": "10.99.1.2",
        "protocol": "tcp",
        "timeout": 1.5,
        "key": "",
        "address": "10.99.1.2",
        "port": 8080,
        "size": None,
    }
    node = plan.reach_probes(topology, "nodes", endpoints)[0]
    assert (node.source.machine, node.source.namespace) == ("n1", None)
    assert endpoints["namespaces"][0].namespace == "/run/netns/t-proof.outside"


def test_names_are_asked_short_and_in_full(topology, endpoints):
    topology["checks"]["names"] = {"from": "pods", "to": "dns"}
    probes = plan.reach_probes(topology, "names", endpoints)
    assert list(dict.fromkeys(plan.job(p, 1)["name"] for p in probes)) == [
        "agnhost",
        "agnhost.reftopo-verify",
        "agnhost.reftopo-verify.svc.cluster.local",
        "agnhost.reftopo-verify.svc.cluster.local.",
    ]
    assert {(p.protocol, p.target.address) for p in probes} == {("dns", "10.98.0.1")}


ROUTER = {"name": "m1", "address": "172.18.0.1", "netns": "n", "interfaces": {"eth0": {"address": "172.30.43.11/24"}}}
OTHERS = {
    name: {"name": name, "address": f"172.18.0.{number}", "netns": "n"} for name, number in (("c1", 2), ("c2", 3))
}
PUBLISHED = {
    "nodes": {},
    "namespaces": {"m1": ROUTER, **OTHERS},
    "checks": {
        "published": {"from": ["c2"], "to": ["m1.eth0"], "ports": {"tcp": 9090}, "answers": "c1", "source": "m1"},
        "out": {"from": ["c1"], "to": ["m1"], "source": "m1.eth0"},
    },
}


def test_a_port_that_somebody_else_answers():
    found = plan.endpoints(PUBLISHED, [])
    (probe,) = plan.reach_probes(PUBLISHED, "published", found)
    assert (probe.target.name, probe.target.address, probe.target.answers) == ("m1.eth0", "172.30.43.11", ("c1",))
    assert (probe.protocol, probe.target.ports, probe.expect_source) == ("tcp", {"tcp": 9090}, "172.18.0.1")
    assert {probe.expect_source for probe in plan.reach_probes(PUBLISHED, "out", found)} == {None, "172.30.43.11"}


def test_servers_are_where_an_answer_is_wanted():
    found = ends.servers(PUBLISHED, plan.endpoints(PUBLISHED, []))
    assert [(end.name, end.answers) for end in found] == [("c1", ("c1",)), ("m1", ("m1",))]
