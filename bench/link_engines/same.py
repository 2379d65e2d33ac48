# SPDX-License-Identifier: GPL-3.0-or-later
"""The very commands of link_state's plan, with its marks, by hand: what reftopo takes longer is not for commands."""

from __future__ import annotations

import subprocess

from by_hand import deletion
from layout import Layout, measure
from reftopo import OWNER, calls


class Same:
    """The processes that the engine would start, known before the time runs."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.calls = calls(layout)

    def create(self) -> None:
        """Everything from nothing."""
        for command, data in self.calls:
            subprocess.run(command, input=data, check=True, text=True)

    def delete(self) -> None:
        """The pairs go with their namespaces."""
        commands = [line.replace("netns del ", f"netns del reftopo.{OWNER}.") for line in deletion(self.layout)[""]]
        subprocess.run(["ip", "-batch", "-"], input="".join(f"{line}\n" for line in commands), check=True, text=True)


if __name__ == "__main__":
    measure(Same)
