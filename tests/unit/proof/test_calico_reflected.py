# SPDX-License-Identifier: GPL-3.0-or-later
"""Calico with route reflectors: sessions, what reflectors pass on, and the controls, each with one value changed.

n2 and n3 are the reflectors, n1 and n4 their clients. What BIRD says has the form of what 1.6.8 printed.
"""

from __future__ import annotations

import pytest
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_plan as plan
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_backend import claim_faults, claims
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_calico import CalicoNode
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Endpoint
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_reflected import still_there
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_snapshot import Snapshot
from calico_node import printed

NODES = ("n1", "n2", "n3", "n4")
CLUSTER_ID = "244.0.0.1"
CNI = {
    "name": "calico",
    "backend": "bgp",
    "as_number": 64512,
    "route_reflectors": {"cluster_id": CLUSTER_ID, "nodes": ["n2", "n3"]},
    "device": "",
    "overhead": 0,
    "mtu": 1500,
}
TOPOLOGY = {
    "nodes": {
        name: {"address": f"172.30.24.1{name[1]}", "interfaces": {"eth0": {"mac": "02:00:00:00:00:01", "mtu": 1500}}}
        for name in NODES
    },
    "cluster": {"pod_cidr": "10.244.0.0/16", "cni": CNI},
}
KNOWN = {
    name: CalicoNode(name, f"10.244.{name[1]}.64/26", f"172.30.24.1{name[1]}", blocks=(f"10.244.{name[1]}.64/26",))
    for name in NODES
}
SESSIONS = {"n1": ("n2", "n3"), "n2": ("n1", "n3", "n4")}
BIRD = ("session", "no-session", "prefix", "reflected", "route", "nothing-else")


def session(node: str, state: str = "Established") -> str:
    number = node[1]
    return (
        f"Node_172_30_24_1{number} BGP      master   up     22:56:38    {state}   \n  BGP state:          {state}\n"
        f"    Neighbor address: 172.30.24.1{number}\n    Neighbor AS:      64512\n\n"
    )


def told(node: str, by: str) -> str:
    """A block that came by a session, passed on where that is not with the node that has it."""
    address = f"172.30.24.1{node[1]}"
    passed_on = f"\tBGP.originator_id: {address}\n\tBGP.cluster_list: {CLUSTER_ID}\n"
    return (
        f"10.244.{node[1]}.64/26    via {address} on eth0 [Node_172_30_24_1{by[1]} 22:56:38] * (100/0) [i]\n"
        f"\tType: BGP unicast univ\n\tBGP.as_path: \n\tBGP.next_hop: {address}\n\tBGP.local_pref: 100\n"
        + ("" if node == by else passed_on)
    )


def prefixes(own: str) -> str:
    """All that a node has: of each neighbour itself, and by each reflector of the others what it may pass on."""
    return "".join(
        told(node, by)
        for by in SESSIONS[own]
        for node in NODES
        if node != own and (node == by or (by in ("n2", "n3") and (own == "n1" or node not in ("n2", "n3"))))
    )


def route(node: str) -> dict:
    gateway = f"172.30.24.1{node[1]}"
    return {"dst": f"10.244.{node[1]}.64/26", "gateway": gateway, "dev": "eth0", "protocol": "bird", "flags": []}


def snapshot(own: str, **parts: object) -> Snapshot:
    state = {
        "bgp": "BIRD 1.6.8 ready.\n" + "".join(map(session, SESSIONS[own])),
        "prefixes": prefixes(own),
        "routes": [route(node) for node in NODES if node != own],
        **parts,
    }
    return printed(own, state)


def found(own: str, **parts: object) -> dict[str, list[str]]:
    """The faults of each claim on sessions and routes that has some."""
    seen, about = snapshot(own, **parts), [c for c in claims(TOPOLOGY) if c.node == own and c.key in BIRD]
    faults = {claim.case: claim_faults(claim, seen, TOPOLOGY, KNOWN) for claim in about}
    return {case: texts for case, texts in faults.items() if texts}


def test_claims():
    cases = [claim.case for claim in claims(TOPOLOGY) if claim.key in BIRD]
    assert cases[:10] == [
        *("n1-session-n2", "n1-prefix-n2", "n1-reflected-n2", "n1-route-n2"),
        *("n1-session-n3", "n1-prefix-n3", "n1-reflected-n3", "n1-route-n3"),
        *("n1-no-session-n4", "n1-reflected-n4"),
    ]
    assert [case for case in cases if case.startswith("n2") and "reflected" in case] == []
    assert [case for case in cases if "no-session" in case] == ["n1-no-session-n4", "n4-no-session-n1"]


@pytest.mark.parametrize("own", SESSIONS)
def test_what_holds(own: str):
    assert found(own) == {}


def less(text: str, part: str) -> str:
    assert part in text
    return text.replace(part, "")


