# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/topology.md: its examples are valid, and its reference names every key and default of the schema."""

from __future__ import annotations

import json
import re

import pytest
import yaml
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_validate import validate


@pytest.fixture(scope="module")
def page(root):
    return (root / "docs" / "topology.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def definitions(root):
    schema = json.loads((root / "docs" / "topology.schema.json").read_text(encoding="utf-8"))
    return {**schema["definitions"], "topology": schema}


def test_examples_are_valid(page):
    examples = re.findall(r"^```yaml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert len(examples) == 4
    for example in examples:
        assert validate(example, yaml.safe_load(example)["name"], [])[1] == []


@pytest.mark.parametrize(
    "name",
    [
        "topology",
        "segment",
        "host",
        "node",
        "namespace",
        "cluster",
        "loadBalancer",
        "ingress",
        "podNetwork",
        "cni",
        "check",
    ],
)
def test_every_key_and_default_is_told(page, definitions, name):
    for key, part in definitions[name]["properties"].items():
        default = part.get("default")
        told = "" if default is None else f" `{json.dumps(default) if default == {} else default}` |"
        assert f"\n| `{key}` |{told}" in page, key
