# SPDX-License-Identifier: GPL-3.0-or-later
"""From what Calico left on a host to the steps that take it back."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils._existing_plan import plan_absent


def taken_back(observed):
    return [str(step) for step in plan_absent(observed)]


def test_what_calico_left_goes_where_it_was_not_before(node, record):
    """Whatever goes with pods' links is not planned; tunl0 itself stays, for it is the module's, as it was."""
    now = dataclasses.replace(
        node.now,
        ipsets=("cali40s:abc", "cali40old", "t-mine"),
        tunnel=("10.244.1.0/32", "192.0.2.1/32"),
        tunnel_settings="mtu 1480 up",
        mounts=(*node.now.mounts, "/run/calico/cgroup", "/sys/fs/bpf"),
    )
    before = dataclasses.replace(
        record.before, ipsets=("cali40old", "t-mine"), tunnel=("192.0.2.1/32",), tunnel_settings="mtu 1400 down"
    )
    calico = dataclasses.replace(
        node,
        now=now,
        record=dataclasses.replace(record, before=before, links=("cali*", "vxlan.calico")),
        links=frozenset({"ens3", "lo", "cali1", "cali2", "vxlan.calico", "tunl0"}),
        routes=("blackhole 10.244.190.64/26 proto bird",),
        rules=("delete chain ip filter cali-INPUT",),
    )
    steps = taken_back(calico)
    first = steps.index("unlink cali1")
    assert steps[first : first + 8] == [
        "unlink cali1",
        "unlink cali2",
        "unlink vxlan.calico",
        "unroute blackhole 10.244.190.64/26 proto bird",
        "nft delete chain ip filter cali-INPUT",
        "destroy cali40s:abc",
        "unaddress 10.244.1.0/32 dev tunl0",
        "configure tunl0 mtu 1400 down",
    ]
    assert {"unmount /run/calico/cgroup", "unmount /sys/fs/bpf"} <= set(steps)


@pytest.mark.parametrize(
    ("before", "now", "steps"),
    [
        ("", "", []),
        ("mtu 1480 up", "", []),
        ("mtu 1480 up", "mtu 1480 up", []),
        ("", "mtu 1480 up", ["configure tunl0 down"]),
    ],
)
def test_a_tunnel_is_set_as_it_was_where_it_is_there_and_differs(node, record, before, now, steps):
    was = dataclasses.replace(record, before=dataclasses.replace(record.before, tunnel_settings=before))
    seen = dataclasses.replace(node, record=was, now=dataclasses.replace(node.now, tunnel_settings=now))
    assert [step for step in taken_back(seen) if "tunl0" in step] == steps
