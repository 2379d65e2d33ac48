# SPDX-License-Identifier: GPL-3.0-or-later
"""Calico's pods: how they are attached, and the addresses that they have; each value that speaks against it."""

from __future__ import annotations

import pytest
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_backend import peers
from calico_node import MAC, OBJECTS, TOPOLOGY, block, changed, fewer, found, inside, more, pod

CASES = {
    "an own block that leads somewhere": (
        changed("routes", 1, type="unicast", protocol="static"),
        {
            "n1-blocks": [
                "route to 10.244.1.64/26: type is 'unicast', must be 'blackhole'",
                "route to 10.244.1.64/26: protocol is 'static', must be 'bird'",
            ]
        },
    ),
    "no route to a pod": (
        fewer("routes", 2),
        {
            "n1-attached": ["route to 10.244.1.65: 0 entries, must be one"],
            "n1-gateway": [
                f"10.244.1.65: 169.254.1.1 is {{'{MAC}'}}, not None",
                "10.244.1.65: None has no proxy ARP",
            ],
        },
    ),
    "a pod by a bridge": (
        {**changed("routes", 2, dev="cni0"), **more("links", {"ifname": "cni0", "flags": ["UP"], "address": MAC})},
        {
            "n1-attached": ["route to 10.244.1.65: by cni0, which is no link of a pod"],
            "n1-gateway": ["10.244.1.65: cni0 has no proxy ARP"],
            "n1-leftovers": ["the device cni0 is of another backend"],
            "n1-nothing-else": ["route to 10.244.1.65 is to no node's block"],
        },
    ),
    "another pod's link": (
        inside("links", 1, link_index=8),
        {"n1-attached": ["cali123 is not the other end of eth0 of the pod with 10.244.1.65"]},
    ),
    "a pod with another MTU": (
        inside("links", 1, mtu=1400),
        {"n1-attached": ["cali123: mtu in the pod is 1400, must be 1500"]},
    ),
    "a link that is down": (
        changed("links", 1, flags=[]),
        {"n1-attached": ["cali123: up is False, must be True"]},
    ),
    "another gateway": (
        inside("routes", 0, gateway="10.244.1.1"),
        {
            "n1-gateway": [
                "10.244.1.65: routes are [('169.254.1.1', None, 'link'), ('default', '10.244.1.1', None)]",
            ]
        },
    ),
    "a gateway that somebody else has": (
        inside("neighbours", 0, lladdr="02:00:00:00:00:99"),
        {"n1-gateway": [f"10.244.1.65: 169.254.1.1 is {{'02:00:00:00:00:99'}}, not {MAC}"]},
    ),
    "no proxy ARP": (
        {"proxy_arp": "/proc/sys/net/ipv4/conf/cali123/proxy_arp 0"},
        {"n1-gateway": ["10.244.1.65: cali123 has no proxy ARP"]},
    ),
    "an address in a network": (
        inside("links", 1, addr_info=[{"family": "inet", "local": "10.244.1.65", "prefixlen": 24}]),
        {"n1-gateway": ["10.244.1.65 is not the only address of its pod, or not one of /32"]},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_one_change_is_named(name: str):
    parts, faults = CASES[name]
    assert found(**parts) == faults


IPAM = {
    "an address that two pods have": (
        [*OBJECTS, pod("twin", "10.244.1.65", "n2")],
        ["10.244.1.65 is that of default/web and default/twin"],
    ),
    "an address that IPAM did not give": (
        [*OBJECTS[:3], block(1), *OBJECTS[4:]],
        ["10.244.1.65 of default/web: IPAM has it for nobody"],
    ),
    "an address that IPAM gave to another": (
        [*OBJECTS[:3], block(1, a65="old"), *OBJECTS[4:]],
        ["10.244.1.65 of default/web: IPAM has it for default/old"],
    ),
    "an address that nobody has": (
        [*OBJECTS[:3], block(1, a65="web", a70="gone"), *OBJECTS[4:]],
        ["IPAM has 10.244.1.70 for default/gone, which does not have it"],
    ),
    "an address of another node's block": (
        [*OBJECTS[:6], pod("web", "10.244.2.65")],
        [
            "10.244.2.65 of default/web is in no block of n1",
            "IPAM has 10.244.1.65 for default/web, which does not have it",
        ],
    ),
    "nothing: a pod that ended has what another got": (
        [*OBJECTS, {**pod("job", "10.244.1.65"), "status": {"phase": "Succeeded", "podIP": "10.244.1.65"}}],
        [],
    ),
    "no pod at all": (
        [*OBJECTS[:3], block(1), *OBJECTS[4:6]],
        ["no pod of this node has an address of its own"],
    ),
}


@pytest.mark.parametrize("case", IPAM)
def test_addresses(case: str):
    objects, faults = IPAM[case]
    assert found(peers(objects, TOPOLOGY)).get("n1-addresses", []) == faults
