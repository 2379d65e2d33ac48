# SPDX-License-Identifier: GPL-3.0-or-later
"""The compiled form: a golden file, and what must hold for any topology.

After an intended change: REFTOPO_GOLDEN=write pytest tests/unit/topology, and read the difference.
"""

from __future__ import annotations

import copy
import ipaddress
import itertools
import json
import os
import pathlib
import typing as t

import pytest
import yaml
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_compile import compile_topology
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_validate import validate
from hypothesis import given, settings
from hypothesis import strategies as st

GOLDEN = pathlib.Path(__file__).parent / "golden" / "flannel-vxlan.json"


def compiled(text: str, name: str) -> dict[str, t.Any]:
    topology, problems = validate(text, name, [])
    assert problems == []
    return compile_topology(topology)


def reversed_keys(value: t.Any) -> t.Any:
    if isinstance(value, dict):
        return {key: reversed_keys(value[key]) for key in reversed(value)}
    return value


def pair(**sections: t.Any) -> str:
    """A topology of two namespaces, with sections replaced or added."""
    topology = {
        "name": "pair",
        "description": "Two namespaces reach each other.",
        "segments": {"lan": {"cidr": "172.30.20.0/24"}},
        "namespaces": {"left": {"segment": "lan"}, "right": {"segment": "lan"}},
    }
    return yaml.safe_dump({**topology, **sections}, sort_keys=False)


def addresses(result: dict[str, t.Any]) -> list[str]:
    machines = [*result["nodes"].values(), *result["namespaces"].values()]
    return [interface["address"] for machine in machines for interface in machine["interfaces"].values()]


def test_flannel_vxlan_is_the_golden_file(flannel_vxlan):
    result = json.dumps(compiled(flannel_vxlan, "flannel-vxlan"), indent=2) + "\n"
    if os.environ.get("REFTOPO_GOLDEN") == "write":
        GOLDEN.write_text(result, encoding="utf-8")
    assert result == GOLDEN.read_text(encoding="utf-8")


def test_order_of_keys_means_nothing(flannel_vxlan):
    other = yaml.safe_dump(reversed_keys(yaml.safe_load(flannel_vxlan)), sort_keys=False)
    assert other != yaml.safe_dump(yaml.safe_load(flannel_vxlan), sort_keys=False)
    first, second = (compiled(text, "flannel-vxlan") for text in (flannel_vxlan, other))
    assert json.dumps(first, sort_keys=True) == json.dumps(second, sort_keys=True)
    # The order is given by the names but for checks, which are reported in the order of the file.
    assert all(list(first[section]) == list(second[section]) for section in ("nodes", "link_state"))
    assert list(first["checks"]) == list(reversed(second["checks"]))


def test_compiling_leaves_its_input_alone(flannel_vxlan):
    topology, dummy = validate(flannel_vxlan, "flannel-vxlan", [])
    before = copy.deepcopy(topology)
    compile_topology(topology)
    assert topology == before


def test_a_topology_without_a_cluster():
    result = compiled(pair(), "pair")
    assert "cluster" not in result
    assert result["nodes"] == {}
    assert addresses(result) == ["172.30.20.201/24", "172.30.20.202/24"]
    assert result["needs"] == ["bridge", "netns", "veth"]
    assert set(result["link_state"]["namespaces"]) == {"left", "right"}


WIRE = {"wire": {"kind": "veth", "cidr": "10.1.1.0/29"}}
ENDS = {"left": {"segment": "wire"}, "right": {"segment": "wire"}}


def test_a_wire_is_one_veth_between_two_namespaces_and_nothing_on_the_host():
    result = compiled(pair(segments=WIRE, namespaces=ENDS), "pair")
    state = result["link_state"]
    assert (state["links"], result["needs"]) == ({}, ["netns", "veth"])
    left, right = (state["namespaces"][name] for name in ENDS)
    assert left["links"]["eth0"]["peer"] == {"name": "eth0", "namespace": "right"}
    assert "kind" not in right["links"]["eth0"]
    assert addresses(result) == ["10.1.1.1/29", "10.1.1.2/29"]
    assert left["routes"] == right["routes"] == []


