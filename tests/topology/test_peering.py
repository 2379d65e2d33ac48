# SPDX-License-Identifier: GPL-3.0-or-later
"""Routers outside that nodes speak BGP with, claim by claim: each judges what the whole check has seen."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_peering as peering
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_claim import Claim
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_peering_lab import prove
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_peering_seen import Seen
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_results import Promise, Results, Settle
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_suite import Lab


@pytest.fixture(scope="session")
def outside(lab: Lab, results: Results) -> t.Callable[[str], Seen]:
    """What a check of peers showed."""

    def make(name: str) -> Seen:
        seen = prove(lab, name)
        results.probes.extend(seen.records(name))
        return seen

    return results.once("{}", make)


def test_peered(peered: tuple[str, Claim], outside: t.Callable[[str], Seen], settle: Settle) -> None:
    name, promised = peered
    faults = peering.faults(promised, outside(name))
    settle(Promise(name, promised.title, promised.node or None, promised.command), faults)
