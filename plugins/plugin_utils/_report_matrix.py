# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who reached whom, as a table for each state of each area that was probed. PRIVATE to the collection."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.reftopo.lab.plugins.plugin_utils._report_advice import describe
from ansible_collections.reftopo.lab.plugins.plugin_utils._report_area import State
from ansible_collections.reftopo.lab.plugins.plugin_utils._report_model import Probe, Results
from ansible_collections.reftopo.lab.plugins.plugin_utils._report_model import State as Outcome

# A slot that several probes share shows the first of these that any has: the worst, but a target that answers is
# reached although a packet too big for the path, as promised, was not.
SEVERITY: tuple[Outcome, ...] = ("error", "failed", "reached", "blocked")
SYMBOLS = {"reached": "✓", "blocked": "⊘", "mixed": "◐", "failed": "✗", "error": "!"}
MANY = 12  # columns; a table with more has one result a cell, for all its protocols
_KINDS = ("pod", "service", "name", "node", "namespace")
_ORDER = ("icmp", "tcp", "udp")  # what else there is comes after


class Slot(t.NamedTuple):
    """A result in a cell, of one protocol or of all; its state is empty where nothing was probed."""

    state: Outcome | t.Literal["", "mixed"]
    label: str

    @property
    def symbol(self) -> str:
        """What stands in the table, so that nothing hangs on colour alone."""
        return SYMBOLS.get(self.state, "·")


@dataclass(frozen=True)
class Cell:
    """All probes from one endpoint to another: the results to show, and the words to show when pointed at."""

    slots: list[Slot]
    title: str

    @property
    def wrong(self) -> bool:
        """Whether any of it is not as it must be."""
        return any(slot.state in ("failed", "error") for slot in self.slots)


class Head(t.NamedTuple):
    """A row or column: a name, whether any of its cells is wrong, and of a column the protocols of its slots."""

    name: str
    wrong: bool
    protocols: list[str]


class Seen(t.NamedTuple):
    """A line of what was expected and observed: all targets of one source with the same outcome by one protocol."""

    origin: str
    protocol: str
    expect: str
    observed: str
    state: Outcome
    targets: list[str]


@dataclass(frozen=True)
class Matrix:
    """One state: rows are where probes started, columns where they went; and the same cell by cell in words."""

    state: State
    columns: list[Head]
    rows: list[tuple[Head, list[Cell | None]]]
    seen: list[Seen]
    compact: bool


def matrix(results: Results, state: State) -> Matrix:
    """Return the table of one state."""
    cells: dict[tuple[str, str], list[Probe]] = {}
    for probe in state.probes:
        cells.setdefault((probe.origin, probe.to), []).append(probe)
    rows, names = (_names(results, [pair[side] for pair in cells]) for side in (0, 1))
    compact = len(names) > MANY
    protocols = {name: _protocols(state.probes, name) for name in names}
    made = {pair: _cell(probes, None if compact else protocols[pair[1]]) for pair, probes in cells.items()}
    wrong = [pair for pair, cell in made.items() if cell.wrong]
    heads = [Head(name, name in [to for _origin, to in wrong], [] if compact else protocols[name]) for name in names]
    return Matrix(
        state=state,
        columns=heads,
        rows=[
            (Head(row, row in [origin for origin, _to in wrong], []), [made.get((row, name)) for name in names])
            for row in rows
        ],
        seen=_seen(state.probes),
        compact=compact,
    )


def _protocols(probes: list[Probe], to: str) -> list[str]:
    """The protocols by which anything asked a target."""
    probed = dict.fromkeys(probe.protocol for probe in probes if probe.to == to)
    return sorted(probed, key=lambda name: (*_ORDER, name).index(name))


def _names(results: Results, used: list[str]) -> list[str]:
    """The names by their kind, each kind in the order of the endpoints; names that are no endpoint come last."""
    known = sorted(results.endpoints, key=lambda endpoint: (*_KINDS, endpoint["kind"]).index(endpoint["kind"]))
    there = set(used)
    return [name for name in dict.fromkeys([*(endpoint["name"] for endpoint in known), *used]) if name in there]


def _cell(probes: list[Probe], protocols: list[str] | None) -> Cell:
    lines = [f"{probe.check}{f', {probe.control}' if probe.control else ''}: {describe(probe)}" for probe in probes]
    slots = [_whole(probes)] if protocols is None else [_slot(name, probes) for name in protocols]
    return Cell(slots, "\n".join([f"{probes[0].origin} → {probes[0].to}", *dict.fromkeys(lines)]))


def _slot(protocol: str, probes: list[Probe]) -> Slot:
    asked = [probe for probe in probes if probe.protocol == protocol]
    if not asked:
        return Slot("", f"{protocol} not probed")
    worst = min(asked, key=lambda probe: SEVERITY.index(probe.state))
    return Slot(worst.state, f"{protocol} expected {worst.expect}, observed {worst.observed}")


def _whole(probes: list[Probe]) -> Slot:
    """One result for all protocols: the worst, or that some must succeed and some must not, and all did so."""
    kinds = {_slot(protocol, probes).state for protocol in dict.fromkeys(probe.protocol for probe in probes)}
    worst = min(probes, key=lambda probe: SEVERITY.index(probe.state))
    label = f"{worst.protocol} expected {worst.expect}, observed {worst.observed}"
    return (
        Slot("mixed", "as expected by each protocol") if kinds == {"reached", "blocked"} else Slot(worst.state, label)
    )


def _seen(probes: list[Probe]) -> list[Seen]:
    """What is wrong comes first; a target that was asked several times is there once, with how often."""
    found: dict[tuple[t.Any, ...], dict[str, int]] = {}
    for probe in sorted(probes, key=lambda probe: SEVERITY.index(probe.state) > 1):
        key = (probe.origin, probe.protocol, probe.expect, probe.observed, probe.state)
        to = f"{probe.to}{_size(probe.target)}"
        found.setdefault(key, {})[to] = found.get(key, {}).get(to, 0) + 1
    return [
        Seen(*key, [f"{to} ({count} times)" if count > 1 else to for to, count in targets.items()])
        for key, targets in found.items()
    ]


def _size(target: str) -> str:
    """What a target says beside its address: how long the packet is."""
    return "".join(target.partition(", ")[1:])
