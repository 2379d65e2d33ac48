# SPDX-License-Identifier: GPL-3.0-or-later
"""The topologies that are shipped may be up at the same time: no network of the machine is in two of them."""

from __future__ import annotations

import ipaddress
import itertools
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]


def networks() -> list[tuple[str, ipaddress.IPv4Network]]:
    """The networks of all segments, each with its topology's name and its own."""
    files = (yaml.safe_load(path.read_text()) for path in sorted(ROOT.glob("inventories/*/topology.yml")))
    return [
        (f"{topology['name']}: {name}", ipaddress.IPv4Network(segment["cidr"]))
        for topology in files
        for name, segment in topology["segments"].items()
    ]


def overlapping(named: list[tuple[str, ipaddress.IPv4Network]]) -> list[str]:
    return [
        f"{one} and {other} overlap: {first}, {second}"
        for (one, first), (other, second) in itertools.combinations(named, 2)
        if first.overlaps(second)
    ]


def test_no_network_is_in_two_topologies():
    assert overlapping(networks()) == []


def test_overlapping_finds_what_it_looks_for():
    named = [(name, ipaddress.IPv4Network(cidr)) for name, cidr in (("a", "10.0.0.0/8"), ("b", "10.1.0.0/16"))]
    assert overlapping(named) == ["a and b overlap: 10.0.0.0/8, 10.1.0.0/16"]
