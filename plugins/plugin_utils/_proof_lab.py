# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The machines of a running topology: commands on them, alone or held for as long as something else runs.

This plugin util is PRIVATE to the collection.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import os
import shlex
import subprocess
import tempfile
import threading
import time
import typing as t

from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import ProofError

START_TIMEOUT = 60.0  # seconds until a held command must say that it is ready; an emulated machine needs over 15
STOP_TIMEOUT = 15.0
PAUSE = 0.3  # seconds between two looks
T = t.TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Machine:
    """A node or the host. host is testinfra's; prefix goes before a command that is held: an SSH client or nothing.

    sudo says whether a user who is not root becomes root at the other end of that client.
    """

    name: str
    host: t.Any
    prefix: tuple[str, ...]
    sudo: bool = False

    def run(self, command: str) -> str:
        """A command's standard output."""
        try:
            result = self.host.run(command)
        except RuntimeError as problem:  # testinfra, when SSH itself failed
            raise ProofError(f"{self.name} does not answer by SSH: {problem}") from problem
        if result.rc != 0:
            error = (result.stderr or result.stdout).strip()[-400:]
            raise ProofError(f"{self.name}: `{command[:60]}…` failed with exit status {result.rc}: {error}")
        return str(result.stdout)

    def call(self, command: str, given: bytes = b"") -> bytes:
        """A command's standard output as it is; given is its standard input, which no list of processes shows."""
        done = subprocess.run(self._argv(command), input=given, capture_output=True, check=False)
        if done.returncode != 0:
            error = (done.stderr or done.stdout).decode(errors="replace").strip()[-400:]
            raise ProofError(f"{self.name}: `{command[:60]}…` failed with exit status {done.returncode}: {error}")
        return done.stdout

    @contextlib.contextmanager
    def held(self, command: str, ready: str, given: bytes = b"") -> t.Iterator[Held]:
        """Run a command as long as the block runs. It says `ready` on standard error and ends when its input closes.

        given is what it reads of that first.
        """
        with (
            tempfile.TemporaryFile() as output,
            subprocess.Popen(
                self._argv(command), stdin=subprocess.PIPE, stdout=output, stderr=subprocess.PIPE
            ) as process,
        ):
            held = Held(self.name, process, output)
            try:
                held.give(given)
                held.wait_until(ready)
                yield held
            finally:
                held.end()

    def _argv(self, command: str) -> tuple[str, ...]:
        return (*self.prefix, f"sudo -n sh -c {shlex.quote(command)}" if self.sudo else command)


class Held:
    """A command that runs meanwhile; output and log are there when it has ended."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], output: t.IO[bytes]) -> None:
        self.name = name
        self.process = process
        self.file = output
        self.output = b""
        self.log = ""

    def give(self, data: bytes) -> None:
        """Write to the command's input; why a command does not read it, its log says."""
        stream = t.cast("t.IO[bytes]", self.process.stdin)
        with contextlib.suppress(BrokenPipeError):
            stream.write(data)
            stream.flush()

    def wait_until(self, ready: str) -> None:
        """Read the log until a line says that the command is ready."""
        guard = threading.Timer(START_TIMEOUT, self.process.kill)
        guard.start()
        try:
            for raw in t.cast("t.IO[bytes]", self.process.stderr):
                self.log += raw.decode(errors="replace")
                if ready in self.log:
                    return
        finally:
            guard.cancel()
        raise ProofError(f"{self.name}: a command did not start: {self.log.strip()[-400:]}")

    def end(self) -> None:
        """Close the command's input, wait for its end, and keep what it wrote."""
        try:
            rest = self.process.communicate(timeout=STOP_TIMEOUT)[1]
        except subprocess.TimeoutExpired as problem:
            self.process.kill()
            raise ProofError(f"{self.name}: a command did not end: {self.log.strip()[-400:]}") from problem
        self.log += rest.decode(errors="replace")
        self.file.seek(0)
        self.output = self.file.read()


@contextlib.contextmanager
def held_together(wanted: list[tuple[Machine, str, str]]) -> t.Iterator[list[Held]]:
    """Several held commands, started at once: machine, command, ready."""
    with contextlib.ExitStack() as stack:
        with concurrent.futures.ThreadPoolExecutor(max(len(wanted), 1)) as pool:
            starts = [
                pool.submit(stack.enter_context, machine.held(command, ready)) for machine, command, ready in wanted
            ]
        yield [start.result() for start in starts]


def on_all(machines: t.Iterable[Machine], work: t.Callable[[Machine], T]) -> dict[str, T]:
    """Work on all machines at once; the results by machine."""
    listed = list(machines)
    with concurrent.futures.ThreadPoolExecutor(max(len(listed), 1)) as pool:
        return {machine.name: result for machine, result in zip(listed, pool.map(work, listed))}


def until(limit: float, look: t.Callable[[], T], good: t.Callable[[T], bool]) -> T:
    """Look until it is good, or some seconds are over; the last that was seen."""
    deadline = time.monotonic() + limit
    while not good(found := look()) and time.monotonic() < deadline:
        time.sleep(PAUSE)
    return found


def as_root() -> list[str]:
    """What goes before a command on this machine that needs root."""
    return [] if os.geteuid() == 0 else ["sudo"]
