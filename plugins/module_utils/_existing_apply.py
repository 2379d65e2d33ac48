# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes a node of a host that is there already, and takes back what was put there, step by step.

This module util is PRIVATE to the collection. Every step can be done again: the next run continues an interrupted one.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import signal
import time
import typing as t
from pathlib import Path

from ansible_collections.reftopo.lab.plugins.module_utils._existing_model import Desired
from ansible_collections.reftopo.lab.plugins.module_utils._existing_observe import (
    CTR,
    INSTALL,
    PURGE,
    SLICE,
    Run,
    pod_groups,
    sysctl_file,
)
from ansible_collections.reftopo.lab.plugins.module_utils._existing_record import (
    FOLDER,
    NEW,
    RECORD,
    ExistingError,
    Record,
)
from ansible_collections.reftopo.lab.plugins.module_utils._file import read_text, sha256_of, write_whole
from ansible_collections.reftopo.lab.plugins.module_utils._node_observe import observe_mounts
from ansible_collections.reftopo.lab.plugins.module_utils._step import Step

NONINTERACTIVE = {"DEBIAN_FRONTEND": "noninteractive"}
GONE = (FileNotFoundError, ProcessLookupError)  # what ended or was removed meanwhile
PATIENCE, POLL_INTERVAL = 20, 0.2  # seconds that killed processes and rules may take, and between two looks


