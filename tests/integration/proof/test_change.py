# SPDX-License-Identifier: GPL-3.0-or-later
"""A change of the machine's link state lasts as long as somebody holds it, and is repaired whole."""

from __future__ import annotations

import json
import subprocess
import typing as t

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils._link_apply import converge
from ansible_collections.reftopo.lab.plugins.module_utils._link_spec import desired_state
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_change as change
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_commands import HELD
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_change import merge_patch

OWNER = "t-change"
ROUTE = {"to": "198.18.9.0/24", "via": "198.18.1.2"}
HEALTHY = {
    "owner": OWNER,
    "state": "overridden",
    "links": {},
    "routes": [],
    "namespaces": {
        "a": {
            "links": {
                "eth0": {
                    "kind": "veth",
                    "peer": {"name": "eth0", "namespace": "b"},
                    "addresses": ["198.18.1.1/24"],
                }
            },
            "routes": [ROUTE],
        },
        "b": {"links": {"eth0": {"addresses": ["198.18.1.2/24"]}}},
    },
}
BROKEN = merge_patch(HEALTHY, {"namespaces": {"a": {"links": {"eth0": {"up": False}}, "routes": []}}})


@pytest.fixture
def wire() -> t.Iterator[None]:
    """Two namespaces on a veth pair."""
    converge(change.run, desired_state(HEALTHY), check_mode=False)
    try:
        yield
    finally:
        gone = {**HEALTHY, "state": "deleted", "namespaces": {}}
        converge(change.run, desired_state(gone), check_mode=False)


def is_up() -> bool:
    out = change.run(["ip", "-j", "-n", f"reftopo.{OWNER}.a", "link", "show", "eth0"])[1]
    return "UP" in json.loads(out)[0]["flags"]


def left() -> list[str]:
    done = subprocess.run(["sh", "-c", change.command("left", BROKEN, HEALTHY)], capture_output=True, check=True)
    return done.stdout.decode().splitlines()


def hold() -> subprocess.Popen[bytes]:
    """The held change, once it says that it is made."""
    command = change.command("hold", BROKEN, HEALTHY)
    process = subprocess.Popen(["sh", "-c", command], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stderr and HELD.encode() in process.stderr.readline()
    return process


def test_a_change_lasts_until_its_input_closes(wire):
    with hold() as process:
        assert not is_up()
        assert any("route" in step for step in left()), "the control: what is to be repaired is told"
        process.communicate()
    assert process.returncode == 0
    assert is_up()
    assert left() == []


def test_a_signal_does_not_leave_it_broken(wire):
    with hold() as process:
        subprocess.run(["kill", "-TERM", str(process.pid)], check=True)
        process.communicate()
    assert is_up()
    assert left() == []
