# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures as tables in Markdown and as a chart. All ratios are to what was measured in the same turn."""

from __future__ import annotations

import pathlib
import statistics
import sys
import typing as t

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "collections"))

from ansible_collections.reftopo.lab.plugins.plugin_utils._report_svg import (
    Line,
    Picture,
    Rect,
    Shape,
    Text,
    svg,
)
from load import METRICS
from rules import Growth

# Of each turn of a path: what was measured of it, and of the bare veth right before.
Turn = tuple[dict[str, float], dict[str, float]]
Paths = dict[tuple[str, str], list[Turn]]  # by backend, and pod or service with kube-proxy's mode

MARGIN, LABEL, BAR, GAP, SCALE, VALUE = 16.0, 200.0, 14.0, 10.0, 300.0, 130.0
KINDS = {"bare veth": "wire", "host-gw": "pod", "vxlan": "tunnel", "udp": "cni"}
MOST = 1.25  # the end of the chart's scale


def ratios(turns: list[Turn], metric: str) -> list[float]:
    return [values[metric] / bare[metric] for values, bare in turns]


def spread(values: list[float]) -> str:
    """The median, and the lowest and highest."""
    return f"{statistics.median(values):.2f} ({min(values):.2f}-{max(values):.2f})"


def paths_table(paths: Paths, base: str) -> list[str]:
    """A row a path; the first, called base, tells what 1.00 is."""
    bare = [bare for turns in paths.values() for _values, bare in turns]
    units = [f"1.00 = {statistics.median(one[m] for one in bare):.3g} {unit}" for m, unit in METRICS.items()]
    rows = [[base, "", *units]]
    rows += [[*path, *(spread(ratios(turns, metric)) for metric in METRICS)] for path, turns in paths.items()]
    names = ["TCP", "UDP", "TCP round trip", "UDP round trip", "TCP processors", "UDP processors"]
    return table(["backend", "to", *names], rows)


def growth_table(grown: dict[str, list[Growth]]) -> list[str]:
    """A row a mode and number of services."""
    rows = [
        [
            mode,
            str(one.services),
            spread([first / direct for first, direct in zip(one.connect, one.direct)]),
            f"{statistics.median(one.direct):.0f}",
            spread(one.one_more),
            f"{one.sync * 1000:.0f}",
        ]
        for mode, found in grown.items()
        for one in found
    ]
    head = [
        "mode",
        "services",
        "connection, pod = 1.00",
        "1.00 in µs",
        "one more answers after s",
        "rules written in ms",
    ]
    return table(head, rows)


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]


def chart(paths: Paths) -> str:
    """Throughput as a share of the bare veth's: a bar a path with its lowest and highest run, TCP above UDP."""
    bars = [(*path, metric, ratios(turns, metric)) for metric in ("tcp", "udp") for path, turns in paths.items()]
    shapes = [shape for number, bar in enumerate(bars) for shape in _bar(MARGIN + number * (BAR + GAP), *bar)]
    bottom = MARGIN + len(bars) * (BAR + GAP)
    one = MARGIN + LABEL + SCALE / MOST
    shapes.append(Line(((one, MARGIN / 2), (one, bottom)), "wire-line"))
    shapes.append(Text(one, bottom + 14, "bare veth = 1.00", 200, "muted", "middle", 11))
    words = "; ".join(f"{metric.upper()} {backend} {to}: {spread(found)}" for backend, to, metric, found in bars)
    width = MARGIN * 2 + LABEL + SCALE + VALUE
    return svg(
        Picture("data-plane", "Throughput between pods", words, width, bottom + 30, tuple(shapes)), standalone=True
    )


def _bar(y: float, backend: str, to: str, metric: str, found: list[float]) -> t.Iterator[Shape]:
    left, unit = MARGIN + LABEL, SCALE / MOST
    yield Text(left - 8, y + BAR - 3, f"{metric.upper()} {backend} {to}", LABEL, anchor="end", size=11)
    yield Rect(left, y, min(statistics.median(found), MOST) * unit, BAR, KINDS[backend], 2)
    middle = y + BAR / 2
    ends = [left + min(value, MOST) * unit for value in (min(found), max(found))]
    yield Line(((ends[0], middle), (ends[1], middle)), "pod-line")
    yield Text(left + SCALE + 8, y + BAR - 3, spread(found), VALUE, size=11)
