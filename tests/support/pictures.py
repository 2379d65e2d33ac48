# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with a picture: labels over each other, or something outside of it."""

from __future__ import annotations

import itertools

from ansible_collections.reftopo.lab.plugins.plugin_utils._report_svg import Picture, Rect, Text


def overlaps(picture: Picture) -> list[tuple[str, str]]:
    """The labels of which one covers a part of another."""
    labels = [shape for shape in picture.shapes if isinstance(shape, Text)]
    return [
        (one.text, other.text)
        for one, other in itertools.combinations(labels, 2)
        if one.box[0] < other.box[2] and other.box[0] < one.box[2]
        if one.box[1] < other.box[3] and other.box[1] < one.box[3]
    ]


def outside(picture: Picture) -> list[str]:
    """The boxes that are not all inside."""
    boxes = [shape.box for shape in picture.shapes if isinstance(shape, Text)]
    boxes += [(r.x, r.y, r.x + r.width, r.y + r.height) for r in picture.shapes if isinstance(r, Rect)]
    return [str(b) for b in boxes if b[0] < 0 or b[1] < 0 or b[2] > picture.width or b[3] > picture.height]


def texts(picture: Picture) -> list[str]:
    """All labels as they are shown."""
    return [shape.shown for shape in picture.shapes if isinstance(shape, Text)]
