# SPDX-License-Identifier: GPL-3.0-or-later
"""What is concluded of an ingress controller: all claims hold of one that is well, and the right one not of another."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_ingress as proof
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_ingress_objects as made
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_ingress import Seen
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_ingress_cases import cases
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data, ProofError
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_services import balanced
from ingress_seen import BALANCER, CASES, CLIENT, TRAEFIK, changed, seen

TOPOLOGY: Data = {"cluster": {"ingress": {"controller": "traefik"}, "control_plane": ["cp1"], "workers": ["w1"]}}
CLAIMS = {claim.key: claim for claim in proof.claims(TOPOLOGY)}


@pytest.mark.parametrize("key", CLAIMS)
def test_all_holds_of_one_that_is_well(key):
    assert proof.faults(CLAIMS[key], seen()) == []


def test_there_is_a_claim_of_each_case_and_of_what_is_around():
    assert set(CLAIMS) == {*CASES, *proof.AROUND}
    assert len(CLAIMS) == len(CASES) + len(proof.AROUND)


# What is otherwise, the claim that must fall, and what it must say.
OTHERWISE: dict[str, tuple[t.Callable[[Seen], object], str, str]] = {
    "another pod": (lambda s: changed(s.asked["hosts"], 0, pod="two"), "hosts", "pod is two, must be one"),
    "an unknown host is led on": (
        lambda s: changed(s.asked["hosts"], 3, status=200, pod="one"),
        "hosts",
        "must be 404",
    ),
    "a prefix of characters": (lambda s: changed(s.asked["prefix"], 3, status=200, pod="one"), "prefix", "/foobar at"),
    "exact with a slash": (lambda s: changed(s.asked["exact"], 1, status=200, pod="one"), "exact", "must be 404"),
    "404 without endpoints": (
        lambda s: changed(s.asked["empty"], 0, status=404),
        "empty",
        "status is 404, must be 503",
    ),
    "a foreign class": (lambda s: changed(s.asked["foreign"], 0, status=200, pod="one"), "foreign", "must be None"),
    "no WebSocket": (lambda s: changed(s.asked["websocket"], 0, status=400, pod=None), "websocket", "must be 101"),
    "another host": (lambda s: changed(s.asked["hosts"], 0, host="10.0.0.2"), "hosts", "host is 10.0.0.2"),
    "a client's own word": (
        lambda s: changed(s.asked["forwarded"], 1, forwarded=["192.0.2.99", CLIENT]),
        "forwarded",
        f"X-Forwarded-For is 192.0.2.99, {CLIENT}, must be {CLIENT}",
    ),
    "a client's scheme": (lambda s: changed(s.asked["forwarded"], 1, scheme="https"), "forwarded", "must be http"),
    "another certificate": (
        lambda s: changed(s.asked["tls"], 0, certificate="TRAEFIK DEFAULT CERT", trusted=False),
        "tls",
        "must be secure.test's",
    ),
    "another authority": (lambda s: changed(s.asked["tls"], 0, trusted=False), "tls", "did not sign"),
    "a default that is trusted": (
        lambda s: changed(s.asked["tls"], 2, trusted=True),
        "tls",
        "must be the controller's",
    ),
    "nothing is answered": (lambda s: changed(s.asked["hosts"], 0, observed="timeout"), "hosts", "timeout"),
    "the probe broke": (lambda s: changed(s.fronts[proof.DEAF], 0, observed="error"), proof.DEAF, "must be silent"),
    "another node leads on": (lambda s: changed(s.fronts[proof.DEAF], 0, observed="answered"), proof.DEAF, "silent"),
    "the source is masqueraded": (
        lambda s: changed(s.fronts[proof.KEPT], 0, forwarded=["10.0.1.1"]),
        proof.KEPT,
        f"must be {CLIENT}",
    ),
    "the source is kept": (
        lambda s: changed(s.fronts[proof.SPREAD], 0, forwarded=[CLIENT]),
        proof.SPREAD,
        "must be 10.0.1.1 or 10.0.0.0",
    ),
    "nothing was asked": (lambda s: s.asked["hosts"].clear(), "hosts", "nothing was asked"),
    "the log is empty": (lambda s: setattr(s, "log", ""), proof.ROUTED, "no line"),
    "another router": (lambda s: setattr(s, "log", s.log.replace("-hosts-", "-x-")), proof.ROUTED, "was led by"),
    "another server": (lambda s: setattr(s, "log", s.log.replace("10.0.0.2", "10.9")), proof.ROUTED, "was led to"),
    "no status": (lambda s: s.statuses.update(hosts=[]), proof.STATUS, "hosts is at no address"),
    "a foreign status": (lambda s: s.statuses.update(foreign=[BALANCER]), proof.STATUS, "foreign is at"),
    "nothing has a status": (lambda s: s.statuses.clear(), proof.STATUS, "there is no Ingress"),
    "something answers without": (lambda s: changed(s.without, 0, status=200, pod="one"), proof.WITHOUT, "must be 404"),
    "something is left": (lambda s: s.left.append("namespace/x is still there"), proof.GONE, "still there"),
}


@pytest.mark.parametrize("name", OTHERWISE)
def test_one_that_is_not_well_is_noticed_by_its_own_claim(name):
    change, key, says = OTHERWISE[name]
    found = seen()
    change(found)
    wrong = {claim: proof.faults(CLAIMS[claim], found) for claim in CLAIMS}
    assert says in "\n".join(wrong[key])
    assert {claim for claim, faults in wrong.items() if faults} - {proof.ROUTED} <= {key}


def test_what_a_controller_does_otherwise_than_the_api_says_is_expected_of_it_alone():
    by = {cell.url: cell.by for cell in CASES["precedence"].cells}
    other = cases(dataclasses.replace(TRAEFIK, unlike={}))
    plain = {cell.url: cell.by for case in other for cell in case.cells if case.name == "precedence"}
    differ = {url.partition("://")[2]: by[url] for url in by if by[url] != plain[url]}
    assert differ == TRAEFIK.unlike


@pytest.mark.parametrize("name", CASES)
def test_each_case_has_something_to_find_and_something_to_miss(name):
    """Whatever a case asks for is 404 without it, or must be 404 with it beside a case that shows the same served."""
    case = CASES[name]
    assert case.cells
    assert all(
        cell.by in (None, "one", "two") and (cell.by is not None) == (cell.status in (200, 101)) for cell in case.cells
    )
    assert {rule["to"] for rule in case.rules} <= {"one", "two", "empty"}


def test_an_ingress_is_as_its_case_says():
    spec = made.ingress(CASES["prefix"], "traefik")["spec"]
    backend = {"service": {"name": "one", "port": {"number": 80}}}
    assert spec["ingressClassName"] == "traefik"
    assert spec["rules"][0] == {
        "host": "prefix.test",
        "http": {"paths": [{"path": "/foo", "pathType": "Prefix", "backend": backend}]},
    }
    assert made.ingress(CASES["foreign"], "traefik")["spec"]["ingressClassName"] == "reftopo-nobody"
    assert "ingressClassName" not in made.ingress(CASES["classless"], "traefik")["spec"]
    assert made.ingress(CASES["tls"], "traefik")["spec"]["tls"][0] == {
        "hosts": ["secure.test"],
        "secretName": "secure.test",
    }
    assert made.ingress(CASES["default"], "traefik")["spec"] == {
        "ingressClassName": "traefik",
        "defaultBackend": {"service": {"name": "two", "port": {"number": 80}}},
    }


def pod(name: str, ready: str = "True") -> Data:
    ports = [{"name": "web", "containerPort": 8000}, {"name": "websecure", "containerPort": 8443}]
    return {
        "metadata": {"name": name},
        "spec": {"nodeName": "w1", "containers": [{"ports": ports}]},
        "status": {"podIP": "10.0.1.9", "conditions": [{"type": "Ready", "status": ready}]},
    }


def test_the_controllers_pod_is_the_one_that_is_ready():
    found = made.controller_pod([pod("a"), pod("b", "False")], TRAEFIK)
    assert found == ("a", "10.0.1.9", "w1", {"http": 8000, "https": 8443})


@pytest.mark.parametrize("items", [[], [pod("a", "False")], [pod("a"), pod("b")]])
def test_none_or_two_of_them_are_no_ground(items):
    with pytest.raises(ProofError, match="must be one"):
        made.controller_pod(items, TRAEFIK)


def test_the_service_that_masquerades_leads_to_the_controllers_pod():
    found = made.controller_pod([pod("a")], TRAEFIK)
    service, ends = made.objects(TOPOLOGY, "image", found)[-2:]
    assert service["spec"]["externalTrafficPolicy"] == "Cluster"
    assert "selector" not in service["spec"]
    assert ends["endpoints"][0]["addresses"] == ["10.0.1.9"]
    assert {port["name"]: port["port"] for port in ends["ports"]} == {"http": 8000, "https": 8443}


def test_addresses_and_ports_of_services():
    service = {
        "spec": {
            "ports": [{"port": 80, "nodePort": 30080}, {"port": 443, "nodePort": 30443}, {"port": 9, "nodePort": 1}]
        },
        "status": {"loadBalancer": {"ingress": [{"ip": BALANCER}]}},
    }
    assert balanced(service) == BALANCER
    assert balanced({"status": {"loadBalancer": {}}}) == ""
    assert made.node_ports(service) == {"http": 30080, "https": 30443}
