# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The picture of how packets to Services went: client, rules of a node, endpoint, source. PRIVATE to the collection.

One line a cell, from left to right. Nothing in it is made up from the topology: addresses are those of the API and
those that servers saw, rules those that were read from the node that translates.
"""

from __future__ import annotations

import typing as t

from ansible_collections.reftopo.lab.plugins.plugin_utils._report_model import Results, ServicePath
from ansible_collections.reftopo.lab.plugins.plugin_utils._report_svg import OUTCOMES, Line, Picture, Rect, Shape, Text

MARGIN, LINE, PAD, GAP = 16.0, 15.0, 9.0, 10.0
# Widths of what a line shows.
CLIENT, ASKS, RULES, CHANCE, END, SEEN = 138.0, 160.0, 420.0, 46.0, 170.0, 192.0
HEAD = ("client", "asks", "rules of the node that translates", "", "led to", "source address seen there")
WIDTHS = (CLIENT, ASKS, RULES, CHANCE, END, SEEN)
STARTS = tuple(MARGIN + sum(WIDTHS[:index]) for index in range(len(WIDTHS)))
WIDTH = 2 * MARGIN + sum(WIDTHS)
NOTE = "Where TCP and UDP went alike, rules are those of the one named first."
SMALL = 11.0

Row = list[ServicePath]  # by several protocols, but else the same


def service_pictures(results: Results, check: str) -> dict[str, Picture]:
    """Draw what was recorded for a check: by the name of each case, or of the check, a picture with a line a cell."""
    found: dict[str, list[ServicePath]] = {}
    for path in results.paths:
        if path.check == check:
            found.setdefault(path.control or path.check, []).append(path)
    machines = {str(end["address"]) for end in results.endpoints if end["kind"] in ("node", "namespace")}
    return {name: _picture(check, name, rows(paths), machines) for name, paths in found.items()}


def rows(paths: t.Iterable[ServicePath]) -> list[Row]:
    """The paths line by line: protocols share a line where only their ports and rules' names differ."""
    found: dict[tuple[t.Any, ...], Row] = {}
    for path in paths:
        host = path.end.partition(":")[0]
        key = (path.origin, path.target, path.node, host, path.server, path.seen, path.observed, path.ok, path.chance)
        found.setdefault(key, []).append(path)
    return list(found.values())


def _picture(check: str, name: str, lines: list[Row], machines: set[str]) -> Picture:
    shapes: list[Shape] = [
        Text(x, MARGIN + 10, words, width, "muted", size=SMALL)
        for words, x, width in zip(HEAD, STARTS, WIDTHS)
        if words
    ]
    y = MARGIN + 22
    for row in lines:
        height = 2 * PAD + LINE * max(2, 1 + len(row[0].rules))
        shapes += _row(row, y, height, machines)
        y += height + GAP
    if any(len(row) > 1 for row in lines):
        shapes.append(Text(MARGIN, y + 12, NOTE, WIDTH - 2 * MARGIN, "muted", size=SMALL))
        y += 22
    return Picture(
        name="".join(one if one.isalnum() else "-" for one in f"service-{check}-{name}"),
        title=f"Service paths, {name}",
        description=" ".join(f"{_words(row)}." for row in lines),
        width=WIDTH,
        height=y + MARGIN - GAP,
        shapes=tuple(shapes),
        style=OUTCOMES,
    )


def _row(row: Row, y: float, height: float, machines: set[str]) -> t.Iterator[Shape]:
    path, middle = row[0], y + height / 2
    client, asks, rules, chance, end, seen = STARTS
    yield Line(((client + CLIENT, middle), (end, middle)), "wire-line")
    yield from _box(Rect(client, y, CLIENT, height, _kind(path.source, machines), 4), path.origin, path.source)
    yield Text(asks + ASKS / 2, middle - 6, _protocols(row), ASKS - 8, "strong", "middle", SMALL)
    yield Text(asks + ASKS / 2, middle + 15, path.target, ASKS - 8, anchor="middle", size=SMALL)
    yield from _rules(Rect(rules, y, RULES, height, "cni", 4), path)
    if path.chance != "1":
        yield Text(chance + CHANCE / 2, middle - 6, path.chance, CHANCE, "muted", "middle", SMALL)
    kind = "bad" if not path.ok else _kind(path.end, machines) if path.server else "cut"
    yield from _box(Rect(end, y, END, height, kind, 4), path.server or path.end, _ends(row) if path.server else "")
    for number, words in enumerate(_source(path)):
        yield Text(seen + 8, middle - 3 + number * LINE, words, SEEN - 8, "" if number else "strong", size=SMALL)


def _kind(address: str, machines: set[str]) -> str:
    """Who has a machine's address is drawn otherwise than pods."""
    return "wire" if address.partition(":")[0] in machines else "pod"


def _box(rect: Rect, name: str, address: str) -> t.Iterator[Shape]:
    yield rect
    lines = [words for words in (name, address) if words]
    for number, words in enumerate(lines):
        y = rect.y + rect.height / 2 + 4 + (number - (len(lines) - 1) / 2) * LINE
        kind = "" if number else "strong"
        yield Text(rect.x + rect.width / 2, y, words, rect.width - 8, kind, "middle", SMALL)


def _rules(rect: Rect, path: ServicePath) -> t.Iterator[Shape]:
    yield rect
    top = rect.y + PAD + 11 + (rect.height - 2 * PAD - LINE * (1 + len(path.rules))) / 2
    yield Text(rect.x + PAD, top, f"{path.node}, {path.mode}", rect.width - 2 * PAD, "strong", size=SMALL)
    for number, rule in enumerate(path.rules, 1):
        yield Text(rect.x + PAD + 8, top + number * LINE, rule, rect.width - 2 * PAD - 8, size=SMALL)


def _protocols(row: Row) -> str:
    return ", ".join(dict.fromkeys(path.protocol.partition("/")[0] for path in row))


def _ends(row: Row) -> str:
    """The address led to, with the port of each protocol."""
    host = row[0].end.partition(":")[0]
    return f"{host}:{'/'.join(dict.fromkeys(path.end.partition(':')[2] for path in row))}"


def _source(path: ServicePath) -> tuple[str, str]:
    """What was seen at the other end, and whose doing it was."""
    if path.seen is None:
        return f"no answer: {path.observed}", path.detail
    if path.detail:
        return path.seen, path.detail
    if path.seen == path.source:
        return path.seen, "the client's own"
    return path.seen, f"masqueraded by {path.node}" if path.masqueraded else "changed, not by these rules"


def _words(row: Row) -> str:
    path = row[0]
    led = f"to {path.server} at {_ends(row)}, seen as {path.seen}" if path.server else f"{path.end}, {path.observed}"
    way = ", ".join(path.rules)
    return f"{path.origin} ({path.source}) by {_protocols(row)} to {path.target}: on {path.node} by {way} {led}"
