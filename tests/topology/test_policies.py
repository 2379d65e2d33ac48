# SPDX-License-Identifier: GPL-3.0-or-later
"""What NetworkPolicies open and close, case by case: each judges what the whole check has seen."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_policy as policy
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_claim import Claim
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_policy_lab import prove
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_results import Promise, Results, Settle
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_suite import Lab


@pytest.fixture(scope="session")
def policies(lab: Lab, results: Results) -> t.Callable[[str], policy.Seen]:
    """What all cases of a check showed."""

    def make(name: str) -> policy.Seen:
        seen = prove(lab, name)
        results.probes.extend(seen.records)
        return seen

    return results.once("{}", make)


def test_policed(policed: tuple[str, Claim], policies: t.Callable[[str], policy.Seen], settle: Settle) -> None:
    name, promised = policed
    faults = policy.faults(promised.key, policies(name))
    settle(Promise(name, promised.title, None, promised.command), faults)
