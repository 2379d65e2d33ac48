# SPDX-License-Identifier: GPL-3.0-or-later
"""An ingress controller, claim by claim: each judges what the whole check has seen."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_ingress as ingress
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_claim import Claim
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_ingress_cells import records
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_ingress_lab import prove
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_results import Promise, Results, Settle
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_suite import Lab


@pytest.fixture(scope="session")
def leading(lab: Lab, results: Results) -> t.Callable[[str], ingress.Seen]:
    """What a check of the ingress controller showed; each cell is noted once."""

    def seen(name: str) -> ingress.Seen:
        found = prove(lab)
        results.probes.extend(records(name, found))
        return found

    return results.once("{}", seen)


def test_led(led: tuple[str, Claim], leading: t.Callable[[str], ingress.Seen], settle: Settle) -> None:
    name, promised = led
    faults = ingress.faults(promised, leading(name))
    settle(Promise(name, promised.title, None, promised.command), faults)
