# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests to an ingress controller as cells of the report."""

from __future__ import annotations

from collections import Counter

import pytest
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_ingress as proof
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_ingress_cells import records
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data
from ingress_seen import BALANCER, CLIENT, changed, seen


def cell(found: list[Data], name: str, control: str | None = None, to: str = "the address") -> Data:
    """The one cell of a request."""
    [one] = [one for one in found if (one["from"], one["to"], one["control"]) == (name, to, control)]
    return one


def test_a_cell_is_a_request_at_a_way_in():
    found = records("by-traefik", seen())
    assert cell(found, "one.test/") == {
        "check": "by-traefik", "control": None, "from": "one.test/", "to": "the address", "protocol": "http",
        "target": f"{BALANCER}:80", "expect": "ok", "observed": "ok", "ms": None, "source": CLIENT, "server": "one",
        "detail": "", "ok": True,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "control", "to", "word"),
    [
        ("three.test/", None, "the address", "404"),
        ("empty.test/none", None, "the address", "503"),
        ("websocket.test/echo by WebSocket", None, "the address", "ok"),
        ("secure.test/ with SNI wrong.test", None, "the address", "ok"),
        ("three.test/", "Ingress default", "the address", "ok"),
        ("one.test/", "no Ingress", "the address", "404"),
        ("one.test/", None, "spread", "ok"),
    ],
)
def test_what_a_controller_that_is_well_answers(name: str, control: str | None, to: str, word: str):
    one = cell(records("x", seen()), name, control, to)
    assert (one["expect"], one["observed"], one["ok"]) == (word, word, True)


def test_where_nothing_leads_silence_is_right():
    one = cell(records("x", seen()), "one.test/", to="cp1's node port")
    assert (one["expect"], one["observed"], one["ok"]) == ("timeout or unreachable", "timeout", True)


def test_each_is_there_once_and_none_is_missing():
    all_seen = seen()
    found = records("x", all_seen)
    keys = Counter((one["protocol"], one["from"], one["to"], one["control"]) for one in found)
    assert set(keys.values()) == {1}
    asked = [one for group in (*all_seen.asked.values(), *all_seen.fronts.values(), all_seen.without) for one in group]
    names = {(one.cell.scheme, one.cell.name.partition("://")[2], one.front.name) for one in asked}
    assert {key[:3] for key in keys} == names
    assert found[0]["from"] == "one.test/"


@pytest.mark.parametrize(
    ("parts", "observed", "detail"),
    [
        ({"pod": "two"}, "ok", "pod is two, must be one"),
        ({"pod": None, "status": 502}, "502", "status is 502, must be 200; pod is None, must be one"),
        ({"observed": "error", "detail": "ValueError: x"}, "error", "error: ValueError: x"),
    ],
)
def test_what_is_wrong_is_said(parts: Data, observed: str, detail: str):
    found = seen()
    changed(found.asked["hosts"], 0, **parts)
    one = cell(records("x", found), "one.test/")
    assert (one["observed"], one["detail"], one["ok"]) == (observed, detail, False)


def test_an_error_is_right_nowhere():
    found = seen()
    changed(found.fronts[proof.DEAF], 0, observed="error")
    assert not cell(records("x", found), "one.test/", to="cp1's node port")["ok"]
