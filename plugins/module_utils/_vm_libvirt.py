# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""libvirt's daemon: started where the host has no init system that does it, and stopped again with the last machine.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time

from ansible_collections.reftopo.lab.plugins.module_utils._file import read_text, write_whole
from ansible_collections.reftopo.lab.plugins.module_utils._node_run import NodeError, Runner
from ansible_collections.reftopo.lab.plugins.module_utils._vm_plan import VIRSH

# Daemons that this module started have their numbers here; those of others are left alone.
PID_FILES = {"virtlogd": "/run/reftopo-virtlogd.pid", "libvirtd": "/run/reftopo-libvirtd.pid"}
# A daemon started here has settings of its own in the place of the host's, which stay as they are. As root, for it asks
# QEMU anew at each start of a machine what it can (five seconds) while QEMU sees /dev/kvm and its own user does not
# (virQEMUCapsIsValid in libvirt's qemu_capabilities.c). No control groups and no /dev of its own: nobody manages those
# on a host without an init system, and they would outlive the machines.
SETTINGS = 'user = "root"\ngroup = "root"\ncgroup_controllers = []\nnamespaces = []\n'
SETTINGS_FILE = "/run/reftopo-qemu.conf"
WITH_SETTINGS = (
    *("unshare", "--mount", "--propagation=slave", "sh", "-c"),
    f'mount --bind {SETTINGS_FILE} /etc/libvirt/qemu.conf && exec "$@"',
    "sh",
)
DAEMON = "libvirt's daemon"
SYSTEMD = "/run/systemd/system"  # sd_booted(3)
TIMEOUT = 20.0  # seconds until a daemon answers, or has ended
POLL_INTERVAL = 0.05


def silence(runner: Runner) -> str:
    """Why libvirt's daemon does not answer; empty when it does."""
    try:
        runner.read([*VIRSH, "version", "--daemon"])
    except NodeError as error:
        return str(error)
    return ""


def ensure(runner: Runner) -> None:
    """Start the daemon unless it answers.

    Raises:
        NodeError: it does not answer in time, or the host's init system has not started it.
    """
    why = silence(runner)
    if not why:
        return
    if os.path.isdir(SYSTEMD):
        raise NodeError(f"{DAEMON} does not answer: {why}\nLook at `systemctl status libvirtd.socket libvirtd`.")
    write_whole(SETTINGS_FILE, SETTINGS)
    for daemon, pid_file in PID_FILES.items():
        if _pid(daemon) is None:
            runner.change([*WITH_SETTINGS, daemon, "--daemon", f"--pid-file={pid_file}"])
    deadline = time.monotonic() + TIMEOUT
    while why := silence(runner):
        if time.monotonic() > deadline:
            raise NodeError(
                f"{DAEMON} was started and does not answer within {TIMEOUT:g} s: {why}\nSee /var/log/libvirt."
            )
        time.sleep(POLL_INTERVAL)


def stop() -> None:
    """End the daemons that this module started, the one that uses the other first.

    Raises:
        NodeError: one does not end in time.
    """
    for daemon in reversed(PID_FILES):
        pid = _pid(daemon)
        if pid is not None:
            os.kill(pid, signal.SIGTERM)
            _wait_for_end(daemon, pid)
    with contextlib.suppress(FileNotFoundError):
        os.remove(SETTINGS_FILE)


def _wait_for_end(daemon: str, pid: int) -> None:
    """Wait for the process itself: it removes its file first."""
    deadline = time.monotonic() + TIMEOUT
    while _name(pid) == daemon:
        if time.monotonic() > deadline:
            raise NodeError(f"{daemon}, process {pid}, does not end within {TIMEOUT:g} s")
        time.sleep(POLL_INTERVAL)


def _pid(daemon: str) -> int | None:
    """Number of the process that this module started as a daemon, while it runs under that name."""
    text = read_text(PID_FILES[daemon])
    return int(text) if text and _name(int(text)) == daemon else None


def _name(pid: int) -> str:
    """What a process is called; empty when there is none."""
    try:
        return (read_text(f"/proc/{pid}/comm") or "").strip()
    except ProcessLookupError:  # it ended while it was read
        return ""
