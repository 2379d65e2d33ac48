# SPDX-License-Identifier: GPL-3.0-or-later
"""What preflight warns of: a choice that is retired upstream, and nothing else."""

from __future__ import annotations

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils._preflight_checks import cautions
from preflight_machines import TOPOLOGY


def test_ingress_nginx_is_said_to_be_retired() -> None:
    (text,) = cautions({"cluster": {"ingress": {"controller": "nginx"}}})
    assert text.startswith("cluster.ingress.controller: ingress-nginx is retired")
    assert "v1.15.1" in text and "traefik" in text


@pytest.mark.parametrize("topology", [{}, {"cluster": {"ingress": {"controller": "traefik"}}}, TOPOLOGY])
def test_nothing_else_is_warned_of(topology: dict) -> None:
    assert cautions(topology) == []
