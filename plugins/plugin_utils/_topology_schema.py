# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check a topology against docs/topology.schema.json and fill in its defaults. PRIVATE to the collection.

The schema is the one that editors use, so that the two can never tell different things.
"""

from __future__ import annotations

import copy
import functools
import json
import pathlib
import typing as t

from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_problem import Problem, did_you_mean, join_path

try:
    import jsonschema
except ImportError:  # the inventory plugin says what is missing
    jsonschema = None

SCHEMA_FILE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "topology.schema.json"

Data = dict[str, t.Any]

_KINDS = {
    type(None): "nothing",
    dict: "a mapping",
    list: "a list",
    str: "text",
    bool: "a truth value",
    int: "a number",
    float: "a decimal number",
}

# What is wrong and how to put it right, by the keyword of the schema that refuses a value. The fields are the value and
# the schema's own annotations.
_TEXTS = {
    "type": ("{value} ({kind}) is not {title}", "write {title}{quoted}{such_as}"),
    "minimum": ("{value} is out of range", "use a number from {minimum} to {maximum}"),
    "maximum": ("{value} is out of range", "use a number from {minimum} to {maximum}"),
    "minLength": ("empty", "write {title}{such_as}"),
    "minItems": ("empty", "give at least one{such_as}"),
    "minProperties": ("empty", "give at least one{such_as}"),
    "uniqueItems": ("the same is there twice", "remove one of the two"),
    "maxLength": ("{value} is not {title}", "{errorMessage}{such_as}"),
    "pattern": ("{value} is not {title}", "{errorMessage}{such_as}"),
    "oneOf": ("the keys given ({keys}) do not make {title}", "{errorMessage}"),
}


@functools.cache
def _validator() -> jsonschema.Draft7Validator:
    return jsonschema.Draft7Validator(json.loads(SCHEMA_FILE.read_text(encoding="utf-8")))


def sections() -> list[str]:
    """The sections of a topology in the schema's order, which is the one that files usually have."""
    return list(_validator().schema["properties"])


def check(data: t.Any) -> tuple[Data, list[Problem]]:
    """Every violation of the schema, and a copy of the data that the further rules can work on.

    In the copy, unknown keys are gone, refused values are None, and what was left out has its default.
    """
    errors = _errors(data)
    problems = [problem for error in errors for problem in _problems(error)]
    clean = copy.deepcopy(data) if isinstance(data, dict) else {}
    for error in sorted(errors, key=lambda error: -len(error.absolute_path)):
        _remove(error, clean)
    _fill_defaults(_validator().schema, clean)
    return clean, list(dict.fromkeys(problems))


def _errors(data: t.Any) -> list[jsonschema.ValidationError]:
    """The errors in a stable order; where a value is of the wrong type, nothing else is said about it."""
    errors = sorted(_validator().iter_errors(data), key=lambda error: [str(part) for part in error.absolute_path])
    mistyped = {tuple(error.absolute_path) for error in errors if error.validator == "type"}
    return [error for error in errors if error.validator == "type" or tuple(error.absolute_path) not in mistyped]


def _problems(error: jsonschema.ValidationError) -> t.Iterator[Problem]:
    path, schema = join_path("", *error.absolute_path), error.schema
    if error.validator == "additionalProperties":
        for key in _unknown_keys(error):
            yield Problem(join_path(path, key), "unknown key", did_you_mean(key, schema["properties"]))
    elif error.validator == "required":
        for key in error.validator_value:
            if key not in error.instance:
                part = schema["properties"][key]
                example = {**_resolve(part), **part}["examples"][0]
                yield Problem(join_path(path, key), "missing", f"add it, for instance {key}: {example}")
    elif error.validator == "enum":
        what = f"{_show(error.instance)} is not {schema['title']} that is known here"
        yield Problem(path, what, schema.get("errorMessage") or did_you_mean(error.instance, schema["enum"]))
    else:
        if "propertyNames" in error.absolute_schema_path:
            path = join_path(path, error.instance)
        yield Problem(path or "topology.yml", *_texts(error))


def _texts(error: jsonschema.ValidationError) -> list[str]:
    schema, value = error.schema, error.instance
    fields = {
        **schema,
        "value": _show(value),
        "kind": _KINDS[type(value)],
        # YAML takes 1.37 and 10:20:30 for numbers.
        "quoted": " in quotes" if "pattern" in schema and not isinstance(value, (dict, list)) else "",
        "such_as": f", such as {schema['examples'][0]}" if "examples" in schema else "",
        "keys": ", ".join(value) or "none" if isinstance(value, dict) else "",
    }
    return [text.format_map(fields) for text in _TEXTS[error.validator]]


def _show(value: t.Any) -> str:
    """A value in few words; text in quotes, the rest nearly as the user wrote it."""
    if isinstance(value, (dict, list)) or value is None:
        return "the value"
    return repr(value) if isinstance(value, str) else str(value).lower()


def _unknown_keys(error: jsonschema.ValidationError) -> list[str]:
    return [str(key) for key in error.instance if key not in error.schema["properties"]]


def _remove(error: jsonschema.ValidationError, data: Data) -> None:
    """Take what the error refuses out of the data, the inner before the outer; names and missing keys stay."""
    if error.validator in ("required", "oneOf", "minProperties") or "propertyNames" in error.absolute_schema_path:
        return
    *parents, last = error.absolute_path or [None]
    holder = functools.reduce(lambda value, part: value[part], parents, data)
    if error.validator != "additionalProperties":
        holder[last] = None
        return
    target = data if last is None else holder[last]
    for key in _unknown_keys(error):
        target.pop(key, None)


def _resolve(schema: Data) -> Data:
    reference = schema.get("$ref")
    return _validator().schema["definitions"][reference.rpartition("/")[2]] if reference else schema


def _fill_defaults(schema: Data, data: t.Any) -> None:
    schema = _resolve(schema)
    if not isinstance(data, dict):
        return
    for key, part in schema.get("properties", {}).items():
        if "default" in part:
            data.setdefault(key, copy.deepcopy(part["default"]))
        if key in data:
            _fill_defaults(part, data[key])
    if isinstance(schema.get("additionalProperties"), dict):
        for value in data.values():
            _fill_defaults(schema["additionalProperties"], value)
