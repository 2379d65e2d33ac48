# SPDX-License-Identifier: GPL-3.0-or-later
"""The cases of Services are what they should be, and each cell expects what is known by hand of kube-proxy."""

from __future__ import annotations

import pytest
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_svc_ground as ground_of
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Probe, ProofError
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_svc_cases import ASKERS, Case, cases, filled
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_svc_objects import objects, service
from service_network import RUNNING, TOPOLOGY, ground

GROUND = ground()
WORDS = ground_of.words(TOPOLOGY)
SEEN = {"own", "near", "far", "node near", "node far", "nobody", "nowhere", "timeout"}
CNI0, FLANNEL1, CP1, W1, OUTSIDE = "10.244.1.1", "10.244.0.0", "172.30.32.11", "172.30.32.12", "172.30.32.201"


def named(name: str) -> Case:
    return next(case for case in cases() if case.name == name)


def asked(name: str) -> list[Probe]:
    return ground_of.probes(GROUND, "services", named(name))


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_a_case_uses_words_that_mean_something(case):
    assert case.shows
    assert {*case.asked} <= {"address", "closed", "near", "far"}
    assert {who for row in case.asked.values() for who in row} <= {*ASKERS}
    assert {word for row in case.asked.values() for word in row.values()} <= SEEN
    assert {end for ends in case.ends.values() for end in ends} <= {*RUNNING}
    assert {*case.ends} <= {port["name"] for port in case.ports}
    assert not {"near", "far"} & {*case.asked} or case.spec["type"] == "NodePort"
    assert ground_of.probes(GROUND, "services", case)


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_whatever_a_case_has_answered_must_fail_without_its_service(case):
    probes = ground_of.probes(GROUND, "services", case)
    again = ground_of.without(GROUND, probes, case)
    assert again
    assert all("ok" not in probe.expect for probe in again)
    assert {probe.control for probe in again} == {f"{case.name}: deleted"}
    answered = {(p.source.name, p.target.name) for p in probes if p.expect == ("ok",)}
    assert {(p.source.name, p.target.name) for p in again} == answered


def test_names_are_each_there_once():
    assert len({case.name for case in cases()}) == len(cases())


@pytest.mark.parametrize(
    ("case", "who", "target", "expect", "source"),
    [
        # Kept: what pods send to an address, and what comes from outside by externalTrafficPolicy Local.
        ("cluster-ip", "a-w1", "cluster-ip", "ok", "10.244.1.2"),
        ("cluster-ip", "a-cp1", "cluster-ip", "ok", "10.244.0.2"),
        ("external-local", "outside", "external-local at w1", "ok", OUTSIDE),
        ("external-local", "cp1", "external-local at w1", "ok", CP1),
        ("host-network", "outside", "host-network at w1", "ok", OUTSIDE),
        # Translated by kube-proxy: to the address of the link that leads to the pod.
        ("cluster-ip", "w1", "cluster-ip", "ok", CNI0),
        ("cluster-ip", "cp1", "cluster-ip", "ok", FLANNEL1),
        ("node-port", "outside", "node-port at w1", "ok", CNI0),
        ("node-port", "outside", "node-port at cp1", "ok", FLANNEL1),
        ("node-port", "a-cp1", "node-port at w1", "ok", CNI0),
        ("host-network", "outside", "host-network at cp1", "ok", CP1),
        ("by-hand", "outside", "by-hand at w1", "ok", W1),
        # Translated by the network plugin: a pod leaves the pods' network.
        ("by-hand", "a-w1", "by-hand", "ok", W1),
        ("external-local", "a-cp1", "external-local at w1", "ok", CP1),
        ("host-network", "a-cp1", "host-network", "ok", CP1),
        # Nobody answers.
        ("external-local", "outside", "external-local at cp1", "timeout", None),
        ("internal-local", "a-cp1", "internal-local", "timeout", None),
        ("cluster-ip", "outside", "cluster-ip", "timeout or unreachable", None),
    ],
)
def test_what_a_cell_expects(case, who, target, expect, source):
    found = [
        p for p in asked(case) if (p.source.name, p.target.name) == (who, target) and 9 not in p.target.ports.values()
    ]
    assert {" or ".join(probe.expect) for probe in found} == {expect}
    assert {probe.expect_source for probe in found} == {source}


def test_at_a_port_that_is_not_there_a_service_answers_as_its_nodes_mode_does():
    found = [probe for probe in asked("cluster-ip") if probe.target.ports in ({"tcp": 9}, {"udp": 9})]
    assert {probe.expect for probe in found} == {("refused",)}
    assert len(found) == 4


def test_one_number_is_two_ports_and_each_name_leads_to_those_who_have_it():
    found = {(p.protocol, *p.target.ports.values()): p.target.answers for p in asked("ports") if p.expect_source}
    assert found == {("tcp", 80): ("one", "two"), ("udp", 80): ("one",), ("tcp", 81): ("two",)}


def test_where_several_may_answer_it_is_asked_until_all_must_have():
    web = [p for p in asked("ports") if p.target.answers == ("one", "two") and p.source.name == "a-w1"]
    assert len(web) == 18


def test_a_node_that_drops_its_own_packets_is_asked_by_tcp_alone():
    found = {(p.source.name, p.protocol) for p in asked("internal-local") if p.expect == ("timeout",)}
    assert found == {("a-cp1", "tcp"), ("a-cp1", "udp"), ("cp1", "tcp")}


def test_names_are_asked_in_full_from_both_nodes():
    found = {(p.protocol, p.target.name): p.target.answers for p in asked("headless")}
    name = "headless.reftopo-services.svc.cluster.local."
    assert found["dns", name] == ("10.244.1.9", "10.244.0.9")
    assert found["srv", f"_web._tcp.{name}"] == (f"8080 one.{name}", f"8090 two.{name}")
    assert {p.source.name for p in asked("headless")} == {"a-w1", "a-cp1"}
    assert {p.expect for p in asked("headless") if p.target.name.startswith("host.")} == {("dns",)}


def test_the_objects_are_of_one_namespace_and_can_be_made_in_order():
    made = objects(ground_of.nodes(TOPOLOGY), "agnhost", cases(), WORDS)
    assert [item["kind"] for item in made[:2]] == ["Namespace", "ServiceAccount"]
    assert {item["metadata"].get("namespace") for item in made[1:]} == {"reftopo-services"}
    services = [item["metadata"]["name"] for item in made if item["kind"] == "Service"]
    assert services == [*(case.name for case in cases()), "moving"]
    (by_hand,) = (item for item in made if item["kind"] == "EndpointSlice")
    assert by_hand["endpoints"] == [{"addresses": [OUTSIDE]}]
    assert [port["port"] for port in by_hand["ports"]] == [8080, 8081]
    host = next(item for item in made if item["metadata"]["name"] == "host")
    assert host["spec"]["containers"][0]["args"][-1] == f"--udp-listen-addresses={W1}"


def test_a_word_that_stands_for_nothing_is_named():
    assert service(named("external-name"), WORDS)["spec"]["externalName"] == "kubernetes.default.svc.cluster.local"
    with pytest.raises(ProofError, match=r"nothing stands for \{three\}"):
        filled(["{three}"], WORDS)
