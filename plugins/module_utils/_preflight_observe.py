# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at this machine without changing it. PRIVATE to the collection."""

from __future__ import annotations

import json
import os
import re
import shutil
import typing as t
from pathlib import Path

from ansible_collections.reftopo.lab.plugins.module_utils._link_model import group, split_mark
from ansible_collections.reftopo.lab.plugins.module_utils._node_common import LEAVING
from ansible_collections.reftopo.lab.plugins.module_utils._preflight_model import (
    Facts,
    Folder,
    Link,
    Machine,
    PreflightError,
)
from ansible_collections.reftopo.lab.plugins.module_utils._preflight_probe import Run, try_features
from ansible_collections.reftopo.lab.plugins.module_utils._vm_domain import definitions, has_process

# Commands whose absence or version matters, and how each tells its version.
COMMANDS = {
    "ip": "-V",
    "bridge": "-V",
    "podman": "--version",
    "runc": "--version",
    "virsh": "--version",
    "qemu-img": "--version",
    "qemu-system-x86_64": "--version",
}
# Bits of CAP_* in /proc/self/status (linux/capability.h).
CAPABILITIES = {"CAP_NET_ADMIN": 12, "CAP_SYS_ADMIN": 21, "CAP_SYS_RESOURCE": 24}
# Without these no scratch namespace can be made.
TO_TRY = {"CAP_NET_ADMIN", "CAP_SYS_ADMIN"}
# Asking podman would create this folder; without it there are no containers.
PODMAN_STORE = Path("/var/lib/containers/storage/libpod")
RECORD = "cluster.json"  # in a topology's state folder, by the module cluster_secrets
# Never a conflict: loopback and multicast (RFC 6890, RFC 5771).
_NOT_A_NETWORK = ("default", "127.", "::1", "ff00::/8", "224.", "multicast")


def observe(run: Run, topology: str, needs: t.Iterable[str], cache: Path, record: Path | None) -> Facts:
    """This machine's state as far as it matters to the topology of that name.

    `needs` are the features to try; `cache` is the folder whose file system must have room; `record` is the file that
    says what its cluster was built with, if any.

    Raises PreflightError for a command that did not do what it does on any machine.
    """
    versions = {name: version for name in COMMANDS if (version := _version(run, name))}
    capabilities = parse_capabilities(Path("/proc/self/status").read_text())
    return Facts(
        trials=try_features(run, needs) if capabilities >= TO_TRY else None,
        versions=versions,
        installable=shutil.which("apt-get") is not None,
        links=parse_links(topology, read_json(run, ["ip", "-j", "-d", "link", "show"])) if "ip" in versions else {},
        addresses=parse_addresses(read_json(run, ["ip", "-j", "-4", "address", "show"])) if "ip" in versions else {},
        bound=parse_bound(Path("/proc/net/udp").read_text()),
        routes=parse_routes(read_json(run, ["ip", "-j", "route", "show", "table", "all"])) if "ip" in versions else (),
        containers=_containers(run) if "podman" in versions else {},
        domains={domain.name: Machine(domain.owner, has_process(domain)) for domain in definitions()},
        folders=_folders(cache / "nodes" / topology),
        record=json.loads(record.read_text()) if record and record.exists() else {},
        disk_free=_disk_free(cache),
        cache_ready=all(any(cache.glob(f"{kind}/*/manifest.json")) for kind in ("artifacts", "node-images")),
        memory_available=_memory_available(Path("/proc/meminfo").read_text()),
        cpus=len(os.sched_getaffinity(0)),
        kvm=Path("/dev/kvm").exists(),
        cgroup=cgroup_layout(Path("/proc/self/mounts").read_text()),
        capabilities=capabilities,
    )


def parse_links(topology: str, links: list[dict[str, t.Any]]) -> dict[str, Link]:
    """`ip -j -d link show` by name. A link that was interrupted while it was made has the topology's group alone."""
    found = {}
    for link in filter(None, links):
        marks = filter(None, map(split_mark, link.get("altnames", ())))
        by_group = topology if link.get("group") == str(group(topology)) else ""
        owner = next((owner for owner, dummy in marks), by_group)
        details = link.get("linkinfo", {})
        data = details.get("info_data", {}) if details.get("info_kind") == "vxlan" else {}
        numbers = (data.get("id", 0), data.get("port", 0), link.get("mtu", 0))
        found[link["ifname"]] = Link(details.get("info_kind", ""), owner, *numbers)
    return found


