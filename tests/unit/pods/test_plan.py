# SPDX-License-Identifier: GPL-3.0-or-later
"""Cases are data: what is observed on a machine, and the steps that must follow."""

from __future__ import annotations

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils._pod_model import Desired, Observed
from ansible_collections.reftopo.lab.plugins.module_utils._pod_plan import configuration, plan

NETWORK = {"cniVersion": "1.0.0", "name": "pods", "plugins": [{"type": "bridge"}]}
PODS = {"web": {"server": ["netexec"], "sidecar": ["netexec"]}}
DESIRED = Desired(NETWORK, PODS, "agnhost", "pause")
WRITE, MAKE = "write /etc/cni/net.d/10-pods.conflist", "make web"
START = ["start web.server", "start web.sidecar"]
RECORD = {"made_of": DESIRED.made_of("web"), "result": {"ips": []}}
TASKS = {"web": 1, "web.server": 2, "web.sidecar": 3}
HERE = {
    "records": {"web": RECORD},
    "tasks": TASKS,
    "containers": frozenset(TASKS),
    "configuration": configuration(NETWORK),
}

CASES = {
    "a new machine": ({}, [WRITE, MAKE, *START]),
    "all is there": (HERE, []),
    "the file was changed by hand": ({**HERE, "configuration": "{}"}, [WRITE]),
    "a container has ended": (
        {**HERE, "tasks": {"web": 1, "web.server": 2}},
        ["clear web.sidecar: it has ended", "start web.sidecar"],
    ),
    "a run was killed before a container was started": (
        {**HERE, "tasks": {"web": 1, "web.server": 2}, "containers": frozenset({"web", "web.server"})},
        ["start web.sidecar"],
    ),
    "the pause container has ended": (
        {**HERE, "tasks": {"web.server": 2, "web.sidecar": 3}},
        ["remove web: its pause container has ended, and the namespaces with it", MAKE, *START],
    ),
    "a run was killed before the network was attached": (
        {**HERE, "records": {"web": {**RECORD, "result": None}}},
        ["remove web: its network was not attached to the end", MAKE, *START],
    ),
    "CHECK found something": (
        {**HERE, "faults": {"web": "eth0 is gone"}},
        ["remove web: eth0 is gone", MAKE, *START],
    ),
    "it was made of another image": (
        {**HERE, "records": {"web": {**RECORD, "made_of": {**RECORD["made_of"], "image": "old"}}}},
        ["remove web: it was made of something else", MAKE, *START],
    ),
    "another network: pods leave the old one before the file changes": (
        {
            **HERE,
            "records": {"web": {**RECORD, "made_of": {**RECORD["made_of"], "network": {"name": "old"}}}},
            "configuration": "old",
        },
        ["remove web: it was made of something else", WRITE, MAKE, *START],
    ),
    "a pod that is not wanted": (
        {**HERE, "records": {**HERE["records"], "old": RECORD}, "tasks": {**TASKS, "old": 4}},
        ["remove old: it is not wanted"],
    ),
    "a container of somebody else": ({**HERE, "tasks": {**TASKS, "theirs": 9}}, []),
}


@pytest.mark.parametrize("name", CASES)
def test_plan(name):
    observed, steps = CASES[name]
    assert [str(step) for step in plan(Observed(**observed), DESIRED)] == steps
