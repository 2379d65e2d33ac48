# SPDX-License-Identifier: GPL-3.0-or-later
"""Services of type LoadBalancer, claim by claim: each judges what the whole check has seen."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_load_balancer as balancer
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_claim import Claim
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_load_balancer_lab import prove
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_results import Promise, Results, Settle
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_suite import Lab


@pytest.fixture(scope="session")
def balancing(lab: Lab, results: Results) -> t.Callable[[str], balancer.Seen]:
    """What a check of the load balancer showed."""

    def make(name: str) -> balancer.Seen:
        seen = prove(lab, name)
        results.probes.extend(one.record for asked in seen.asked.values() for one in asked)
        results.paths.extend(seen.paths)
        if seen.took is not None:
            results.phases.append({"name": f"{name}: until another node answered", "seconds": seen.took})
        return seen

    return results.once("{}", make)


def test_balanced(
    balanced: tuple[str, Claim], balancing: t.Callable[[str], balancer.Seen], settle: Settle, results: Results
) -> None:
    name, promised = balanced
    faults = balancer.faults(promised, balancing(name), results.topology)
    settle(Promise(name, promised.title, None, promised.command), faults)
