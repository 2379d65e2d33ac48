# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read topology.yml: YAML to plain data, and the line of what YAML itself would let pass. PRIVATE to the collection."""

from __future__ import annotations

import json
import typing as t

import yaml
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_problem import Problem

_TEXT = "tag:yaml.org,2002:str"
# libyaml's parser is ten times as fast; PyYAML can be built without it.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load(text: str | bytes) -> tuple[t.Any, list[Problem]]:
    """The data of a YAML document, and what is wrong with it as YAML; the data is None when it cannot be read at all.

    A key that is there twice is an error, as YAML 1.2 section 3.2.1.1 demands: PyYAML would silently keep the last.
    A key that is no text (a number, ``yes``) is an error too: JSON has none, and it would be a name nobody meant.
    """
    problems: list[Problem] = []
    loader = _Loader(text)
    try:
        root = loader.get_single_node()
        if root is None:
            return None, [Problem("topology.yml", "the file is empty", "describe a topology: see docs/topology.md")]
        problems += _key_problems(root, set())
        return _plain(loader.construct_document(root)), problems
    except ValueError as error:
        what = "an alias contains itself" if "Circular" in str(error) else f"a value cannot be read: {error}"
        return None, [*problems, Problem("topology.yml", what, "write the value out")]
    except yaml.YAMLError as error:
        return None, [*problems, _syntax_problem(error)]
    finally:
        loader.dispose()


def _plain(data: t.Any) -> t.Any:
    """A copy in which nothing is shared between aliases, and dates are the text that they were."""
    return json.loads(json.dumps(data, default=str))


def _key_problems(node: yaml.Node, visited: set[int]) -> t.Iterator[Problem]:
    # An alias leads to a node again, perhaps to the one that holds it.
    if id(node) in visited:
        return
    visited.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _key_problems(item, visited)
    elif isinstance(node, yaml.MappingNode):
        first: dict[str, int] = {}
        for key, value in node.value:
            yield from _key_problem(key, first)
            yield from _key_problems(value, visited)


def _key_problem(key: yaml.Node, first: dict[str, int]) -> t.Iterator[Problem]:
    line = key.start_mark.line + 1
    where = f"line {line}"
    if key.tag == "tag:yaml.org,2002:merge":
        return
    if key.tag != _TEXT and isinstance(key, yaml.ScalarNode):
        yield Problem(where, f"the key {key.value} is not text", "write it in quotes, or use another word")
        key.tag = _TEXT  # so that the rest of the file can be checked
    if not isinstance(key, yaml.ScalarNode):
        yield Problem(where, "the key is a collection", "write text; where braces are meant as text, put quotes around")
    elif key.value in first:
        what = f"the key {key.value} is already given in line {first[key.value]}"
        yield Problem(where, what, "remove one of the two")
    else:
        first[key.value] = line


def _syntax_problem(error: yaml.YAMLError) -> Problem:
    mark = getattr(error, "problem_mark", None)
    if mark is None:  # not even characters
        what = str(error).partition("\n")[0]
        return Problem("topology.yml", f"not text: {what}", "save it as UTF-8 without control characters")
    what = ", ".join(filter(None, (error.context, error.problem)))
    fix = "look there and just above: indentation (no tabs), brackets, quotes, colons"
    return Problem(f"line {mark.line + 1}", f"not valid YAML: {what}", fix)
