# SPDX-License-Identifier: GPL-3.0-or-later
"""Prints, as JSON, all that a host has and that becoming a node could change: lines by kind. Runs there, as root.

It uses Python's own modules alone, so that it can be sent to `python3 -`.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import stat
import subprocess
import sys

COMMANDS = {
    "packages": ["dpkg-query", "--show", "--showformat=${Package} ${Version} ${db:Status-Abbrev}\n"],
    "unit files": ["systemctl", "list-unit-files", "--no-legend", "--plain"],
    "failed units": ["systemctl", "list-units", "--failed", "--no-legend", "--plain"],
    "addresses": ["ip", "-o", "address"],
    "links": ["ip", "-o", "link"],
    "routes": ["ip", "route", "show", "table", "all"],
    "rules": ["ip", "rule"],
    "nft": ["nft", "--stateless", "list", "ruleset"],
    "iptables (legacy)": ["iptables-legacy-save"],
    "ipsets": ["ipset", "save"],
}
# What Debian's tools note of their own use, logs, what systemd keeps of the running system, and what Ansible brings its
# modules in; nobody but they know when to remove it.
NOT_COMPARED = re.compile(
    r"^/(dev|proc|sys|tmp|srv|var/log|var/tmp|run/(log|mount|systemd|udev|user|lock)|(root|home/[^/]+)/\.ansible|var/cache/(apt|debconf|ldconfig))(/|$)"
    r"|^/var/lib/(apt|systemd)(/|$)|^/var/lib/dpkg/(status-old|diversions-old|lock.*|triggers.*|statoverride-old|available.*)$"
    r"|^/etc/ld\.so\.cache$|/__pycache__"
)
# Images that containerd unpacked, and root file systems of its containers: their paths say enough of a node, and to
# read them all takes a machine with one emulated processor many minutes.
NOT_READ = re.compile(r"^/(var/lib|run)/containerd/")
# Counters, and what the kernel tells anew each time it is asked.
VOLATILE_SETTINGS = re.compile(
    r"^(fs/(quota/syncs|dentry|file-nr|inode|aio-nr)|.*nf_conntrack_count"
    r"|kernel/(random|ns_last_pid|perf_event_max_sample_rate|pty/nr))"
)
TRIES = 5
GONE = (errno.ENOENT, errno.ENOTDIR, errno.ESTALE)
# Numbers that are others each time, and the queue of a link that has none: `noop` until it is up for the first time,
# then `noqueue` for good.
LEFT_OUT = re.compile(r"^\d+: |(valid_lft|preferred_lft) \S+ |@if\d+|qdisc (noop|noqueue) |\\ +")


def run(command: list[str]) -> list[str]:
    """The lines that a command prints, none when it is not installed; asked again while what it lists changes."""
    if not shutil.which(command[0]):
        return []
    for dummy in range(TRIES):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            break
    else:
        sys.exit(f"{' '.join(command)}: {done.stderr}")
    return [LEFT_OUT.sub("", line).rstrip() for line in done.stdout.splitlines()]


def files() -> list[str]:
    """Every path with its kind, mode and owner, and nearly all with their content."""
    found = []
    for folder, names, leaves in os.walk("/"):
        names[:] = [name for name in names if not NOT_COMPARED.search(os.path.join(folder, name))]
        paths = [os.path.join(folder, name) for name in (*names, *leaves)]
        for path in paths:
            try:
                found += [] if NOT_COMPARED.search(path) else [one(path)]
            except OSError as error:
                # What runs on a node makes and removes files all the time.
                found += [] if error.errno in GONE else [f"{path} cannot be read: {error.strerror}"]
    return found


def one(path: str) -> str:
    """What is at a path. The time of its last change is left out: a folder in which something was has another."""
    status = os.lstat(path)
    content = ""
    if stat.S_ISLNK(status.st_mode):
        content = os.readlink(path)
    elif stat.S_ISREG(status.st_mode) and not NOT_READ.search(path):
        with open(path, "rb") as stream:
            content = hashlib.sha256(stream.read()).hexdigest()[:16]
    return f"{path} {status.st_mode:o} {status.st_uid}:{status.st_gid} {content}".rstrip()


def settings() -> list[str]:
    """Every kernel setting that can be read."""
    found = []
    for folder, dummy, leaves in os.walk("/proc/sys"):
        for path in (os.path.join(folder, name) for name in leaves):
            name = os.path.relpath(path, "/proc/sys")
            try:
                if not VOLATILE_SETTINGS.search(name) and os.stat(path).st_mode & 0o400:
                    with open(path, encoding="utf-8") as stream:
                        found.append(f"{name} = {stream.read().strip()}")
            except FileNotFoundError:  # its link went
                continue
            except OSError:
                found.append(f"{name} cannot be read")
    return found


def mounts() -> list[str]:
    """Mount points, types, and whether mounts below are passed on."""
    with open("/proc/self/mountinfo", encoding="utf-8") as stream:
        lines = [line.split() for line in stream]
    return [f"{f[4]} {f[f.index('-') + 1]} {' '.join(x.split(':')[0] for x in f[6 : f.index('-')])}" for f in lines]


def control_groups() -> list[str]:
    """Those outside of systemd's own slices, where units come and go."""
    found = []
    for folder, names, dummy in os.walk("/sys/fs/cgroup"):
        names[:] = [name for name in names if name not in ("system.slice", "user.slice", "init.scope")]
        found.append(folder)
    return found


def processes() -> list[str]:
    """Programs of a node that run."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            program = os.readlink(f"/proc/{pid}/exe")
        except OSError:
            continue
        if re.search(r"container|kube|flannel|calico|bird|etcd|coredns|pause|agnhost", program):
            found.append(program)
    return found


def main() -> None:
    """Print it."""
    seen = {name: run(command) for name, command in COMMANDS.items()}
    seen |= {"files": files(), "settings": settings(), "mounts": mounts()}
    seen |= {"control groups": control_groups(), "processes": processes()}
    print(json.dumps({kind: sorted(lines) for kind, lines in seen.items()}))


main()
