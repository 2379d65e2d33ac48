# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures: a list of shapes becomes SVG text. PRIVATE to the collection.

Geometry is the caller's; here are only the shapes, how wide a text may get, and the colours of light and dark.
"""

from __future__ import annotations

import typing as t
import xml.etree.ElementTree as ET
from dataclasses import dataclass

# Advance of one character as a share of the font size: DejaVu Sans Mono, Menlo and Liberation Mono have 0.60, and
# proportional fonts are narrower on average.
ADVANCE = 0.61
SIZE = 12.0

LIGHT = (
    "--bg:#fff;--panel:#f6f8fa;--ink:#1f2328;--muted:#59636e;--line:#8c959f;--rule:#d1d9e0;--box:#fff;"
    "--pod:#ddf4ff;--pod-line:#0969da;--wire:#dfe6ec;--wire-line:#57606a;--tunnel:#8250df;--tunnel-box:#fbefff;"
    "--good:#1a7f37;--good-box:#dafbe1;--calm:#59636e;--calm-box:#e9edf1;--bad:#cf222e;--bad-box:#ffebe9;"
    "--warn:#7d4e00;--warn-box:#fff8c5"
)
DARK = (
    "--bg:#0d1117;--panel:#151b23;--ink:#f0f6fc;--muted:#9aa4af;--line:#656c76;--rule:#3d444d;--box:#0d1117;"
    "--pod:#0c2d5b;--pod-line:#4493f8;--wire:#262c36;--wire-line:#9198a1;--tunnel:#bc8cff;--tunnel-box:#271a45;"
    "--good:#56d364;--good-box:#12261e;--calm:#aab4bf;--calm-box:#262c36;--bad:#ff8a80;--bad-box:#3c1618;"
    "--warn:#e3b341;--warn-box:#332808"
)
MONO = "ui-monospace,'DejaVu Sans Mono',Menlo,'Liberation Mono',Consolas,monospace"
STYLE = f"""
.reftopo text{{font-family:{MONO};fill:var(--ink)}}
.reftopo .muted{{fill:var(--muted)}}
.reftopo .strong{{font-weight:bold}}
.reftopo rect{{fill:var(--box);stroke:var(--line)}}
.reftopo .page{{fill:var(--bg);stroke:none}}
.reftopo .host{{fill:var(--panel);stroke:var(--rule)}}
.reftopo .pod{{fill:var(--pod);stroke:var(--pod-line)}}
.reftopo .cni{{stroke:var(--pod-line)}}
.reftopo .wire{{fill:var(--wire);stroke:var(--wire-line)}}
.reftopo .tunnel{{fill:var(--tunnel-box);stroke:var(--tunnel);stroke-dasharray:5 3}}
.reftopo path{{fill:none;stroke:var(--line);stroke-width:1.5}}
.reftopo .plug{{fill:var(--wire-line);stroke:var(--wire-line)}}
.reftopo .wire-line{{stroke:var(--wire-line);stroke-width:2.5}}
.reftopo .pod-line{{stroke:var(--pod-line)}}
.reftopo .tunnel-line{{stroke:var(--tunnel);stroke-width:2;stroke-dasharray:5 3}}
"""
# What pictures of results have beside it: what was cut off, what is wrong, and requests by who answered.
OUTCOMES = """\
.reftopo .cut{fill:var(--calm-box);stroke:var(--calm);stroke-dasharray:3 3}
.reftopo .bad{fill:var(--bad-box);stroke:var(--bad);stroke-width:2.5}
.reftopo .good-run{fill:var(--good);stroke:none}
.reftopo .old-run{fill:var(--pod-line);stroke:none}
.reftopo .bad-run{fill:var(--bad);stroke:none}
"""
THEME = f":root{{{LIGHT}}}@media screen and (prefers-color-scheme:dark){{:root{{{DARK}}}}}"


@dataclass(frozen=True)
class Rect:
    """A box; `kind` is a class of STYLE."""

    x: float
    y: float
    width: float
    height: float
    kind: str
    radius: float = 6


@dataclass(frozen=True)
class Line:
    """A line through points."""

    points: tuple[tuple[float, float], ...]
    kind: str


@dataclass(frozen=True)
class Text:
    """One line of text, cut to `room` (pixels); `y` is its baseline. The whole text shows when pointed at."""

    x: float
    y: float
    text: str
    room: float
    kind: str = ""
    anchor: t.Literal["start", "middle", "end"] = "start"
    size: float = SIZE

    @property
    def shown(self) -> str:
        """The text as it fits."""
        most = int(self.room / (self.size * ADVANCE))
        return self.text if len(self.text) <= most else f"{self.text[: max(most - 1, 0)]}…"

    @property
    def box(self) -> tuple[float, float, float, float]:
        """The left, top, right and bottom that the shown text covers at most."""
        width = len(self.shown) * self.size * ADVANCE
        left = self.x - {"start": 0, "middle": width / 2, "end": width}[self.anchor]
        return left, self.y - 0.8 * self.size, left + width, self.y + 0.25 * self.size


Shape = t.Union[Rect, Line, Text]


@dataclass(frozen=True)
class Picture:
    """Shapes in the order they are painted, the words for who cannot see them, and what it needs beside STYLE."""

    name: str
    title: str
    description: str
    width: float
    height: float
    shapes: tuple[Shape, ...]
    style: str = ""


def svg(picture: Picture, standalone: bool = False) -> str:
    """Return SVG text; `standalone` brings the colours and an opaque background with it, a page has its own."""
    width, height = _number(picture.width), _number(picture.height)
    ids = f"{picture.name}-title", f"{picture.name}-desc"
    root = ET.Element("svg", {"class": "reftopo", "viewBox": f"0 0 {width} {height}", "role": "img"})
    root.attrib["aria-labelledby"] = " ".join(ids)
    if standalone:
        root.attrib.update(xmlns="http://www.w3.org/2000/svg", width=width, height=height)
    ET.SubElement(root, "title", id=ids[0]).text = picture.title
    ET.SubElement(root, "desc", id=ids[1]).text = picture.description
    if standalone:
        ET.SubElement(root, "style").text = THEME + STYLE + picture.style
        root.append(_element(Rect(0, 0, picture.width, picture.height, "page", 0)))
    root.extend(_element(shape) for shape in picture.shapes)
    ET.indent(root, space="" if not standalone else " ")
    return ET.tostring(root, encoding="unicode") + "\n"


def _element(shape: Shape) -> ET.Element:
    if isinstance(shape, Rect):
        names = {"x": shape.x, "y": shape.y, "width": shape.width, "height": shape.height, "rx": shape.radius}
        return ET.Element("rect", {key: _number(value) for key, value in names.items()} | {"class": shape.kind})
    if isinstance(shape, Line):
        path = "M" + "L".join(f"{_number(x)} {_number(y)}" for x, y in shape.points)
        return ET.Element("path", {"d": path, "class": shape.kind})
    return _text(shape)


def _text(shape: Text) -> ET.Element:
    names = {"x": _number(shape.x), "y": _number(shape.y), "font-size": _number(shape.size)}
    element = ET.Element("text", names)
    if shape.kind:
        element.attrib["class"] = shape.kind
    if shape.anchor != "start":
        element.attrib["text-anchor"] = shape.anchor
    element.text = shape.shown
    if shape.shown != shape.text:
        ET.SubElement(element, "title").text = shape.text
    return element


def _number(value: float) -> str:
    """Write a coordinate the shortest way, so that pictures compare well."""
    return f"{round(value, 1):g}"
