# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands that a person would write, in one `ip -batch` a namespace or (argument `single`) in a process each."""

from __future__ import annotations

import subprocess
import sys

from layout import Layout, measure

Batches = dict[str, list[str]]  # commands by namespace; "" is the machine's own, which comes first


def creation(layout: Layout) -> Batches:
    """Namespaces, bridges, pairs; then the addresses inside."""
    batches: Batches = {"": [f"netns add {name}" for name in layout.names()]}
    for bridge, address in layout.gateways().items():
        batches[""] += [f"link add {bridge} type bridge", f"addr add {address} dev {bridge}", f"link set {bridge} up"]
    batches |= {name: ["link set lo up"] for name in layout.names()}
    for wire in layout.wires():
        batches[""] += [
            f"link add {wire.outer} type veth peer name {wire.inner} netns {wire.namespace}",
            f"link set {wire.outer} master {wire.bridge} up",
        ]
        batches[wire.namespace] += [f"addr add {wire.address} dev {wire.inner}", f"link set {wire.inner} up"]
    return batches


def change(layout: Layout) -> Batches:
    """Another address of the last pair."""
    last = layout.wires()[-1]
    commands = [f"addr del {last.address} dev {last.inner}", f"addr add {layout.changed()} dev {last.inner}"]
    return {last.namespace: commands}


def deletion(layout: Layout) -> Batches:
    """The pairs go with their namespaces."""
    return {"": [f"netns del {name}" for name in layout.names()] + [f"link del {name}" for name in layout.gateways()]}


class ByHand:
    """The three sets of commands, with the time to write them left out."""

    def __init__(self, layout: Layout) -> None:
        self.creation, self.changing, self.deletion = creation(layout), change(layout), deletion(layout)

    def create(self) -> None:
        """Everything from nothing."""
        self.carry_out(self.creation)

    def change(self) -> None:
        """Another address."""
        self.carry_out(self.changing)

    def delete(self) -> None:
        """Everything."""
        self.carry_out(self.deletion)

    def carry_out(self, batches: Batches) -> None:
        """One process a namespace."""
        for namespace, commands in batches.items():
            ip = ["ip", *(["-n", namespace] if namespace else []), "-batch", "-"]
            subprocess.run(ip, input="".join(f"{command}\n" for command in commands), check=True, text=True)


class Single(ByHand):
    """The same commands."""

    def carry_out(self, batches: Batches) -> None:
        """One process a command."""
        for namespace, commands in batches.items():
            for command in commands:
                subprocess.run(["ip", *(["-n", namespace] if namespace else []), *command.split()], check=True)


if __name__ == "__main__":
    measure(Single if "single" in sys.argv else ByHand)
