# SPDX-License-Identifier: GPL-3.0-or-later
"""flannel's records in etcd, as two flannelds and etcdctl left and printed them: read, kept, and judged."""

from __future__ import annotations

import copy
import json
import pathlib

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils import _flannel_etcd as store
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_etcd as etcd
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_claim import Peer
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_snapshot import MARK, Snapshot

PRINTED = (pathlib.Path(__file__).parent / "data" / "records.json").read_text()
M1, M2 = "172.30.250.1", "172.30.250.2"
LEASE1, LEASE2 = f"{store.SUBNETS}10.244.100.0-24", f"{store.SUBNETS}10.244.78.0-24"
CNI = {"name": "flannel", "backend": "vxlan", "vni": 1, "port": 8472, "mtu": 1450}
TOPOLOGY = {
    "nodes": {"m1": {"address": M1}, "m2": {"address": M2}},
    "pod_network": {"pod_cidr": "10.244.0.0/16", "node_prefix": 24, "etcd": "m1", "endpoint": "e", "cni": CNI},
}
CONFIG = {
    "Network": "10.244.0.0/16",
    "SubnetLen": 24,
    "EnableNFTables": True,
    "Backend": {"Type": "vxlan", "VNI": 1, "Port": 8472},
}
SUBNET = {
    "FLANNEL_NETWORK": "10.244.0.0/16",
    "FLANNEL_SUBNET": "10.244.100.1/24",
    "FLANNEL_MTU": "1450",
    "FLANNEL_IPMASQ": "true",
}
ANSWERS = {
    "certificate": {"observed": "ok", "detail": "HTTP/1.0 200 OK"},
    "none": {"observed": "refused", "detail": "TLSV13_ALERT_CERTIFICATE_REQUIRED"},
    "stranger": {"observed": "refused", "detail": "TLSV1_ALERT_UNKNOWN_CA"},
}


@pytest.fixture
def records():
    return store.parse(PRINTED)


def test_nothing_is_to_do_when_all_is_as_it_must_be(records):
    assert store.plan(records, CONFIG, [M1, M2]) == []


def test_an_empty_etcd_gets_the_configuration():
    assert store.plan(store.parse('{"header": {}}'), CONFIG, [M1]) == [("put", store.CONFIG, "it is not there")]


def test_a_changed_configuration_is_put_back_and_a_strangers_lease_deleted(records):
    records[store.CONFIG] = {"Network": "10.9.0.0/16"}
    assert store.plan(records, CONFIG, [M1]) == [
        ("put", store.CONFIG, 'it is {"Network": "10.9.0.0/16"}'),
        ("del", LEASE2, "172.30.250.2 is no node of the topology"),
    ]


def test_peers_are_the_leases_of_nodes(records):
    assert etcd.peers(records, TOPOLOGY) == {
        "m1": Peer("m1", "10.244.100.0/24", M1, "7a:e9:94:19:84:d8"),
        "m2": Peer("m2", "10.244.78.0/24", M2, "22:70:cb:00:e4:dd"),
    }
    assert etcd.lease_key(etcd.peers(records, TOPOLOGY)["m2"]) == LEASE2


def judge(records, node, key, subnet=SUBNET, answers=ANSWERS):
    claim = next(one for one in etcd.claims(TOPOLOGY) if (one.node, one.key) == (node, key))
    return etcd.faults(claim, TOPOLOGY, records, {node: {"subnet": subnet, "answers": answers}})


def test_every_claim_holds_of_what_was_recorded(records):
    claims = [one for one in etcd.claims(TOPOLOGY) if one.node == "m1"]
    assert [one.key for one in claims] == ["config", "strangers", "lease", "certificate", "none", "stranger"]
    assert [judge(records, "m1", one.key) for one in claims] == [[]] * len(claims)


def changed(records, key, **values):
    found = copy.deepcopy(records)
    found[key].update(values)
    return found


@pytest.mark.parametrize(
    ("key", "values", "claim", "fault"),
    [
        (store.CONFIG, {"SubnetLen": 25}, "config", f"{store.CONFIG}: SubnetLen is 25, must be 24"),
        (
            store.CONFIG,
            {"Backend": {"Type": "host-gw", "VNI": 1, "Port": 8472}},
            "config",
            f"{store.CONFIG}: Type is 'host-gw', must be 'vxlan'",
        ),
        (LEASE2, {"PublicIP": "172.30.250.9"}, "strangers", f"{LEASE2} is of 172.30.250.9"),
        (LEASE1, {"PublicIP": "172.30.250.9"}, "lease", "0 leases, must be one"),
        (LEASE2, {"PublicIP": M1}, "lease", "2 leases, must be one"),
        (LEASE1, {"BackendType": "host-gw"}, "lease", f"{LEASE1}: backend is 'host-gw', must be 'vxlan'"),
    ],
)
def test_a_record_that_differs_is_named(records, key, values, claim, fault):
    assert judge(changed(records, key, **values), "m1", claim) == [fault]


@pytest.mark.parametrize(
    ("name", "value", "must"),
    [("FLANNEL_SUBNET", "10.244.78.1/24", "10.244.100.1/24"), ("FLANNEL_MTU", "1500", "1450")],
)
def test_a_subnet_file_that_is_not_of_the_lease_is_named(records, name, value, must):
    faults = judge(records, "m1", "lease", subnet={**SUBNET, name: value})
    assert faults == [f"{store.SUBNET_FILE}: {name} is {value!r}, must be {must!r}"]


@pytest.mark.parametrize(("client", "observed"), [("none", "ok"), ("none", "error"), ("certificate", "refused")])
def test_a_client_that_is_not_answered_as_it_must_be(records, client, observed):
    answers = {**ANSWERS, client: {"observed": observed, "detail": "so it said"}}
    wanted = {"none": "refused", "certificate": "ok"}[client]
    assert judge(records, "m1", client, answers=answers) == [f"{observed} (so it said), must be {wanted}"]


def snapshot(**parts):
    texts = {"routes": "[]", "neighbours": "[]", "fdb": "[]", **{key: json.dumps(rows) for key, rows in parts.items()}}
    return Snapshot("m1", "".join(f"{MARK} {name}\n{text}\n{MARK} rc 0\n" for name, text in texts.items()))


def test_whatever_others_still_have_of_a_node_without_lease_is_named(records):
    lost, own = etcd.peers(records, TOPOLOGY)["m2"], {"dst": "10.244.78.0/24"}
    assert etcd.forgotten_faults(lost, {"m1": snapshot(), "m2": snapshot(routes=[own])}) == []
    kept = {
        "routes": own,
        "neighbours": {"dst": "10.244.78.0"},
        "fdb": {"mac": "22:70:cb:00:e4:dd"},
    }
    for part, row in kept.items():
        assert etcd.forgotten_faults(lost, {"m1": snapshot(**{part: [row]})}) == [f"m1 still has in {part}: {row}"]
