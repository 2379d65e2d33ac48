# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_dns as dns
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_claim import Claim
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_dns_lab import prove
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_results import Promise, Results, Settle
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_suite import Lab


@pytest.fixture(scope="session")
def names(lab: Lab, results: Results) -> t.Callable[[str], dns.Seen]:
    """What came of all names that a check looks up."""

    def make(name: str) -> dns.Seen:
        seen = prove(lab)
        results.probes.extend(seen.records(name))
        return seen

    return results.once("{}", make)


def test_named(named: tuple[str, Claim], names: t.Callable[[str], dns.Seen], settle: Settle) -> None:
    name, promised = named
    faults = dns.faults(promised.key, names(name))
    settle(Promise(name, promised.title, None, promised.command), faults)
