# SPDX-License-Identifier: GPL-3.0-or-later
"""What the report says of Services: the ways of packets as they were seen, and requests made while pods were rolled."""

from __future__ import annotations

import html
import typing as t
import xml.etree.ElementTree as ET

import pytest
from ansible_collections.reftopo.lab.plugins.plugin_utils._report import render_reports
from ansible_collections.reftopo.lab.plugins.plugin_utils._report_model import Requests, read_results
from ansible_collections.reftopo.lab.plugins.plugin_utils._report_requests import LEAST, LOST, requests_picture
from ansible_collections.reftopo.lab.plugins.plugin_utils._report_service import rows, service_pictures
from ansible_collections.reftopo.lab.plugins.plugin_utils._report_svg import Rect, svg
from pictures import outside, overlaps, texts

Data = dict[str, t.Any]
Golden = t.Callable[[str, str], None]

# Of one case what was recorded in the topology services, the addresses shortened.
PATH = {
    "check": "services", "control": "external-local", "from": "client-w1", "to": "external-local", "protocol": "tcp/80",
    "target": "10.96.3.4:80", "observed": "ok", "source": "10.244.1.2", "seen": "10.244.1.2", "server": "one",
    "node": "w1", "mode": "nftables", "command": "nft list table ip kube-proxy",
    "rules": ["services", "map service-ips", "service-L7FVKKSN-reftopo-services/external-local/tcp/tcp"],
    "end": "10.244.1.9:8080", "chance": "1", "masqueraded": False, "ok": True, "detail": "",
}  # fmt: skip
PATHS = [
    PATH,
    PATH | {"protocol": "udp/80", "end": "10.244.1.9:8081"},
    PATH
    | {
        "from": "outside", "to": "external-local at w1", "target": "172.30.32.12:30080", "source": "172.30.32.201",
        "seen": "172.30.32.201", "protocol": "tcp/30080", "chance": "1/2",
    },
    PATH
    | {
        "from": "outside", "to": "external-local at cp1", "target": "172.30.32.11:30080", "source": "172.30.32.201",
        "seen": None, "server": None, "node": "cp1", "observed": "timeout", "end": "dropped", "protocol": "tcp/30080",
    },
    PATH | {"from": "cp1", "source": "172.30.32.11", "seen": "10.244.0.0", "node": "cp1", "masqueraded": True},
    PATH | {"from": "client-cp1", "source": "10.244.0.4", "seen": "172.30.32.11", "node": "cp1"},
]  # fmt: skip
ASTRAY = PATH | {"from": "w1", "end": "10.244.0.7:8080", "ok": False, "detail": "rules lead to 10.244.0.7:8080"}
SERIES = {
    "check": "services", "control": None, "name": "moving is rolled", "from": "client-w1", "to": "moving",
    "protocol": "tcp", "expect": "none fails", "asked": 823, "failed": 0, "runs": [["old", 400], ["new", 423]],
    "before": ["old"], "after": ["new"], "ok": True, "detail": "",
}  # fmt: skip
CONTROL = SERIES | {
    "control": "strategy Recreate", "expect": "some fail", "asked": 449, "failed": 16,
    "runs": [["old", 200], ["refused", 14], ["timeout", 2], ["new", 233]],
}  # fmt: skip


@pytest.fixture
def served(small: Data) -> Data:
    """Results of a check of Services."""
    small["topology"]["checks"] = {"services": {"services": "all"}}
    small["endpoints"].append({"name": "outside", "kind": "namespace", "node": None, "address": "172.30.32.201"})
    small["endpoints"].append({"name": "cp1", "kind": "node", "node": "cp1", "address": "172.30.32.11"})
    return small | {"paths": [dict(path) for path in PATHS], "requests": [dict(SERIES), dict(CONTROL)]}


def test_the_picture_of_paths(served: Data, golden: Golden) -> None:
    [(name, picture)] = service_pictures(read_results(served), "services").items()
    assert name == "external-local"
    assert overlaps(picture) == outside(picture) == []
    golden("service.svg", svg(picture, standalone=True))


