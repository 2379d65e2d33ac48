# SPDX-License-Identifier: GPL-3.0-or-later
"""Calico's data in an etcd of its own: a sound run satisfies every claim, and what goes wrong fails just its own."""

from __future__ import annotations

import base64
import copy
import dataclasses
import json
from pathlib import Path

import pytest
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_datastore as proof
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_backend import peers
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_calico_etcd import (
    BLOCKS,
    NODES,
    POOLS,
    objects,
    read_command,
    stored,
)
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_datastore import Pod, Seen
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import ProofError
from calico_node import KNOWN, OBJECTS, TOPOLOGY

LAB = copy.deepcopy(TOPOLOGY)
LAB["cluster"]["cni"]["endpoint"] = "https://172.30.24.11:6666"
POOL = {"cidr": "10.244.0.0/16", "ipipMode": "Never", "vxlanMode": "Never", "blockSize": 26}
KEPT = {
    f"{POOLS}default-ipv4-ippool": {"kind": "IPPool", "spec": POOL},
    **{
        f"{NODES}{name}": {"kind": "Node", "spec": {"bgp": {"ipv4Address": f"{node['address']}/24"}}}
        for name, node in LAB["nodes"].items()
    },
    **{BLOCKS + one["spec"]["cidr"].replace("/", "-"): one["spec"] for one in OBJECTS if one["kind"] == "IPAMBlock"},
}


def printed(kept: dict, **others: str) -> str:
    """As etcdctl prints keys and values; others are values that are no JSON, below Calico's prefix."""
    texts = {key: json.dumps(value) for key, value in kept.items()}
    texts |= {f"/calico/{key}": value for key, value in others.items()}

    def code(text: str) -> str:
        return base64.b64encode(text.encode()).decode()

    return json.dumps({"kvs": [{"key": code(key), "value": code(value)} for key, value in texts.items()]})


OK, REFUSED = {"observed": "ok", "detail": "HTTP/1.0 200 OK"}, {"observed": "refused", "detail": "ALERT"}
ANSWERS = {"certificate": OK, "none": REFUSED, "stranger": REFUSED}
PINGS = "".join(f"64 bytes from 10.244.2.65: icmp_seq={number} ttl=62 time=0.1 ms\n" for number in range(1, 101))
SEEN = Seen(
    LAB,
    stored(printed(KEPT, **{"v1/Ready": "true"})),
    ["apps", "networking.k8s.io"],
    {node: ANSWERS for node in LAB["nodes"]},
    before=Pod("10.244.3.66", True, True),
    waiting=Pod(plugins=1),
    after=Pod("10.244.3.67", True, True),
    pings={("n1", "n2"): f"{PINGS}\n100 packets transmitted, 100 received"},
)


def found(**changes: object) -> dict[str, list[str]]:
    """The faults of each claim that has some."""
    seen = dataclasses.replace(SEEN, **changes)
    faults = {claim.case: proof.faults(claim, seen) for claim in proof.claims(LAB)}
    return {case: texts for case, texts in faults.items() if texts}


def without(key: str) -> object:
    return stored(printed({name: value for name, value in KEPT.items() if name != key}))


def with_value(key: str, **spec: object) -> object:
    old = KEPT.get(key, {"spec": {}})
    return stored(printed({**KEPT, key: {**old, "spec": {**old["spec"], **spec}}}))


def test_claims():
    cases = [claim.case for claim in proof.claims(LAB)]
    assert cases[:9] == ["pools", "nodes", "blocks", "api", "before", "meanwhile", "waits", "after", "left"]
    assert cases[9:] == [f"{node}-{client}" for node in LAB["nodes"] for client in ANSWERS]
    assert all("{" not in claim.title for claim in proof.claims(LAB))


def test_a_sound_run():
    assert found() == {}


def test_blocks_and_nodes_are_read_as_those_of_the_api():
    bare = [
        {**one, "metadata": {"name": one["metadata"]["name"]}} if one["kind"] == "Node" else one
        for one in OBJECTS
        if one["kind"] != "IPAMBlock"
    ]
    assert peers(objects(printed(KEPT), bare), LAB) == KNOWN
    with pytest.raises(ProofError, match="node n1 has no annotation"):
        peers(objects(printed({}), bare), LAB)


