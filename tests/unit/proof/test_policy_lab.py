# SPDX-License-Identifier: GPL-3.0-or-later
"""The pods for NetworkPolicies come and go with the suite, and what keeps them from it is named."""

from __future__ import annotations

import json
import pathlib
import subprocess
import types
import typing as t

import pytest
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_commands as commands
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_policy_lab as policies
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_workload as workload
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import ProofError
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_policy import faults
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_policy_cases import cases
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_policy_objects import objects
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_policy_run import Stage
from policy_network import DNS, NODES, OUTSIDE, Network, ground, lane

OBJECTS = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "it's-one"}}]
WAYS = ("where-ingress", "where-egress")
DELETE = "delete namespaces --selector=mine"


@pytest.fixture
def kubectl(tmp_path: pathlib.Path) -> t.Callable[[str], str]:
    """A kubectl that notes what it is called with and what it is given, and fails at a word."""

    def make(fails: str = "nothing") -> str:
        program = tmp_path / "kubectl"
        log = tmp_path / "log"
        text = (
            f'#!/bin/sh\necho "$*" >>{log}\ncase $1 in apply) cat >>{log}; echo >>{log};; esac\n[ "$1" != {fails} ]\n'
        )
        program.write_text(text)
        program.chmod(0o755)
        return str(program)

    return make


def ran(command: str, tmp_path: pathlib.Path) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """A held command whose input is closed at once, and the calls of kubectl."""
    done = subprocess.run(["sh", "-c", command], input="", capture_output=True, text=True, check=False)
    return done, (tmp_path / "log").read_text().splitlines()


def test_what_is_made_is_deleted_when_the_input_closes(kubectl, tmp_path):
    done, calls = ran(commands.populate(kubectl(), OBJECTS, "mine"), tmp_path)
    assert commands.HELD in done.stderr
    assert json.loads(calls.pop(2))["items"] == OBJECTS
    assert calls == [DELETE, "apply --server-side --filename=-", f"{DELETE} --wait=false"]


def test_what_is_made_in_part_is_deleted_and_the_suite_told(kubectl, tmp_path):
    done, calls = ran(commands.populate(kubectl("apply"), OBJECTS, "mine"), tmp_path)
    assert done.returncode == 1
    assert commands.HELD not in done.stderr
    assert calls[-1] == f"{DELETE} --wait=false"


def test_nothing_is_made_beside_what_an_earlier_run_left(kubectl, tmp_path):
    done, calls = ran(commands.populate(kubectl("delete"), OBJECTS, "mine"), tmp_path)
    assert commands.HELD not in done.stderr
    assert calls == [DELETE, f"{DELETE} --wait=false"]


def pod(name: str, address: str, namespace: str = "reftopo-policy-1-x", ready: str = "True") -> dict[str, t.Any]:
    ports = [{"name": "dns", "protocol": "UDP", "containerPort": 53}]
    return {
        "metadata": {"name": name, "namespace": namespace, "labels": {"k8s-app": "kube-dns"} if name == "dns" else {}},
        "spec": {
            "nodeName": "cp1",
            "containers": [{"ports": ports}],
        },
        "status": {"podIP": address, "conditions": [{"type": "Ready", "status": ready}]},
    }


def lab(*answers: str) -> t.Any:
    """A lab whose control plane prints these, one after the other, and then the last."""
    given = list(answers)
    machine = types.SimpleNamespace(run=lambda _command: given.pop(0) if len(given) > 1 else given[0])
    cluster = {
        "control_plane": ["cp1"],
        "dns_domain": "cluster.local",
        "api_service_ip": "10.96.0.1",
        "pod_cidr": "10.244.0.0/16",
    }
    ends = {"nodes": list(NODES), "namespaces": [OUTSIDE]}
    return types.SimpleNamespace(
        machines={"cp1": machine}, control_plane=machine, topology={"cluster": cluster}, endpoints=ends
    )


def printed(*items: dict[str, t.Any]) -> str:
    return json.dumps({"items": items})


def test_the_ground_is_there_when_all_pods_are_ready(monkeypatch):
    monkeypatch.setattr(policies, "PAUSE", 0.0)
    bare = policies.Lane(1, ("cp1", "w1"))
    pods = [pod(bare.pod(name), address) for name, address in lane(1).addresses.items()]
    late = printed(*pods[1:], pod(bare.pod("x/a"), "10.244.1.2", ready="False"))
    dns = pod("dns", "10.244.9.9", "kube-system")
    found = policies._ground(lab(late, printed(*pods, dns)), [bare])
    assert found.lanes == (lane(1),)
    assert found.dns == (DNS,)
    assert found.outside == OUTSIDE
    assert (found.name.name, found.name.address) == ("kubernetes.default.svc.cluster.local.", "10.96.0.1")


def test_pods_that_never_are_ready_are_named(monkeypatch):
    monkeypatch.setattr(policies, "READY_TIMEOUT", 0.0)
    bare = policies.Lane(1, ("cp1", "w1"))
    pods = [pod(bare.pod(name), address) for name, address in lane(1).addresses.items() if name != "z/b"]
    with pytest.raises(ProofError, match="not ready after 0 s: z-b-1"):
        policies._ground(lab(printed(*pods)), [bare])


def test_without_pods_that_know_names_nothing_can_be_said(monkeypatch):
    monkeypatch.setattr(policies, "READY_TIMEOUT", 0.0)
    bare = policies.Lane(1, ("cp1", "w1"))
    pods = [pod(bare.pod(name), address) for name, address in lane(1).addresses.items()]
    with pytest.raises(ProofError, match="no pod that answers for names is ready"):
        policies._ground(lab(printed(*pods)), [bare])


def test_all_cases_are_played_and_where_packets_are_dropped_is_told(monkeypatch):
    network, lanes = Network(), ground().lanes
    stage = Stage("policies", True, ground(), "agnhost", network.ask, network.change)
    stage.had = {one.number: objects(one, "agnhost") for one in lanes}
    network.change([item for items in stage.had.values() for item in items], [])
    nodes = [types.SimpleNamespace(name=name, run=lambda _command: "") for name in ("cp1", "w1")]
    seen = policies._play(stage, types.SimpleNamespace(nodes=nodes))
    assert set(seen.played) == {case.name for case in cases()}
    assert {record["ok"] for record in seen.records} == {True}
    assert seen.misplaced == {key: ["cp1 has no route to x/a, 10.244.1.2"] for key in WAYS}
    assert faults(WAYS[0], seen) == seen.misplaced[WAYS[0]]


def test_what_is_left_is_named(monkeypatch):
    def left(*answers: str) -> list[str]:
        return workload.namespaces_left(lab(*answers).control_plane, policies.KUBECTL, policies.MARK)

    monkeypatch.setattr(workload, "PAUSE", 0.0)
    assert left("namespace/reftopo-policy-1-x\n", "") == []
    monkeypatch.setattr(workload, "GONE_TIMEOUT", 0.0)
    assert left("namespace/reftopo-policy-1-x\n") == ["namespace/reftopo-policy-1-x is still there"]