def test_protocols_share_a_line_where_they_went_alike(served: Data) -> None:
    found = rows(read_results(served).paths)
    assert [[path.protocol for path in row] for row in found][:2] == [["tcp/80", "udp/80"], ["tcp/30080"]]
    served["paths"][1]["seen"] = "10.244.1.1"
    assert len(rows(read_results(served).paths)) == len(found) + 1


def test_a_path_says_who_changed_the_source(served: Data) -> None:
    [picture] = service_pictures(read_results(served), "services").values()
    words = texts(picture)
    assert words.count("the client's own") == 2
    assert words.count("masqueraded by cp1") == 1
    assert words.count("changed, not by these rules") == 1
    assert words.count("no answer: timeout") == 1
    assert "10.244.1.9:8080/8081" in words


def test_rules_that_lead_elsewhere_are_seen(served: Data) -> None:
    served["paths"].append(ASTRAY)
    [picture] = service_pictures(read_results(served), "services").values()
    assert [shape.kind for shape in picture.shapes if isinstance(shape, Rect)].count("bad") == 1
    assert "rules lead to 10.244.0.7:8080" in "".join(ET.fromstring(svg(picture)).itertext())
    page = render_reports(served)["report.html"]
    assert "<summary>✗ external-local</summary>" in page


@pytest.mark.parametrize("rules", [0, 1, 12])
def test_long_names_and_many_rules_fit(served: Data, rules: int) -> None:
    long = "x" * 90
    served["paths"] = [PATH | {"from": long, "server": long, "rules": [long] * rules, "node": long, "target": long}]
    [picture] = service_pictures(read_results(served), "services").values()
    assert overlaps(picture) == outside(picture) == []


def test_requests_are_counted_in_each_file(served: Data) -> None:
    files = render_reports(served)
    text = html.unescape(files["report.html"])
    assert "<td>823</td><td>0</td>" in text
    assert "<td>449</td><td>16<small>refused 14, timeout 2</small></td>" in text
    assert "client-w1 by tcp, moving is rolled" in text
    suites = {one.get("name"): one for one in ET.fromstring(files["junit.xml"])}
    suite = suites["requests while something changes"]
    assert [case.get("name") for case in suite] == [
        "client-w1 → moving by tcp, moving is rolled: none fails",
        "client-w1 → moving by tcp, moving is rolled: some fail with strategy Recreate",
    ]
    assert [case.findtext("system-out") for case in suite] == [
        "tcp, expected: none fails; observed: 0 of 823 failed",
        "tcp, expected: some fail; observed: 16 of 449 failed (refused 14, timeout 2)",
    ]


def test_a_request_that_failed_is_seen_everywhere(served: Data) -> None:
    lost = [["old", 400], ["refused", 1], ["new", 422]]
    served["requests"][0] |= {"ok": False, "failed": 1, "runs": lost, "detail": "of 823 requests failed: refused 1"}
    files = render_reports(served)
    assert '"failed": 1' in files["results.json"]
    assert "Not proven" in files["report.html"]
    [bad] = ET.fromstring(files["junit.xml"]).iter("failure")
    assert "1 of 823 failed (refused 1)" in str(bad.get("message"))
    picture = requests_picture("x", [one for one in read_results(served).requests if not one.ok])
    [bar] = [shape for shape in picture.shapes if isinstance(shape, Rect) and shape.kind == LOST and shape.y > 40]
    assert bar.width == LEAST, "one of 823 is wide enough to be seen"


def test_the_picture_of_requests(served: Data, golden: Golden) -> None:
    series: list[Requests] = read_results(served).requests
    picture = requests_picture("rolled", series)
    assert overlaps(picture) == outside(picture) == []
    golden("requests.svg", svg(picture, standalone=True))


def test_what_has_no_probes_is_among_services(small: Data) -> None:
    """Services by kube-proxy's rules are claims alone, but have paths."""
    page = render_reports(small | {"paths": [PATH | {"check": "by-proxy", "control": None}]})["report.html"]
    assert '<h2 id="area-services">Services</h2>' in page
    assert "<summary>✓ by-proxy</summary>" in page
