# SPDX-License-Identifier: GPL-3.0-or-later
"""link_state's engine without Ansible: input, validation, observe, plan, apply, observe again."""

from __future__ import annotations

import pathlib
import subprocess
import sys
import typing as t

from layout import Layout, measure

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "collections"))

from ansible_collections.reftopo.lab.plugins.module_utils._link_apply import apply, converge  # noqa: E402
from ansible_collections.reftopo.lab.plugins.module_utils._link_model import State  # noqa: E402
from ansible_collections.reftopo.lab.plugins.module_utils._link_plan import plan  # noqa: E402
from ansible_collections.reftopo.lab.plugins.module_utils._link_spec import desired_state  # noqa: E402

OWNER = "bench"


def module_input(layout: Layout) -> dict[str, t.Any]:
    """The layout as input of the module."""
    links: dict[str, t.Any] = {
        name: {"kind": "bridge", "addresses": [address]} for name, address in layout.gateways().items()
    }
    namespaces: dict[str, t.Any] = {name: {"links": {"lo": {}}} for name in layout.names()}
    for wire in layout.wires():
        peer = {"name": wire.inner, "namespace": wire.namespace}
        links[wire.outer] = {"kind": "veth", "master": wire.bridge, "peer": peer}
        namespaces[wire.namespace]["links"][wire.inner] = {"addresses": [wire.address]}
    return {"owner": OWNER, "links": links, "namespaces": namespaces}


def calls(layout: Layout) -> list[tuple[list[str], str | None]]:
    """The processes, with their input, that the engine starts to create a layout."""
    made: list[tuple[list[str], str | None]] = []

    def record(command: list[str], data: str | None = None) -> tuple[int, str, str]:
        made.append((command, data))
        return 0, "", ""

    apply(record, plan(State(OWNER), desired_state(module_input(layout))))
    return made


def run(command: list[str], data: str | None = None) -> tuple[int, str, str]:
    """As AnsibleModule.run_command."""
    done = subprocess.run(command, input=data, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


class Reftopo:
    """The engine of the module."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.given = module_input(layout)

    def _converge(self, given: dict[str, t.Any], expect_change: bool = True) -> None:
        commands = converge(run, desired_state(given), check_mode=False).commands
        if bool(commands) != expect_change:
            sys.exit(f"{len(commands)} commands, expected {'some' if expect_change else 'none'}: {commands[:3]}")

    def create(self) -> None:
        """Everything from nothing."""
        self._converge(self.given)

    def noop(self) -> None:
        """The same input again."""
        self._converge(self.given, expect_change=False)

    def change(self) -> None:
        """Another address."""
        last = self.layout.wires()[-1]
        self.given["namespaces"][last.namespace]["links"][last.inner]["addresses"] = [self.layout.changed()]
        self._converge(self.given)

    def delete(self) -> None:
        """Everything of the owner."""
        self._converge({"owner": OWNER, "state": "deleted"})


if __name__ == "__main__":
    measure(Reftopo)
