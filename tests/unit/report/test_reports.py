# SPDX-License-Identifier: GPL-3.0-or-later
"""The three files: JUnit word for word, and what goes wrong is seen in each of them."""

from __future__ import annotations

import html
import json
import re
import typing as t
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import pytest
from ansible_collections.reftopo.lab.plugins.plugin_utils._report import render_reports, write_reports
from ansible_collections.reftopo.lab.plugins.plugin_utils._report_advice import troubles
from ansible_collections.reftopo.lab.plugins.plugin_utils._report_model import read_results
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from report_cells import BREAKAGES

Data = dict[str, t.Any]
Make = t.Callable[..., Data]
Golden = t.Callable[[str, str], None]


def test_junit_golden(small: Data, golden: Golden) -> None:
    golden("junit.xml", render_reports(small)["junit.xml"])


def test_junit_golden_of_a_broken_run(small: Data, golden: Golden) -> None:
    there, back = small["probes"]
    small["probes"] = [there | BREAKAGES["timeout"], back | BREAKAGES["error"]]
    small["probes"] += [cell | {"control": "flannel.1 down on w1"} | BREAKAGES["open"] for cell in (there, back)]
    small["asserts"] += [small["asserts"][0] | {"ok": False, "detail": "nothing captured", "error": True}]
    small["summary"] |= {"failed": 4, "skipped": 2}
    golden("junit_broken.xml", render_reports(small)["junit.xml"])


def test_advice_golden(small: Data, golden: Golden) -> None:
    """The texts that say what to do next, for each way to fail; within a node and between nodes."""
    there = small["probes"][0]
    near = small["endpoints"][0] | {"name": "server-cp1", "address": "10.244.0.3"}
    small["endpoints"].append(near)
    small["probes"] = [there | breakage for breakage in BREAKAGES.values()]
    small["probes"].append(there | {"to": near["name"], "target": "10.244.0.3:8080"} | BREAKAGES["timeout"])
    small["asserts"][0] |= {"ok": False, "detail": "0 packets"}
    results = read_results(small)
    found = troubles([*results.probes, *results.asserts], results)
    lines = [f"{trouble.where}\n{chr(10).join(trouble.whats)}\n  {trouble.next_step}\n" for trouble in found]
    golden("advice.txt", "\n".join(lines))


@pytest.mark.parametrize(
    ("backend", "words"),
    [("host-gw", "tcpdump -nei eth0 host 10.244"), ("udp", "ss -lunp must show flanneld at port 8285")],
)
def test_advice_between_nodes_is_that_of_the_backend(small: Data, backend: str, words: str) -> None:
    small["topology"]["cluster"]["cni"] = {"backend": backend, "port": 8285, "device": "flannel0"}
    small["probes"] = [small["probes"][0] | BREAKAGES["timeout"]]
    results = read_results(small)
    assert words in troubles(list(results.probes), results)[0].next_step


@pytest.mark.parametrize(
    ("breakage", "words"), [("open", "though a policy closes it"), ("timeout", "policies allow it")]
)
def test_advice_on_policies(small: Data, breakage: str, words: str) -> None:
    small["topology"]["checks"] = {small["probes"][0]["check"]: {"policy": "enforced"}}
    small["probes"] = [small["probes"][0] | BREAKAGES[breakage]]
    results = read_results(small)
    assert words in troubles(list(results.probes), results)[0].next_step


@pytest.mark.parametrize(
    ("observed", "words"),
    [("ok", "though no rule leads there"), ("404", "knows no rule"), ("503", "nobody behind it"), ("502", "its log")],
)
def test_advice_on_ingress(small: Data, observed: str, words: str) -> None:
    small["topology"]["checks"] = {small["probes"][0]["check"]: {"mechanism": "ingress"}}
    small["probes"] = [small["probes"][0] | {"expect": "301", "observed": observed, "ok": False}]
    results = read_results(small)
    assert words in troubles(list(results.probes), results)[0].next_step


@pytest.mark.parametrize("states", [7, 8])
def test_many_states_are_folded_but_for_what_is_wrong(small: Data, states: int) -> None:
    healthy = small["probes"][0]
    small["probes"] += [healthy | {"control": f"state {number}"} for number in range(states)]
    small["probes"][-1] |= BREAKAGES["timeout"]
    text = render_reports(small)["report.html"]
    assert text.count('<table class="matrix">') == states + 1
    assert text.count("<summary>✓ ") == (states - 1 if states > 7 else 0) + 1, "and the claims"
    assert ("<details open>\n<summary>✗ state 7" in text) == (states > 7)


def test_same_input_same_bytes(make_results: Make) -> None:
    assert render_reports(make_results()) == render_reports(make_results())


