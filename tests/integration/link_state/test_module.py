# SPDX-License-Identifier: GPL-3.0-or-later
"""The module as Ansible runs it: arguments, check mode, diff, results, failure."""

from __future__ import annotations

import json
import os
import subprocess
import typing as t
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
LAB = yaml.safe_load((ROOT / "tests/unit/link_state/cases.yml").read_text())["lab"]


def module(arguments: dict[str, t.Any], *options: str) -> dict[str, t.Any]:
    """The module's result."""
    command = ["ansible", "localhost", "-i", "localhost,", "-c", "local", "-m", "reftopo.lab.link_state", *options]
    environment = {**os.environ, "ANSIBLE_LOAD_CALLBACK_PLUGINS": "1", "ANSIBLE_STDOUT_CALLBACK": "minimal"}
    environment["ANSIBLE_CALLBACK_RESULT_FORMAT"] = "json"
    answer = subprocess.run(
        [*command, "-a", json.dumps(arguments)],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    ).stdout
    return json.loads(answer.rpartition(" => ")[2])


@pytest.mark.usefixtures("machine")
def test_the_module():
    predicted = module(LAB, "--check")
    created = module(LAB)
    assert predicted["changed"] and created["changed"]
    assert {key: predicted[key] for key in ("before", "after", "commands")} == {
        key: created[key] for key in ("before", "after", "commands")
    }
    again = module({**created["after"], "state": "overridden"})
    assert (again["changed"], again["commands"], again["before"]) == (False, [], created["after"])
    removed = module({"owner": LAB["owner"], "state": "deleted"})
    assert removed["changed"]
    assert removed["after"] == {"owner": LAB["owner"], "links": {}, "routes": [], "namespaces": {}}


@pytest.mark.usefixtures("machine")
def test_states_that_change_nothing():
    created = module(LAB)
    gathered = module({"owner": LAB["owner"], "state": "gathered"})
    assert set(gathered) & {"before", "after", "commands", "diff"} == set()
    assert module({**gathered["gathered"], "state": "verified"})["changed"] is False
    assert module({"owner": LAB["owner"], "state": "merged", "links": {"t-b": {"mtu": 1450}}})["commands"] == []
    failed = module({"owner": LAB["owner"], "state": "verified"})
    assert {problem["path"] for problem in failed["problems"]} >= {"links.t-lan", "routes", "namespaces.a"}
    assert module(LAB)["before"] == created["after"]
    assert module({"owner": LAB["owner"], "state": "deleted"})["changed"]


def test_rendered_needs_no_ip(machine: t.Any):
    """Control: overridden says that it is missing."""
    programs = {
        path.resolve() for path in map(Path, ("/bin/ip", "/sbin/ip", "/usr/bin/ip", "/usr/sbin/ip")) if path.exists()
    }
    machine.sh(*(f"mount --bind /dev/null {program}" for program in programs))
    rendered = module({**LAB, "state": "rendered"})
    assert (rendered["changed"], rendered["commands"][0]) == (False, "ip netns add reftopo.t-link.a")
    assert rendered["rendered"]["links"]["t-a"]["peer"] == {"name": "eth0", "namespace": "a"}
    assert 'Failed to find required executable "ip"' in module(LAB)["msg"]


@pytest.mark.usefixtures("machine")
def test_the_address_of_the_session():
    """It comes from the environment that Ansible hands on."""
    module(LAB)
    os.environ["SSH_CONNECTION"] = "10.9.0.2 50000 10.9.0.1 22"
    try:
        failed = module({"owner": LAB["owner"], "state": "deleted"})
    finally:
        del os.environ["SSH_CONNECTION"]
    assert [problem["path"] for problem in failed["problems"]] == ["links.t-lan"]
    assert "allow_uplink: true" in failed["msg"]
    assert module({"owner": LAB["owner"], "state": "deleted"})["changed"], "control: without a session"


@pytest.mark.usefixtures("machine")
def test_wrong_input():
    failed = module({"owner": "t-link", "links": {"br0": {"kind": "bridge", "mtu": 1}, "v0": {"kind": "veth"}}})
    assert [problem["path"] for problem in failed["problems"]] == ["links.br0.mtu", "links.v0.peer"]
    assert failed["msg"].startswith("the input is wrong, nothing was changed:\n- links.br0.mtu: ")


@pytest.mark.usefixtures("machine")
def test_unknown_option():
    assert "Unsupported parameters" in module({"owner": "t-link", "link": {}})["msg"]
