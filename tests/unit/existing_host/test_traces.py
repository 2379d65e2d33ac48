# SPDX-License-Identifier: GPL-3.0-or-later
"""What Calico leaves in the kernel beside rules, and what of the same kind is of others."""

from __future__ import annotations

import json

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils._existing_traces import (
    left_ipsets,
    left_routes,
    made_by_plugin,
    taken_by_calico,
    tunnel_addresses,
    tunnel_settings,
)

NETWORKS, LINKS = ("10.244.0.0/16", "10.96.0.0/16"), ("vxlan.calico", "cali*")
# What `ip -j -4 route` printed, with a route of the host's own BIRD and one of somebody else into the pods' network.
ROUTES = json.loads("""[
 {"dst":"default","gateway":"192.168.50.1","dev":"ens3","protocol":"bird","flags":[]},
 {"dst":"10.244.80.192/26","gateway":"192.168.50.13","dev":"ens3","protocol":"bird","flags":[]},
 {"type":"blackhole","dst":"10.244.190.64/26","protocol":"bird","flags":[]},
 {"type":"blackhole","dst":"10.244.190.128/26","protocol":"80","flags":[]},
 {"dst":"10.244.80.128/26","gateway":"10.244.80.128","dev":"vxlan.calico","protocol":"80","flags":["onlink"]},
 {"dst":"10.244.190.65","dev":"calicb58ab83ee6","scope":"link","flags":[]},
 {"dst":"10.244.7.0/24","dev":"ens3","protocol":"static","scope":"link","flags":[]},
 {"dst":"192.0.2.0/24","dev":"ens3","protocol":"bird","scope":"link","flags":[]},
 {"dst":"192.168.50.0/24","dev":"ens3","protocol":"kernel","scope":"link","prefsrc":"192.168.50.12","flags":[]}
]""")

# What `ip -j address` printed, shortened, of a node with IPIP.
ADDRESSES = json.loads("""[
 {"ifname":"ens3","flags":["BROADCAST","MULTICAST","UP","LOWER_UP"],"mtu":1500,
  "addr_info":[{"family":"inet","local":"192.168.50.12","prefixlen":24}]},
 {"ifname":"tunl0","flags":["NOARP","UP","LOWER_UP"],"mtu":1480,
  "addr_info":[{"family":"inet","local":"10.244.80.128","prefixlen":32},{"family":"inet6","local":"fe80::5efe:a01:203","prefixlen":64}]}
]""")


def test_the_tunnel_of_ipip_has_settings_and_addresses():
    assert tunnel_settings(ADDRESSES) == "mtu 1480 up"
    assert tunnel_settings([{**ADDRESSES[1], "flags": ["NOARP"]}]) == "mtu 1480 down"
    assert tunnel_settings(ADDRESSES[:1]) == ""
    assert tunnel_addresses(ADDRESSES) == ("10.244.80.128/32",)
    assert tunnel_addresses(ADDRESSES[:1]) == ()


def test_routes_go_that_have_no_link_of_calicos_to_go_with():
    assert left_routes(ROUTES, NETWORKS, LINKS) == [
        "unicast 10.244.80.192/26 proto bird",
        "blackhole 10.244.190.64/26 proto bird",
        "blackhole 10.244.190.128/26 proto 80",
    ]
    assert left_routes(ROUTES, (), LINKS) == []


def test_routes_with_the_protocols_of_calico_are_taken_for_its_own_in_the_main_table():
    assert taken_by_calico([*ROUTES, {"dst": "10.9.0.0/24", "protocol": "bird", "table": "9"}]) == (
        "default",
        "10.244.80.192/26",
        "10.244.190.64/26",
        "10.244.190.128/26",
        "10.244.80.128/26",
        "192.0.2.0/24",
    )


def test_sets_are_calicos_by_their_names_unless_they_were_there_before():
    now = ("t-mine", "cali40s:abc", "cali4t3", "cali60all-ipam-pools", "california", "cali40old")
    assert left_ipsets(now, ("t-mine", "cali40old")) == ["cali40s:abc", "cali4t3", "cali60all-ipam-pools"]


@pytest.mark.parametrize(
    ("link", "made"), [("calicb58ab83ee6", True), ("vxlan.calico", True), ("vxlan.mine", False), ("", False)]
)
def test_links_are_named_or_match(link, made):
    assert made_by_plugin(link, LINKS) is made
