# SPDX-License-Identifier: GPL-3.0-or-later
"""How ingress-nginx follows the cluster, claim by claim: each judges what the whole check has seen."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_nginx as nginx
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_claim import Claim
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_nginx_lab import prove
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_results import Promise, Results, Settle
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_suite import Lab


@pytest.fixture(scope="session")
def following(lab: Lab, results: Results) -> t.Callable[[str], nginx.Seen]:
    """What a check of ingress-nginx showed."""
    return results.once("{}", lambda _phase: prove(lab))


def test_followed(followed: tuple[str, Claim], following: t.Callable[[str], nginx.Seen], settle: Settle) -> None:
    name, promised = followed
    faults = nginx.faults(promised, following(name))
    settle(Promise(name, promised.title, None, promised.command), faults)
