# SPDX-License-Identifier: GPL-3.0-or-later
"""Route reflectors: what the API has, what is to be done in which order, and that the mesh waits for the sessions."""

from __future__ import annotations

import json

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils import _route_reflectors as rr
from ansible_collections.reftopo.lab.plugins.module_utils._node_run import NodeError, Runner

ID = "244.0.0.1"
MARKS = {"route-reflector": "true", "projectcalico.org/RouteReflectorClusterID": ID}
NUMBERS = {"cp1": 11, "w1": 12, "w2": 13, "w3": 14}
PEER = {"kind": "BGPPeer", "metadata": {"name": "route-reflectors"}, "spec": rr.PEERS}
OTHER_PEER = {"kind": "BGPPeer", "metadata": {"name": "rack"}, "spec": {"peerIP": "192.0.2.1"}}
KUBECTL = "kubectl --kubeconfig=/admin.conf"


def node(name: str, marks: dict | None = None) -> dict:
    """A node as the API has it; marks are its label and its annotation."""
    label, cluster_id = ((marks or {}).get(key) for key in MARKS)
    metadata = {
        "name": name,
        "labels": {"kubernetes.io/os": "linux", **({rr.LABEL: label} if label else {})},
        "annotations": {rr.CLUSTER_ID: cluster_id} if cluster_id else {},
    }
    addresses = [{"type": "InternalIP", "address": f"172.30.27.{NUMBERS[name]}"}, {"type": "Hostname", "address": name}]
    return {"kind": "Node", "metadata": metadata, "status": {"addresses": addresses}}


def mesh(**spec: object) -> dict:
    return {"kind": "BGPConfiguration", "metadata": {"name": "default"}, "spec": spec}


BARE = [node(name) for name in NUMBERS]
DONE = [node("cp1"), node("w1", MARKS), node("w2", MARKS), node("w3"), PEER, mesh(nodeToNodeMeshEnabled=False)]


def steps(items: list[dict]) -> list[str]:
    """What is to be done, in words."""
    before = rr.parse(items)
    found = rr.plan(before, rr.desired(before, ID, ["w1", "w2"]))
    return [f"wait {step.wait_for}" if step.wait_for else " ".join(step.words[:3]) for step in found]