def test_written_files(small: Data, tmp_path: Path) -> None:
    page = write_reports(small, tmp_path / "new" / "report")
    assert {path.name for path in page.parent.iterdir()} == {"results.json", "junit.xml", "report.html"}
    assert json.loads((page.parent / "results.json").read_text())["summary"]["passed"] == 3


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_cell_that_went_wrong_is_seen_everywhere(make_results: Make, data: st.DataObject) -> None:
    results = make_results(nodes=2, pods=1)
    healthy = [index for index, cell in enumerate(results["probes"]) if cell["expect"] == "ok"]
    cell = results["probes"][data.draw(st.sampled_from(healthy))]
    cell |= BREAKAGES[data.draw(st.sampled_from(sorted(BREAKAGES)))]
    files = render_reports(results)
    key = "errors" if cell["observed"] == "error" else "failed"
    assert json.loads(files["results.json"])["summary"][key] == 1
    where = f"{cell['from']} → {cell['to']}: {cell['protocol']} to {cell['target']}"
    [bad] = ET.fromstring(files["junit.xml"]).iter("error" if key == "errors" else "failure")
    assert bad.get("message", "").startswith(where)
    assert "next:" in (bad.text or "")
    text = html.unescape(files["report.html"])
    assert "Not proven" in text
    assert f"{cell['from']} → {cell['to']}" in text
    assert len(re.findall(r'<b class="slot (?:failed|error)" role', text)) == 1
    assert len(re.findall(r'<(?:th scope="(?:row|col)"|td) class="wrong"', text)) == 3, "the cell, its row, its column"


def test_a_claim_that_does_not_hold_is_seen_everywhere(small: Data) -> None:
    small["asserts"][0] |= {"ok": False, "detail": "UDP 4789"}
    files = render_reports(small)
    assert json.loads(files["results.json"])["summary"]["failed"] == 1
    assert [bad.get("message") for bad in ET.fromstring(files["junit.xml"]).iter("failure")] == [
        "w1: outer header is UDP 8472, VNI 1: UDP 4789"
    ]
    assert "Not proven" in files["report.html"]
    assert files["report.html"].count("UDP 4789") == 2


def test_nothing_asked_is_not_green(small: Data) -> None:
    files = render_reports(small | {"probes": [], "asserts": []})
    assert "Incomplete" in files["report.html"]
    assert [bad.get("message") for bad in ET.fromstring(files["junit.xml"]).iter("failure")] == ["nothing was checked"]


NASTY = '<script>alert("x")</script>&\'"]]>{{ 7 * 7 }}'


KEYED = {"nodes", "segments"}  # whose keys are names


def nasty(value: t.Any) -> t.Any:
    """Every name and text of the results with markup in it, words of the contract excepted."""
    kept = {"expect", "observed", "kind", "role", "backend", "cidr", "mtu", "summary"}
    if isinstance(value, dict):
        kept |= {"name"} if "backend" in value else set()  # a network plugin's
        named = {key: nasty(item) for key, item in value.items() if key not in kept}
        named |= {key: {NASTY + name: item for name, item in named[key].items()} for key in value if key in KEYED}
        return value | named
    if isinstance(value, list):
        return [nasty(item) for item in value]
    return NASTY + value if isinstance(value, str) and "." not in value else value


class Tags(HTMLParser):
    """The elements and attributes of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs


def test_text_stays_text(small: Data) -> None:
    files = render_reports(nasty(small))
    tags = Tags(files["report.html"])
    assert "script" not in tags.tags
    assert set(tags.tags) == set(Tags(render_reports(small)["report.html"]).tags)
    assert tags.tags.count("svg") == 2
    assert NASTY in html.unescape(files["report.html"])
    assert any(NASTY in (case.get("name") or "") for case in ET.fromstring(files["junit.xml"]).iter("testcase"))


def test_the_page_needs_nothing_else(make_results: Make) -> None:
    page = render_reports(make_results())["report.html"]
    tags = Tags(page)
    assert not {"script", "link", "img", "iframe", "object", "use"} & set(tags.tags)
    assert not {"src", "xlink:href", "onclick", "onload"} & {name for name, _value in tags.attributes}
    links = {value for name, value in tags.attributes if name == "href"}
    assert links == {f"#{value}" for name, value in tags.attributes if name == "id" and str(value).startswith("area-")}
    assert not re.search(r"url\(|@import|https?:", page.replace("http-equiv", ""))
    assert ("http-equiv", "Content-Security-Policy") in tags.attributes


def test_tables_and_pictures_speak(make_results: Make) -> None:
    tags = Tags(render_reports(make_results())["report.html"])
    assert tags.tags.count("svg") == tags.tags.count("desc") == 2
    assert {value for name, value in tags.attributes if name == "scope"} == {"row", "col"}
    ids = [value for name, value in tags.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    named = {word for name, value in tags.attributes if name == "aria-labelledby" for word in (value or "").split()}
    assert named <= set(ids)


@pytest.mark.parametrize("key", ["phases", "cluster", "description"])
def test_what_may_be_missing(make_results: Make, key: str) -> None:
    results = make_results()
    (results if key in results else results["topology"]).pop(key)
    assert "Proven" in render_reports(results)["report.html"]
