# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run leaves on a machine: take a snapshot before and after, and compare.

    python tests/support/residue.py snapshot FILE     write what is there now
    python tests/support/residue.py compare FILE      say what has changed since; exit status 1 when anything has

A snapshot is text: for each kind of thing the sorted lines that describe it, without what changes by itself (counters,
ages, interface numbers). It must be taken as root.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

Snapshot = dict[str, list[str]]

# Printed as they are, line by line; a command that is not installed has nothing to show.
COMMANDS = {
    "addresses": ["ip", "-o", "address"],
    "rules": ["ip", "rule"],
    "rules IPv6": ["ip", "-6", "rule"],
    "routes": ["ip", "route", "show", "table", "all"],
    "routes IPv6": ["ip", "-6", "route", "show", "table", "all"],
    "nft": ["nft", "--stateless", "list", "ruleset"],
    "ipsets": ["ipset", "save"],
    "podman containers": ["podman", "ps", "--all", "--external", "--format", "{{.Names}} {{.Status}}"],
    "podman images": ["podman", "images", "--all", "--format", "{{.ID}} {{.Names}}"],
    "podman volumes": ["podman", "volume", "ls", "--format", "{{.Name}}"],
    "podman networks": ["podman", "network", "ls", "--format", "{{.Name}}"],
    "podman pods": ["podman", "pod", "ls", "--format", "{{.Name}}"],
}
# Lifetimes, interface numbers, link states of neighbours, seconds since a container started.
VOLATILE = re.compile(
    r"^\d+: | (valid_lft|preferred_lft|expires) \S+| linkdown| tentative|\\|(?<=\S) Up .*| \(\d+\).*ago"
)
# Not namespaced, so that a privileged node could change them for the machine: kubelet's tunables (kubernetes
# pkg/kubelet/cm/container_manager_linux.go), conntrack's size (kube-proxy) and forwarding.
SYSCTLS = [
    "kernel/keys/root_maxbytes",
    "kernel/keys/root_maxkeys",
    "kernel/panic",
    "kernel/panic_on_oops",
    "net/bridge/*",
    "net/ipv4/conf/all/*",
    "net/ipv4/ip_forward",
    "net/ipv6/conf/all/forwarding",
    "net/netfilter/nf_conntrack_max",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
]
# Ansible keeps an SSH connection, a process with a socket, for a minute after its last use, and conmon outlives its
# container by moments: those of an earlier test end whenever they do. A container that is gone itself is seen among
# podman's. A control group with processes cannot be removed (cgroups(7)); whoever made it removes it when they ended.
ENDED_BY_ITSELF = re.compile(r"processes: - \d+ (ssh|conmon)$|files: - .*/\.ansible/cp/|control groups: - ")
# The control group of a container, in /proc/PID/cgroup and below /sys/fs/cgroup.
CONTAINER = re.compile(r"libpod-[0-9a-f]{12}")
CARRIERS = {"conmon", "ssh"}
# Folders whose paths are listed, and what in them is content rather than state. Layers are those of containers and
# images, which are listed, but for an empty one that podman leaves when it is killed before it has made the layer's
# container: nothing names it, so nobody can say whose it was. So it is with a container's exit status, which conmon
# writes for podman below /run: when it is late, podman has removed the container.
FOLDERS = ["/etc/cni", "/etc/containers", "/run", "/var/lib/cni", "/var/lib/containers/storage", "/var/lib/kubelet"]
CONTENT = re.compile(
    r"/nodes/[^/]+/[^/]+/.|/storage/overlay/.|/libpod/exits/.|/(bundle|fd|overlay-layers|user/\d+)(/|$)|\.lock$"
)


def home(variable: str, default: str) -> Path:
    """A folder of the product: of the environment, else of the home folder."""
    return Path(os.environ.get(variable) or Path.home() / default)


def run(command: list[str]) -> list[str]:
    """The lines that a command prints; none when it is not installed. A command that fails is an error."""
    if not shutil.which(command[0]):
        return []
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout.splitlines()


def links() -> list[str]:
    """Name, kind, MTU, master and alternative names of each link."""
    found = []
    for link in json.loads("".join(run(["ip", "-j", "-d", "link"]))):
        kind = link.get("linkinfo", {}).get("info_kind", "device")
        marks = " ".join(link.get("altnames", []))
        found.append(f"{link['ifname']} {kind} mtu {link['mtu']} master {link.get('master')} {marks}".rstrip())
    return found


def legacy_iptables() -> list[str]:
    """Rules of the tables that exist; asking for another table would make it."""
    lines = []
    for family, command in (("ip", "iptables-legacy-save"), ("ip6", "ip6tables-legacy-save")):
        names = Path(f"/proc/net/{family}_tables_names")
        for table in names.read_text().split() if names.exists() else []:
            lines += [re.sub(r"\[\d+:\d+\]", "", line) for line in run([command, "-t", table]) if line[0] != "#"]
    return lines


