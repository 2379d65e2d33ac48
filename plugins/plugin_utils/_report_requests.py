# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The picture of requests that were made while something changed, one after the other. PRIVATE to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.reftopo.lab.plugins.plugin_utils._report_model import Requests
from ansible_collections.reftopo.lab.plugins.plugin_utils._report_svg import OUTCOMES, Picture, Rect, Shape, Text

MARGIN, WIDTH, BAR, LABEL, KEY = 16.0, 960.0, 18.0, 20.0, 12.0
LOST, LEAST = "bad-run", 3.0  # what must not be overlooked, and how wide it is at least
KINDS = {"old-run": "a pod of before answered", "good-run": "a pod of after answered", LOST: "no pod answered"}


def requests_picture(name: str, series: list[Requests]) -> Picture:
    """Draw a bar for each who asked: from left to right its requests, coloured by who answered."""
    shapes: list[Shape] = list(_key())
    y = MARGIN + LABEL + 4
    for item in series:
        shapes += _bar(item, y)
        y += LABEL + BAR + 10
    words = "; ".join(f"{_title(item)}: {item.failed} of {item.asked} failed" for item in series)
    return Picture(f"requests-{name}", f"Requests, {name}", words, WIDTH, y + MARGIN, tuple(shapes), OUTCOMES)


def _key() -> t.Iterator[Shape]:
    for number, (kind, words) in enumerate(KINDS.items()):
        x = MARGIN + number * 240
        yield Rect(x, MARGIN, KEY, KEY, kind, 2)
        yield Text(x + KEY + 6, MARGIN + 10, words, 210, size=11)


def _title(item: Requests) -> str:
    return f"{item.origin} by {item.protocol}, {item.name}{f', control: {item.control}' if item.control else ''}"


def _bar(item: Requests, top: float) -> t.Iterator[Shape]:
    told = f"{item.failed} of {item.asked} failed"
    yield Text(MARGIN, top + 14, _title(item), WIDTH * 0.6, "strong", size=11)
    yield Text(WIDTH - MARGIN, top + 14, told, WIDTH * 0.3, anchor="end", size=11)
    unit = (WIDTH - 2 * MARGIN) / max(item.asked, 1)
    x, lost = MARGIN, list[Shape]()
    for kind, count in _merged(item):
        width = count * unit
        if kind == LOST:
            lost.append(Rect(x, top + LABEL - 3, max(width, LEAST), BAR + 6, kind, 0))
        else:
            yield Rect(x, top + LABEL, width, BAR, kind, 0)
        x += width
    yield from lost  # over the others: one of a thousand must be seen


def _merged(item: Requests) -> list[tuple[str, int]]:
    """Who answered, old pods alike and new ones alike, in order."""
    found: list[tuple[str, int]] = []
    for word, count in item.runs:
        kind = "old-run" if word in item.before else "good-run" if word in item.after else LOST
        before = found.pop()[1] if found and found[-1][0] == kind else 0
        found.append((kind, before + count))
    return found
