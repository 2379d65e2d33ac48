# SPDX-License-Identifier: GPL-3.0-or-later
"""What comes of the choice of a network plugin: its compiled options, and what preflight tries and says of it."""

from __future__ import annotations

import pytest
import yaml
from ansible_collections.reftopo.lab.plugins.module_utils._cni_backend import of_another, to_own_pods
from ansible_collections.reftopo.lab.plugins.module_utils._preflight_checks import features
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_compile import compile_topology
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_validate import validate
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_way import bare, mechanism
from preflight_machines import GOOD

HOST = {"device": "", "overhead": 0, "mtu": 1500}
CASES = {
    "flannel": ({"name": "flannel", "backend": "host-gw"}, HOST, {"nftables"}, {}),
    "calico": (
        {"name": "calico", "backend": "bgp"},
        {"as_number": 64512, **HOST},
        {"iptables", "ipset", "nftables"},
        {"iptables": "cluster.cni.backend", "ipset": "cluster.cni.backend"},
    ),
    "calico, with options": (
        {"name": "calico", "backend": "bgp", "as_number": 4200000000, "mtu": 1400},
        HOST,
        {"iptables", "ipset", "nftables"},
        {},
    ),
    "calico, in VXLAN": (
        {"name": "calico", "backend": "vxlan"},
        {"vni": 4096, "port": 4789, "direct_routing": False, "device": "vxlan.calico", "overhead": 50, "mtu": 1450},
        {"iptables", "ipset", "nftables", "vxlan"},
        {"vxlan": "cluster.cni.backend", "ipset": "cluster.cni.backend"},
    ),
    "calico, in VXLAN of another number": (
        {"name": "calico", "backend": "vxlan", "vni": 7, "port": 8472},
        {"direct_routing": False, "device": "vxlan.calico", "overhead": 50, "mtu": 1450},
        {"iptables", "ipset", "nftables", "vxlan"},
        {},
    ),
}


def compiled(text: str, cni: dict) -> dict:
    given = yaml.safe_load(text)
    given["cluster"]["cni"] = cni
    given["checks"] = {}
    topology, problems = validate(yaml.safe_dump(given, sort_keys=False), "flannel-vxlan", [])
    assert problems == []
    return compile_topology(topology)


@pytest.mark.parametrize("case", CASES)
def test_a_plugin(flannel_vxlan, case):
    cni, derived, needs, places = CASES[case]
    topology = compiled(flannel_vxlan, cni)
    assert topology["cluster"]["cni"] == {**derived, **cni}
    assert set(topology["needs"]) - {"bridge", "netns", "veth"} == needs
    told = {line.what.removeprefix("kernel: "): line.needed_by for line in features(GOOD, topology)}
    assert told["nftables"] == "cluster.proxy_mode"
    assert {**told, **places} == told
    assert bare(topology, "w1", "w2") == (not derived["overhead"])
    assert mechanism(topology["cluster"]["cni"]) == cni["backend"]


def test_an_etcd_of_its_own_is_on_the_control_plane(flannel_vxlan):
    cni = {"name": "calico", "backend": "bgp", "datastore": "etcd"}
    assert compiled(flannel_vxlan, cni)["cluster"]["cni"]["endpoint"] == "https://172.30.10.11:6666"
    for said in ({}, {"datastore": "kubernetes"}):
        assert "endpoint" not in compiled(flannel_vxlan, {"name": "calico", "backend": "bgp", **said})["cluster"]["cni"]


LINKS = ("cni0", "cali12", "flannel.1", "flannel0", "tunl0", "vxlan.calico", "eth0")
OWN = {
    ("flannel", "flannel.1"): ({"cni0"}, {"cali12", "flannel0", "tunl0", "vxlan.calico"}),
    ("flannel", ""): ({"cni0"}, {"cali12", "flannel.1", "flannel0", "tunl0", "vxlan.calico"}),
    ("calico", ""): ({"cali12"}, {"cni0", "flannel.1", "flannel0", "tunl0", "vxlan.calico"}),
    ("calico", "vxlan.calico"): ({"cali12"}, {"cni0", "flannel.1", "flannel0", "tunl0"}),
}


@pytest.mark.parametrize("case", OWN, ids=" ".join)
def test_whose_a_link_is(case):
    cni = dict(zip(("name", "device"), case))
    assert (
        {link for link in LINKS if to_own_pods(cni, link)},
        {link for link in LINKS if of_another(cni, link)},
    ) == OWN[case]
    assert not to_own_pods(cni, None)


@pytest.mark.parametrize(("broken", "cut"), [(["w2"], ["w2"]), (["w2", "w1"], ["cp1", "w1", "w2"])])
def test_who_is_cut_off_without_some_route_reflectors(flannel_vxlan, broken, cut):
    given = yaml.safe_load(flannel_vxlan)
    reflectors = {"cluster_id": "244.0.0.1", "nodes": ["w2", "w1"]}
    given["cluster"]["cni"] = {"name": "calico", "backend": "bgp", "route_reflectors": reflectors}
    given["checks"] = {"gone": {"from": "pods", "to": "pods", "break": {"reflectors": broken}, "expect": "timeout"}}
    topology, problems = validate(yaml.safe_dump(given, sort_keys=False), "flannel-vxlan", [])
    assert problems == []
    done = compile_topology(topology)
    assert done["cluster"]["cni"]["route_reflectors"] == {"cluster_id": "244.0.0.1", "nodes": ["w1", "w2"]}
    assert done["checks"]["gone"]["break"] == {"reflectors": broken, "cut": cut}
