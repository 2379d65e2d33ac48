# SPDX-License-Identifier: GPL-3.0-or-later
"""How pods of a check of DNS are waited for, watched and asked."""

from __future__ import annotations

import json
import shlex
import types
import typing as t

import pytest
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_dns_lab as lab
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_dns_model as model
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_dns import Answer
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_dns_pods import PODS, objects
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_lab import Machine
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import HOST, ProofError
from dns_cluster import CLUSTER, NODE, OWN, seen

SAID = """nameserver 10.1.0.9
----
search reftopo-dns.svc.cluster.local svc.cluster.local cluster.local
nameserver 10.96.0.10
options ndots:5
----
short-a 0 10.96.1.1
nobody-a 2
twice.test. 0 192.0.2.1 192.0.2.2
"""


def machine(text: str, name: str = "cp1") -> Machine:
    done = types.SimpleNamespace(rc=0, stdout=text, stderr="")
    return Machine(name, types.SimpleNamespace(run=lambda _command: done), ())


def running(name: str, state: str = "running") -> dict[str, t.Any]:
    status = {"containerID": f"containerd://id-{name}", "state": {state: {}}}
    spec = {"nodeName": "cp1"}
    return {"kind": "Pod", "metadata": {"name": name}, "spec": spec, "status": {"containerStatuses": [status]}}


def cluster(*items: dict[str, t.Any]) -> t.Any:
    host = machine("", HOST)
    spaces = {"corp": ("10.1.0.8", "reftopo.x.corp"), "resolver": ("10.1.0.9", "reftopo.x.resolver")}
    namespaces = {name: {"address": address, "netns": netns} for name, (address, netns) in spaces.items()}
    plane = machine(json.dumps({"items": items}))
    topology = {"cluster": CLUSTER, "namespaces": namespaces, "nodes": {"cp1": {}}}
    return types.SimpleNamespace(control_plane=plane, machines={"cp1": plane, HOST: host}, topology=topology)


def test_what_a_pod_says():
    said = lab._said(machine(SAID), "id", ["short-a", "nobody-a", "twice.test."])
    assert (said.own, said.node) == (OWN, NODE)
    assert said.answers == {
        "short-a": Answer(0, ("10.96.1.1",)),
        "nobody-a": Answer(2, ()),
        "twice.test.": Answer(0, ("192.0.2.1", "192.0.2.2")),
    }


def test_names_reach_the_pod_as_they_are():
    words = shlex.split(lab.look_up("id", ["a.example.com.", "it's"]))
    assert words[:4] == ["unshare", "--mount", "sh", "-euc"]
    assert words[-3:] == ["id", "a.example.com.", "it's"]


def test_pods_are_there_when_all_run():
    service = {"kind": "Service", "metadata": {"name": "short-x"}, "spec": {"clusterIP": "10.96.1.1"}}
    containers, addresses = lab._ready(cluster(*(running(pod.name) for pod in PODS), service))
    assert containers["none"] == lab.Container("cp1", "id-none")
    assert addresses == {"short-x": "10.96.1.1"}


def test_pods_that_do_not_run_are_named(monkeypatch):
    monkeypatch.setattr(lab, "READY_TIMEOUT", -1.0)
    items = [running(pod.name, "waiting" if pod.name == "none" else "running") for pod in PODS[:-1]]
    with pytest.raises(ProofError, match="do not run after -1 s: none, host-net-first"):
        lab._ready(cluster(*items))


def test_each_server_knows_the_names_of_its_own_and_runs_in_its_namespace():
    found = lab._servers(cluster(), seen().world)
    assert [role for role, _server in found] == [model.UPSTREAM, "corp.test"]
    for (role, (place, command, _ready)), netns in zip(found, ("reftopo.x.resolver", "reftopo.x.corp")):
        words = shlex.split(command)
        assert place.name == netns
        assert words[:4] == ["ip", "netns", "exec", netns]
        assert json.loads(words[-1]) == seen().world.records[role]
        assert len(json.loads(words[-1])) == len(PODS) * 2


def test_without_a_pod_of_coredns_nothing_can_be_watched():
    with pytest.raises(ProofError, match="CoreDNS has no running pod"):
        lab._captures(cluster({"status": {}}))


def test_objects_are_made_for_every_pod_on_nodes_in_turn():
    made = objects(CLUSTER, ["cp1", "w1"], "image", model.services(seen().lookups))
    pods = [item for item in made if item["kind"] == "Pod"]
    assert [item["spec"]["nodeName"] for item in pods] == ["cp1", "w1", "cp1", "w1", "cp1"]
    assert [item["kind"] for item in made].count("Service") == len(PODS) * 4
    assert [item["metadata"]["name"] for item in pods if "dnsConfig" in item["spec"]] == ["none"]