def parse_addresses(links: list[dict[str, t.Any]]) -> dict[str, str]:
    """`ip -j -4 address show`: each address with its link."""
    return {one["local"]: link["ifname"] for link in filter(None, links) for one in link["addr_info"] if "local" in one}


def parse_bound(table: str) -> frozenset[int]:
    """The local ports in /proc/net/udp, whose second column is an address and a port in hexadecimal."""
    return frozenset(int(line.split()[1].rpartition(":")[2], 16) for line in table.splitlines()[1:])


def parse_routes(routes: list[dict[str, t.Any]]) -> tuple[tuple[str, str], ...]:
    """`ip -j route show table all` as (network, device) without default, loopback and multicast routes."""
    found = {(str(r["dst"]), str(r.get("dev", r.get("type", "")))) for r in routes if "dst" in r}
    return tuple(sorted(route for route in found if not route[0].startswith(_NOT_A_NETWORK)))


def parse_containers(containers: list[dict[str, t.Any]]) -> dict[str, Machine]:
    """`podman ps --all --format json` by name."""
    return {
        name: Machine((c.get("Labels") or {}).get("reftopo.topology", ""), c.get("State") == "running")
        for c in containers
        for name in c["Names"]
    }


def parse_capabilities(status: str) -> frozenset[str]:
    """The names in CAPABILITIES that are in effect, from /proc/self/status."""
    effective = re.search(r"^CapEff:\s*([0-9a-f]+)$", status, re.MULTILINE)
    bits = int(effective.group(1), 16) if effective else 0
    return frozenset(name for name, bit in CAPABILITIES.items() if bits >> bit & 1)


def cgroup_layout(mounts: str) -> str:
    """v2, hybrid (v1 controllers beside an empty v2 tree), v1 or none, from /proc/self/mounts."""
    kinds = {fields[1]: fields[2] for line in mounts.splitlines() if len(fields := line.split()) > 2}
    if kinds.get("/sys/fs/cgroup") == "cgroup2":
        return "v2"
    if "cgroup" not in kinds.values():
        return "none"
    return "hybrid" if "cgroup2" in kinds.values() else "v1"


def _memory_available(meminfo: str) -> int:
    """MemAvailable of /proc/meminfo in bytes."""
    found = re.search(r"^MemAvailable:\s+(\d+) kB$", meminfo, re.MULTILINE)
    if not found:
        raise PreflightError("/proc/meminfo has no line MemAvailable")
    return int(found.group(1)) * 1024


def _disk_free(folder: Path) -> int:
    """Bytes that root can write where the folder is or would be made."""
    place = next(path for path in (folder, *folder.parents) if path.exists())
    status = os.statvfs(place)
    return status.f_bavail * status.f_frsize


def _version(run: Run, command: str) -> str:
    """The first version number that the command prints, empty when the command is missing."""
    if not shutil.which(command):
        return ""
    dummy, stdout, stderr = run([command, COMMANDS[command]])
    number = re.search(r"\d+(\.\d+)+", stdout + stderr)
    return number.group(0) if number else "unknown"


def _containers(run: Run) -> dict[str, Machine]:
    if not PODMAN_STORE.exists():
        return {}
    return parse_containers(read_json(run, ["podman", "ps", "--all", "--format", "json"]))


def _folders(parent: Path) -> dict[str, Folder]:
    """The folders of a topology's nodes."""
    return {path.name: Folder((path / LEAVING).exists()) for path in parent.glob("*") if path.is_dir()}


def read_json(run: Run, command: list[str]) -> t.Any:
    """What a command prints as JSON; raises PreflightError when it fails."""
    rc, stdout, stderr = run(command)
    if rc:
        raise PreflightError(f"{' '.join(command)}: {stderr.strip() or f'exit status {rc}'}")
    return json.loads(stdout or "[]")
