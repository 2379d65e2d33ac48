# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory plugin under the real ansible-inventory."""

from __future__ import annotations

import json
import os

import pytest
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_validate import validate

VALID = """
name: t-pair
description: Two namespaces reach each other.
segments: {lan: {cidr: 198.18.77.0/24}}
nodes: {n1: {role: control-plane, segment: lan}, n2: {role: worker, segment: lan}}
namespaces: {left: {segment: lan}}
"""
INVALID = (
    VALID.replace("t-pair", "t-broken").replace("198.18.77.0/24", "127.0.7.0/24").replace("role: worker", "role: hand")
)

THERE = """\
name: t-there
description: Two hosts that are there already.
segments:
  office: {kind: existing, cidr: 192.168.50.0/24}
nodes:
  n1: {role: control-plane, provider: existing, segment: office, address: 192.168.50.11}
  n2:
    role: worker
    provider: existing
    segment: office
    address: 192.168.50.12
    ansible_host: n2.example.org
    ansible_port: 2222
    ansible_user: admin
    ansible_ssh_private_key_file: ~/.ssh/key
cluster:
  kubernetes: v1.37.2
  pod_cidr: 198.18.64.0/20
  service_cidr: 198.18.80.0/20
  cni: {name: flannel, backend: vxlan}
"""
BARE = """
name: t-bare
description: One node has a pod.
segments: {lan: {cidr: 198.18.77.0/24}}
nodes:
  n1:
    segment: lan
    cni: {cniVersion: 1.0.0, name: pods, plugins: [{type: ptp}]}
    pods: {web: {server: {tcp: 80, udp: 81}}}
  n2: {segment: lan}
"""


def test_groups_and_hosts(listed):
    data = listed(t_pair=VALID)
    members = {name: {*group.get("children", []), *group.get("hosts", [])} for name, group in data.items()}
    assert members["t_pair"] == {"t_pair_host", "t_pair_nodes", "t_pair_existing", "t_pair_hypervisors"}
    assert members["t_pair_host"] == {"host.t-pair"}
    assert members["t_pair_nodes"] == {"t_pair_control_plane", "t_pair_workers", "t_pair_pods"}
    assert members["t_pair_control_plane"] == {"n1.t-pair"}
    assert members["t_pair_workers"] == {"n2.t-pair"}
    assert set(data["_meta"]["hostvars"]) == {"host.t-pair", "n1.t-pair", "n2.t-pair"}


def test_nodes_without_a_role(listed):
    data = listed(t_bare=BARE)
    assert data["t_bare_pods"]["hosts"] == ["n1.t-bare"]
    assert data["t_bare_nodes"]["hosts"] == ["n2.t-bare"]


def test_hosts_that_are_there_already(listed, tmp_path):
    data = listed(t_there=THERE)
    assert data["t_there_existing"]["hosts"] == ["n1.t-there", "n2.t-there"]
    assert data["t_there_control_plane"]["hosts"] == ["n1.t-there"]
    hosts = data["_meta"]["hostvars"]
    given = {
        name: {key: value for key, value in variables.items() if key.startswith("ansible_") and value != {}}
        for name, variables in hosts.items()
        if name != "host.t-there"
    }
    common = {"ansible_python_interpreter": "/usr/bin/python3", "ansible_ssh_timeout": 60}
    assert given == {
        "n1.t-there": {**common, "ansible_host": "192.168.50.11", "ansible_user": "root"},
        "n2.t-there": {
            **common,
            "ansible_host": "n2.example.org",
            "ansible_port": 2222,
            "ansible_user": "admin",
            "ansible_ssh_private_key_file": f"{tmp_path}/.ssh/key",
            "ansible_become": True,
        },
    }


def test_variables_of_a_node(listed, tmp_path):
    variables = listed(t_pair=VALID)["_meta"]["hostvars"]["n2.t-pair"]
    state = f"{tmp_path}/some state/t-pair"
    assert variables["ansible_host"] == "198.18.77.12"
    assert variables["ansible_user"] == "root"
    assert variables["ansible_ssh_private_key_file"] == f"{state}/id_ed25519"
    assert f"-o 'UserKnownHostsFile=\"{state}/known_hosts\"'" in variables["ansible_ssh_common_args"]
    assert variables["reftopo_node"] == variables["reftopo_topology"]["nodes"]["n2"]
    assert variables["reftopo_topology"]["group"] == "t_pair"
    assert variables["reftopo_state_dir"] == state
    assert variables["reftopo_cache_dir"] == f"{tmp_path}/.cache/reftopo"


