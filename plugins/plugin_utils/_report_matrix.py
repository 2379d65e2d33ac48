# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who reached whom, as a table for each state that was probed. PRIVATE to the collection."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.reftopo.lab.plugins.plugin_utils._report_advice import describe
from ansible_collections.reftopo.lab.plugins.plugin_utils._report_model import Probe, Results, State

# A slot that several probes share shows the first of these that any has: the worst, but a target that answers is
# reached although a packet too big for the path, as promised, was not.
SEVERITY: tuple[State, ...] = ("error", "failed", "reached", "blocked")
SYMBOLS = {"reached": "✓", "blocked": "⊘", "failed": "✗", "error": "!"}
_KINDS = ("pod", "service", "name", "node", "namespace")
_ORDER = ("icmp", "tcp", "udp")  # what else there is comes after


class Slot(t.NamedTuple):
    """One protocol in a cell; its state is empty where nothing was probed."""

    protocol: str
    state: State | t.Literal[""]
    label: str

    @property
    def symbol(self) -> str:
        """What stands in the table, so that nothing hangs on colour alone."""
        return SYMBOLS.get(self.state, "·")


@dataclass(frozen=True)
class Cell:
    """All probes from one endpoint to another: one slot per protocol, and the words to show when pointed at."""

    slots: list[Slot]
    title: str


@dataclass(frozen=True)
class Matrix:
    """One state: rows are where probes started, columns where they went."""

    control: str | None
    columns: list[tuple[str, list[str]]]  # name, and its protocols in the order of the cells' slots
    rows: list[tuple[str, list[Cell | None]]]
    open: tuple[int, int]  # probes that had to succeed: how many did, how many there are
    cut: tuple[int, int]  # probes that had to fail, likewise

    @property
    def kept(self) -> bool:
        """Whether all probes came out as they must."""
        return self.open[0] + self.cut[0] == self.open[1] + self.cut[1]


def matrix(results: Results, control: str | None) -> Matrix:
    """Return the table of one state."""
    probes = [probe for probe in results.probes if probe.control == control]
    cells: dict[tuple[str, str], list[Probe]] = {}
    for probe in probes:
        cells.setdefault((probe.origin, probe.to), []).append(probe)
    rows, names = (_names(results, [pair[side] for pair in cells]) for side in (0, 1))
    columns = [(name, _protocols(probes, name)) for name in names]
    return Matrix(
        control=control,
        columns=columns,
        rows=[(row, [_cell(cells.get((row, name)), slots) for name, slots in columns]) for row in rows],
        open=_kept([probe for probe in probes if probe.expect == "ok"]),
        cut=_kept([probe for probe in probes if probe.expect != "ok"]),
    )


def _protocols(probes: list[Probe], to: str) -> list[str]:
    """The protocols by which anything asked a target."""
    probed = dict.fromkeys(probe.protocol for probe in probes if probe.to == to)
    return sorted(probed, key=lambda name: (*_ORDER, name).index(name))


def _names(results: Results, used: list[str]) -> list[str]:
    """The names by their kind, each kind in the order of the endpoints; names that are no endpoint come last."""
    known = sorted(results.endpoints, key=lambda endpoint: (*_KINDS, endpoint["kind"]).index(endpoint["kind"]))
    return [name for name in dict.fromkeys([*(endpoint["name"] for endpoint in known), *used]) if name in used]


def _cell(probes: list[Probe] | None, slots: list[str]) -> Cell | None:
    if not probes:
        return None
    lines = [f"{probe.check}: {describe(probe)}" for probe in probes]
    return Cell(
        [_slot(name, [probe for probe in probes if probe.protocol == name]) for name in slots],
        "\n".join([f"{probes[0].origin} → {probes[0].to}", *lines]),
    )


def _slot(protocol: str, probes: list[Probe]) -> Slot:
    if not probes:
        return Slot(protocol, "", f"{protocol} not probed")
    worst = min(probes, key=lambda probe: SEVERITY.index(probe.state))
    expected = "as expected" if worst.ok else f"expected {worst.expect}"
    return Slot(protocol, worst.state, f"{protocol} {worst.observed}, {expected}")


def _kept(probes: list[Probe]) -> tuple[int, int]:
    return sum(probe.state in ("reached", "blocked") for probe in probes), len(probes)
