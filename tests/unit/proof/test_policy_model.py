# SPDX-License-Identifier: GPL-3.0-or-later
"""The model of NetworkPolicies against what is known of them: data/policy.yml."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
import yaml
from ansible_collections.reftopo.lab.plugins.plugin_utils._policy_model import (
    Connection,
    End,
    Policy,
    PolicyError,
    allowed,
    selects,
)

KNOWN = yaml.safe_load((pathlib.Path(__file__).parent / "data" / "policy.yml").read_text(encoding="utf-8"))
SHOP, OPS = ({"team": team, "kubernetes.io/metadata.name": team} for team in ("shop", "ops"))
ENDS = {
    "shop/web": End("10.1.0.1", "n1", "shop", {"app": "web"}, SHOP, {"main": ("TCP", 80)}),
    "shop/db": End("10.1.0.2", "n2", "shop", {"app": "db", "tier": "data"}, SHOP, {"main": ("TCP", 5432)}),
    "ops/job": End("10.1.1.1", "n1", "ops", {"app": "job"}, OPS, {}),
    "ops/web": End("10.1.1.2", "n2", "ops", {"app": "web"}, OPS, {"main": ("TCP", 80)}),
    "n1": End("10.0.0.1", "n1"),
    "n2": End("10.0.0.2", "n2"),
    "world": End("198.51.100.7"),
}


def connection(words: str) -> Connection:
    """SOURCE > TARGET PROTOCOL PORT."""
    source, _arrow, target, protocol, port = words.split()
    return Connection(ENDS[source], ENDS[target], protocol, int(port))


def policy(entry: dict[str, t.Any]) -> Policy:
    return Policy(entry["namespace"], {key: value for key, value in entry.items() if key != "namespace"})


@pytest.mark.parametrize("known", KNOWN, ids=lambda known: known["about"])
def test_what_is_known(known: dict[str, t.Any]) -> None:
    policies = [policy(entry) for entry in known["policies"]]
    wanted = {**dict.fromkeys(known.get("allows", ()), True), **dict.fromkeys(known.get("denies", ()), False)}
    assert wanted
    assert {words: allowed(policies, connection(words)) for words in wanted} == wanted


@pytest.mark.parametrize("known", KNOWN, ids=lambda known: known["about"])
def test_the_order_of_policies_is_nothing(known: dict[str, t.Any]) -> None:
    policies = [policy(entry) for entry in known["policies"]]
    for words in (*known.get("allows", ()), *known.get("denies", ())):
        assert allowed(policies, connection(words)) == allowed(policies[::-1], connection(words))


def test_an_empty_selector_matches_everything() -> None:
    assert selects({}, {})
    assert selects({"matchLabels": None, "matchExpressions": None}, {"any": "thing"})


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"podSelector": {}, "ingres": []}, "the model does not know ingres"),
        ({"podSelector": {"matchLabel": {}}}, "the model does not know matchLabel"),
        ({"podSelector": {"matchExpressions": [{"key": "a", "operator": "Gt", "values": ["1"]}]}}, "no operator Gt"),
        ({"podSelector": {}, "ingress": [{"to": []}]}, "the model does not know to, beside from, ports"),
        ({"podSelector": {}, "ingress": [{"from": [{}]}]}, "a peer has an ipBlock or selectors"),
        (
            {"podSelector": {}, "ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}, "podSelector": {}}]}]},
            "a peer has an ipBlock or selectors",
        ),
        ({"podSelector": {}, "ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "not": []}}]}]}, "know not"),
        ({"podSelector": {}, "ingress": [{"ports": [{"number": 80}]}]}, "the model does not know number"),
    ],
)
def test_what_the_model_does_not_know_is_no_verdict(given: dict[str, t.Any], words: str) -> None:
    with pytest.raises(PolicyError, match=words):
        allowed([Policy("shop", given)], connection("ops/job > shop/db TCP 5432"))
