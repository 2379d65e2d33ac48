# SPDX-License-Identifier: GPL-3.0-or-later
"""The cases of tests/unit/link_state/cases.yml, and what was read when each was recorded."""

from __future__ import annotations

import json
import typing as t
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from ansible_collections.reftopo.lab.plugins.module_utils import _link_nat, _link_sysctl
from ansible_collections.reftopo.lab.plugins.module_utils._link_model import State
from ansible_collections.reftopo.lab.plugins.module_utils._link_observe import observe_fdb
from ansible_collections.reftopo.lab.plugins.module_utils._link_parse import parse, with_rules

FOLDER = Path(__file__).parents[1] / "unit/link_state"
CASES = yaml.safe_load((FOLDER / "cases.yml").read_text())
LAB = CASES["lab"]


def parameters(names: t.Iterable[str]) -> list[t.Any]:
    """Names of cases to try on a kernel; those of kinds that many kernels lack carry the mark `rare`."""
    return [pytest.param(name, marks=pytest.mark.rare) if _is_rare(name) else name for name in names]


def _is_rare(name: str) -> bool:
    return CASES["cases"][name].get("rare", False)


def recorded(name: str, owner: str = LAB["owner"]) -> State:
    """The state that was read when the case was recorded."""
    facts = json.loads((FOLDER / f"recorded/{name.replace(' ', '-')}.json").read_text())
    dumps = {key: "\n".join(json.dumps(part) for part in parts) for key, parts in facts["dumps"].items()}

    def bridge(command: list[str]) -> tuple[int, str, str]:
        place = command[2].split(".")[-1] if command[1] == "-n" else ""
        return 0, json.dumps(facts.get("fdb", {}).get(place, [])), ""

    state = replace(observe_fdb(bridge, parse(owner, dumps)), stale=tuple(facts["stale"]))
    namespaces = {
        key: replace(
            with_rules(body, facts.get("rules6", {}).get(key, ()), 6),
            sysctls=_link_sysctl.parse(facts.get("sysctls", {}).get(key, "")),
            nat=_link_nat.parse(facts["nat"][key]) if key in facts.get("nat", {}) else None,
        )
        for key, body in state.namespaces.items()
    }
    return replace(state, namespaces=namespaces)