FROM_N2, FROM_N3 = told("n4", "n2"), told("n4", "n3")
MARKED = "\tBGP.originator_id: 172.30.24.14\n\tBGP.cluster_list: 244.0.0.1\n"
CASES = {
    "a session between clients": (
        "n1",
        {"bgp": "".join(map(session, ("n2", "n3", "n4")))},
        {"n1-no-session-n4": ["session Node_172_30_24_14 with 172.30.24.14"]},
    ),
    "a session with one reflector alone": (
        "n1",
        {"bgp": session("n2"), "prefixes": "".join(told(node, "n2") for node in ("n2", "n3", "n4"))},
        {
            "n1-session-n3": ["session with 172.30.24.13: 0 entries, must be one"],
            "n1-prefix-n3": ["10.244.3.64/26 in BIRD: 0 entries, must be one"],
            "n1-reflected-n2": ["10.244.2.64/26 in BIRD by n3: 0 entries, must be one"],
            "n1-reflected-n4": ["10.244.4.64/26 in BIRD by n3: 0 entries, must be one"],
        },
    ),
    "a reflector that passes nothing on": (
        "n1",
        {"prefixes": less(prefixes("n1"), FROM_N3)},
        {"n1-reflected-n4": ["10.244.4.64/26 in BIRD by n3: 0 entries, must be one"]},
    ),
    "another cluster id": (
        "n1",
        {"prefixes": prefixes("n1").replace(FROM_N2, FROM_N2.replace(CLUSTER_ID, "244.0.0.2"))},
        {
            "n1-reflected-n4": ["10.244.4.64/26 in BIRD by n2: BGP.cluster_list is '244.0.0.2', must be '244.0.0.1'"],
            "n1-nothing-else": ["10.244.4.64/26 by n2: BGP.cluster_list is '244.0.0.2', must be '244.0.0.1'"],
        },
    ),
    "the reflector as next hop": (
        "n1",
        {"prefixes": prefixes("n1").replace(FROM_N2, FROM_N2.replace("hop: 172.30.24.14", "hop: 172.30.24.12"))},
        {"n1-reflected-n4": ["10.244.4.64/26 in BIRD by n2: BGP.next_hop is '172.30.24.12', must be '172.30.24.14'"]},
    ),
    "a route of the kernel's by the reflector": (
        "n1",
        {"routes": [route("n2"), route("n3"), {**route("n4"), "gateway": "172.30.24.12"}]},
        {"n1-route-n4": ["route to 10.244.4.64/26: gateway is '172.30.24.12', must be '172.30.24.14'"]},
    ),
    "what a client announces is marked as passed on": (
        "n2",
        {"prefixes": prefixes("n2").replace(told("n4", "n4"), told("n4", "n4") + MARKED)},
        {
            "n2-prefix-n4": [
                "10.244.4.64/26 in BIRD: BGP.originator_id is '172.30.24.14', must be None",
                "10.244.4.64/26 in BIRD: BGP.cluster_list is '244.0.0.1', must be None",
            ]
        },
    ),
    "a client that passes on": (
        "n2",
        {"prefixes": prefixes("n2") + told("n4", "n1")},
        {"n2-nothing-else": ["10.244.4.64/26 of n4 by n1, which is no route reflector"]},
    ),
    "a reflector that passes on without its marks": (
        "n2",
        {"prefixes": prefixes("n2").replace(FROM_N3, less(FROM_N3, MARKED))},
        {
            "n2-nothing-else": [
                "10.244.4.64/26 by n3: BGP.originator_id is None, must be '172.30.24.14'",
                "10.244.4.64/26 by n3: BGP.cluster_list is None, must be '244.0.0.1'",
            ]
        },
    ),
    "nothing: a reflector that does not take what the other passed on": (
        "n2",
        {"prefixes": less(prefixes("n2"), FROM_N3)},
        {},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_one_change_is_named(name: str):
    own, parts, faults = CASES[name]
    assert found(own, **parts) == faults


def test_what_is_still_there_of_a_reflector():
    assert still_there(snapshot("n1"), TOPOLOGY, ["n3"], KNOWN) == [
        "n1 has session Node_172_30_24_13",
        "n1 has a route to 10.244.3.64/26",
    ]
    closed = {"bgp": session("n2") + session("n3", "Idle"), "routes": [route("n2"), route("n4")]}
    assert still_there(snapshot("n1", **closed), TOPOLOGY, ["n3"], KNOWN) == []
    assert still_there(snapshot("n1", **closed), TOPOLOGY, list(NODES), KNOWN) == [
        "n1 has session Node_172_30_24_12",
        "n1 has a route to 10.244.2.64/26",
        "n1 has a route to 10.244.4.64/26",
    ]
    alone = {"bgp": "".join(session(node, "Down") for node in SESSIONS["n2"]), "routes": []}
    assert still_there(snapshot("n2", **alone), TOPOLOGY, ["n2"], KNOWN) == []


def test_who_is_cut_off():
    ends = [Endpoint(f"a-{node}", "pods", node, "") for node in NODES]

    def touched(*cut: str) -> set[tuple[str | None, str | None]]:
        broken = {"reflectors": ["n2"], "cut": [*cut]}
        return {(a.node, b.node) for a in ends for b in ends if plan.touched(broken, a, b)}

    assert touched("n2") == {("n2", n) for n in ("n1", "n3", "n4")} | {(n, "n2") for n in ("n1", "n3", "n4")}
    assert touched(*NODES) == {(a, b) for a in NODES for b in NODES if a != b}
