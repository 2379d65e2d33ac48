# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures as a table in Markdown and as a chart."""

from __future__ import annotations

import pathlib
import statistics
import sys
import typing as t

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "collections"))

from ansible_collections.reftopo.lab.plugins.plugin_utils._report_svg import Line, Picture, Rect, Shape, Text, svg

MARGIN, LABEL, BAR, GAP, SCALE, VALUE = 16.0, 160.0, 14.0, 8.0, 360.0, 120.0
KINDS = {"hosts": "wire", "hosts, whole suite": "tunnel", "pods": "pod"}
AIM = 10.0  # seconds for all pairs of thirty pods


class Figures(t.NamedTuple):
    """Of one run: how many probes, the seconds it took, and those that all processors worked meanwhile."""

    probes: int
    seconds: float
    processors: float


Runs = dict[tuple[str, int], list[Figures]]  # by what was asked, and how many of them


def spread(values: list[float]) -> str:
    """The median, and the lowest and highest."""
    return f"{statistics.median(values):.1f} ({min(values):.1f}-{max(values):.1f})"


def table(runs: Runs) -> list[str]:
    """A row a size of each kind."""
    rows = [["", "of them", "probes", "seconds", "probes a second", "processors s"], ["---"] * 6]
    for (kind, size), found in sorted(runs.items()):
        rate = statistics.median(one.probes / one.seconds for one in found)
        columns = [spread([getattr(one, name) for one in found]) for name in ("seconds", "processors")]
        rows.append([kind, str(size), str(found[0].probes), columns[0], f"{rate:.0f}", columns[1]])
    return [f"| {' | '.join(row)} |" for row in rows]


def chart(runs: Runs) -> str:
    """Seconds, a bar a size of each kind with its median; a line where the aim is."""
    ordered = {key: [one.seconds for one in found] for key, found in sorted(runs.items())}
    most = max(AIM, *(statistics.median(values) for values in ordered.values()))
    shapes: list[Shape] = []
    for number, ((kind, size), values) in enumerate(ordered.items()):
        shapes += _bar(MARGIN + number * (BAR + GAP), f"{size} {kind}", KINDS[kind], values, most)
    bottom = MARGIN + len(ordered) * (BAR + GAP)
    aim = MARGIN + LABEL + AIM / most * SCALE
    shapes.append(Line(((aim, MARGIN / 2), (aim, bottom)), "wire-line"))
    words = f"{AIM:g} s, the aim for 30 pods"
    shapes.append(
        Text(aim, bottom + 14, words, 240, "muted", "end" if aim > MARGIN + LABEL + SCALE / 2 else "start", 11)
    )
    told = "; ".join(f"{size} {kind}: {spread(values)} s" for (kind, size), values in ordered.items())
    width = MARGIN * 2 + LABEL + SCALE + VALUE
    picture = Picture(
        "verify", "Seconds to ask all pairs, and of the whole suite", told, width, bottom + 30, tuple(shapes)
    )
    return svg(picture, standalone=True)


def _bar(y: float, name: str, kind: str, values: list[float], most: float) -> t.Iterator[Shape]:
    left, middle = MARGIN + LABEL, statistics.median(values)
    yield Text(left - 8, y + BAR - 3, name, LABEL, anchor="end", size=11)
    yield Rect(left, y, max(middle / most * SCALE, 1.0), BAR, kind, 2)
    yield Text(left + max(middle / most * SCALE, 1.0) + 8, y + BAR - 3, f"{middle:.1f} s", VALUE, size=11)
