# SPDX-License-Identifier: GPL-3.0-or-later
"""Who reaches Services and is seen as whom, and how they follow pods: each case judges what the check has seen."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_svc as svc
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_claim import Claim
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_results import Promise, Results, Settle
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_suite import Lab
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_svc_lab import prove


@pytest.fixture(scope="session")
def fronts(lab: Lab, results: Results) -> t.Callable[[str], svc.Seen]:
    """What all cases of a check showed."""

    def make(name: str) -> svc.Seen:
        seen = prove(lab, name)
        results.probes.extend(seen.records)
        results.requests.extend(seen.requests(name))
        results.paths.extend(seen.paths)
        return seen

    return results.once("{}", make)


def test_fronted(fronted: tuple[str, Claim], fronts: t.Callable[[str], svc.Seen], settle: Settle) -> None:
    name, promised = fronted
    faults = svc.faults(promised.key, fronts(name))
    settle(Promise(name, promised.title, None, promised.command), faults)
