# SPDX-License-Identifier: GPL-3.0-or-later
"""The CNI plugins that a topology may name are those that nodes get."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
# What other plugins call and no list names (IPAM), and flannel's, which is a cluster's.
NOT_FOR_LISTS = {"dhcp", "host-local", "static", "flannel"}


def test_the_schema_names_the_plugins_of_the_lock():
    lock = yaml.safe_load((ROOT / "roles/artifacts/files/lock.yml").read_text(encoding="utf-8"))
    plugins = {name for name, one in lock["binaries"].items() if one["destination"].startswith("/opt/cni/bin/")}
    schema = json.loads((ROOT / "docs/topology.schema.json").read_text(encoding="utf-8"))
    plugin = schema["definitions"]["networkConfiguration"]["properties"]["plugins"]["items"]
    assert set(plugin["properties"]["type"]["enum"]) == plugins - NOT_FOR_LISTS
