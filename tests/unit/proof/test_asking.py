# SPDX-License-Identifier: GPL-3.0-or-later
"""What a machine's agent is given, by how many calls, and what it means when it does not run."""

from __future__ import annotations

import json
import shlex
import types
import zlib
from base64 import b64decode

import pytest
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_asking as asking
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_lab import Machine
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Endpoint, Probe

LONGEST_ARGUMENT = 131072  # Linux, include/uapi/linux/binfmts.h: MAX_ARG_STRLEN
ENDS = [
    Endpoint(f"h{n}", "namespaces", None, f"172.31.73.{n}", namespace=f"/run/netns/reftopo.x.h{n}") for n in range(60)
]


def probes(count: int) -> list[Probe]:
    return [Probe("all-pairs", ENDS[n % 60], ENDS[n // 60 % 60], "icmp") for n in range(count)]


def answering(command: str) -> types.SimpleNamespace:
    """A machine that answers each job with its key."""
    jobs = json.loads(zlib.decompress(b64decode(shlex.split(command)[-1])))
    return types.SimpleNamespace(
        rc=0, stdout=json.dumps([{"observed": "ok", "key": job["key"]} for job in jobs]), stderr=""
    )


def run_by(run) -> Machine:
    return Machine("h", types.SimpleNamespace(run=run), ())


@pytest.mark.parametrize(("count", "calls"), [(0, 0), (1, 1), (2000, 1), (2001, 2), (10800, 6)])
def test_jobs_fit_in_their_command_lines(count: int, calls: int):
    lines: list[str] = []
    wanted = probes(count)
    found = asking.call_agent(run_by(lambda line: lines.append(line) or answering(line)), wanted, 1.5, 32)
    assert [one["key"] for one in found] == [probe.key for probe in wanted]
    assert len(lines) == calls
    assert all(len(line) < LONGEST_ARGUMENT for line in lines)


def test_names_fit_as_well():
    """The longest of jobs: a name of 253 characters in each."""
    names = [Endpoint(f"{n:03}.".ljust(253, "x"), "dns", None, "") for n in range(asking.MOST)]
    lines: list[str] = []
    asking.call_agent(
        run_by(lambda line: lines.append(line) or answering(line)),
        [Probe("n", ENDS[0], name, "dns") for name in names],
        1.5,
        32,
    )
    assert len(lines[0]) < LONGEST_ARGUMENT


def test_an_agent_that_does_not_run_is_an_error_of_each_of_its_probes():
    broken = types.SimpleNamespace(rc=127, stdout="", stderr="python3: not found")
    short = types.SimpleNamespace(rc=0, stdout="[]", stderr="")

    def too_long(_line):
        raise OSError(7, "Argument list too long")

    for run, why in (
        (lambda _line: broken, "not found"),
        (lambda _line: short, "0 results for 3"),
        (too_long, "too long"),
    ):
        found = asking.call_agent(run_by(run), probes(3), 1.5, 32)
        assert [one["observed"] for one in found] == ["error"] * 3
        assert why in found[0]["detail"]


def test_what_other_calls_answered_stays():
    calls: list[str] = []

    def run(line):
        calls.append(line)
        return answering(line) if len(calls) == 1 else types.SimpleNamespace(rc=1, stdout="", stderr="gone")

    found = asking.call_agent(run_by(run), probes(asking.MOST + 1), 1.5, 32)
    assert [one["observed"] for one in found] == ["ok"] * asking.MOST + ["error"]
