# SPDX-License-Identifier: GPL-3.0-or-later
"""The cases of tests/unit/link_state/cases.yml in real namespaces: check mode, change, no-op, and nothing left."""

from __future__ import annotations

import json
import os
import re
import typing as t

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils._link_apply import observe
from ansible_collections.reftopo.lab.plugins.module_utils._link_observe import FAILED_LINE
from ansible_collections.reftopo.lab.plugins.module_utils._link_parse import READ
from link_cases import CASES, FOLDER, LAB, parameters

DELETED = {"owner": LAB["owner"], "state": "deleted"}


NOISE = re.compile(
    "(gso_|gro_|tso_|num|min|max|txq|allm|promis|qdisc|link_type|broad|valid|preferred|info_(data|slave)).*"
)


# What is read of a link's kind, and differs from what a bridge has by default
INFO = {
    "id",
    "port",
    "link",
    "local",
    "local6",
    "group",
    "group6",
    "remote",
    "remote6",
    "learning",
    "ttl",
    "mode",
    "miimon",
    "type",
}
INFO_OF_A_BRIDGE = {"stp_state": 0, "ageing_time": 30000, "vlan_filtering": 0}


def kept_info(info: dict[str, t.Any]) -> dict[str, t.Any]:
    """What belongs to a link's kind, trimmed."""
    kept = {key: part for key, part in info.items() if key in INFO}
    kept.update({key: info[key] for key, usual in INFO_OF_A_BRIDGE.items() if info.get(key, usual) != usual})
    return {"info_data": kept} if kept else {}


def trimmed(value: t.Any) -> t.Any:
    """Without what would make the recordings ten times as long and is not read."""
    if isinstance(value, dict):
        hairpin = {"info_slave_data": {"hairpin": True}} if value.get("info_slave_data", {}).get("hairpin") else {}
        return {
            **{key: trimmed(part) for key, part in value.items() if not NOISE.fullmatch(key)},
            **hairpin,
            **kept_info(value.get("info_data", {})),
        }
    return [trimmed(part) for part in value] if isinstance(value, list) else value


def record(machine: t.Any, name: str, wanted: dict[str, t.Any]) -> None:
    """Write what the module reads now to the unit tests' data."""
    dumps = {}
    facts: dict[str, dict[str, t.Any]] = {"rules6": {}, "sysctls": {}, "nat": {}, "fdb": {}}

    def run(command: list[str], data: str = "") -> tuple[int, str, str]:
        answer = machine.run(command, data)
        if command[:3] == ["ip", "-6", "-n"]:
            facts["rules6"][command[3].split(".")[-1]] = json.loads(answer[1])
        if command[:3] == ["ip", "netns", "exec"]:
            facts["sysctls"][command[3].split(".")[-1]] = answer[1]
        if command[-3:] == ["-j", "fdb", "show"]:
            place = command[2].split(".")[-1] if command[1] == "-n" else ""
            facts["fdb"][place] = [
                entry for entry in json.loads(answer[1] or "[]") if "dst" in entry or "master" in entry
            ]
        if command[:4] == ["nft", "-j", "list", "table"] and answer[0] == 0:
            facts["nat"][""] = answer[1]
        if "list table ip" in data:
            without = {int(number) for number in FAILED_LINE.findall(answer[2])}
            lines = [line for number, line in enumerate(data.splitlines(), 1) if number not in without]
            places = [line.split()[2].split(".")[-1] for line in lines]
            facts["nat"].update(zip(places, answer[1].splitlines()))
        if data.startswith(READ):
            namespace = command[2].split(".")[-1] if command[1] == "-n" else ""
            dumps[namespace] = [[trimmed(entry) for entry in json.loads(line)] for line in answer[1].splitlines()]
        return answer

    state = observe(run, LAB["owner"], wanted=machine.desired(wanted))
    lines = ",\n".join(
        f" {json.dumps(key)}: [\n  " + ",\n  ".join(json.dumps(part) for part in parts) + "]"
        for key, parts in dumps.items()
    )
    more = "".join(f' "{key}": {json.dumps(found)},\n' for key, found in facts.items() if found)
    text = f'{{"stale": {json.dumps(state.stale)},\n{more} "dumps": {{\n{lines}}}}}\n'
    text = text if more else text.replace(",\n ", ", ", 1)
    (FOLDER / "recorded" / f"{name.replace(' ', '-')}.json").write_text(text)


@pytest.mark.parametrize("name", parameters(CASES["cases"]))
def test_case(name: str, machine: t.Any):
    case = CASES["cases"][name]
    start, wanted = case.get("from", LAB), case.get("input", LAB)
    pristine = machine.snapshot()
    if start:
        machine.converge(start)
    machine.sh(*case.get("drift", []))
    if os.environ.get("REFTOPO_RECORD"):
        record(machine, name, wanted)

    found = machine.snapshot()
    predicted = machine.converge(wanted, check_mode=True)
    assert [command.removeprefix("ip ") for command in predicted.commands] == case["commands"]
    assert machine.snapshot() == found, "check mode changed something"

    assert machine.converge(wanted) == predicted
    again = machine.converge(wanted)
    assert (again.commands, again.before) == ([], predicted.after)
    everything = str(machine.snapshot())
    assert [name for name in case.get("stays", []) if name not in everything] == []

    machine.converge(DELETED)
    if not case.get("stays"):
        assert machine.snapshot() == pristine
    assert machine.converge(DELETED).commands == []