APPLY = "apply --server-side --force-conflicts"
CREATE, REPLACE = "create --filename=-", "replace --filename=-"
MARK_BOTH = ["patch node w1", "wait w1", "patch node w2", "wait w2"]
WAIT_BOTH = ["wait w1", "wait w2"]
WITHOUT_W1 = [node("w1"), *(item for item in DONE if item["metadata"]["name"] != "w1")]
OTHER_ID = [node("w1", {**MARKS, "projectcalico.org/RouteReflectorClusterID": "1.1.1.1"}), *WITHOUT_W1[1:]]
CASES = {
    "a cluster with the mesh that Calico has": (BARE, [CREATE, *MARK_BOTH, APPLY]),
    "all of it is there": (DONE, []),
    "somebody else's BGPPeer and more in the configuration": (
        [*DONE[:-1], OTHER_PEER, mesh(nodeToNodeMeshEnabled=False, logSeverityScreen="Info")],
        [],
    ),
    "interrupted before the second reflector": (
        [node("cp1"), node("w1", MARKS), node("w2"), node("w3"), PEER],
        ["patch node w2", "wait w2", "wait w1", APPLY],
    ),
    "interrupted before the mesh": (DONE[:-1], [*WAIT_BOTH, APPLY]),
    "the mesh is on again": ([*DONE[:-1], mesh(nodeToNodeMeshEnabled=True)], [*WAIT_BOTH, APPLY]),
    "a configuration that says nothing of the mesh": ([*DONE[:-1], mesh(asNumber=64512)], [*WAIT_BOTH, APPLY]),
    "the BGPPeer is gone": ([item for item in DONE if item != PEER], [CREATE, *WAIT_BOTH]),
    "the BGPPeer has one word more": (
        [{**item, "spec": {**rr.PEERS, "password": {}}} if item == PEER else item for item in DONE],
        [REPLACE, *WAIT_BOTH],
    ),
    "a reflector without its marks": (WITHOUT_W1, ["patch node w1", "wait w1"]),
    "another cluster id": (OTHER_ID, ["patch node w1", "wait w1"]),
    "a reflector too many": ([node("cp1", MARKS), *DONE[1:]], ["patch node cp1"]),
    "a reflector that is not a node yet": ([*DONE[:1], *DONE[2:]], ["patch node w1", "wait w1"]),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_to_be_done(case: str):
    items, wanted = CASES[case]
    assert steps(items) == wanted


def test_what_users_are_shown():
    shown = rr.parse(DONE).describe()
    assert shown == {
        "nodes": {"cp1": {}, "w1": MARKS, "w2": MARKS, "w3": {}},
        "BGPPeer": {"nodeSelector": "all()", "peerSelector": "route-reflector == 'true'"},
        "nodeToNodeMeshEnabled": False,
    }
    assert rr.parse(BARE).describe() == {
        "nodes": {name: {} for name in NUMBERS},
        "BGPPeer": {},
        "nodeToNodeMeshEnabled": True,
    }


def test_marks_are_set_and_taken_back_in_one_go():
    kinds = [json.loads(rr._mark("w1", marks).words[-1].removeprefix("--patch="))["metadata"] for marks in (MARKS, {})]
    label, note = "route-reflector", "projectcalico.org/RouteReflectorClusterID"
    assert kinds == [
        {"labels": {label: "true"}, "annotations": {note: ID}},
        {"labels": {label: None}, "annotations": {note: None}},
    ]


PROTOCOLS = """BIRD 1.6.8 ready.
name     proto    table    state  since       info
static1  Static   master   up     00:01:32
Mesh_172_30_27_14 BGP      master   up     00:02:49    Established
Node_172_30_27_11 BGP      master   up     00:02:49    Established
Node_172_30_27_13 BGP      master   start  00:02:49    Active        Socket: Connection refused
"""


def test_a_session_counts_when_it_is_established_and_no_longer_of_the_mesh():
    neighbours = ["172.30.27.11", "172.30.27.13", "172.30.27.14"]
    assert rr.missing(PROTOCOLS, neighbours) == ["172.30.27.13", "172.30.27.14"]
    assert rr.missing("", neighbours) == neighbours


class Api:
    """A cluster that answers as if BIRD said one text after the other, the last for good; keeps what it was told."""

    def __init__(self, *said: str) -> None:
        self.said, self.told = list(said), []

    def __call__(self, argv: list[str], **options: object) -> tuple[int, str, str]:
        command = " ".join(argv).removeprefix(f"{KUBECTL} ")
        self.told.append((command, options.get("data")))
        if "exec" in argv:
            text = self.said.pop(0) if len(self.said) > 1 else self.said[0]
            return (0, text, "") if text else (1, "", "container not found")
        pods = "pod/calico-node-a\npod/calico-node-b\n"
        return 0, pods if "pods" in argv else json.dumps({"items": BARE}), ""


def cluster(api: Api, timeout: int = 60) -> rr.Cluster:
    return rr.Cluster(Runner(api), "/admin.conf", timeout)


ALL_UP = "".join(
    f"Node_172_30_27_{number} BGP      master   up     00:02:49    Established\n" for number in NUMBERS.values()
)


def test_the_mesh_goes_last_and_waits(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(rr, "POLL_INTERVAL", 0)
    api = Api("", PROTOCOLS, ALL_UP)
    before = rr.parse(BARE)
    cluster(api).apply(rr.plan(before, rr.desired(before, ID, ["w1"])))
    asked = [command for command, _data in api.told if " exec " in command]
    exec_there = "--namespace=kube-system exec pod/calico-node-b --container=calico-node --"
    assert asked == 3 * [f"{exec_there} birdcl -s /var/run/calico/bird.ctl show protocols"]
    changes = [command.split()[0] for command, _data in api.told if not command.startswith(("get", "--namespace"))]
    assert changes == ["create", "patch", "apply"]
    given = [json.loads(str(data))["spec"] for _command, data in api.told if data]
    assert given == [rr.PEERS, {"nodeToNodeMeshEnabled": False}]


def test_sessions_that_do_not_come_leave_the_mesh(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(rr, "POLL_INTERVAL", 0)
    api = Api(PROTOCOLS)
    before = rr.parse(DONE[:-1])
    with pytest.raises(NodeError, match=r"w1 has no session of BGP with 172\.30\.27\.13, 172\.30\.27\.14, so the mesh"):
        cluster(api, timeout=-1).apply(rr.plan(before, rr.desired(before, ID, ["w1", "w2"])))
    assert not any(command.startswith("apply") for command, _data in api.told)
