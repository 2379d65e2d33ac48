# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the commands of the node modules and turns their failures into one kind of error.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import shlex
import time
import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils._disk_full import end_of

RunCommand = t.Callable[..., "tuple[int, str, str]"]

ERROR_LINES = 20  # of a failed command's output that are shown
BUSY_TRIES, BUSY_INTERVAL = 10, 0.5  # seconds


class NodeError(Exception):
    """A node or its image cannot be made as asked; the text says what, where and how to fix it."""


class Runner:
    """Runs commands with ``module.run_command`` and keeps a list of those that change something."""

    def __init__(self, run_command: RunCommand) -> None:
        self._run_command = run_command
        self.commands: list[str] = []

    def read(self, argv: list[str]) -> str:
        """The output of a command that changes nothing."""
        return self._run(argv)

    def change(self, argv: list[str], busy: str = "", **options: t.Any) -> str:
        """The output of a command that changes something.

        Args:
            busy: part of what it says when trying again is worth it (see Command).
            options: run_command's; data is standard input.
        """
        self.commands.append(shlex.join(argv))
        for dummy in range(BUSY_TRIES - 1):
            try:
                return self._run(argv, **options)
            except NodeError as error:
                if not busy or busy not in str(error):
                    raise
            time.sleep(BUSY_INTERVAL)
        return self._run(argv, **options)

    def _run(self, argv: list[str], **options: t.Any) -> str:
        # Errors are raised, not reported by fail_json: it would end a thread instead of the module.
        try:
            code, out, err = self._run_command(argv, handle_exceptions=False, **options)
        except FileNotFoundError as error:
            raise NodeError(f"{argv[0]} is not installed. The role reftopo.lab.host installs it.") from error
        if code != 0:
            raise NodeError(f"`{shlex.join(argv)}` failed with status {code}:\n{end_of(out + err, ERROR_LINES)}")
        return out
