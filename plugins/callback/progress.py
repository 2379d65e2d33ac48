# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Say what a long task is doing, and at the end which play took how long."""

from __future__ import annotations

DOCUMENTATION = """
name: progress
type: aggregate
short_description: Shows what long tasks are doing and how long each play took
description:
  - While a task runs for more than 5 seconds, prints one line every 10 seconds with its name, the elapsed time and,
    when the task writes one, the last line of the progress file C(progress) in the cache.
  - At the end of the run prints one line per play that had a host, with its elapsed time, and the total. A run of less
    than 5 seconds prints nothing.
  - Prints nothing at all unless the stdout callback is P(ansible.builtin.default#callback), so that output made for
    programs stays readable for them.
version_added: 0.1.0
author:
  - reftopo.lab maintainers (@reftopo)
requirements:
  - enabled in the configuration, as C(callbacks_enabled = reftopo.lab.progress)
options:
  cache:
    description: Folder that holds the progress file.
    type: path
    default: ~/.cache/reftopo
    env:
      - name: REFTOPO_CACHE
"""

EXAMPLES = """
# For one run: ANSIBLE_CALLBACKS_ENABLED=reftopo.lab.progress ansible-playbook playbooks/flannel-vxlan.yml
# For all, in ansible.cfg:
# [defaults]
# callbacks_enabled = reftopo.lab.progress
"""

import atexit
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread

from ansible import constants as C
from ansible.plugins.callback import CallbackBase

FIRST_LINE = 5.0  # seconds a task may run before it is worth a line
NEXT_LINE = 10.0  # seconds between two lines of one task
LONGEST_TEXT = 100  # characters of the progress file that fit a terminal beside the task's name


def clock(seconds: float) -> str:
    """Write a duration as m:ss, from an hour on as h:mm:ss."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def last_line(path: Path, since: float) -> str:
    """Return the last line of a file written at or after `since` (seconds of the epoch); an older one is not ours."""
    try:
        if path.stat().st_mtime < since:
            return ""
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return ""
    text = next((line for line in reversed(lines) if line.strip()), "")
    return "".join(c for c in text if c.isprintable()).strip()[:LONGEST_TEXT]


@dataclass
class Progress:
    """What runs and what ran. Times are seconds of a monotonic clock, except `epoch`."""

    path: Path
    task: str = ""
    started: float = 0.0
    epoch: float = 0.0
    next_line: float = float("inf")
    plays: list[tuple[str, float]] = field(default_factory=list)

    def start_task(self, name: str, now: float, epoch: float) -> None:
        """Take a new task; the one before it is over."""
        self.task, self.started, self.epoch, self.next_line = name, now, epoch, now + FIRST_LINE

    def due(self, now: float) -> str:
        """Return the line to print now, or nothing."""
        if now < self.next_line:
            return ""
        self.next_line = now + NEXT_LINE
        parts = [clock(now - self.started), self.task, last_line(self.path, self.epoch)]
        return "… " + "  ".join(part for part in parts if part)

    def summary(self, now: float) -> list[str]:
        """Return one line per play and the total; nothing for a short run."""
        if not self.plays or now - self.plays[0][1] < FIRST_LINE:
            return []
        ends = [start for _name, start in self.plays[1:]] + [now]
        rows = [(end - start, name) for (name, start), end in zip(self.plays, ends)]
        rows.append((now - self.plays[0][1], "total"))
        return [f"{clock(elapsed):>8}  {name}" for elapsed, name in rows]


class CallbackModule(CallbackBase):
    """Feeds `Progress` with events; a thread prints, as no event comes while a task runs."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "reftopo.lab.progress"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self.disabled = C.DEFAULT_STDOUT_CALLBACK not in ("default", "ansible.builtin.default")
        self._stop = Event()
        self._thread: Thread | None = None
        self._progress = Progress(Path())

    def v2_playbook_on_start(self, playbook) -> None:
        """Start the thread; one serves all playbooks of a command line."""
        if self._thread:
            return
        self._progress.path = Path(self.get_option("cache")) / "progress"
        self._thread = Thread(target=self._watch, name="progress", daemon=True)
        self._thread.start()
        atexit.register(self._finish)  # an interrupted run sends no stats

    def v2_playbook_on_play_start(self, play) -> None:
        """Note when the play began."""
        self._progress.plays.append((play.get_name(), time.monotonic()))

    def v2_playbook_on_no_hosts_matched(self) -> None:
        """Forget the play: most topologies have no use for some of them."""
        self._progress.plays.pop()

    def v2_playbook_on_task_start(self, task, is_conditional) -> None:
        """Note which task runs since when."""
        self._progress.start_task(task.get_name(), time.monotonic(), time.time())

    def v2_playbook_on_handler_task_start(self, task) -> None:
        """Handlers can be long too."""
        self.v2_playbook_on_task_start(task, is_conditional=False)

    def v2_playbook_on_stats(self, stats) -> None:
        """Stop the thread, then print where the time went."""
        self._finish()
        for line in self._progress.summary(time.monotonic()):
            self._display.display(line)

    def _finish(self) -> None:
        self._stop.set()
        if self._thread:
            self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(1.0):
            line = self._progress.due(time.monotonic())
            if not line:
                continue
            try:
                self._display.display(line, color=C.COLOR_VERBOSE)
                sys.stdout.flush()  # in a pipe, as under continuous integration, it would come with the task's end
            except OSError:  # nobody reads any more
                return
