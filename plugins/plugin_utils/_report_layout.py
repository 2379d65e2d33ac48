# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the picture of a topology puts its machines. PRIVATE to the collection.

All numbers are pixels; what stands out of a machine's box, half a tab, counts as the machine's.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from itertools import accumulate

Data = dict[str, t.Any]

MARGIN, GAP, PAD = 16.0, 24.0, 10.0
MACHINE, INTERFACE = 236.0, 146.0  # least width of a machine, and of one of its interfaces
NARROWEST = 660.0  # what the longest line on a bridge or the overlay needs
TITLE, POD, CONTAINER, TAB, BAR = 30.0, 36.0, 24.0, 36.0, 28.0  # heights
PLUG = 8.0  # width and height of the mark where a line ends on a bridge
RAIL = 14.0  # room left and right of pods for the lines to their bridge
ONE_ROW = 4  # nodes


def pod_height(pod: Data) -> float:
    """The height of a pod's box; known containers stand in a row of their own."""
    return POD + (CONTAINER if pod.get("containers") else 0)


@dataclass
class Machine:
    """A node or a namespace, and what the picture says of it."""

    name: str
    kind: str
    interfaces: list[tuple[str, Data]]
    pods: list[Data] = field(default_factory=list)
    bridge: str = ""
    device: str = ""

    @property
    def width(self) -> float:
        """Its width in pixels."""
        return max(MACHINE, INTERFACE * len(self.interfaces) + PAD)

    @property
    def height(self) -> float:
        """Its height in pixels; at either end a tab stands out by half."""
        tabs = 2 * TAB if self.device or self.pods else 1.5 * TAB
        return tabs + TITLE + PAD + sum(pod_height(pod) + 6 for pod in self.pods) + (BAR if self.bridge else 0)


@dataclass
class Row:
    """Machines side by side; `flipped` has its interfaces on top."""

    machines: list[Machine]
    flipped: bool
    top: float = 0.0
    band: float | None = None  # where its overlay is drawn

    @property
    def width(self) -> float:
        """Its width in pixels."""
        return sum(machine.width for machine in self.machines) + GAP * (len(self.machines) - 1)

    @property
    def height(self) -> float:
        """The height of its highest machine."""
        return max((machine.height for machine in self.machines), default=0.0)

    @property
    def segments(self) -> set[str | None]:
        """The segments that its machines are on; None stands for interfaces that are on none."""
        return {interface.get("segment") for machine in self.machines for _name, interface in machine.interfaces}

    def columns(self, width: float) -> t.Iterator[tuple[Machine, float]]:
        """Each machine with its left edge, the row centred in `width`."""
        steps = [machine.width + GAP for machine in self.machines[:-1]]
        return zip(self.machines, accumulate(steps, initial=(width - self.width) / 2))


@dataclass
class Place:
    """Where a machine stands; what has no overlay to reach needs no more than its own height."""

    machine: Machine
    x: float
    row: Row

    @property
    def height(self) -> float:
        """The height from the end of one tab to the end of the other."""
        return self.row.height if self.machine.device else self.machine.height

    @property
    def top(self) -> float:
        """The upper end; machines keep to the side of the bridges."""
        return self.row.top if self.row.flipped else self.row.top + self.row.height - self.height

    @property
    def ends(self) -> tuple[float, float]:
        """The upper edges of the overlay's tab and of the interfaces' tabs."""
        far = self.top + self.height - TAB
        return (far, self.top) if self.row.flipped else (self.top, far)

    @property
    def interfaces(self) -> list[tuple[float, float, str, Data]]:
        """Each interface's left edge, width, name and data."""
        step = (self.machine.width - PAD) / max(len(self.machine.interfaces), 1)
        return [
            (self.x + PAD + index * step, step - PAD, name, interface)
            for index, (name, interface) in enumerate(self.machine.interfaces)
        ]


def stack_rows(rows: list[Row], segments: list[str]) -> tuple[dict[str, float], float]:
    """Set the rows' places from top to bottom; return where each segment's bridge goes, and the whole height.

    Those that have machines above alone come first and those below alone last: so the fewest lines cross.
    """
    above, below = rows
    segments = sorted(segments, key=lambda name: (name in below.segments) - (name in above.segments))
    y = MARGIN + TITLE
    if any(machine.device for machine in above.machines):
        above.band, y = y, y + BAR + GAP
    above.top = y
    y += above.height + GAP
    bars = {name: y + index * (BAR + PAD) for index, name in enumerate(segments)}
    y += len(segments) * (BAR + PAD)
    if below.machines:
        below.top = y + GAP - PAD
        y = below.top + below.height + PAD
    if any(machine.device for machine in below.machines):
        below.band, y = y + GAP - PAD, y + GAP + BAR
    return bars, y + PAD + MARGIN