def mounts() -> list[str]:
    """Mount point, type and source."""
    fields = [line.split() for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return [f"{f[4]} {f[f.index('-') + 1]} {f[f.index('-') + 2]}" for f in fields]


def processes() -> list[str]:
    """What runs in a network namespace of its own, what carries containers, and SSH connections that are kept open.

    Processes inside a container come and go: the container is named instead, once.
    """
    own, ours, found = os.readlink("/proc/self/ns/net"), ancestors(), set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            name = (folder / "comm").read_text().strip()
            if int(folder.name) in ours or (name not in CARRIERS and os.readlink(folder / "ns/net") == own):
                continue
            inside = CONTAINER.search((folder / "cgroup").read_text())
        except OSError:  # it ended meanwhile
            continue
        found.add(f"in {inside[0]}" if inside else f"{folder.name} {name}")
    return sorted(found)


def ancestors() -> set[int]:
    """This process and those that started it."""
    found, pid = set(), os.getpid()
    while pid:
        found.add(pid)
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return found


def sysctls() -> list[str]:
    """Values of the machine's settings that nodes could change."""
    paths = [path for pattern in SYSCTLS for path in sorted(Path("/proc/sys").glob(pattern))]
    return [f"{path.relative_to('/proc/sys')} = {path.read_text().strip()}" for path in paths]


def files() -> list[str]:
    """Paths in the folders where a topology could leave something."""
    own = [home("REFTOPO_CACHE", ".cache/reftopo") / "nodes", home("REFTOPO_STATE", ".local/state/reftopo")]
    found = []
    for top in [*own, *map(Path, FOLDERS), Path.home() / ".ansible/cp"]:
        for folder, names, leaves in os.walk(top):
            names[:] = [name for name in names if not CONTENT.search(f"{folder}/{name}")]
            found += [f"{folder}/{name}" for name in (*names, *leaves) if not CONTENT.search(f"{folder}/{name}")]
    return [path for path in found if path not in map(str, own)]


def cgroups() -> list[str]:
    """Control groups, in every hierarchy, but for podman's own and those that a container made inside its own.

    Nor those of other programs that run, which may come at any time: a container's processes are seen by themselves.
    """
    found = []
    for folder, names, dummy in os.walk("/sys/fs/cgroup"):
        own = folder.endswith(("/libpod_parent", "/libpod_parent/conmon"))
        found += [folder] if not own and _is_empty(folder) else []
        names[:] = [] if CONTAINER.search(folder) else names
    return found


def _is_empty(control_group: str) -> bool:
    try:
        return Path(control_group, "cgroup.procs").read_text() == ""
    except OSError:  # it went meanwhile, or is the folder of the hierarchies
        return False


def first_uses() -> None:
    """Let iproute2, podman, runc and libvirt have what they make for themselves once, when first used, and keep."""
    run(["ip", "netns", "add", "t-first-use"])
    run(["ip", "netns", "delete", "t-first-use"])
    run(["podman", "volume", "create", "t-first-use"])
    run(["podman", "volume", "rm", "t-first-use"])
    run(["podman", "create", "--name", "t-first-use", "--network", "none", "--rootfs", "/", "true"])
    run(["podman", "rm", "t-first-use"])
    Path("/run/runc").mkdir(mode=0o700, exist_ok=True)
    if not Path("/run/libvirt").exists():
        run(["libvirtd", "--timeout=1"])  # it ends by itself when nobody has asked it anything for a second


def snapshot() -> Snapshot:
    """Everything that a topology could leave on this machine."""
    seen = {name: [VOLATILE.sub("", line).rstrip() for line in run(command)] for name, command in COMMANDS.items()}
    seen |= {"links": links(), "iptables (legacy)": legacy_iptables(), "mounts": mounts(), "processes": processes()}
    netns = Path("/run/netns")
    seen["namespaces"] = [path.name for path in netns.iterdir()] if netns.exists() else []
    seen |= {"sysctls": sysctls(), "files": files(), "control groups": cgroups()}
    return {kind: sorted(lines) for kind, lines in seen.items()}


def diff(before: Snapshot, after: Snapshot) -> list[str]:
    """What was added (+) and removed (-), one line each with its kind; empty when the snapshots are the same."""
    changes = []
    for kind in sorted(before.keys() | after.keys()):
        old, new = Counter(before.get(kind, [])), Counter(after.get(kind, []))
        changes += [f"{kind}: - {line}" for line in sorted((old - new).elements())]
        changes += [f"{kind}: + {line}" for line in sorted((new - old).elements())]
    return [change for change in changes if not ENDED_BY_ITSELF.match(change)]


def settled(seconds: float = 20) -> Snapshot:
    """A snapshot taken when nothing changes by itself any more: an IPv6 address takes seconds to get its routes."""
    deadline = time.monotonic() + seconds
    after = snapshot()
    while time.monotonic() < deadline:
        before = after
        time.sleep(3)
        after = snapshot()
        if not diff(before, after):
            break
    return after


def settled_diff(before: Snapshot, seconds: float = 10) -> list[str]:
    """What has changed since; the kernel takes namespaces apart in the background, so it is given some seconds."""
    deadline = time.monotonic() + seconds
    while changes := diff(before, snapshot()):
        if time.monotonic() > deadline:
            break
        time.sleep(0.2)
    return changes


def main() -> int:
    """The command line, as this file's docstring has it."""
    action, file = sys.argv[1], Path(sys.argv[2])
    if action == "snapshot":
        first_uses()
        file.write_text(json.dumps(snapshot(), indent=1))
        return 0
    changes = settled_diff(json.loads(file.read_text()))
    print("\n".join(changes) or "nothing was left behind")
    return 1 if changes else 0


if __name__ == "__main__":
    sys.exit(main())
