# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Results as JUnit XML, for continuous integration. PRIVATE to the collection.

Elements and attributes are those that Jenkins, GitLab and GitHub's actions read (the schema that Jenkins' xUnit plugin
publishes as junit-10.xsd).
"""

from __future__ import annotations

import typing as t
import xml.etree.ElementTree as ET

from ansible_collections.reftopo.lab.plugins.plugin_utils._report_advice import (
    Trouble,
    describe,
    describe_requests,
    troubles,
)
from ansible_collections.reftopo.lab.plugins.plugin_utils._report_area import AREAS, states
from ansible_collections.reftopo.lab.plugins.plugin_utils._report_model import (
    Assertion,
    Item,
    Probe,
    Requests,
    Results,
)


def junit(results: Results) -> str:
    """Return the XML document: a suite for each state of each area, with a case a cell, and of claims and requests."""
    root = ET.Element("testsuites", name=results.topology["name"], time=f"{results.elapsed:.3f}")
    for state in states(results):
        name = f"{AREAS[state.area]}, {state.title}" if state.control else AREAS[state.area]
        cells = [_case(words, cell, results) for (_check, words), cell in _cells(state.probes).items()]
        _suite(root, name, cells, results)
    claims = [_case(_words(item.name, item.node, item.control), [item], results) for item in results.asserts]
    _suite(root, "mechanism", claims, results)
    asked = [_case(_asked(item), [item], results) for item in results.requests]
    if asked:
        _suite(root, "requests while something changes", asked, results)
    _suite(root, "the run", [_run_case(results)], results)
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _suite(root: ET.Element, name: str, cases: list[ET.Element], results: Results) -> None:
    def count(tag: str) -> str:
        return str(sum(case.find(tag) is not None for case in cases))

    numbers = {"failures": count("failure"), "errors": count("error"), "skipped": count("skipped")}
    suite = ET.SubElement(
        root, "testsuite", name=name, tests=str(len(cases)), **numbers, timestamp=results.started.rstrip("Z")
    )
    suite.extend(cases)


def _words(name: str, node: str | None, control: str | None) -> str:
    """A case's name; some readers merge cases of the same name, whatever their suite."""
    return " ".join([name, *([f"on {node}"] if node else []), *([f"with {control}"] if control else [])])


def _asked(item: Requests) -> str:
    return _words(f"{item.origin} → {item.to} by {item.protocol}, {item.name}: {item.expect}", None, item.control)


def _cells(probes: list[Probe]) -> dict[tuple[str, str], list[Probe]]:
    """The probes of each cell, by check and name: what was asked several times is one cell.

    A name has no address, so that a case is the same one in the next run; but how long a packet is.
    """
    found: dict[tuple[str, str], list[Probe]] = {}
    for probe in probes:
        size = "".join(probe.target.partition(", ")[1:])
        name = _words(f"{probe.origin} → {probe.to} by {probe.protocol}{size}", None, probe.control)
        found.setdefault((probe.check, name), []).append(probe)
    return found


def _case(name: str, items: t.Sequence[Item], results: Results) -> ET.Element:
    """One case; a broken probe makes it an error, else what is not as expected makes it a failure."""
    seconds = sum(item.ms or 0 for item in items if isinstance(item, Probe)) / 1000
    classname = f"{results.topology['name']}.{items[0].check}"
    case = ET.Element("testcase", classname=classname, name=name, time=f"{seconds:.4f}", assertions=str(len(items)))
    found = troubles(items, results)
    if found:
        lines = [f"{trouble.where}: {what}" for trouble in found for what in trouble.whats]
        more = f" (and {len(lines) - 1} more)" if len(lines) > 1 else ""
        tag = "error" if any(trouble.error for trouble in found) else "failure"
        ET.SubElement(case, tag, message=lines[0] + more).text = "\n".join(_paragraph(trouble) for trouble in found)
    ET.SubElement(case, "system-out").text = "\n".join(dict.fromkeys(map(_told, items)))
    return case


def _told(item: Item) -> str:
    """What was expected and observed."""
    if isinstance(item, Assertion):
        observed = "broke" if item.error else "holds" if item.ok else "does not hold"
        return f"expected: {item.name}; observed: {observed}{f', {item.detail}' if item.detail else ''}"
    return describe(item) if isinstance(item, Probe) else describe_requests(item)


def _paragraph(trouble: Trouble) -> str:
    return "\n".join([*(f"{trouble.where}: {what}" for what in trouble.whats), f"  next: {trouble.next_step}"])


def _run_case(results: Results) -> ET.Element:
    """What no cell shows: failures the suite had besides them, what it skipped, and that it asked anything at all."""
    case = ET.Element("testcase", classname=results.topology["name"], name="everything promised was checked")
    found = [item.state for item in results.items]
    hidden = results.summary["failed"] + results.summary["errors"] - found.count("failed") - found.count("error")
    if hidden or not found:
        message = f"{hidden} failures that are no cell; see the suite's own output" if hidden else "nothing was checked"
        ET.SubElement(case, "failure", message=message)
    elif results.summary["skipped"]:
        ET.SubElement(case, "skipped", message=f"{results.summary['skipped']} checks were skipped")
    return case
