# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a host cannot be a node: all of it at once, word for word.

After an intended change: REFTOPO_GOLDEN=write pytest tests/unit/existing_host, and read the difference.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils._existing_check import problems
from ansible_collections.reftopo.lab.plugins.module_utils._existing_model import Facts
from ansible_collections.reftopo.lab.plugins.module_utils._preflight_model import Trial
from existing_names import CONFIG, MIB, PROGRAM

GOLDEN = pathlib.Path(__file__).parent / "golden"


def golden(name, lines):
    told = "".join(f"{line}\n" for line in lines)
    path = GOLDEN / f"{name}.log"
    if os.environ.get("REFTOPO_GOLDEN") == "write":
        path.write_text(told, encoding="utf-8")
    assert told == path.read_text(encoding="utf-8")
    assert told, "a case without a problem tests nothing"


def test_nothing_is_wrong_with_a_host_that_is_fit_or_a_node_already(fresh, node, desired):
    assert problems(fresh, desired) == []
    assert problems(node, desired) == []


def test_everything_at_once(fresh, desired):
    facts = Facts(
        hostname="debian",
        machine="aarch64",
        swap=True,
        addresses={"lo": ["127.0.0.1/8"], "eth0": ["192.168.50.99/24"]},
        mtus={"lo": 65536, "eth0": 1500},
        routes=(("10.0.0.0/8", "tun0"),),
        listening={"tcp": {22, 10250}, "udp": {8472}},
        iptables="legacy",
        memory=1024 * MIB,
        cpus=1,
        disk_free=900 * MIB,
        apt="E: Unable to locate package conntrack",
        trials={"vxlan": Trial(False, "Error: Unknown device type."), "nftables": Trial(True)},
    )
    bad = dataclasses.replace(
        fresh,
        facts=facts,
        others=("52:54:00:00:00:07", "52:54:00:00:00:08"),
        digests={PROGRAM: "other"},
        full=("/etc/cni", "/var/lib/kubelet"),
        links=frozenset({"lo", "eth0", "cni0"}),
        simulated=("Inst libc6 [2.41-11] (2.41-12 Debian:13 [amd64])", "Remv docker.io [26.1]"),
    )
    golden("everything", problems(bad, dataclasses.replace(desired, role="control-plane")))


@pytest.mark.parametrize(
    "name", ["other-interface", "other-mtu", "other-machine", "other-owner", "no-debian", "changed-since"]
)
def test_one_thing_is_wrong(fresh, node, desired, name):
    facts = fresh.facts
    cases = {
        "other-interface": dataclasses.replace(
            fresh, facts=dataclasses.replace(facts, addresses={"ens18": ["192.168.50.12/24"]}, mtus={"ens18": 1500})
        ),
        "other-mtu": dataclasses.replace(fresh, facts=dataclasses.replace(facts, mtus={"ens3": 9000})),
        "other-machine": dataclasses.replace(fresh, others=("52:54:00:00:00:07",)),
        "other-owner": dataclasses.replace(node, record=dataclasses.replace(node.record, owner="lab")),
        "no-debian": dataclasses.replace(fresh, facts=Facts(lacks=("apt-get", "dpkg-query"))),
        "changed-since": dataclasses.replace(node, digests={**node.digests, PROGRAM: "other"}),
    }
    golden(name, problems(cases[name], desired))


def test_a_link_like_those_of_pods_is_in_the_way(fresh, desired):
    calico = dataclasses.replace(desired, links=("cali*",))
    found = problems(dataclasses.replace(fresh, links=frozenset({"lo", "ens3", "calif00d"})), calico)
    assert [line.partition(" is there")[0] for line in found] == ["the link calif00d"]


def test_routes_that_calico_would_remove_are_in_the_way_of_calico_alone(fresh, desired):
    routed = dataclasses.replace(
        fresh, facts=dataclasses.replace(fresh.facts, calicos=("192.0.2.0/25", "192.0.2.128/25"))
    )
    assert problems(routed, desired) == []
    golden("routes-of-bird", problems(routed, dataclasses.replace(desired, links=("cali*",))))


def test_addresses_that_calico_would_remove_are_in_the_way_of_calico_alone(fresh, desired):
    addresses = {**fresh.facts.addresses, "tunl0": ["192.0.2.1/32", "192.0.2.2/32"]}
    tunnelled = dataclasses.replace(fresh, facts=dataclasses.replace(fresh.facts, addresses=addresses))
    assert problems(tunnelled, desired) == []
    golden("addresses-of-tunl0", problems(tunnelled, dataclasses.replace(desired, links=("cali*",))))


def test_swap_of_the_machine_that_carries_a_container_is_none_of_its_business(fresh, desired):
    swapping = dataclasses.replace(fresh, facts=dataclasses.replace(fresh.facts, swap=True, container=True))
    assert problems(swapping, desired) == []


def test_a_nodes_own_folders_are_written_over(node, desired):
    assert problems(dataclasses.replace(node, digests={**node.digests, CONFIG: "other"}), desired) == []
