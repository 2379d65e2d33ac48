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

from ansible_collections.reftopo.lab.plugins.plugin_utils._report_advice import Trouble, troubles
from ansible_collections.reftopo.lab.plugins.plugin_utils._report_model import Assertion, Probe, Results

Items = list[t.Union[Probe, Assertion]]


def junit(results: Results) -> str:
    """Return the XML document: one suite per state, one case per check, source and protocol, one per claim."""
    root = ET.Element("testsuites", name=results.topology["name"], time=f"{results.elapsed:.3f}")
    for control in results.controls:
        cells = [probe for probe in results.probes if probe.control == control]
        _suite(root, f"control: {control}" if control else "reachability", _probe_cases(cells, results), results)
    _suite(
        root,
        "mechanism",
        [_case(_words(item.name, item.node, item.control), [item], results) for item in results.asserts],
        results,
    )
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


def _probe_cases(cells: list[Probe], results: Results) -> list[ET.Element]:
    groups: dict[tuple[str, str, str], Items] = {}
    for probe in cells:
        groups.setdefault((probe.check, probe.origin, probe.protocol), []).append(probe)
    return [
        _case(_words(f"{origin} by {protocol}", None, group[0].control), group, results)
        for (_check, origin, protocol), group in groups.items()
    ]


def _case(name: str, items: Items, results: Results) -> ET.Element:
    """One case; a broken probe makes it an error, else a cell that is not as expected makes it a failure."""
    seconds = sum(item.ms or 0 for item in items if isinstance(item, Probe)) / 1000
    classname = f"{results.topology['name']}.{items[0].check}"
    case = ET.Element("testcase", classname=classname, name=name, time=f"{seconds:.4f}", assertions=str(len(items)))
    found = troubles(items, results)
    if found:
        lines = [f"{trouble.where}: {what}" for trouble in found for what in trouble.whats]
        more = f" (and {len(lines) - 1} more)" if len(lines) > 1 else ""
        tag = "error" if any(trouble.error for trouble in found) else "failure"
        ET.SubElement(case, tag, message=lines[0] + more).text = "\n".join(_paragraph(trouble) for trouble in found)
    return case


def _paragraph(trouble: Trouble) -> str:
    return "\n".join([*(f"{trouble.where}: {what}" for what in trouble.whats), f"  next: {trouble.next_step}"])


def _run_case(results: Results) -> ET.Element:
    """What no cell shows: failures the suite had besides them, what it skipped, and that it asked anything at all."""
    case = ET.Element("testcase", classname=results.topology["name"], name="everything promised was checked")
    states = [item.state for item in (*results.probes, *results.asserts)]
    hidden = results.summary["failed"] + results.summary["errors"] - states.count("failed") - states.count("error")
    if hidden or not states:
        message = f"{hidden} failures that are no cell; see the suite's own output" if hidden else "nothing was checked"
        ET.SubElement(case, "failure", message=message)
    elif results.summary["skipped"]:
        ET.SubElement(case, "skipped", message=f"{results.summary['skipped']} checks were skipped")
    return case