def test_variables_of_the_host(listed):
    variables = listed(t_pair=VALID)["_meta"]["hostvars"]["host.t-pair"]
    assert variables["ansible_connection"] == "local"
    assert variables.get("ansible_become", False) == (os.geteuid() != 0)
    assert variables["reftopo_topology"]["link_state"]["owner"] == "t-pair"


def test_an_invalid_file_leaves_the_others_usable(inventory):
    done = inventory("--list", t_pair=VALID, t_broken=INVALID)
    data = json.loads(done.stdout)
    variables = data["_meta"]["hostvars"]
    assert set(variables) == {"host.t-pair", "n1.t-pair", "n2.t-pair", "host.t-broken"}
    assert [problem["path"] for problem in variables["host.t-broken"]["reftopo_topology_errors"]] == [
        "segments.lan.cidr",
        "nodes.n2.role",
    ]
    assert "reftopo_topology_errors" not in variables["host.t-pair"]
    assert "topology t-broken is not valid" in done.stderr
    assert "nodes.n2.role: 'hand' is not a node's role" in done.stderr


def test_the_hosts_own_networks_are_refused(inventory, tmp_path):
    fake = tmp_path / "bin" / "ip"
    fake.parent.mkdir()
    link = {"ifname": "eth9", "addr_info": [{"local": "198.18.77.9", "prefixlen": 32}]}
    fake.write_text(f"#!/bin/sh\n[ \"$3\" = address ] && echo '{json.dumps([link])}' || echo '[]'\n", encoding="utf-8")
    fake.chmod(0o755)
    done = inventory("--list", path=f"{fake.parent}:/usr/bin:/bin", t_pair=VALID)
    assert "198.18.77.0/24 overlaps 198.18.77.9/32, this host's address on eth9" in done.stderr


def test_a_host_without_iproute2_is_told(inventory, tmp_path):
    done = inventory("--list", path=str(tmp_path), t_pair=VALID)
    assert "cannot tell which networks this machine uses" in done.stderr
    assert "n1.t-pair" in json.loads(done.stdout)["_meta"]["hostvars"]


CLUSTER = """
cluster:
  kubernetes: v1.37.2
  pod_cidr: 10.244.0.0/16
  service_cidr: 10.96.0.0/16
  cni: {name: flannel, backend: vxlan}
"""
# What a kernel without VXLAN says, a trial that says that all is there (its control too), and none at all.
TRIALS = {
    "vm: this machine's kernel lacks vxlan (Unknown device type.)": (
        "printf 'control fails no\\nvxlan fails Unknown device type.\\nnftables works\\n'"
    ),
    "container: what this machine's kernel has could not be tried": (
        "printf 'control works\\nvxlan works\\nnftables works\\n'"
    ),
    "container: this machine's kernel lacks nothing of what it needs: nftables, vxlan": (
        "printf 'control fails no\\nvxlan works\\nnftables works\\n'"
    ),
}


@pytest.mark.parametrize("expected", TRIALS)
def test_auto_asks_this_machines_kernel(inventory, tmp_path, expected):
    for name, script in {"unshare": TRIALS[expected], "ip": "echo '[]'"}.items():
        fake = tmp_path / "bin" / name
        fake.parent.mkdir(exist_ok=True)
        fake.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        fake.chmod(0o755)
    text = VALID.replace("role: worker", "role: worker, provider: auto") + CLUSTER
    done = inventory("--list", path=f"{tmp_path}/bin:/usr/bin:/bin", t_pair=text)
    node = json.loads(done.stdout)["_meta"]["hostvars"]["n2.t-pair"]["reftopo_node"]
    assert f"{node['provider']}: {node['provider_why']}" == expected
    assert ("cannot be believed" in done.stderr) == ("could not be tried" in expected)


def test_a_missing_library_is_named(inventory, tmp_path, monkeypatch):
    (tmp_path / "netaddr.py").write_text("raise ImportError('No module named netaddr')", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert "needs netaddr and jsonschema: No module named netaddr" in inventory("--list", t_pair=VALID).stderr


def test_the_collections_own_topologies_are_valid(root):
    # Read without this host's networks, which may well collide with one of them.
    files = sorted((root / "inventories").glob("*/topology.yml"))
    assert files
    for file in files:
        assert validate(file.read_text(encoding="utf-8"), file.parent.name, [])[1] == [], file
