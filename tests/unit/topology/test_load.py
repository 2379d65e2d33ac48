# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading, the host's networks, and that nothing a user can write ends in a traceback."""

from __future__ import annotations

import json

import pytest
import yaml
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_host import Occupied, occupied
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_load import load
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_validate import validate
from hypothesis import given, settings
from hypothesis import strategies as st

LINKS = [
    {"ifname": "lo", "addr_info": [{"family": "inet", "local": "127.0.0.1", "prefixlen": 8}]},
    {"ifname": "eth0", "addr_info": [{"family": "inet", "local": "192.0.2.2", "prefixlen": 24}]},
    {
        "ifname": "rt-1a2b3c4d",
        "altnames": ["reftopo.pair.lan"],
        "addr_info": [{"family": "inet", "local": "172.30.20.1", "prefixlen": 24}],
    },
    {},  # what older versions of ip print for a link that the family leaves out
]
ROUTES = [
    {"dst": "default", "gateway": "192.0.2.1", "dev": "eth0"},
    {"dst": "128.0.0.0/1", "dev": "tun0"},
    {"dst": "192.0.2.255", "dev": "eth0", "type": "broadcast", "table": "local"},
    {"dst": "172.30.20.0/24", "dev": "rt-1a2b3c4d"},
    {"dst": "10.99.0.0/16", "dev": "tun0"},
    {"dst": "10.98.0.1", "nexthops": [{"dev": "eth0"}, {"dev": "eth1"}]},
    {"dst": "10.97.0.0/16", "type": "blackhole"},
]


def test_what_a_host_occupies():
    assert occupied(LINKS, ROUTES) == [
        Occupied("127.0.0.1/8", "this host's address on lo"),
        Occupied("192.0.2.2/24", "this host's address on eth0"),
        Occupied("10.99.0.0/16", "this host's route by way of tun0"),
        Occupied("10.98.0.1", "this host's route by way of several hops"),
        Occupied("10.97.0.0/16", "this host's route by way of several hops"),
    ]


def test_a_topology_that_is_up_does_not_collide_with_itself(flannel_vxlan):
    mine = {
        "ifname": "rt-afb70818",
        "addr_info": [{"family": "inet", "local": "172.30.10.1", "prefixlen": 24}],
    }
    marked = {**mine, "altnames": ["reftopo.flannel-vxlan.lan"]}
    route = [{"dst": "172.30.10.0/24", "dev": "rt-afb70818"}]
    assert validate(flannel_vxlan, "flannel-vxlan", occupied([marked], route))[1] == []
    assert validate(flannel_vxlan, "flannel-vxlan", occupied([mine], route))[1] != []


def test_data_is_plain(flannel_vxlan):
    data, problems = load(flannel_vxlan)
    assert problems == []
    assert data == json.loads(json.dumps(data))


@pytest.mark.parametrize("text", ["a: &x {b: *x}", "nodes: &n {w1: *n}", "&t {nodes: *t, segments: *t}"])
def test_a_file_that_contains_itself_is_refused(text):
    assert validate(text, "bad", [])[1]


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-1, 70000),
    st.sampled_from(["lan", "w1", "", "10.0.0.0/8", "10.0.0.1", "pods"]),
)


def broken(value, path=()):
    """Every path in a document."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in items:
        yield from broken(part, (*path, key))


@settings(deadline=None)
@given(data=st.data())
def test_no_mistake_ends_in_a_traceback(flannel_vxlan, data):
    document = yaml.safe_load(flannel_vxlan)
    for dummy in range(data.draw(st.integers(1, 3))):
        *parents, last = data.draw(st.sampled_from([path for path in broken(document) if path]))
        holder = document
        for part in parents:
            holder = holder[part]
        holder[last] = data.draw(st.one_of(SCALARS, st.lists(SCALARS, max_size=2), st.dictionaries(st.text(), SCALARS)))
    text = yaml.safe_dump(document)
    for problem in validate(text, "flannel-vxlan", [])[1]:
        assert all(problem), problem
