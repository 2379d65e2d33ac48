# SPDX-License-Identifier: GPL-3.0-or-later
"""A topology that is on several hosts: where each part of it is, and the way between them."""

from __future__ import annotations

import itertools
import typing as t

import pytest
import yaml
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_compile import compile_topology
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_names import tunnel_port, vni
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_validate import validate
from hypothesis import given
from hypothesis import strategies as st

FILE = """\
name: t-wide
description: A network on this machine, on a node of it, and on a server; another on the server alone.
segments:
  lan: {cidr: 198.18.78.0/24}
  own: {cidr: 192.0.2.0/24}
  underlay: {cidr: 198.18.77.0/24}
hosts:
  host: {address: 198.18.77.1}
  h2: {address: 203.0.113.12, mtu: 1400, ansible_port: 2222, ansible_user: admin}
nodes: {n1: {segment: underlay}}
namespaces:
  here: {segment: lan}
  left: {segment: lan, host: n1}
  right:
    host: h2
    interfaces: {eth0: {segment: lan}, eth1: {segment: own}}
    nat: [{action: masquerade, source: 198.18.78.0/24, out: eth1}]
  server: {segment: own, host: h2}
checks:
  pairs: {from: [here, left], to: namespaces}
"""
ZEROS = "00:00:00:00:00:00"


@pytest.fixture(scope="module")
def wide() -> dict[str, t.Any]:
    topology, problems = validate(FILE, "t-wide", [])
    assert problems == []
    return compile_topology(topology)


def part(topology: dict[str, t.Any], host: str) -> dict[str, t.Any]:
    return topology["hosts"][host]["part"]


def test_each_machine_is_on_one_host(wide):
    states = {"host": wide["link_state"], **{name: part(wide, name)["link_state"] for name in ("h2", "n1")}}
    namespaces = {name: list(state["namespaces"]) for name, state in states.items()}
    assert namespaces == {"host": ["n1", "here"], "h2": ["right", "server"], "n1": ["left"]}
    marks = {name: [link["mark"] for link in state["links"].values()] for name, state in states.items()}
    assert marks == {
        "host": ["lan", "underlay", "lan.between.hosts", "n1.eth0", "here.eth0"],
        "h2": ["lan", "own", "lan.between.hosts", "right.eth0", "right.eth1", "server.eth0"],
        "n1": ["lan", "lan.between.hosts", "left.eth0"],
    }
    assert "part" not in wide["hosts"]["host"]


def test_what_a_node_carries_is_in_a_name_of_its_own(wide):
    names = {name: (part(wide, name)["name"], part(wide, name)["link_state"]["owner"]) for name in ("h2", "n1")}
    assert names == {"h2": ("t-wide", "t-wide"), "n1": ("t-wide_", "t-wide_")}
    netns = {name: one["netns"] for name, one in wide["namespaces"].items()}
    assert (netns["left"], netns["right"], netns["here"]) == (
        "reftopo.t-wide_.left",
        "reftopo.t-wide.right",
        "reftopo.t-wide.here",
    )


def test_the_way_between_hosts_floods_to_each_other_one(wide):
    lan = wide["segments"]["lan"]
    assert lan["hosts"] == ["h2", "host", "n1"]
    tunnels = {
        "host": wide["link_state"]["links"][lan["tunnel"]],
        **{name: part(wide, name)["link_state"]["links"][lan["tunnel"]] for name in ("h2", "n1")},
    }
    addresses = {"h2": "203.0.113.12", "host": "198.18.77.1", "n1": "198.18.77.11"}
    for name, link in tunnels.items():
        assert link == {
            "kind": "vxlan",
            "mark": "lan.between.hosts",
            "mtu": 1350,
            "master": lan["bridge"],
            "id": lan["vni"],
            "port": lan["port"],
            "local": addresses[name],
            "fdb": [{"mac": ZEROS, "dst": address} for other, address in addresses.items() if other != name],
        }
    assert "tunnel" not in wide["segments"]["own"]


def test_the_mtu_is_what_the_narrowest_host_leaves(wide):
    mtus = {name: segment["mtu"] for name, segment in wide["segments"].items()}
    assert mtus == {"lan": 1350, "own": 1500, "underlay": 1500}
    bodies = [*wide["link_state"]["namespaces"].values(), *part(wide, "h2")["link_state"]["namespaces"].values()]
    assert {body["links"]["eth0"]["mtu"] for body in bodies} == {1350, 1500}
    wider = yaml.safe_load(FILE)
    wider["hosts"]["h2"]["mtu"] = 9000
    assert compile_topology(validate(yaml.safe_dump(wider), "t-wide", [])[0])["segments"]["lan"]["mtu"] == 1450