class Applier:
    """Carries out steps; ``commands`` are those that ran.

    Args:
        desired: None when all is to be taken back.
        record: with which the steps were planned.
        incoming: folder with the contents that the host lacks, each named by its digest.
    """

    def __init__(self, run: Run, desired: Desired | None, record: Record | None, incoming: str) -> None:
        self._run = run
        self._desired = desired
        self._current = record
        self._incoming = incoming
        self.commands: list[str] = []

    def apply(self, steps: t.Iterable[Step]) -> None:
        """Do all steps in order.

        Raises:
            ExistingError: a command failed, or the kernel refused something.
        """
        for step in steps:
            try:
                getattr(self, f"_{step.action}")(step.subject)
            except OSError as error:
                raise ExistingError(f"{step}: {error}. What was done is recorded: run it again.") from error

    def _command(self, *argv: str) -> str:
        self.commands.append(" ".join(argv))
        code, out, err = self._run(list(argv), environ_update=NONINTERACTIVE)
        if code:
            tail = "\n".join((out + err).strip().splitlines()[-12:])
            raise ExistingError(f"`{' '.join(argv)}` failed with status {code}:\n{tail}")
        return out

    # What makes a node

    def _record(self, path: str) -> None:
        write_whole(path, t.cast(Record, self._current).dump(), 0o600)
        os.chmod(path, 0o600)

    def _install(self, packages: str) -> None:
        self._command(*INSTALL, *packages.split())

    def _write(self, path: str) -> None:
        """The content comes whole or not at all, and is what it should be."""
        source = t.cast(Desired, self._desired).files[path]
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
        new = path + NEW
        shutil.copyfile(self._brought(source.sha256), new)
        os.chmod(new, source.mode)
        os.replace(new, path)

    def _brought(self, sha256: str) -> str:
        path = os.path.join(self._incoming, sha256)
        if sha256_of(path) != sha256:
            raise ExistingError(f"{path} is not what it was on the way: its digest differs. Run it again.")
        return path

    def _reload(self, dummy: str) -> None:
        self._command("systemctl", "daemon-reload")

    def _enable(self, unit: str) -> None:
        self._command("systemctl", "enable", "--quiet", unit)

    def _start(self, unit: str) -> None:
        self._command("systemctl", "start", unit)

    def _restart(self, unit: str) -> None:
        self._command("systemctl", "restart", unit)

    def _import(self, name: str) -> None:
        """What was imported is recorded at once: the next run does not bring it again."""
        source, record = t.cast(Desired, self._desired).images[name], t.cast(Record, self._current)
        self._command(*CTR, "images", "import", "--snapshotter", "overlayfs", self._brought(source.sha256))
        if name not in self._command(*CTR, "images", "list", "--quiet").split():
            raise ExistingError(f"the archive of {name} has no such image; build the artifacts again")
        self._current = dataclasses.replace(record, images={**record.images, name: source.sha256})
        self._record(RECORD)

    # What takes it back

    def _reset(self, kubeadm: str) -> None:
        self._command(kubeadm, "reset", "--force")

    def _stop(self, unit: str) -> None:
        self._command("systemctl", "stop", unit)

    def _end(self, dummy: str) -> None:
        """End what runs in pods' control groups, and remove these: containers outlive containerd, and groups them."""
        groups = pod_groups()
        deadline = time.monotonic() + PATIENCE
        while left := {int(pid) for group in groups for pid in _processes(group)} - {0}:
            if time.monotonic() > deadline:
                raise ExistingError(f"processes {sorted(left)} of pods do not end. Look at them, and run it again.")
            for pid in left:
                with contextlib.suppress(*GONE):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(POLL_INTERVAL)
        if self._run(["systemctl", "is-active", "--quiet", SLICE])[0] == 0:
            self._command("systemctl", "stop", SLICE)  # with all that are in it; systemd keeps a slice that is empty
        for group in groups:
            for folder, dummy, dummy in os.walk(group, topdown=False):
                with contextlib.suppress(*GONE):
                    os.rmdir(folder)

    def _disable(self, unit: str) -> None:
        self._command("systemctl", "disable", "--quiet", unit)

    def _unmount(self, path: str) -> None:
        while path in observe_mounts():  # one may be on another
            self._command("umount", path)

    def _unshare(self, path: str) -> None:
        self._command("mount", "--make-rprivate", path)

    def _unlink(self, name: str) -> None:
        """A pod's may go meanwhile: the kernel removes it a moment after the pod's network namespace."""
        path = f"/sys/class/net/{name}"
        try:
            if os.path.exists(path):
                self._command("ip", "link", "delete", name)
        except ExistingError:
            if os.path.exists(path):
                raise

    def _unroute(self, route: str) -> None:
        self._command("ip", "route", "delete", *route.split())

    def _unaddress(self, address: str) -> None:
        self._command("ip", "address", "delete", *address.split())

    def _configure(self, link: str) -> None:
        self._command("ip", "link", "set", *link.split())

    def _destroy(self, ipset: str) -> None:
        """Rules let go of a set a moment after they are gone: a worker of the kernel frees them (nf_tables_api.c)."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                self._command("ipset", "destroy", ipset)
                return
            except ExistingError:
                if time.monotonic() > deadline:
                    raise
            time.sleep(POLL_INTERVAL)

    def _nft(self, command: str) -> None:
        self._command("nft", *command.split())

    def _remove(self, path: str) -> None:
        os.remove(path)

    def _clear(self, path: str) -> None:
        """Never what is mounted there: that is removed from where it comes from, not from here."""
        self._command("rm", "--recursive", "--force", "--one-file-system", path)

    def _empty(self, path: str) -> None:
        for name in os.listdir(path):
            self._clear(os.path.join(path, name))

    def _chmod(self, words: str) -> None:
        mode, dummy, path = words.partition(" ")
        os.chmod(path, int(mode, 8))

    def _rmdir(self, path: str) -> None:
        if os.path.isdir(path) and not os.listdir(path):
            os.rmdir(path)

    def _purge(self, packages: str) -> None:
        self._command(*PURGE, *packages.split())

    def _unload(self, module: str) -> None:
        self._command("modprobe", "--remove", module)

    def _set(self, setting: str) -> None:
        """A setting that only seemed to differ, because another was mounted over it, is back already."""
        name, dummy, value = setting.partition("=")
        path = sysctl_file(name)
        if (read_text(path) or "").strip() != value:
            with open(path, "w", encoding="utf-8") as stream:
                stream.write(value)

    def _forget(self, path: str) -> None:
        """First what a run left that was killed while it wrote the record."""
        for one in (path + NEW, path):
            with contextlib.suppress(FileNotFoundError):
                os.remove(one)
        self._rmdir(FOLDER)


def _processes(group: str) -> t.Iterator[str]:
    for path in Path(group).glob("**/cgroup.procs"):
        yield from (read_text(str(path)) or "").split()
