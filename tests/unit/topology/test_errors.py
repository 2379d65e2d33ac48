# SPDX-License-Identifier: GPL-3.0-or-later
"""Golden cases: each golden/errors/<case>.yml is refused with exactly the lines of golden/errors/<case>.log.

After an intended change: REFTOPO_GOLDEN=write pytest tests/unit/topology, and read the difference.
"""

from __future__ import annotations

import os
import pathlib

import pytest
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_validate import validate

CASES = sorted((pathlib.Path(__file__).parent / "golden" / "errors").glob("*.yml"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_every_error_is_told(case, host):
    dummy, problems = validate(case.read_bytes(), "bad", host)
    told = "".join(f"{problem}\n" for problem in problems)
    golden = case.with_suffix(".log")
    if os.environ.get("REFTOPO_GOLDEN") == "write":
        golden.write_text(told, encoding="utf-8")
    assert told == golden.read_text(encoding="utf-8")
    assert told, "a case without an error tests nothing"


def test_no_golden_file_is_left_over():
    assert {case.stem for case in CASES} == {log.stem for log in CASES[0].parent.glob("*.log")}
