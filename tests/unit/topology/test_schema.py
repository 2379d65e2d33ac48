# SPDX-License-Identifier: GPL-3.0-or-later
"""The published schema: a valid one, documented throughout, and in step with what else names the same things."""

from __future__ import annotations

import json
import typing as t

import jsonschema
import pytest
import yaml
from ansible_collections.reftopo.lab.plugins.module_utils._cni_backend import BACKENDS, PLUGINS
from ansible_collections.reftopo.lab.plugins.module_utils._preflight_probe import FEATURES
from ansible_collections.reftopo.lab.plugins.module_utils._proxy_mode import FEATURES as PROXY_FEATURES
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_rules_cluster import OPTIONS


@pytest.fixture(scope="module")
def schema(root):
    return json.loads((root / "docs" / "topology.schema.json").read_text(encoding="utf-8"))


def properties(schema: t.Any, path: str = "") -> t.Iterator[tuple[str, dict[str, t.Any]]]:
    """Every property that a user can write, by its place in the schema."""
    for key, part in schema.items() if isinstance(schema, dict) else ():
        if key == "properties":
            yield from ((f"{path}/{name}", value) for name, value in part.items() if isinstance(value, dict))
        if key != "oneOf":
            yield from properties(part, f"{path}/{key}")


def test_it_is_a_json_schema(schema):
    jsonschema.Draft7Validator.check_schema(schema)


def test_every_property_is_described(schema):
    for path, part in properties(schema):
        resolved = {**schema["definitions"].get(part.get("$ref", "").rpartition("/")[2], {}), **part}
        assert resolved.get("description"), path
        assert resolved.get("examples"), path


def test_every_default_is_valid(schema):
    for dummy, part in properties(schema):
        if "default" in part:
            jsonschema.Draft7Validator({**part, "definitions": schema["definitions"]}).validate(part["default"])


def test_every_mapping_refuses_unknown_keys(schema):
    for name, part in schema["definitions"].items():
        if part.get("type") == "object":
            assert "additionalProperties" in part, name


def test_kubernetes_versions_are_those_of_the_lock(root, schema):
    lock = yaml.safe_load((root / "roles" / "artifacts" / "files" / "lock.yml").read_text(encoding="utf-8"))
    known = schema["definitions"]["cluster"]["properties"]["kubernetes"]["enum"]
    assert known == [lock["modules"]["kubernetes"]["version"]]


def test_every_backend_has_its_overhead(schema):
    given = schema["definitions"]["cni"]["properties"]
    assert set(given["name"]["enum"]) == set(PLUGINS)
    assert set(given["backend"]["enum"]) == BACKENDS


def test_every_option_is_some_backends(schema):
    backends = [backend for plugin in PLUGINS.values() for backend in plugin.backends.values()]
    options = {option for backend in backends for option in (*backend.defaults, *backend.options)}
    assert (
        set(schema["definitions"]["cni"]["properties"])
        == {"name", "backend", *options}
        == {"name", "backend", *OPTIONS}
    )


def test_every_need_can_be_tried(schema):
    modes = schema["definitions"]["proxyMode"]["enum"]
    assert set(modes) == set(PROXY_FEATURES)
    features = {backend.feature for plugin in PLUGINS.values() for backend in plugin.backends.values()} - {""}
    features |= {feature for plugin in PLUGINS.values() for feature in (plugin.tables, plugin.feature)} - {""}
    features |= {feature for needed in PROXY_FEATURES.values() for feature in needed}
    assert {*features, "bridge", "netns", "veth"} <= set(FEATURES)
