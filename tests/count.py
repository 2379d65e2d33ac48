# SPDX-License-Identifier: GPL-3.0-or-later
"""Print how many tests of JUnit reports passed, failed (errors included) and were not run (skipped).

Of a test that several reports have, the last one counts. With --failed: print which failed, each with the end of what
it said.
"""

from __future__ import annotations

import sys
import typing as t
from collections import Counter
from xml.etree import ElementTree

LINES = 40  # of a failed test's text
OUTCOMES = ("passed", "failed", "skipped")


def cases(report: str) -> t.Iterator[tuple[str, ElementTree.Element]]:
    """Tests of the JUnit file `report`, by name; one that failed at its end, too, is there twice."""
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        yield f"{case.get('classname')}::{case.get('name')}", case


def outcomes(report: str) -> dict[str, str]:
    """How each test of a report ended, one of OUTCOMES."""
    found: dict[str, str] = {}
    for name, case in cases(report):
        kinds = {child.tag for child in case}
        outcome = "failed" if kinds & {"failure", "error"} else "skipped" if "skipped" in kinds else "passed"
        if found.get(name) != "failed":
            found[name] = outcome
    return found


def count(reports: t.Iterable[str]) -> list[int]:
    """How many tests of all reports ended in each of OUTCOMES."""
    last: dict[str, str] = {}
    for report in reports:
        last.update(outcomes(report))
    counts = Counter(last.values())
    return [counts[outcome] for outcome in OUTCOMES]


def failed(report: str) -> t.Iterator[str]:
    """Lines on the failed tests of a report."""
    for name, case in cases(report):
        for problem in (*case.iter("failure"), *case.iter("error")):
            yield f"failed: {name}"
            yield from (f"  {line}" for line in (problem.text or "").splitlines()[-LINES:])


if __name__ == "__main__":
    if "--failed" in sys.argv:
        print(*failed(sys.argv[-1]), sep="\n")
    else:
        print(*count(sys.argv[1:]))
