# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading results: every violation named, the verdict counted anew, nothing unproven called proven."""

from __future__ import annotations

import copy
import typing as t

import pytest
from ansible_collections.reftopo.lab.plugins.plugin_utils._report_model import ResultsError, read_results

Data = dict[str, t.Any]


def test_all_violations_at_once(small: Data) -> None:
    del small["started"]
    small["probes"][0]["observed"] = "blocked"
    small["probes"][1]["expect"] = "error"
    small["asserts"][0]["ok"] = "yes"
    with pytest.raises(ResultsError) as error:
        read_results(small)
    assert str(error.value).splitlines() == [
        "the results cannot be reported:",
        "  results: 'started' is a required property",
        "  asserts[0].ok: 'yes' is not of type 'boolean'",
        "  probes[0].observed: 'blocked' does not match "
        r"'^(ok|refused|timeout|unreachable|too-big|dns|[1-5]\\d\\d|error)$'",
        "  probes[1].expect: 'error' does not match "
        r"'^(ok|refused|timeout|unreachable|too-big|dns|[1-5]\\d\\d)"
        r"( or (ok|refused|timeout|unreachable|too-big|dns|[1-5]\\d\\d))*$'",
    ]


@pytest.mark.parametrize("observed", ["error", "timeout"])
def test_a_cell_that_contradicts_itself(small: Data, observed: str) -> None:
    small["probes"][1]["observed"] = observed
    with pytest.raises(ResultsError, match=rf"probes\[1\].ok: true, but expected is ok and observed {observed}"):
        read_results(small)


@pytest.mark.parametrize(
    ("cell", "state"),
    [
        ({}, "reached"),
        ({"expect": "timeout or unreachable", "observed": "unreachable"}, "blocked"),
        ({"observed": "timeout", "ok": False}, "failed"),
        ({"expect": "timeout", "ok": False}, "failed"),
        ({"ok": False, "detail": "source address 10.0.0.1 seen"}, "failed"),
        ({"expect": "timeout", "observed": "error", "ok": False}, "error"),
    ],
)
def test_state_of_a_cell(small: Data, cell: Data, state: str) -> None:
    small["probes"][0] |= cell
    assert read_results(small).probes[0].state == state


def changed(small: Data, **changes: t.Any) -> Data:
    return copy.deepcopy(small) | changes


def test_verdict(small: Data) -> None:
    quiet = {"passed": 9, "failed": 0, "errors": 0, "skipped": 0}
    assert read_results(changed(small, summary=quiet)).verdict == "proven"
    assert read_results(changed(small, summary=quiet | {"skipped": 1})).verdict == "incomplete"
    assert read_results(changed(small, summary=quiet, probes=[], asserts=[])).verdict == "incomplete"
    assert read_results(changed(small, summary=quiet | {"errors": 1})).verdict == "failed"


def test_summary_is_counted_from_the_cells(small: Data) -> None:
    small["probes"][0] |= {"observed": "error", "ok": False}
    small["probes"][1] |= {"observed": "refused", "ok": False}
    assert read_results(small).summary == {"passed": 1, "failed": 1, "errors": 1, "skipped": 0}
    small["summary"]["failed"] = 3
    assert read_results(small).summary["failed"] == 3, "the suite knows of failures that are no cell"


def test_what_no_xml_can_hold_is_replaced(small: Data) -> None:
    small["probes"][0]["detail"] = "a\x1b[0m\x00\udcff b\tc"
    assert read_results(small).probes[0].detail == "a\ufffd[0m\ufffd\ufffd b\tc"


REQUESTS = {
    "check": "services", "control": None, "name": "moving is rolled", "from": "client-w1", "to": "moving",
    "protocol": "tcp", "expect": "none fails", "asked": 44, "failed": 1,
    "runs": [["old", 20], ["refused", 1], ["new", 23]], "before": ["old"], "after": ["new"], "ok": False, "detail": "",
}  # fmt: skip


def test_requests_count_like_cells(small: Data) -> None:
    assert read_results(small | {"requests": [REQUESTS]}).summary["failed"] == 1
    assert read_results(small | {"requests": [REQUESTS | {"ok": True}]}).summary["passed"] == 4


def test_requests_and_paths_keep_to_the_contract(small: Data) -> None:
    small["requests"] = [REQUESTS | {"runs": [["old"]]}]
    small["paths"] = [{"check": "services"}]
    with pytest.raises(ResultsError, match=r"requests\[0\].runs\[0\]: .* is too short") as error:
        read_results(small)
    assert "paths[0]: 'rules' is a required property" in str(error.value)
