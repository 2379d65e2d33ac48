# SPDX-License-Identifier: GPL-3.0-or-later
"""Print how many tests of a JUnit report passed, failed (errors included) and were not run (skipped).

With --failed: print which failed, each with the end of what it said.
"""

from __future__ import annotations

import sys
import typing as t
from xml.etree import ElementTree

LINES = 40  # of a failed test's text


def count(report: str) -> tuple[int, int, int]:
    """(passed, failed, skipped) of all suites of the JUnit file `report`."""
    suites = ElementTree.parse(report).getroot().iter("testsuite")
    total = failed = skipped = 0
    for suite in suites:
        total += int(suite.get("tests", 0))
        failed += int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        skipped += int(suite.get("skipped", 0))
    return total - failed - skipped, failed, skipped


def failed(report: str) -> t.Iterator[str]:
    """Lines on the failed tests of the JUnit file `report`."""
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        for problem in (*case.iter("failure"), *case.iter("error")):
            yield f"failed: {case.get('classname')}::{case.get('name')}"
            yield from (f"  {line}" for line in (problem.text or "").splitlines()[-LINES:])


if __name__ == "__main__":
    if "--failed" in sys.argv:
        print(*failed(sys.argv[-1]), sep="\n")
    else:
        print(*count(sys.argv[-1]))
