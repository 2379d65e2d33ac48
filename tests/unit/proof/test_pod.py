# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods made by hand: what a node said of two, recorded, and each claim with one value that speaks against it."""

from __future__ import annotations

import copy
import json
import pathlib

import pytest
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_cni as cni
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_plan as plan
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_pod as pod_proof
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import ProofError
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_verdict import judge
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_wire import Evidence, Outcome
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_compile import compile_topology
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_validate import validate

ROOT = pathlib.Path(__file__).parents[3]
FILE = ROOT / "inventories" / "pod-anatomy" / "topology.yml"
TOPOLOGY = compile_topology(validate(FILE.read_bytes(), "pod-anatomy", [])[0])
FACTS = json.loads((pathlib.Path(__file__).parent / "data" / "pods.json").read_text(encoding="utf-8"))
WEB, CLIENT = "/proc/2893/ns/net", "10.88.0.4"


@pytest.fixture
def facts():
    return copy.deepcopy(FACTS)


def asked(facts, change=None):
    """Every way over localhost asked, with the answers that they should get; change may put others in their place."""
    outcomes = []
    for probe in pod_proof.samples("anatomy", TOPOLOGY, {"n1": facts}):
        result = {"observed": probe.expect[0], "ms": 0.1, "detail": "", "source": probe.expect_source}
        result = {**result, "server": probe.target.answers[0], **((change or {}).get(probe.target.name, {}))}
        outcomes.append(Outcome(probe, result, judge(probe, result)))
    return Evidence(TOPOLOGY, [], outcomes, {})


def found(facts, change=None):
    """The faults of each claim that has some."""
    evidence = asked(facts, change)
    faults = {claim.case: pod_proof.faults(claim, facts, evidence) for claim in pod_proof.claims(TOPOLOGY)}
    return {case: texts for case, texts in faults.items() if texts}


def test_cases_are_told_apart_and_ways_go_all_ways():
    cases = [claim.case for claim in pod_proof.claims(TOPOLOGY)]
    assert len(cases) == len(set(cases))
    assert cases[:4] == ["client-shared", "client-own", "client-result", "client-plugged"]
    ways = [way for pod in pod_proof.pods(TOPOLOGY) for way in pod_proof.ways(TOPOLOGY, pod)]
    assert [(way.source, way.target, way.port) for way in ways if way.open and way.protocol == "tcp"] == [
        ("web.server", "web.sidecar", 8090),
        ("web.sidecar", "web.server", 8080),
    ]
    assert {(way.source, way.target) for way in ways if not way.open} == {
        ("client.shell", "web.server"),
        ("client.shell", "web.sidecar"),
        ("web.server", "client.shell"),
        ("web.sidecar", "client.shell"),
    }


def test_a_port_that_both_pods_have_is_no_control():
    topology = copy.deepcopy(TOPOLOGY)
    topology["nodes"]["n1"]["pods"]["client"]["shell"]["tcp"] = 8080
    client = pod_proof.pods(topology)[0]
    assert ("web.server", "tcp") not in [(way.target, way.protocol) for way in pod_proof.ways(topology, client)]


def test_what_was_recorded_holds(facts):
    assert found(facts) == {}


def test_endpoints(facts):
    client, web = pod_proof.endpoints(TOPOLOGY, {"n1": facts})
    assert (web.address, web.namespace, web.ports, web.answers) == (
        "10.88.0.5",
        WEB,
        {"tcp": 8080, "udp": 8081},
        ("web",),
    )
    assert client.address == CLIENT
    assert plan.names(TOPOLOGY, "pods") == {"client": "n1", "web": "n1"}


def test_a_pod_that_does_not_run_is_named(facts):
    del facts["containers"]["web.sidecar"]
    with pytest.raises(ProofError, match=r"n1: pod web: web.sidecar does not run. Make it: ansible-playbook "):
        pod_proof.endpoints(TOPOLOGY, {"n1": facts})


@pytest.mark.parametrize("result", [None, {"ips": []}])
def test_a_pod_without_an_address_is_named(facts, result):
    facts["results"]["web"] = result
    with pytest.raises(ProofError, match="n1: pod web: it has no address"):
        pod_proof.endpoints(TOPOLOGY, {"n1": facts})


def change(facts, path, value):
    """Put a value at a dotted path; a part of a list is named by its number or its link's name."""
    *parts, last = path.split("/")
    for part in parts:
        facts = (
            facts[part] if isinstance(facts, dict) else next(one for one in facts if part in (one.get("ifname"), "*"))
        )
    facts[last] = value


