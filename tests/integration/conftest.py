# SPDX-License-Identifier: GPL-3.0-or-later
"""These tests change the machine: they need root, and fail without it rather than pass by being left out."""

from __future__ import annotations

import os

import pytest
import residue


def pytest_collection_modifyitems() -> None:
    """Stop before the first test when it could not work."""
    if os.geteuid() != 0:
        pytest.exit("tests/integration needs root: use ./lab test integration, or sudo", returncode=1)


@pytest.fixture(scope="session", autouse=True)
def first_uses() -> None:
    """What the machine's tools keep of their first use is no residue of ours."""
    residue.first_uses()