def test_a_wire_may_have_the_addresses_of_a_network_of_the_host(host):
    text = pair(segments={"wire": {"kind": "veth", "cidr": "192.0.2.0/24"}}, namespaces=ENDS)
    bridge = text.replace("veth", "bridge")
    assert validate(text, "pair", host)[1] == []
    assert "overlaps" in str(validate(bridge, "pair", host)[1][0])


def test_a_check_carries_the_link_state_that_it_breaks_to():
    change = {"namespaces": {"right": {"links": {"eth0": {"up": False, "addresses": None}}}}}
    check = {"from": "namespaces", "to": "namespaces", "expect": "timeout", "break": {"change": change}}
    check["break"]["pairs"] = [["left", "right"]]
    result = compiled(pair(segments=WIRE, namespaces=ENDS, checks={"cut": check}), "pair")
    broken, healthy = result["checks"]["cut"]["break"]["link_state"], result["link_state"]
    assert broken["namespaces"]["left"] == healthy["namespaces"]["left"]
    end = dict(healthy["namespaces"]["right"]["links"]["eth0"], up=False)
    del end["addresses"]
    assert broken["namespaces"]["right"]["links"]["eth0"] == end


def test_a_given_address_is_kept_and_never_given_twice():
    machines = {"left": {"segment": "lan"}, "right": {"segment": "lan", "address": "172.30.20.201"}}
    assert addresses(compiled(pair(namespaces=machines), "pair")) == ["172.30.20.202/24", "172.30.20.201/24"]


def test_a_given_gateway_is_not_allocated():
    result = compiled(pair(segments={"lan": {"cidr": "172.30.20.0/29", "gateway": "172.30.20.2"}}), "pair")
    assert result["segments"]["lan"]["gateway"] == "172.30.20.2"
    assert addresses(result) == ["172.30.20.1/29", "172.30.20.3/29"]


def test_a_given_mac_is_written_in_lower_case():
    machines = {"left": {"segment": "lan", "mac": "02:00:00:00:00:AA"}, "right": {"segment": "lan"}}
    result = compiled(pair(namespaces=machines), "pair")
    assert result["namespaces"]["left"]["interfaces"]["eth0"]["mac"] == "02:00:00:00:00:aa"


def test_machines_are_counted_as_people_do():
    machines = {f"n{number}": {"segment": "lan"} for number in (10, 9, 1)}
    result = compiled(pair(namespaces=machines), "pair")
    assert {name: machine["address"] for name, machine in result["namespaces"].items()} == {
        "n1": "172.30.20.201",
        "n9": "172.30.20.202",
        "n10": "172.30.20.203",
    }


def test_a_machine_of_several_interfaces():
    machine = {"interfaces": {"eth1": {"segment": "wan"}, "eth0": {"segment": "lan", "address": "172.30.20.7"}}}
    segments = {"lan": {"cidr": "172.30.20.0/24"}, "wan": {"cidr": "172.30.21.0/24", "mtu": 9000}}
    result = compiled(pair(segments=segments, namespaces={"router": machine}), "pair")
    router = result["namespaces"]["router"]
    assert router["address"] == "172.30.20.7"
    assert [interface["mtu"] for interface in router["interfaces"].values()] == [1500, 9000]
    assert result["link_state"]["namespaces"]["router"]["routes"] == [{"to": "default", "dev": "eth0", "scope": "link"}]


@pytest.mark.parametrize(
    ("check", "protocols"),
    [("pods", ["icmp", "tcp", "udp"]), ("services", ["tcp", "udp"]), ("dns", ["udp"])],
)
def test_defaults_of_a_check(flannel_vxlan, check, protocols):
    topology = yaml.safe_load(flannel_vxlan) | {"checks": {"it": {"from": "pods", "to": check}}}
    result = compiled(yaml.safe_dump(topology), "flannel-vxlan")
    assert result["checks"] == {"it": {"from": "pods", "to": check, "protocols": protocols, "expect": "ok"}}