CHANGES = {
    "a container has a network of its own": (
        "containers/web.server/namespaces/net",
        "net:[1]",
        {"web-shared": ["web.server is in net:[1], the pause container in net:[4026532250]"]},
    ),
    "two containers have one PID namespace": (
        "containers/web.server/namespaces/pid",
        FACTS["containers"]["web.sidecar"]["namespaces"]["pid"],
        {
            "web-own": [
                f"web.server and web.sidecar are both in {FACTS['containers']['web.sidecar']['namespaces']['pid']}",
                f"web.sidecar and web.server are both in {FACTS['containers']['web.sidecar']['namespaces']['pid']}",
            ]
        },
    ),
    "a container has the node's mounts": (
        "own/mnt",
        FACTS["containers"]["client"]["namespaces"]["mnt"],
        {"client-own": [f"client and the node are both in {FACTS['containers']['client']['namespaces']['mnt']}"]},
    ),
    "another MAC address": (
        "networks/web/links/eth0/address",
        "02:00:00:00:00:01",
        {
            "web-result": [
                f"eth0: mac is 02:00:00:00:00:01, was returned as {FACTS['results']['web']['interfaces'][2]['mac']}"
            ]
        },
    ),
    "no address": ("networks/web/links/eth0/addr_info", [], {"web-result": ["eth0 has not 10.88.0.5/24"]}),
    "no routes": ("networks/web/routes", [], {"web-result": ["there is no route to default by 10.88.0.1"]}),
    "a link more": ("networks/web/links/lo/ifname", "eth1", {"web-result": ["there is a link eth1"]}),
    "a port of no bridge": (
        f"links/{FACTS['results']['web']['interfaces'][1]['name']}/master",
        None,
        {"web-plugged": [f"{FACTS['results']['web']['interfaces'][1]['name']} is a port of None, not of cni0"]},
    ),
    "the end of another pair": (
        "networks/web/links/eth0/link_index",
        99,
        {"web-plugged": [f"none of {FACTS['results']['web']['interfaces'][1]['name']} is the other end of eth0"]},
    ),
    "nobody listens": (
        "networks/web/listening",
        [],
        {
            "web-localhost-web.server-web.sidecar-tcp": [
                f"no socket of web.sidecar (PID {FACTS['containers']['web.sidecar']['pid']}) listens on tcp port 8090"
            ],
            "web-localhost-web.server-web.sidecar-udp": [
                f"no socket of web.sidecar (PID {FACTS['containers']['web.sidecar']['pid']}) listens on udp port 8091"
            ],
            "web-localhost-web.sidecar-web.server-tcp": [
                f"no socket of web.server (PID {FACTS['containers']['web.server']['pid']}) listens on tcp port 8080"
            ],
            "web-localhost-web.sidecar-web.server-udp": [
                f"no socket of web.server (PID {FACTS['containers']['web.server']['pid']}) listens on udp port 8081"
            ],
        },
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_one_change_is_named_by_its_claim(facts, name):
    path, value, faults = CHANGES[name]
    change(facts, path, value)
    assert found(facts) == faults


def test_an_address_and_a_route_that_nobody_returned(facts):
    network = facts["networks"]["web"]
    network["links"][1]["addr_info"].append({"family": "inet", "local": "10.9.9.9", "prefixlen": 32, "scope": "global"})
    network["routes"].append({"dst": "10.9.0.0/16", "gateway": "10.88.0.9"})
    assert found(facts) == {
        "web-result": [
            "eth0 has 10.9.9.9/32, which was not returned",
            "there is a route to 10.9.0.0/16 by 10.88.0.9, which was not returned",
        ]
    }


def test_the_wrong_sandbox(facts):
    facts["results"]["web"]["interfaces"][2]["sandbox"] = "/proc/1/ns/net"
    assert found(facts) == {"web-result": [f"eth0 was put in /proc/1/ns/net, not in {WEB}"]}


def test_a_way_that_does_not_answer_and_one_that_should_not(facts):
    silent = found(facts, {"web.sidecar": {"observed": "timeout"}})
    assert set(silent) == {
        "web-localhost-web.server-web.sidecar-tcp",
        "web-localhost-web.server-web.sidecar-udp",
        "client-localhost-client.shell-web.sidecar-tcp",
        "client-localhost-client.shell-web.sidecar-udp",
    }
    leak = found(facts, {"client.shell": {"observed": "ok"}})
    assert set(leak) == {
        f"web-localhost-web.{container}-client.shell-{protocol}"
        for container in ("server", "sidecar")
        for protocol in ("tcp", "udp")
    }


def test_a_way_that_nobody_asked_is_no_pass(facts):
    claim = pod_proof.claims(TOPOLOGY)[-1]
    assert pod_proof.faults(claim, facts, Evidence(TOPOLOGY, [], [], {})) == ["no probe was made"]


def test_what_delete_leaves(facts):
    gone = {
        **facts,
        "traces": "\n".join(t for t in FACTS["traces"].splitlines() if "web" not in t and "10.88.0.5" not in t),
    }
    veth = FACTS["results"]["web"]["interfaces"][1]["name"]
    gone["traces"] = gone["traces"].replace(veth, "other")
    assert cni.residue("web", facts, gone, leased=True) == []
    left = cni.residue("web", facts, facts, leased=True)
    assert any(text.startswith(f"{veth}: ") for text in left)
    assert any(text.startswith("10.88.0.5: /var/lib/cni/networks/pods/10.88.0.5: web") for text in left)
    assert any(text.startswith("web: ip saddr 10.88.0.5") for text in left)
    # What only begins or ends like the pod's is another's.
    others = {**gone, "traces": f"{gone['traces']}\n10.88.0.50 110.88.0.5 web-2 web.server {veth}0"}
    assert cni.residue("web", facts, others, leased=True) == []


@pytest.mark.parametrize(("leased", "words"), [(True, ["10.88.0.5", "web"]), (False, [])])
def test_a_search_that_finds_nothing_before_is_blind(facts, leased, words):
    blind = cni.residue("web", {**facts, "traces": ""}, {**facts, "traces": ""}, leased)
    assert [text.partition(" was")[0] for text in blind] == [FACTS["results"]["web"]["interfaces"][1]["name"], *words]


def test_a_result_without_numbers_of_interfaces_is_of_the_one_inside(facts):
    del facts["results"]["web"]["ips"][0]["interface"]
    facts["results"]["web"]["routes"].append({"dst": "::/0"})
    assert found(facts) == {}
