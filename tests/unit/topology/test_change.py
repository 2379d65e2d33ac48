# SPDX-License-Identifier: GPL-3.0-or-later
"""Merge patches, by the cases of RFC 7396 appendix A, and how a change is told."""

from __future__ import annotations

import pytest
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_change import merge_patch, title


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_a_patch_is_merged(target, patch, result):
    assert merge_patch(target, patch) == result


def test_the_target_stays_as_it_was():
    target = {"a": {"b": 1}}
    merge_patch(target, {"a": {"b": 2}})
    assert target == {"a": {"b": 1}}


def test_a_change_is_told_by_its_places():
    change = {"namespaces": {"ns2": {"links": {"eth0": {"up": False, "master": None}}, "routes": []}}}
    assert title(change) == "ns2.links.eth0.up: false, ns2.links.eth0.master: removed, ns2.routes: []"
