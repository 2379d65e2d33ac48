# SPDX-License-Identifier: GPL-3.0-or-later
"""Why names do not resolve: each cause by what is seen of it, and no other beside it; none where all is well."""

from __future__ import annotations

import copy
import typing as t

import pytest
from ansible_collections.reftopo.lab.plugins.plugin_utils._dns_causes import walk
from ansible_collections.reftopo.lab.plugins.plugin_utils._dns_facts import Facts

SERVICE, CORE, CORE2, CLIENT = "10.96.0.10", "10.244.0.2", "10.244.0.3", "10.244.1.7"
LOOPED = (
    'x\n[FATAL] plugin/loop: Loop (127.0.0.1:5 -> :53) detected for zone ".", see https://coredns.io/plugins/loop\n'
)
Data = dict[str, t.Any]


def pod(name: str, address: str, node: str, space: str, **labels: str) -> Data:
    return {
        "kind": "Pod",
        "metadata": {"name": name, "namespace": space, "labels": labels},
        "spec": {
            "nodeName": node,
            "containers": [{"ports": [{"name": "dns", "protocol": "UDP", "containerPort": 53}]}],
        },
        "status": {"podIP": address, "phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
    }


def entry(kind: str, name: str, spec: Data | None = None, space: str = "kube-system", **other: t.Any) -> Data:
    return {
        "kind": kind,
        "metadata": {"name": name, "namespace": space, **other.pop("meta", {})},
        "spec": spec,
        **other,
    }


def answers(*sources: str | None) -> list[Data]:
    return [{"from": one, "server": server, "observed": "ok"} for one in sources for server in (SERVICE, CORE, CORE2)]


def healthy() -> dict[str, t.Any]:
    """A cluster of two nodes where all is well; what a case changes is in a copy."""
    return {
        "core": [
            pod("coredns-1", CORE, "cp1", "kube-system", **{"k8s-app": "kube-dns"}),
            pod("coredns-2", CORE2, "cp1", "kube-system", **{"k8s-app": "kube-dns"}),
        ],
        "client": pod("a", CLIENT, "w1", "shop", app="shop"),
        "deployment": entry("Deployment", "coredns", {"replicas": 2}),
        "service": entry("Service", "kube-dns", {"clusterIP": SERVICE, "selector": {"k8s-app": "kube-dns"}}),
        "slice": entry(
            "EndpointSlice",
            "kube-dns-x",
            meta={"labels": {"kubernetes.io/service-name": "kube-dns"}},
            endpoints=[{"addresses": [CORE]}, {"addresses": [CORE2], "conditions": {"ready": True}}],
        ),
        "policies": [],
        "logs": {"coredns-1": "CoreDNS-1.14.6\n", "coredns-2": "CoreDNS-1.14.6\n"},
        "nodes": {
            "cp1": {"nameservers": ["10.1.0.9"], "rules": ["nftables"], "answers": answers(None)},
            "w1": {"nameservers": ["10.1.0.9"], "rules": ["nftables"], "answers": answers(None, CLIENT)},
        },
    }


def facts(lab: dict[str, t.Any]) -> Facts:
    single = [lab[key] for key in ("client", "deployment", "service", "slice")]
    spaces = [{"kind": "Namespace", "metadata": {"name": name, "labels": {}}} for name in ("kube-system", "shop")]
    return Facts([*single, *lab["core"], *lab["policies"], *spaces], lab["logs"], lab["nodes"], SERVICE)


def silent(lab: dict[str, t.Any], node: str, source: str | None, *servers: str, word: str = "timeout") -> None:
    for one in lab["nodes"][node]["answers"]:
        if one["from"] == source and one["server"] in servers:
            one["observed"] = word


def all_silent(lab: dict[str, t.Any]) -> None:
    for node, source in (("cp1", None), ("w1", None), ("w1", CLIENT)):
        silent(lab, node, source, SERVICE, CORE, CORE2)


def scaled_down(lab):
    lab["core"], lab["logs"] = [], {}
    lab["deployment"]["spec"]["replicas"] = 0
    lab["slice"]["endpoints"] = None
    all_silent(lab)


def crashing(lab):
    for one in lab["core"]:
        one["status"].update(
            {"conditions": [], "containerStatuses": [{"state": {"waiting": {"reason": "CrashLoopBackOff"}}}]}
        )
    lab["slice"]["endpoints"] = []
    all_silent(lab)


def looping(lab):
    crashing(lab)
    lab["logs"]["coredns-2"] = LOOPED
    lab["nodes"]["cp1"]["nameservers"] = ["127.0.0.53"]


def looping_and_ready_for_a_moment(lab):
    looping(lab)
    lab["core"][0]["status"]["conditions"] = [{"type": "Ready", "status": "True"}]


def loop_elsewhere(lab):
    crashing(lab)
    lab["logs"]["coredns-2"] = LOOPED


def no_deployment(lab):
    scaled_down(lab)
    lab["deployment"]["metadata"]["name"] = "other"


def other_selector(lab):
    lab["service"]["spec"]["selector"] = {"k8s-app": "dns"}
    lab["slice"]["endpoints"] = []
    for node, source in (("cp1", None), ("w1", None), ("w1", CLIENT)):
        silent(lab, node, source, SERVICE, word="refused")


def no_service(lab):
    other_selector(lab)
    lab["service"]["spec"]["clusterIP"] = "10.96.0.11"


def ingress_closed(lab):
    spec = {"podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}, "ingress": [{"ports": [{"port": 9153}]}]}
    lab["policies"] = [
        entry("NetworkPolicy", "metrics-only", spec),
        entry("NetworkPolicy", "other", {"podSelector": {}, "policyTypes": ["Ingress"]}, "shop"),
    ]
    silent(lab, "w1", CLIENT, SERVICE, CORE, CORE2)
    silent(lab, "w1", None, SERVICE, CORE, CORE2)


def egress_closed(lab):
    lab["policies"] = [entry("NetworkPolicy", "no-way-out", {"podSelector": {}, "policyTypes": ["Egress"]}, "shop")]
    silent(lab, "w1", CLIENT, SERVICE, CORE, CORE2)


def no_rules(lab):
    lab["nodes"]["w1"]["rules"] = []
    for source in (None, CLIENT):
        silent(lab, "w1", source, SERVICE)


def no_network(lab):
    silent(lab, "w1", CLIENT, SERVICE, CORE, CORE2)


def unused_policy(lab):
    """It closes CoreDNS, so the API says, and nothing enforces it."""
    ingress_closed(lab)
    for found in lab["nodes"].values():
        for one in found["answers"]:
            one["observed"] = "ok"


CASES: dict[str, tuple[t.Callable[[dict[str, t.Any]], None], str, str, str]] = {
    "scaled to none": (scaled_down, "coredns-down", "wants 0 replicas", "--replicas=2"),
    "crashing": (crashing, "coredns-down", "coredns-1: CrashLoopBackOff (CoreDNS-1.14.6)", "describe pods"),
    "no deployment": (no_deployment, "coredns-down", "there is no deployment coredns", "addon coredns"),
    "a loop that is no node's": (loop_elsewhere, "coredns-down", "Loop (127.0.0.1:5 -> :53) detected", "describe"),
    "a loop": (looping, "resolv-conf-loop", "/etc/resolv.conf of cp1 names 127.0.0.53", "resolvConf"),
    "a loop that is not there yet": (
        looping_and_ready_for_a_moment,
        "resolv-conf-loop",
        "coredns-2 on cp1",
        "resolvConf",
    ),
    "another selector": (
        other_selector,
        "endpoints-empty",
        "it selects k8s-app=dns, the pod is k8s-app=kube-dns",
        "patch",
    ),
    "no service": (no_service, "endpoints-empty", "no service in kube-system has the address 10.96.0.10", "addon"),
    "closed at CoreDNS": (
        ingress_closed,
        "policy-blocks-53",
        "not: NetworkPolicy kube-system/metrics-only",
        "UDP and TCP",
    ),
    "closed at the pod": (egress_closed, "policy-blocks-53", "shop/a asks 10.244.0.2:53", "allow"),
    "no rules on a node": (no_rules, "proxy-rules-missing", "asks the service, 10.96.0.10:53: timeout", "kube-proxy"),
    "no network": (no_network, "something-else", "10.244.1.7 asks 10.96.0.10: timeout", "verify.yml"),
}


@pytest.mark.parametrize("case", CASES)
def test_the_cause_is_named_and_no_other(case):
    change, cause, seen, fix = CASES[case]
    lab = copy.deepcopy(healthy())
    change(lab)
    found = [step for step in walk(facts(lab)) if step.found]
    assert [step.cause for step in found] == [cause]
    assert seen in found[0].seen
    assert fix in found[0].fix


@pytest.mark.parametrize("change", [lambda _lab: None, unused_policy], ids=["all is well", "nothing enforces policies"])
def test_none_is_named(change):
    lab = copy.deepcopy(healthy())
    change(lab)
    steps = walk(facts(lab))
    assert [step.cause for step in steps if step.found] == []
    assert [step.cause for step in steps] == [
        "resolv-conf-loop",
        "coredns-down",
        "endpoints-empty",
        "policy-blocks-53",
        "proxy-rules-missing",
        "something-else",
    ]
    assert all(step.seen and not step.fix for step in steps)


def test_nobody_who_could_ask_is_no_health():
    lab = healthy()
    for found in lab["nodes"].values():
        found["answers"] = []
    assert [step.seen for step in walk(facts(lab)) if step.found] == ["nobody could ask"]
