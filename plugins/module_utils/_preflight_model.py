# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What preflight sees of a machine, and what it says about it. PRIVATE to the collection."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

OK = "ok"
LATER = "later"  # not known yet, because a package is missing that the role host installs
PROBLEM = "PROBLEM"


class PreflightError(Exception):
    """This machine could not be looked at; says nothing about what it can do."""


@dataclass(frozen=True)
class Check:
    """One line of the table. A problem has a fix; a line that is not a problem may go without."""

    what: str
    needed_by: str
    found: str
    verdict: str = OK
    fix: str = ""


@dataclass(frozen=True)
class Trial:
    """What came of trying one kernel feature; None when it could not be tried without the command `missing`."""

    works: bool | None
    detail: str = ""
    missing: str = ""


@dataclass(frozen=True)
class Link:
    """A link of the host: its kind ("" for a device of its own) and the topology whose mark it carries, if any."""

    kind: str = ""
    owner: str = ""
    vni: int = 0  # of a vxlan, as the UDP port that it takes packets at
    port: int = 0
    mtu: int = 0


@dataclass(frozen=True)
class Machine:
    """A container or libvirt domain of any owner; `topology` is what it is marked with, empty when it is not ours."""

    topology: str = ""
    running: bool = False


@dataclass(frozen=True)
class Folder:
    """A node's folder in the cache; `leaving` when the node's removal has begun."""

    leaving: bool = False


@dataclass(frozen=True)
class Stranger:
    """Who answers for an address of the topology and is none of its machines: MAC address, and port of the bridge."""

    address: str
    mac: str
    port: str


@dataclass(frozen=True)
class Wire:
    """A bridge of the topology that is there already: ports that are not its own, and who has its addresses there."""

    bridge: str
    foreign: tuple[str, ...] = ()
    strangers: tuple[Stranger, ...] = ()
    down: bool = False  # nobody could be asked


@dataclass(frozen=True)
class Facts:
    """A machine as it is, before anything is done to it. Sizes are bytes."""

    trials: t.Mapping[str, Trial] | None = None  # None: not allowed to try
    versions: t.Mapping[str, str] = field(default_factory=dict)  # of the commands that are there
    installable: bool = False  # whether packages can be installed the way the role host does
    links: t.Mapping[str, Link] = field(default_factory=dict)
    wires: t.Mapping[str, Wire] = field(default_factory=dict)  # by segment
    routes: tuple[tuple[str, str], ...] = ()  # (network, device), addresses of the host included
    addresses: t.Mapping[str, str] = field(default_factory=dict)  # IPv4, each with its link
    bound: frozenset[int] = frozenset()  # UDP ports that somebody has a socket at, a VXLAN link included
    containers: t.Mapping[str, Machine] = field(default_factory=dict)
    domains: t.Mapping[str, Machine] = field(default_factory=dict)
    folders: t.Mapping[str, Folder] = field(default_factory=dict)  # of the topology's nodes, by their names
    record: t.Mapping[str, t.Any] = field(default_factory=dict)  # what the cluster was built with; empty: not built
    disk_free: int = 0
    cache_ready: bool = False  # artifacts and a node image are complete in the cache
    memory_available: int = 0
    cpus: int = 0
    kvm: bool = False  # whether there is /dev/kvm; that a guest runs by it is tried later
    cgroup: str = ""
    capabilities: frozenset[str] = frozenset()
