# SPDX-License-Identifier: GPL-3.0-or-later
"""Print how many tests of a JUnit report passed, failed (errors included) and were not run (skipped)."""

from __future__ import annotations

import sys
from xml.etree import ElementTree


def count(report: str) -> tuple[int, int, int]:
    """(passed, failed, skipped) of all suites of the JUnit file `report`."""
    suites = ElementTree.parse(report).getroot().iter("testsuite")
    total = failed = skipped = 0
    for suite in suites:
        total += int(suite.get("tests", 0))
        failed += int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        skipped += int(suite.get("skipped", 0))
    return total - failed - skipped, failed, skipped


if __name__ == "__main__":
    print(*count(sys.argv[1]))
