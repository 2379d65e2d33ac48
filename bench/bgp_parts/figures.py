# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures as a table in Markdown and as a chart."""

from __future__ import annotations

import pathlib
import statistics
import sys
import typing as t

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "collections"))

from ansible_collections.reftopo.lab.plugins.plugin_utils._report_svg import Picture, Rect, Shape, Text, svg
from speakers import MESH, Layout

MARGIN, LABEL, BAR, GAP, SCALE, VALUE, TITLE = 16.0, 130.0, 14.0, 8.0, 260.0, 70.0, 24.0


class Figures(t.NamedTuple):
    """Of one run.

    Seconds until all routes are there, and that BIRD worked meanwhile; milliseconds until a node that ended is
    forgotten; MiB of all BIRDs, and of the largest.
    """

    converged: float
    processors: float
    lost: float
    memory: float
    largest: float


Runs = dict[Layout, list[Figures]]


def spread(values: list[float]) -> str:
    """The median, and the lowest and highest."""
    return f"{statistics.median(values):.2f} ({min(values):.2f}-{max(values):.2f})"


def table(runs: Runs) -> list[str]:
    """A row a layout."""
    head = ["speakers", "", "sessions", "of a node", "all routes after s", "processors s", "loss told after ms"]
    rows = [[*head, "memory MiB", "largest MiB"], ["---"] * 9]
    for layout, found in runs.items():
        columns = [spread([getattr(one, name) for one in found]) for name in Figures._fields]
        of_a_node = str(len(layout.peers(layout.speakers - 1)))
        rows.append([str(layout.speakers), layout.kind, str(layout.sessions), of_a_node, *columns])
    return [f"| {' | '.join(row)} |" for row in rows]


def chart(runs: Runs) -> str:
    """Sessions, and the processors' work until all routes are there: a bar a layout."""
    panels = {
        "sessions of BGP": {layout: float(layout.sessions) for layout in runs},
        "seconds of processors until every speaker has every route": {
            layout: statistics.median(one.processors for one in found) for layout, found in runs.items()
        },
        "memory of all speakers in MiB": {
            layout: statistics.median(one.memory for one in found) for layout, found in runs.items()
        },
    }
    shapes, y = [], MARGIN
    for title, values in panels.items():
        shapes += _panel(y, title, values)
        y += TITLE + len(values) * (BAR + GAP) + MARGIN
    words = "; ".join(
        f"{title}: " + ", ".join(f"{layout.speakers} {layout.kind} {_short(value)}" for layout, value in values.items())
        for title, values in panels.items()
    )
    width = MARGIN * 2 + LABEL + SCALE + VALUE
    return svg(Picture("bgp", "Full mesh against route reflectors", words, width, y, tuple(shapes)), standalone=True)


def _panel(top: float, title: str, values: dict[Layout, float]) -> t.Iterator[Shape]:
    yield Text(MARGIN, top + BAR, title, LABEL + SCALE + VALUE, "strong", size=12)
    most = max(values.values())
    for number, (layout, value) in enumerate(values.items()):
        y = top + TITLE + number * (BAR + GAP)
        width = max(value / most * SCALE, 1.0)
        yield Text(MARGIN + LABEL - 8, y + BAR - 3, f"{layout.speakers} {layout.kind}", LABEL, anchor="end", size=11)
        yield Rect(MARGIN + LABEL, y, width, BAR, "tunnel" if layout.kind == MESH else "pod", 2)
        yield Text(MARGIN + LABEL + width + 8, y + BAR - 3, _short(value), VALUE, size=11)


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"
