# SPDX-License-Identifier: GPL-3.0-or-later
"""A topology on hosts that somebody made for it: what becomes of it, what is left out, and what is refused."""

from __future__ import annotations

import json
import pathlib

import pytest
import yaml
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_compile import compile_topology
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_host import Occupied
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_on_hosts import Hosts, load_hosts
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_validate import validate

NONE = Hosts("flannel-vxlan", "eth1", {})
CP1 = {"ansible_host": "192.168.121.2", "ansible_user": "vagrant", "ansible_port": 22}
GOLDEN = pathlib.Path(__file__).parent / "golden/on_hosts.txt"


def on_hosts(text: str, hosts: Hosts = NONE, occupied: tuple[Occupied, ...] = ()):
    return validate(text, hosts.topology, occupied, hosts)


def test_nodes_have_the_addresses_that_they_have_everywhere(flannel_vxlan):
    made_here, problems = validate(flannel_vxlan, "flannel-vxlan", [])
    assert problems == []
    topology, problems = on_hosts(flannel_vxlan)
    assert problems == []
    here, there = compile_topology(made_here), compile_topology(topology)
    for name, node in there["nodes"].items():
        assert node["provider"] == "existing"
        assert node["address"] == here["nodes"][name]["address"]
        assert list(node["interfaces"]) == ["eth1"]
        assert node["interfaces"]["eth1"]["address"] == here["nodes"][name]["interfaces"]["eth0"]["address"]
    assert there["segments"] == {"lan": {"kind": "existing", "cidr": "172.30.10.0/24", "mtu": 1500}}
    assert there["cluster"] == here["cluster"]
    assert there["namespaces"] == {}


def test_what_takes_namespaces_is_left_out_and_told(flannel_vxlan):
    topology, problems = on_hosts(flannel_vxlan)
    assert problems == []
    assert topology["left_out"] == ["namespaces.outside", "checks.pods-reach-outside"]
    kept = [name for name in yaml.safe_load(flannel_vxlan)["checks"] if name != "pods-reach-outside"]
    assert list(topology["checks"]) == kept


@pytest.mark.parametrize(
    "check",
    [
        {"from": "pods", "to": ["outside"]},
        {"from": ["outside"], "to": "pods"},
        {"from": "nodes", "to": ["outside.eth0", "cp1"]},
        {"from": "nodes", "to": "nodes", "hops": ["outside"]},
        {"from": "nodes", "to": "nodes", "answers": "outside"},
    ],
)
def test_a_check_names_a_namespace_in_many_ways(flannel_vxlan, check):
    text = yaml.safe_load(flannel_vxlan)
    text["checks"]["so"] = check
    topology, problems = on_hosts(yaml.safe_dump(text))
    assert problems == []
    assert "checks.so" in topology["left_out"]


def test_hosts_are_reached_as_whoever_made_them_says(flannel_vxlan):
    reached = {"cp1": CP1, "w1": {"ansible_host": "192.168.121.3"}, "w2": {}}
    topology, problems = on_hosts(flannel_vxlan, NONE._replace(reached=reached))
    assert problems == []
    nodes = compile_topology(topology)["nodes"]
    assert {key: value for key, value in nodes["cp1"].items() if key.startswith("ansible_")} == CP1
    assert not [key for key in nodes["w2"] if key.startswith("ansible_")]


def test_a_provider_of_the_file_does_not_matter(flannel_vxlan):
    text = flannel_vxlan.replace("w1: {role: worker", "w1: {provider: vm, mac: '02:00:00:00:00:01', role: worker")
    topology, problems = on_hosts(text)
    assert problems == []
    assert topology["nodes"]["w1"]["provider"] == "existing"


def test_networks_that_were_made_for_the_hosts_are_in_nobodys_way(flannel_vxlan):
    made = Occupied("172.30.10.1/24", "this host's address on virbr1")
    pods = Occupied("10.244.0.0/16", "this host's route by way of eth0")
    assert on_hosts(flannel_vxlan, occupied=(made,))[1] == []
    assert [problem.path for problem in on_hosts(flannel_vxlan, occupied=(made, pods))[1]] == ["cluster.pod_cidr"]


def told(text: str, hosts: Hosts) -> str:
    dummy, problems = on_hosts(text, hosts)
    return "".join(f"{hosts.topology}: {problem}\n" for problem in problems)


def test_what_cannot_be_on_hosts_is_refused(flannel_vxlan, root):
    """After an intended change read the difference, and put it there."""
    reached = {"cp1": CP1, "w1": {}, "w9": {}}
    lines = told(flannel_vxlan, NONE._replace(reached=reached))
    lines += told(flannel_vxlan.replace("cni: {name", "cni: {nmae"), NONE)
    for name in ("flannel-udp", "veth-pair", "flannel-vxlan-direct", "load-balancer", "services"):
        text = (root / "inventories" / name / "topology.yml").read_text(encoding="utf-8")
        lines += told(text, NONE._replace(topology=name))
    assert lines == GOLDEN.read_text(encoding="utf-8")


def test_the_file_of_hosts():
    data = {"topology": "flannel-vxlan", "interface": "eth1"}
    assert load_hosts(json.dumps(data)) == NONE
    assert load_hosts(json.dumps({**data, "hosts": {"cp1": CP1}})) == NONE._replace(reached={"cp1": CP1})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "Expecting"),
        ("[]", "give topology, interface"),
        ('{"topology": "x"}', "give topology, interface"),
        ('{"topology": "x", "interface": "eth1", "host": {}}', "give topology, interface"),
        ('{"topology": "x", "interface": "eth1", "hosts": []}', "the variables of each node"),
        ('{"topology": "x", "interface": "eth1", "hosts": {"a": "b"}}', "the variables of each node"),
        ('{"topology": "x", "interface": "eth1", "hosts": {"a": {"ansible_hots": "b"}}}', "unknown ansible_hots"),
    ],
)
def test_a_file_of_hosts_that_is_none(text, said):
    with pytest.raises(ValueError, match=said):
        load_hosts(text)


def test_the_inventory_has_the_hosts(inventory, tmp_path, flannel_vxlan):
    file = tmp_path / "hosts.json"
    hosts = {"cp1": CP1, "w1": {}, "w2": {}}
    file.write_text(json.dumps({"topology": "flannel-vxlan", "interface": "eth1", "hosts": hosts}))
    other = flannel_vxlan.replace("name: flannel-vxlan", "name: t-other", 1).replace("172.30.10", "172.30.11")
    done = inventory("--list", hosts=str(file), flannel_vxlan=flannel_vxlan, t_other=other)
    assert "flannel-vxlan is on hosts that are there already, without namespaces.outside, checks." in done.stderr
    data = json.loads(done.stdout)
    assert data["flannel_vxlan_existing"]["hosts"] == ["cp1.flannel-vxlan", "w1.flannel-vxlan", "w2.flannel-vxlan"]
    host = data["_meta"]["hostvars"]["cp1.flannel-vxlan"]
    assert {key: host[key] for key in (*CP1, "ansible_become")} == {**CP1, "ansible_become": True}
    assert list(host["reftopo_node"]["interfaces"]) == ["eth1"]
    assert "t_other_existing" not in data, "other topologies are as their files say"


def test_the_inventory_names_a_file_of_hosts_that_it_cannot_read(inventory, tmp_path, flannel_vxlan):
    done = inventory("--list", hosts=str(tmp_path / "none"), flannel_vxlan=flannel_vxlan)
    assert f"hosts of topologies, {tmp_path}/none: [Errno 2]" in done.stderr
