# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks at a host that is there already, without changing it.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import glob
import json
import os
import platform
import re
import shutil
import socket
import stat
import typing as t
from pathlib import Path

from ansible_collections.reftopo.lab.plugins.module_utils import _existing_rules, _existing_traces
from ansible_collections.reftopo.lab.plugins.module_utils._existing_model import (
    FOLDERS,
    HOLLOW,
    POD_NETNS,
    SYSCTLS,
    TRACES,
    Desired,
    Facts,
    Observed,
)
from ansible_collections.reftopo.lab.plugins.module_utils._existing_plan import parents, services
from ansible_collections.reftopo.lab.plugins.module_utils._existing_record import (
    NEW,
    RECORD,
    Before,
    ExistingError,
    Record,
    load_record,
)
from ansible_collections.reftopo.lab.plugins.module_utils._file import read_text, sha256_of
from ansible_collections.reftopo.lab.plugins.module_utils._node_observe import observe_mounts
from ansible_collections.reftopo.lab.plugins.module_utils._preflight_observe import parse_routes
from ansible_collections.reftopo.lab.plugins.module_utils._preflight_probe import try_features
from ansible_collections.reftopo.lab.plugins.module_utils._probe_arp import others

Run = t.Callable[..., "tuple[int, str, str]"]

CTR = ["ctr", "--namespace", "k8s.io"]
INSTALL = ["apt-get", "install", "--yes", "--no-install-recommends", "--no-upgrade"]
PURGE = ["apt-get", "purge", "--yes"]
CONTROL_GROUPS = "/sys/fs/cgroup"
SLICE = "kubepods.slice"
PODS = ("kubepods", SLICE)  # the control group of all pods, by cgroupfs and by systemd
NETWORK = "/sys/class/net"
ETHERNET, UP, SILENT = "1\n", 0x1, 0x80  # linux/if_arp.h: ARPHRD_ETHER; linux/if.h: IFF_UP, IFF_NOARP
EMULATED = "qemu"  # systemd-detect-virt(1): without KVM, which has a name of its own
# States of /proc/net/tcp and udp in which a port is taken (include/net/tcp_states.h): TCP_LISTEN, and UDP's TCP_CLOSE.
LISTENING = {"tcp": "0A", "udp": "07"}


def observe(run: Run, desired: Desired | None, needs: t.Iterable[str] = ()) -> Observed:
    """The host as it is.

    Args:
        desired: what it is to have; None when all is to be taken back.
        needs: kernel features to try.

    Raises:
        ExistingError: the record cannot be read, or a command failed that works on any such host.
    """
    record = load_record(read_text(RECORD))
    if lacks := _lacks():
        return Observed(record=record, facts=Facts(lacks=lacks))
    ruleset = json.loads(_of_tool(run, ["nft", "-j", "list", "ruleset"]) or "{}")
    recorded = record.files if record else ()
    paths = {*recorded, *(path + NEW for path in recorded), *(desired.files if desired else ())}
    folders = {folder for path in paths for folder in parents(path)} | set(record.folders if record else ())
    units = {*(services(record) if record else ()), *(desired.units if desired else ())}
    packages = installed(_output(run, ["dpkg-query", "--show", "--showformat=${Package} ${db:Status-Status}\n"]))
    active = frozenset(name for name in units if run(["systemctl", "is-active", "--quiet", name])[0] == 0)
    simulated, apt = _simulated(run, desired, packages)
    return Observed(
        record=record,
        now=_now(run, ruleset),
        digests={path: sha256_of(path) for path in paths if os.path.isfile(path)},
        folders=frozenset(path for path in folders if os.path.isdir(path)),
        full=tuple(path for path in FOLDERS if os.path.isdir(path) and os.listdir(path)),
        others=_others(desired.interface) if desired and not record else (),
        images=_images(run) if "containerd.service" in active else None,
        packages=packages,
        simulated=simulated,
        purged=_purged(run, record, packages),
        units=frozenset(name for name in units if run(["systemctl", "is-enabled", "--quiet", name])[0] == 0),
        active=active,
        links=frozenset(os.listdir(NETWORK)),
        pods=tuple(pod_groups()),
        rules=_rules(run, ruleset, record) if record and not desired else (),
        routes=_routes(run, record) if record else (),
        facts=_facts(run, apt, needs) if desired else Facts(),
    )


def _lacks() -> tuple[str, ...]:
    """What makes a Debian host with systemd and is not there."""
    lacks = [name for name in ("apt-get", "dpkg-query", "ip", "systemctl") if not shutil.which(name)]
    return (*lacks, *([] if os.path.isdir("/run/systemd/system") else ["systemd that runs"]))


def sysctl_file(name: str) -> str:
    """Where a kernel setting is read and written; none of SYSCTLS has a dot within a part."""
    return f"/proc/sys/{name.replace('.', '/')}"


def pod_groups() -> list[str]:
    """The control groups that hold all pods', one in each hierarchy. Those deeper down are of containers' own pods."""
    places = [place for name in PODS for place in (name, f"*/{name}")]
    return sorted(str(path) for place in places for path in Path(CONTROL_GROUPS).glob(place) if path.is_dir())


def shared(mountinfo: str) -> bool:
    """Whether / passes mounts on: an optional field ``shared:N`` before the separating hyphen."""
    roots = [line.split() for line in mountinfo.splitlines() if line.split()[4] == "/"]
    return any(field.startswith("shared:") for field in roots[-1][6:] if field != "-") if roots else False


def installed(listed: str) -> frozenset[str]:
    """The packages of dpkg-query's lines ``name state``."""
    return frozenset(line.split()[0] for line in listed.splitlines() if line.endswith(" installed"))


