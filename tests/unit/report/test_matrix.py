# SPDX-License-Identifier: GPL-3.0-or-later
"""The areas of a report, their states, and each state's matrix."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.reftopo.lab.plugins.plugin_utils._report import render_reports
from ansible_collections.reftopo.lab.plugins.plugin_utils._report_area import areas, states
from ansible_collections.reftopo.lab.plugins.plugin_utils._report_matrix import Matrix, matrix
from ansible_collections.reftopo.lab.plugins.plugin_utils._report_model import read_results
from report_cells import BREAKAGES, CUT

Data = dict[str, t.Any]
Make = t.Callable[..., Data]


def table(results: Data, area: str, control: str | None = None) -> Matrix:
    """The table of one state of an area."""
    read = read_results(results)
    return matrix(read, next(one for one in states(read) if (one.area, one.control) == (area, control)))


def test_matrix(make_results: Make) -> None:
    results = make_results(nodes=2, pods=1)
    broken = next(cell for cell in results["probes"] if cell["protocol"] == "tcp" and cell["to"] == "client-w1")
    broken |= BREAKAGES["timeout"]
    pods = table(results, "pods")
    assert [(head.name, head.wrong) for head, _cells in pods.rows] == [
        ("client-cp1", True),
        ("client-w1", False),
        ("cp1", False),
        ("w1", False),
    ]
    assert pods.columns == [
        ("client-cp1", False, ["icmp", "tcp", "udp"]),
        ("client-w1", True, ["icmp", "tcp", "udp"]),
        ("outside", False, ["icmp", "tcp", "udp"]),
    ]
    _head, cells = pods.rows[0]
    assert cells[1] is not None
    assert [slot.symbol for slot in cells[1].slots] == ["✓", "✗", "✓"], "1451 bytes too big, as promised, is no cut"
    assert cells[1].slots[1].label == "tcp expected ok, observed timeout"
    assert "icmp to 10.244.1.2: expected ok, observed ok, 0.3 ms, seen as 10.244.0.2" in cells[1].title
    assert (pods.state.open, pods.state.cut, pods.state.kept) == ((31, 32), (2, 2), False)
    assert pods.seen[0] == ("client-cp1", "tcp", "ok", "timeout", "failed", ["client-w1"]), "what is wrong comes first"
    too_big = [line for line in pods.seen if line.observed == "too-big"]
    assert [line.targets for line in too_big] == [["client-w1, 1451 bytes, DF"], ["client-cp1, 1451 bytes, DF"]]


def test_areas(make_results: Make) -> None:
    results = read_results(make_results(nodes=2, pods=1))
    assert [(one.area, one.title, one.kind) for one in states(results)] == [
        ("pods", "As built", "as built"),
        ("pods", "Control: flannel.1 down on w1", "control"),
        ("services", "As built", "as built"),
        ("dns", "As built", "as built"),
    ]
    told = areas(results)
    assert [(one["area"], [state["cells"] for state in one["states"]]) for one in told] == [
        ("pods", [34, 12]),
        ("services", [4]),
        ("dns", [2]),
    ]
    assert told[0]["states"][1] == {
        "names": ["flannel.1 down on w1"], "kind": "control", "cells": 12, "reached": 6, "blocked": 6, "failed": 0,
        "error": 0,
    }  # fmt: skip
    assert json.loads(render_reports(make_results(nodes=2, pods=1))["results.json"])["areas"] == told


@pytest.mark.parametrize(
    ("check", "area"),
    [
        ({"policy": "enforced"}, "policy"),
        ({"services": "all"}, "services"),
        ({"dns": "policies"}, "dns"),
        ({"mechanism": "load-balancer"}, "load-balancer"),
        ({"mechanism": "ingress"}, "ingress"),
        ({"from": "pods", "to": "pods"}, "pods"),
    ],
)
def test_a_check_names_its_area(small: Data, check: Data, area: str) -> None:
    small["topology"]["checks"] = {small["probes"][0]["check"]: check}
    assert {state.area for state in states(read_results(small))} == {area}


def test_without_pods_it_is_about_hosts(small: Data) -> None:
    for endpoint in small["endpoints"]:
        endpoint["kind"] = "namespace"
    assert {state.area for state in states(read_results(small))} == {"hosts"}


@pytest.mark.parametrize(
    ("check", "changes", "kind"),
    [
        ({"break": {}}, [{}, CUT], "control"),
        ({"break": {}}, [{}, {}], "afterwards"),
        ({"mechanism": "load-balancer"}, [CUT, CUT], "control"),
        ({"policy": "enforced"}, [{}, CUT], "case"),
        ({"policy": "enforced"}, [{}, {}], "control"),
        ({"policy": "ignored"}, [{}, {}], "case"),
        ({"services": "all"}, [{}, {}], "case"),
        ({"services": "all"}, [CUT, CUT], "control"),
        ({"mechanism": "ingress"}, [{}, {}], "case"),
        ({"mechanism": "ingress"}, [CUT, CUT], "control"),
    ],
)
def test_a_control_is_called_one(small: Data, check: Data, changes: list[Data], kind: str) -> None:
    small["topology"]["checks"] = {small["probes"][0]["check"]: check}
    small["probes"] = [cell | change | {"control": "x"} for cell, change in zip(small["probes"], changes)]
    [state] = states(read_results(small))
    assert state.kind == kind


def test_a_control_is_marked_as_one(make_results: Make) -> None:
    page = render_reports(make_results(nodes=2, pods=1))["report.html"]
    assert page.count('<h3><span class="badge">control</span> flannel.1 down on w1</h3>') == 1
    assert page.count("<h3>As built</h3>") == 3


def test_services_of_all_cases_are_one_table(small: Data) -> None:
    cell = small["probes"][0]
    small["topology"]["checks"] = {cell["check"]: {"services": "all"}}
    small["probes"] = [cell | {"to": name, "control": name} for name in ("one", "two")]
    small["probes"] += [cell | {"to": name, "control": f"{name}: deleted"} | CUT for name in ("one", "two")]
    small["probes"] += [cell | {"to": "one", "control": "one, again"}]
    found = states(read_results(small))
    assert [(state.title, len(state.probes)) for state in found] == [
        ("2 cases", 2),
        ("2 controls", 2),
        ("Case: one, again", 1),
    ]
    assert found[1].parts == ("one: deleted", "two: deleted")


def test_matrix_of_a_control(make_results: Make) -> None:
    found = table(make_results(nodes=2, pods=1), "pods", "flannel.1 down on w1")
    [[same, cross], [back, _same]] = [cells for _head, cells in found.rows]
    assert same is not None
    assert cross is not None
    assert back is not None
    assert {slot.symbol for slot in same.slots} == {"✓"}
    assert {slot.symbol for slot in cross.slots + back.slots} == {"⊘"}
    assert (found.state.open, found.state.cut) == ((6, 6), (6, 6))


@pytest.mark.parametrize(
    ("changes", "symbol"),
    [
        ([{}, {}], "✓"),
        ([CUT, CUT], "⊘"),
        ([{}, CUT], "◐"),
        ([{}, BREAKAGES["timeout"]], "✗"),
        ([CUT, BREAKAGES["error"]], "!"),
    ],
)
def test_a_large_table_has_one_result_a_cell(small: Data, changes: list[Data], symbol: str) -> None:
    cell = small["probes"][0]
    asked = [cell | {"to": f"pod{number}"} for number in range(13)]
    small["probes"] = [*asked, *(cell | change | {"protocol": name} for change, name in zip(changes, ("tcp", "udp")))]
    small["endpoints"] += [small["endpoints"][0] | {"name": one["to"]} for one in asked]
    found = table(small, "pods")
    assert found.compact
    assert {tuple(head.protocols) for head in found.columns} == {()}
    [(_head, cells)] = found.rows
    [slot] = next(one for one in cells if one and cell["to"] in one.title).slots
    assert slot.symbol == symbol


def test_thirty_pods_fit_in_a_page(make_results: Make) -> None:
    """All pairs of thirty pods by three protocols: one table with a row and a column a pod, and a page of some MB."""
    results = make_results(nodes=10, pods=3, control=False)
    results["probes"] = [cell for cell in results["probes"] if cell["check"] == "pods-reach-pods"]
    assert len(results["probes"]) == 30 * 30 * 3
    files = render_reports(results)
    assert files["report.html"].count('<b class="slot reached" role') == 900
    assert len(files["report.html"]) < 1_000_000
    assert files["junit.xml"].count("<testcase ") == 2700 + len(results["asserts"]) + 1
