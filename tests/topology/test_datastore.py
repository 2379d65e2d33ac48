# SPDX-License-Identifier: GPL-3.0-or-later
"""Calico's data in an etcd of its own, claim by claim: each judges what the whole check has seen."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_datastore as datastore
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_claim import Claim
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_datastore_lab import prove
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_results import Promise, Results, Settle
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_suite import Lab


@pytest.fixture(scope="session")
def trial(lab: Lab, results: Results) -> t.Callable[[str], datastore.Seen]:
    """What a check of the datastore showed."""
    return results.once("{}", lambda _name: prove(lab))


def test_stored(stored: tuple[str, Claim], trial: t.Callable[[str], datastore.Seen], settle: Settle) -> None:
    name, promised = stored
    faults = datastore.faults(promised, trial(name))
    settle(Promise(name, promised.title, promised.node or None, promised.command), faults)