def listening(table: str, protocol: str) -> set[int]:
    """The ports of /proc/net/tcp or udp on which somebody waits."""
    rows = (line.split() for line in table.splitlines()[1:])
    return {int(row[1].rpartition(":")[2], 16) for row in rows if row[3] == LISTENING[protocol]}


def _now(run: Run, ruleset: dict[str, t.Any]) -> Before:
    values = {name: read_text(sysctl_file(name)) for name in SYSCTLS}
    links = json.loads(_output(run, ["ip", "-j", "address"]) or "[]")
    modules = (line.split()[0] for line in (read_text("/proc/modules") or "").splitlines())
    return Before(
        sysctls={name: value.strip() for name, value in values.items() if value is not None},
        paths=tuple(path for path in (*FOLDERS, *TRACES, *HOLLOW, *glob.glob(POD_NETNS)) if os.path.exists(path)),
        modes={path: stat.S_IMODE(os.stat(path).st_mode) for path in FOLDERS if os.path.exists(path)},
        tables=_existing_rules.tables(ruleset),
        chains=_existing_rules.chains(ruleset),
        ipsets=tuple(_of_tool(run, ["ipset", "list", "-name"]).split()),
        tunnel=_existing_traces.tunnel_addresses(links),
        tunnel_settings=_existing_traces.tunnel_settings(links),
        mounts=tuple(sorted(observe_mounts())),
        shared=shared(read_text("/proc/self/mountinfo") or ""),
        modules=tuple(sorted(modules)),
    )


def _rules(run: Run, ruleset: dict[str, t.Any], record: Record) -> tuple[str, ...]:
    return tuple(_existing_rules.removal(ruleset, record.before, _of_tool(run, ["iptables-save"])))


def _routes(run: Run, record: Record) -> tuple[str, ...]:
    listed = json.loads(_output(run, ["ip", "-j", "-4", "route"]) or "[]")
    return tuple(_existing_traces.left_routes(listed, record.networks, record.links))


def _images(run: Run) -> frozenset[str]:
    return frozenset(_output(run, [*CTR, "images", "list", "--quiet"]).split())


def _simulated(run: Run, desired: Desired | None, packages: frozenset[str]) -> tuple[tuple[str, ...], str]:
    """What apt-get would do for the packages that are not there, and why it cannot."""
    missing = [name for name in desired.packages if name not in packages] if desired else []
    if not missing:
        return (), ""
    code, out, err = run([*INSTALL, "--simulate", *missing])
    return tuple(out.splitlines()), (err.strip() or f"exit status {code}") if code else ""


def _purged(run: Run, record: Record | None, packages: frozenset[str]) -> frozenset[str]:
    """All packages that would go with those that the record says were installed."""
    added = sorted(packages & set(record.packages)) if record else []
    if not added:
        return frozenset()
    lines = _output(run, [*PURGE, "--simulate", *added]).splitlines()
    return frozenset(line.split()[1] for line in lines if line.startswith(("Purg ", "Remv ")))


def _facts(run: Run, apt: str, needs: t.Iterable[str]) -> Facts:
    interfaces = [one for one in json.loads(_output(run, ["ip", "-j", "-4", "address"])) if one]
    route_list = json.loads(_output(run, ["ip", "-j", "-4", "route", "show", "table", "all"]) or "[]")
    room = os.statvfs("/var/lib")
    return Facts(
        hostname=socket.gethostname().partition(".")[0],
        machine=platform.machine(),
        container=run(["systemd-detect-virt", "--quiet", "--container"])[0] == 0,
        emulated=run(["systemd-detect-virt", "--vm"])[1].strip() == EMULATED,
        swap=len((read_text("/proc/swaps") or "").splitlines()) > 1,
        addresses={
            one["ifname"]: [f"{entry['local']}/{entry['prefixlen']}" for entry in one.get("addr_info", ())]
            for one in interfaces
        },
        mtus={one["ifname"]: one["mtu"] for one in interfaces},
        routes=parse_routes(route_list),
        calicos=_existing_traces.taken_by_calico(route_list),
        listening={
            protocol: listening(read_text(f"/proc/net/{protocol}") or "", protocol)
            | listening(read_text(f"/proc/net/{protocol}6") or "", protocol)
            for protocol in LISTENING
        },
        iptables=_iptables(run),
        memory=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        cpus=len(os.sched_getaffinity(0)),
        disk_free=room.f_bavail * room.f_frsize,
        apt=apt,
        trials=try_features(run, needs),
    )


def _others(interface: t.Mapping[str, t.Any]) -> tuple[str, ...]:
    """Who else has the address of an interface, where that is up and ARP is for it."""
    name, address = interface["name"], interface["address"].partition("/")[0]
    flags = int(read_text(f"{NETWORK}/{name}/flags") or "0", 16)
    if read_text(f"{NETWORK}/{name}/type") != ETHERNET or flags & (UP | SILENT) != UP:
        return ()
    try:
        return tuple(others(name, [address])[address])
    except OSError as error:
        raise ExistingError(f"nobody can be asked by ARP on {name}: {error}") from error


def _iptables(run: Run) -> str:
    """What is in brackets in ``iptables v1.8.11 (nf_tables)``."""
    if not shutil.which("iptables"):
        return ""
    found = re.search(r"\((\w+)\)", run(["iptables", "--version"])[1])
    return found.group(1) if found else ""


def _of_tool(run: Run, argv: list[str]) -> str:
    """A command's output; empty where there is no such command, which then has made nothing."""
    return _output(run, argv) if shutil.which(argv[0]) else ""


def _output(run: Run, argv: list[str]) -> str:
    code, out, err = run(argv)
    if code:
        raise ExistingError(f"`{' '.join(argv)}` failed with status {code}: {(err or out).strip()[-400:]}")
    return out