def test_this_machine_alone_has_an_address_on_its_bridge(wide):
    lan = wide["segments"]["lan"]
    assert wide["link_state"]["links"][lan["bridge"]]["addresses"] == ["198.18.78.1/24"]
    assert part(wide, "h2")["link_state"]["links"][lan["bridge"]]["addresses"] == []
    assert "gateway" not in wide["segments"]["own"]


def test_what_is_elsewhere_may_have_a_network_of_this_machine(host):
    text = FILE.replace("198.18.78.0/24}", "192.0.3.0/24}").replace("source: 198.18.78.0/24", "source: 192.0.3.0/24")
    assert validate(text, "t-wide", host)[1] == []
    here = text.replace("server: {segment: own, host: h2}", "server: {segment: own}")
    assert "segments.own.cidr: 192.0.2.0/24 overlaps 192.0.2.2/24" in str(validate(here, "t-wide", host)[1][0])


def test_preflight_looks_for_what_each_host_needs(wide):
    assert part(wide, "h2")["needs"] == ["bridge", "netns", "nftables", "veth", "vxlan"]
    assert part(wide, "n1")["needs"] == ["bridge", "netns", "veth", "vxlan"]
    assert wide["needs"] == ["bridge", "netns", "veth", "vxlan"]
    lan = wide["segments"]["lan"]
    tunnels = {"lan": {"vni": lan["vni"], "port": lan["port"]}}
    assert part(wide, "h2")["underlay"] == {
        "path": "hosts.h2",
        "address": "203.0.113.12",
        "mtu": 1400,
        "tunnels": tunnels,
    }
    assert wide["underlay"] == {"path": "hosts.host", "address": "198.18.77.1", "mtu": 1500, "tunnels": tunnels}
    assert list(part(wide, "h2")["segments"]) == ["lan", "own"]


def test_one_host_is_as_before(flannel_vxlan):
    compiled = compile_topology(validate(flannel_vxlan, "flannel-vxlan", [])[0])
    assert not {"hosts", "underlay"} & set(compiled)


@given(st.text("abz-0", min_size=1), st.text("abz-0", min_size=1))
def test_identifiers_and_ports_are_of_their_pools(topology: str, segment: str):
    assert 1 << 23 <= vni(topology, segment) < 1 << 24
    assert 61000 <= tunnel_port(topology) <= 65535
    assert vni(topology, segment) == vni(topology, segment)


def test_derived_identifiers_that_are_the_same_are_refused():
    by_number: dict[int, str] = {}
    for name in (f"s{number}" for number in itertools.count()):
        other = by_number.setdefault(vni("t-wide", name), name)
        if other != name:
            break
    topology = yaml.safe_load(FILE)
    topology["segments"] |= {other: {"cidr": "198.18.79.0/24"}, name: {"cidr": "198.18.80.0/24"}}
    for home in ("h2", "n1"):
        topology["namespaces"][f"x-{home}"] = {
            "host": home,
            "interfaces": {"eth0": {"segment": other}, "eth1": {"segment": name}},
        }
    (problem,) = validate(yaml.safe_dump(topology), "t-wide", [])[1]
    first, second = sorted((other, name), key=lambda one: int(one[1:]))
    number = vni("t-wide", first)
    assert str(problem) == (
        f"segments.{second}.vni: {number} (derived) is segments.{first}.vni (derived) already; "
        "write another vni for one of the two; between 8388608 and 16777215 few are used"
    )
    topology["segments"][second]["vni"] = number - 1
    assert validate(yaml.safe_dump(topology), "t-wide", [])[1] == []


def test_hosts_that_carry_a_part_are_in_the_inventory(listed):
    data = listed(t_wide=FILE)
    assert data["t_wide_hypervisors"]["hosts"] == ["h2.t-wide", "n1.t-wide"]
    hosts = data["_meta"]["hostvars"]
    assert {key: value for key, value in hosts["h2.t-wide"].items() if key.startswith("ansible_") and value != {}} == {
        "ansible_python_interpreter": "/usr/bin/python3",
        "ansible_ssh_timeout": 60,
        "ansible_host": "203.0.113.12",
        "ansible_port": 2222,
        "ansible_user": "admin",
        "ansible_become": True,
    }
    assert hosts["n1.t-wide"]["ansible_ssh_private_key_file"].endswith("/t-wide/id_ed25519")
    parts = {name: hosts[f"{name}.t-wide"]["reftopo_host"]["part"] for name in ("h2", "n1")}
    assert {name: list(one["namespaces"]) for name, one in parts.items()} == {"h2": ["right", "server"], "n1": ["left"]}
    assert "reftopo_node" in hosts["n1.t-wide"]
    assert "reftopo_node" not in hosts["h2.t-wide"]
