# SPDX-License-Identifier: GPL-3.0-or-later
"""What results.json holds, and that the report takes it."""

from __future__ import annotations

import importlib.util
import json
import pathlib
import stat
import subprocess
import sys
import types

import pytest
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_connect import LONGEST_SOCKET, ssh_arguments
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import ProofError
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_results import Promise, Results, endpoint_entries
from ansible_collections.reftopo.lab.plugins.plugin_utils._report_model import read_results

ROOT = pathlib.Path(__file__).parents[3]
PROMISE = Promise("overlay-is-vxlan", "route to w2's pods", "w1", "ip route show dev flannel.1")


@pytest.fixture
def results(topology, endpoints, evidence) -> Results:
    made = Results(topology, versions={"kubernetes": "v1.37.2"}, endpoints=endpoint_entries(endpoints))
    made.probes = [outcome.record for outcome in evidence().outcomes]
    return made


def test_a_claim_holds_when_nothing_speaks_against_it(results):
    results.claim(PROMISE, [])
    results.claim(PROMISE, ["route to 10.244.2.0/24: 0 entries, must be one"])
    assert [(entry["ok"], entry["error"], entry["detail"]) for entry in results.asserts] == [
        (True, False, ""),
        (False, False, "route to 10.244.2.0/24: 0 entries, must be one"),
    ]


def test_what_could_not_be_tried_is_an_error(results):
    results.undecided("overlay-is-vxlan", "setup of test_stream", "w1 does not answer by SSH")
    assert results.data()["summary"] == {"passed": len(results.probes), "failed": 0, "errors": 1, "skipped": 0}
    assert results.asserts[0]["ok"] is False


def test_cases_that_did_not_run_are_counted(results):
    results.skipped = 7
    assert results.data()["summary"]["skipped"] == 7


def test_a_phase_is_made_and_noted_once_for_a_check(results):
    made: list[str] = []
    once = results.once("{}, broken", lambda name: made.append(name) or len(made))
    assert [once("a"), once("b"), once("a")] == [1, 2, 1]
    assert [phase["name"] for phase in results.phases[-2:]] == ["a, broken", "b, broken"]


def test_what_broke_is_not_made_again(results):
    tries: list[str] = []

    def make(name):
        tries.append(name)
        raise RuntimeError(f"{name} broke")

    once = results.once("{}", make)
    for _again in range(2):
        with pytest.raises(RuntimeError, match="a broke"):
            once("a")
    assert tries == ["a"]
    assert [phase["name"] for phase in results.phases].count("a") == 1


@pytest.mark.parametrize(
    ("when", "problem", "noted", "ends"),
    [
        ("call", pytest.fail.Exception("1 cell is wrong"), False, False),
        ("call", ProofError("the link stays down"), True, True),
        ("call", RuntimeError("no"), True, False),
        ("setup", RuntimeError("no"), True, False),
        ("setup", ProofError("no pods"), True, True),
    ],
)
def test_a_case_whose_judge_broke_is_noted(results, when, problem, noted, ends):
    """A control that cannot be made would else leave a report without it, in which all there is holds."""
    spec = importlib.util.spec_from_file_location("suite_conftest", ROOT / "tests/topology/conftest.py")
    suite = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(suite)
    config = types.SimpleNamespace(stash={suite.CASES: {"case"}, suite.RESULTS: results})
    callspec = types.SimpleNamespace(params={"control": ("without-overlay",)})
    session = types.SimpleNamespace(shouldstop=False)
    item = types.SimpleNamespace(config=config, callspec=callspec, session=session, nodeid="case", name="test_control")
    report = types.SimpleNamespace(when=when, failed=True, longrepr="")
    hook = suite.pytest_runtest_makereport(item, types.SimpleNamespace(excinfo=types.SimpleNamespace(value=problem)))
    next(hook)
    with pytest.raises(StopIteration):
        hook.send(report)
    assert [one["detail"] for one in results.asserts] == ([str(problem)] if noted else [])
    assert (bool(session.shouldstop), config.stash[suite.CASES]) == (ends, set())


def test_the_file_is_private_and_the_report_takes_it(results, tmp_path):
    results.claim(PROMISE, [])
    path = tmp_path / "report/results.json"
    results.write(path)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert list(path.parent.iterdir()) == [path]
    assert read_results(json.loads(path.read_text())).verdict == "proven"


def test_one_connection_is_shared_unless_its_socket_had_too_long_a_name():
    variables = {
        "ansible_host": "172.30.10.12",
        "ansible_ssh_private_key_file": "/s/key",
        "ansible_ssh_common_args": "-o 'UserKnownHostsFile=\"/s/known hosts\"'",
    }
    words = ssh_arguments({**variables, "reftopo_state_dir": "/s"})
    assert words[:4] == ["-i", "/s/key", "-o", 'UserKnownHostsFile="/s/known hosts"']
    assert "ControlPath=/s/.172.30.10.12" in words
    assert not [
        w for w in ssh_arguments({**variables, "reftopo_state_dir": "/" + "s" * LONGEST_SOCKET}) if "Control" in w
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name the topology: pytest tests/topology --topology NAME"),
        (["--topology", "no-such"], "there is no topology no-such in"),
    ],
)
def test_the_suite_says_what_it_needs(arguments, message, monkeypatch):
    monkeypatch.delenv("REFTOPO_TOPOLOGY", raising=False)
    command = [sys.executable, "-m", "pytest", "-q", "tests/topology", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert message in done.stderr
