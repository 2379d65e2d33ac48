# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection.
"""Run a command and say what failed in a way that can be acted on."""

from __future__ import annotations

import shlex
import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils._artifact_model import ArtifactError
from ansible_collections.reftopo.lab.plugins.module_utils._disk_full import end_of

LINES = 15  # of a failed command's output; compilers say the cause last

# AnsibleModule.run_command, or a stand-in for it
Run = t.Callable[..., "tuple[int, str, str]"]


def checked(run: Run, what: str, command: t.Sequence[str], **options: t.Any) -> str:
    """Output of a command that has to succeed.

    Raises:
        ArtifactError: the end of what the command said, and how to run it by hand.
    """
    code, out, err = run(list(command), **options)
    if code != 0:
        tail = end_of(err.strip() or out, LINES)
        raise ArtifactError(f"{what} failed with code {code}:\n{tail}\nTo see it alone: {by_hand(command, **options)}")
    return out


def by_hand(
    command: t.Sequence[str],
    cwd: str | None = None,
    environ_update: t.Mapping[str, str] | None = None,
    **_other: t.Any,
) -> str:
    """The command as one line for a shell."""
    environment = [f"{name}={shlex.quote(value)}" for name, value in (environ_update or {}).items()]
    change = f"cd {shlex.quote(cwd)} && " if cwd else ""
    return change + " ".join([*environment, shlex.join(command)])
