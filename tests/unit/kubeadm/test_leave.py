# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes leave a cluster: what kubectl is asked and told, by what the cluster has of them."""

from __future__ import annotations

import json

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils._cluster_leave import Cluster, Observed, parse
from ansible_collections.reftopo.lab.plugins.module_utils._node_run import NodeError, Runner


def node(name: str) -> dict:
    return {"kind": "Node", "metadata": {"name": name}}


def pod(namespace: str, name: str, on: str | None) -> dict:
    return {"kind": "Pod", "metadata": {"namespace": namespace, "name": name}, "spec": {"nodeName": on} if on else {}}


FLANNEL, PROXY, PENDING = (
    pod("kube-flannel", "flannel-x", "w2"),
    pod("kube-system", "proxy-x", "w2"),
    pod("d", "p", None),
)
OTHERS = [node("cp1"), node("w1"), pod("kube-system", "proxy-y", "w1"), PENDING]
GET = "get nodes,pods --all-namespaces --output=json --request-timeout=10s"
DRAIN = "drain w2 --ignore-daemonsets --delete-emptydir-data --force --skip-wait-for-delete-timeout=5 --timeout=60s"
FORGET = "--ignore-not-found --force --grace-period=0 --wait=false"


class Api:
    """A cluster that answers with one state after the other, and keeps what it was told."""

    def __init__(self, *states: list[dict]) -> None:
        self.states, self.told = list(states), []

    def __call__(self, argv: list[str], **_options: bool) -> tuple[int, str, str]:
        self.told.append(" ".join(argv[1:]))
        return 0, json.dumps({"items": self.states.pop(0)}) if argv[1] == "get" else "", ""


def told(*states: list[dict]) -> list[str]:
    api = Api(*states)
    cluster = Cluster(Runner(api), ["kubectl"], ["w2"])
    cluster.remove(cluster.observe().nodes, 60)
    return api.told


def test_what_the_cluster_has_of_a_node():
    text = json.dumps({"items": [*OTHERS, node("w2"), PROXY, FLANNEL]})
    seen = parse(text, ["w2", "w3"])
    assert seen == Observed(("w2",), (("kube-flannel", "flannel-x"), ("kube-system", "proxy-x")))
    assert seen.describe() == {"nodes": ["w2"], "pods": ["kube-flannel/flannel-x", "kube-system/proxy-x"]}
    assert parse(json.dumps({"items": OTHERS}), ["w2"]) == Observed()


def test_a_member_is_drained_and_deleted_and_what_is_left_of_its_pods_forgotten():
    assert told([*OTHERS, node("w2"), FLANNEL, PROXY, pod("d", "moves", "w2")], [*OTHERS, FLANNEL, PROXY]) == [
        GET,
        DRAIN,
        "delete nodes w2 --ignore-not-found",
        GET,
        f"delete pods --namespace=kube-flannel flannel-x {FORGET}",
        f"delete pods --namespace=kube-system proxy-x {FORGET}",
    ]


def test_one_that_is_no_member_any_more_leaves_its_pods():
    assert told([*OTHERS, FLANNEL], [*OTHERS, FLANNEL]) == [
        GET,
        GET,
        f"delete pods --namespace=kube-flannel flannel-x {FORGET}",
    ]


def test_an_api_that_does_not_answer_is_told_with_what_to_do():
    runner = Runner(lambda argv, **options: (1, "", "connection refused"))
    with pytest.raises(NodeError, match=r"connection refused\nWithout the API w2 cannot leave .* take it out then"):
        Cluster(runner, ["kubectl"], ["w2"]).observe()
