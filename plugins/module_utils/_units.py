# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Units of systemd with the files that they work by: what is there, what has to be done, and doing it.

This module util is PRIVATE to the collection. What a unit was last started with is recorded once it is active, so that
an interrupted run is continued by the next.
"""

from __future__ import annotations

import hashlib
import json
import time
import typing as t
from dataclasses import dataclass, field

from ansible_collections.reftopo.lab.plugins.module_utils._file import read_text, write_whole
from ansible_collections.reftopo.lab.plugins.module_utils._settings import drift
from ansible_collections.reftopo.lab.plugins.module_utils._step import Step

Run = t.Callable[..., tuple[int, str, str]]

UNITS = "/etc/systemd/system"
RECORD = "/var/lib/reftopo/units.json"
POLL_INTERVAL = 0.1  # seconds


class UnitError(Exception):
    """The one error of this module; its text says what is wrong, where, and what to do."""


@dataclass(frozen=True)
class Desired:
    """What is to run. ``files`` and ``secrets`` map paths to contents, ``units`` names to the text of their files."""

    units: t.Mapping[str, str]
    files: t.Mapping[str, str]
    secrets: t.Mapping[str, str]
    settings: t.Mapping[str, t.Any]

    def contents(self) -> dict[str, str]:
        """All files by path, the units' own among them."""
        return {**self.files, **self.secrets, **{f"{UNITS}/{name}": text for name, text in self.units.items()}}

    @property
    def digest(self) -> str:
        """What stands for all contents in the record."""
        return hashlib.sha256(json.dumps(self.contents(), sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Observed:
    """What there is: contents by path, the record, and of each unit whether it is enabled and how it is."""

    contents: dict[str, str] = field(default_factory=dict)
    record: dict[str, t.Any] = field(default_factory=dict)
    enabled: dict[str, bool] = field(default_factory=dict)
    active: dict[str, str] = field(default_factory=dict)


def observe(run: Run, desired: Desired) -> Observed:
    """Facts about this machine, for ``plan``."""
    contents = {path: read_text(path) for path in desired.contents()}
    states = {name: run(["systemctl", "is-active", name])[1].strip() for name in desired.units}
    return Observed(
        contents={path: text for path, text in contents.items() if text is not None},
        record=json.loads(read_text(RECORD) or "{}"),
        enabled={name: run(["systemctl", "is-enabled", "--quiet", name])[0] == 0 for name in desired.units},
        active=states,
    )


def plan(observed: Observed, desired: Desired) -> list[Step]:
    """The steps from ``observed`` to ``desired``, in order; empty when nothing is to do.

    Raises:
        UnitError: the machine's units were made with other settings.
    """
    kept = observed.record.get("settings")
    problems = drift("it", kept, desired.settings) if kept is not None else []
    if problems:
        fix = "Destroy the topology and build it again, or put the old values back."
        raise UnitError("\n".join([*problems, f"A network that is in use is not changed. {fix}"]))
    steps = [Step("write", path) for path, text in desired.contents().items() if observed.contents.get(path) != text]
    started_with = observed.record.get("units", {})
    for name in desired.units:
        steps += [] if observed.enabled.get(name) else [Step("enable", name)]
        if observed.active.get(name) != "active":
            steps.append(Step("start", name))
        elif started_with.get(name) != desired.digest:
            steps.append(Step("restart", name))
    return steps


class Applier:
    """Carries out steps. ``timeout`` is seconds for the whole call; ``commands`` are those that ran."""

    def __init__(self, run: Run, desired: Desired, timeout: int) -> None:
        self._run = run
        self._desired = desired
        self._deadline = time.monotonic() + timeout
        self.commands: list[str] = []

    def apply(self, steps: t.Sequence[Step], observed: Observed) -> None:
        """Do all steps, then record what the units were started with.

        Raises:
            UnitError: systemd refused something, or a unit is not active in time.
        """
        for step in steps:
            getattr(self, f"_{step.action}")(step.subject)
        started = {**observed.record.get("units", {}), **dict.fromkeys(self._desired.units, self._desired.digest)}
        record = {"settings": dict(self._desired.settings), "units": started}
        write_whole(RECORD, json.dumps(record, indent=1, sort_keys=True) + "\n", 0o600)

    def _systemctl(self, *words: str) -> tuple[int, str]:
        self.commands.append(" ".join(["systemctl", *words]))
        code, dummy, log = self._run(["systemctl", *words])
        return code, log

    def _write(self, path: str) -> None:
        write_whole(path, self._desired.contents()[path], 0o600 if path in self._desired.secrets else 0o644)
        if path.startswith(f"{UNITS}/"):
            self._systemctl("daemon-reload")

    def _enable(self, unit: str) -> None:
        code, log = self._systemctl("enable", "--quiet", unit)
        if code:
            raise UnitError(f"systemctl enable {unit} failed: {log.strip()}")

    def _start(self, unit: str) -> None:
        self._restart(unit)

    def _restart(self, unit: str) -> None:
        """A unit that fails at first is started again by systemd, so what counts is what becomes of it in time."""
        self._systemctl("restart", unit)
        while (state := self._run(["systemctl", "is-active", unit])[1].strip()) != "active":
            if state == "failed" or time.monotonic() > self._deadline:
                log = self._run(["journalctl", f"--unit={unit}", "--lines=12", "--output=cat"])[1].strip()
                raise UnitError(f"{unit} is {state}, not active. Its last words:\n{log}")
            time.sleep(POLL_INTERVAL)