@settings(deadline=None, max_examples=40)
@given(
    prefix=st.integers(20, 29),
    nodes=st.integers(0, 230),
    namespaces=st.integers(1, 230),
)
def test_allocation_fits_whenever_validation_says_so(prefix, nodes, namespaces):
    network = ipaddress.ip_network(f"172.30.16.0/{prefix}")
    text = pair(
        segments={"lan": {"cidr": str(network)}},
        nodes={f"n{number}": {"role": "worker", "segment": "lan"} for number in range(nodes)},
        namespaces={f"m{number}": {"segment": "lan"} for number in range(namespaces)},
    )
    topology, problems = validate(text, "pair", [])
    assert bool(problems) == (nodes + namespaces + 1 > network.num_addresses - 2)
    if not problems:
        result = compile_topology(topology)
        given_out = [ipaddress.ip_interface(address).ip for address in addresses(result)]
        special = {network.network_address, network.broadcast_address, ipaddress.ip_address("172.30.16.1")}
        assert len(set(given_out)) == nodes + namespaces
        assert all(address in network and address not in special for address in given_out)


def test_names_and_addresses_of_machines_are_unique_and_fit(flannel_vxlan):
    result = compiled(flannel_vxlan, "flannel-vxlan")
    machines = [*result["nodes"].values(), *result["namespaces"].values()]
    interfaces = list(itertools.chain.from_iterable(machine["interfaces"].values() for machine in machines))
    assert len({interface["mac"] for interface in interfaces}) == len(interfaces)
    for interface in interfaces:
        first = int(interface["mac"][:2], 16)
        assert first & 1 == 0, "a multicast address"
        assert first & 2 == 2, "an address of some manufacturer"
    assert all(len(name) <= 15 for name in result["link_state"]["links"])


MACHINES = {
    "segments": {"wan": {"cidr": "172.30.20.0/24"}, "lan": {"cidr": "10.1.1.0/24", "mtu": 1400}},
    "namespaces": {
        "m1": {
            "interfaces": {"br0": {"segment": "lan", "kind": "bridge"}, "eth0": {"segment": "wan"}},
            "links": {"br0": {"addresses": ["10.1.1.1/24", "10.3.0.1/16"]}},
            "routes": [{"to": "10.2.0.0/16", "via": "172.30.20.202"}],
        },
        "m2": {"interfaces": {"br0": {"segment": "lan", "kind": "bridge"}, "eth0": {"segment": "wan"}}},
        "a": {"segment": "lan", "at": "m1"},
        "b-with-a-long-name": {"segment": "lan", "at": "m2", "routes": [{"to": "default", "via": "10.1.1.1"}]},
    },
}


def test_bridges_in_namespaces_carry_the_segment():
    result = compiled(pair(**MACHINES), "pair")
    assert result["segments"]["lan"] == {
        "kind": "bridge",
        "cidr": "10.1.1.0/24",
        "mtu": 1400,
        "bridges": {"m1": "br0", "m2": "br0"},
    }
    assert next(iter(result["link_state"]["links"].values()))["mark"] == "wan", "only the other is on the host"
    m1, m2 = (result["link_state"]["namespaces"][name]["links"] for name in ("m1", "m2"))
    peer = {"name": "eth0", "namespace": "a"}
    assert m1["a.eth0"] == {"kind": "veth", "mark": "a.eth0", "mtu": 1400, "master": "br0", "peer": peer}
    assert [name for name in m2 if name.startswith("rt-")], "a name that does not fit is hashed"
    assert (m1["br0"]["kind"], m2["br0"]["addresses"]) == ("bridge", ["10.1.1.2/24"])


def test_a_namespace_in_the_modules_own_words():
    bodies = compiled(pair(**MACHINES), "pair")["link_state"]["namespaces"]
    assert bodies["m1"]["links"]["br0"]["addresses"] == ["10.1.1.1/24", "10.3.0.1/16"]
    assert bodies["m1"]["routes"] == [{"to": "10.2.0.0/16", "via": "172.30.20.202"}], "its first interface is a bridge"
    assert bodies["a"]["routes"] == [{"to": "default", "via": "10.1.1.1"}], "by the bridge that it is plugged into"
    assert bodies["b-with-a-long-name"]["routes"] == [{"to": "default", "via": "10.1.1.1"}], (
        "in place of the derived one"
    )
    policy = {"to": "default", "via": "10.1.1.9", "table": 77}
    namespaces = {**MACHINES["namespaces"], "a": {"segment": "lan", "at": "m1", "routes": [policy]}}
    bodies = compiled(pair(**{**MACHINES, "namespaces": namespaces}), "pair")["link_state"]["namespaces"]
    assert bodies["a"]["routes"] == [policy, {"to": "default", "via": "10.1.1.1"}], "of another table"