def test_etcd_is_asked_on_the_control_plane():
    words = read_command("https://172.30.24.11:6666").split()
    assert words[:2] == ["etcdctl", "--endpoints=https://172.30.24.11:6666"]
    assert "--key=/etc/calico-etcd/tls.key" in words


@pytest.mark.parametrize(
    ("case", "changes"),
    [
        ("pools", {"stored": without(f"{POOLS}default-ipv4-ippool")}),
        ("pools", {"stored": with_value(f"{POOLS}default-ipv4-ippool", ipipMode="Always")}),
        ("pools", {"stored": with_value(f"{POOLS}other", **POOL)}),
        ("nodes", {"stored": without(f"{NODES}n2")}),
        ("nodes", {"stored": with_value(f"{NODES}n2", bgp={"ipv4Address": "172.30.24.99/24"})}),
        ("nodes", {"stored": with_value(f"{NODES}n9", bgp={"ipv4Address": "172.30.24.19/24"})}),
        ("blocks", {"stored": without(f"{BLOCKS}10.244.2.64-26")}),
        ("api", {"groups": ["apps", "crd.projectcalico.org"]}),
        ("api", {"groups": ["apps", "projectcalico.org"]}),
        ("before", {"before": Pod("10.244.3.66", True, False)}),
        ("before", {"before": Pod("", False, False)}),
        ("before", {"before": Pod("172.30.24.13", True, True)}),
        ("meanwhile", {"pings": {("n1", "n2"): "".join(PINGS.splitlines(True)[:80]) + "100 packets transmitted"}}),
        ("waits", {"waiting": Pod("10.244.3.67", True, True)}),
        ("waits", {"waiting": Pod("10.244.3.67", plugins=1)}),
        ("waits", {"waiting": Pod(networked=True, plugins=1)}),
        ("waits", {"waiting": Pod()}),
        ("waits", {"before": Pod("10.244.3.66", True, True, 1)}),
        ("after", {"after": Pod("", plugins=1)}),
        ("left", {"left": ["namespace/reftopo-datastore is still there"]}),
        ("n1-none", {"answers": {**SEEN.answers, "n1": {**ANSWERS, "none": OK}}}),
        ("n3-stranger", {"answers": {**SEEN.answers, "n3": {**ANSWERS, "stranger": OK}}}),
        ("n2-certificate", {"answers": {**SEEN.answers, "n2": {**ANSWERS, "certificate": REFUSED}}}),
    ],
)
def test_what_goes_wrong_fails_its_own_claim(case: str, changes: dict):
    assert set(found(**changes)) == {case}


def test_a_block_of_nobody_or_of_another_network_is_told():
    block = {"cidr": "10.99.0.0/26", "affinity": "host:n9", "allocations": [], "attributes": []}
    told = found(stored=stored(printed({**KEPT, f"{BLOCKS}10.99.0.0-26": block})))
    assert told == {"blocks": ["10.99.0.0/26 is of host:n9, no node", "10.99.0.0/26 is not in 10.244.0.0/16"]}


@pytest.mark.parametrize("changes", [{"groups": []}, {"pings": {}}])
def test_a_probe_that_broke_is_no_verdict(changes: dict):
    with pytest.raises(ProofError):
        found(**changes)


def test_what_was_recorded_of_a_cluster():
    """Of the topology calico-etcd, when its test workload ran: every pod has an address that a block has for it."""
    recorded = json.loads((Path(__file__).parent / "data/calico_etcd.json").read_text(encoding="utf-8"))
    known = peers(objects(json.dumps(recorded["etcd"]), recorded["objects"]), LAB)
    assert {name: (peer.underlay, peer.subnets) for name, peer in known.items()} == {
        "cp1": ("172.30.40.11", ("10.244.176.0/26",)),
        "w1": ("172.30.40.12", ("10.244.190.64/26",)),
        "w2": ("172.30.40.13", ("10.244.80.192/26",)),
    }
    for peer in known.values():
        assert peer.pods
        assert peer.allocated == {address: pods[0] for address, pods in peer.pods.items()}
