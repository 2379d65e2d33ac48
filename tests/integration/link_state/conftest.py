# SPDX-License-Identifier: GPL-3.0-or-later
"""An empty machine for each test: real namespaces that nothing else on this host sees or disturbs."""

from __future__ import annotations

import ctypes
import json
import os
import shlex
import subprocess
import typing as t
from functools import cache

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils._link_apply import Result, converge
from ansible_collections.reftopo.lab.plugins.module_utils._link_model import State
from ansible_collections.reftopo.lab.plugins.module_utils._link_spec import OPTIONS, desired_state
from ansible_collections.reftopo.lab.plugins.module_utils._link_states import result
from ansible_collections.reftopo.lab.plugins.module_utils._preflight_probe import FEATURES

CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000  # include/uapi/linux/sched.h
NAMESPACES = {"net": CLONE_NEWNET, "mnt": CLONE_NEWNS}
LINK_KEYS = ("ifname", "mtu", "address", "master", "group", "altnames", "ifindex", "link_index", "link_netnsid")
# Of what belongs to a kind: what a bridge counts down, and what veth, tap and others have, is not in it
KIND_KEYS = (
    "id",
    "port",
    "link",
    "local",
    "group",
    "remote",
    "learning",
    "ttl",
    "mode",
    "type",
    "stp_state",
    "ageing_time",
    "vlan_filtering",
    "miimon",
)
ROUTE_KEYS = ("type", "dst", "gateway", "dev", "table", "protocol", "scope", "metric", "prefsrc")
RULE_KEYS = (
    "priority",
    "src",
    "srclen",
    "dst",
    "dstlen",
    "iif",
    "oif",
    "fwmark",
    "fwmask",
    "table",
    "action",
    "protocol",
)
SETTINGS = ["net.ipv4.ip_forward", "net.ipv4.conf.all.rp_filter", "net.ipv4.conf.default.rp_filter"]
LIBC = ctypes.CDLL(None, use_errno=True)


class Machine:
    """This process's own network and mount namespaces."""

    def run(self, command: list[str], data: str = "") -> tuple[int, str, str]:
        """As AnsibleModule.run_command."""
        done = subprocess.run(command, input=data, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr

    def sh(self, *commands: str) -> str:
        """The output of shell commands, which must succeed."""
        return "".join(
            subprocess.run(["sh", "-ec", command], stdout=subprocess.PIPE, text=True, check=True).stdout
            for command in commands
        )

    def desired(self, given: dict[str, t.Any]) -> State:
        """The desired state of an input."""
        return desired_state(given)

    def converge(self, given: dict[str, t.Any], check_mode: bool = False) -> Result:
        """What the module does."""
        return converge(self.run, self.desired(given), check_mode)

    def result(self, check_mode: bool = False, session: str = "", **given: t.Any) -> dict[str, t.Any]:
        """The module's result."""
        params = {name: option.get("default") for name, option in OPTIONS.items()}
        return result(self.run, {**params, **given}, check_mode, session)

    def shape(self) -> t.Any:
        """The snapshot without what differs between two machines of the same state: MAC addresses, numbers, order."""
        return {
            name: {
                **found,
                "links": sorted([link[0], link[1], link[3], link[4], link[5], link[-1]] for link in found["links"]),
                **{part: sorted(found[part], key=str) for part in ("kinds", "addresses", "routes")},
            }
            for name, found in self.snapshot().items()
        }

    def snapshot(self) -> dict[str, t.Any]:
        """Everything that a test could leave: names below /run/netns, links, addresses, routes, tables of nft."""
        found = {"": self._namespace("")}
        for name in sorted(os.listdir("/run/netns")):
            there = os.stat(f"/run/netns/{name}").st_dev != os.stat("/run/netns").st_dev
            found[name] = self._namespace(f"-n {name}") if there else "no namespace"
        return found

    def _namespace(self, option: str) -> dict[str, t.Any]:
        """Without what the kernel changes by itself after a while: carrier, link-local addresses and their routes."""
        links, rules, rules6, routes, entries, neighbours, nft, sysctls = self._asked(option)
        links, routes, entries = (json.loads(text.strip() or "[]") for text in (links, routes, entries))
        return {
            "links": [[entry.get(key) for key in LINK_KEYS] + ["UP" in entry["flags"]] for entry in links],
            "addresses": [
                [entry["ifname"], address["local"], address["prefixlen"]]
                for entry in links
                for address in entry["addr_info"]
                if address["family"] == "inet" or address["scope"] != "link"
            ],
            "kinds": sorted(([entry["ifname"], *kind(entry)] for entry in links), key=str),
            "entries": own_entries(entries),
            "neighbours": sorted(neighbours.splitlines()),
            "routes": [
                [route.get(key) for key in ROUTE_KEYS] + sorted(map(next_hop, route.get("nexthops", ())))
                for route in routes
                if route.get("protocol") != "kernel"
            ],
            "rules": [[rule.get(key) for key in RULE_KEYS] for rule in json.loads(rules) + json.loads(rules6)],
            "nft": nft,
            "sysctls": sysctls,
        }

    def _asked(self, option: str) -> list[str]:
        """What a namespace answers, by one shell inside it: a process takes its time where the machine is emulated."""
        questions = [
            "ip -j -d addr",
            "ip -j rule",
            "ip -j -6 rule",
            "ip -j -d route show table all",
            "bridge -j fdb show",
            "ip neigh show nud permanent",
            "nft list ruleset",
            f"sysctl -e {' '.join(SETTINGS)}",
        ]
        inside = f"ip netns exec {option[3:]} " if option else ""
        return self.sh(f"{inside}sh -ec {shlex.quote('; echo %%; '.join(questions))}").split("%%\n")


def own_entries(entries: list[dict[str, t.Any]]) -> list[list[t.Any]]:
    """Forwarding entries without those that are a link's own."""
    return sorted(
        [entry["ifname"], entry["mac"], entry.get("dst", ""), entry["state"]]
        for entry in entries
        if "dst" in entry or entry["state"] == "static"
    )


def next_hop(hop: dict[str, t.Any]) -> str:
    """One of several, without what the kernel changes by itself: flags by carrier."""
    return " ".join(str(hop.get(key)) for key in ("gateway", "dev", "weight"))


def kind(entry: dict[str, t.Any]) -> list[t.Any]:
    """A link's kind and what belongs to it."""
    info = entry.get("linkinfo", {})
    return [info.get("info_kind"), *(info.get("info_data", {}).get(key) for key in KIND_KEYS)]


@cache
def load_modules() -> None:
    """Modules of kinds that many kernels lack, before a test: one that holds ipip adds a link to every namespace."""
    modules = {feature.module for feature in FEATURES.values() if feature.command == "ip" and " " not in feature.module}
    subprocess.run(["modprobe", "--all", *modules], stderr=subprocess.DEVNULL, check=False)  # a kind may be built in


@pytest.fixture
def machine(request: pytest.FixtureRequest) -> t.Iterator[Machine]:
    """A machine with only lo and a foreign link `eth0`, and an empty /run/netns."""
    if os.geteuid() != 0:
        pytest.fail("needs root: it makes network namespaces")
    if request.node.get_closest_marker("rare"):
        load_modules()
    folder = os.getcwd()
    outside = [(os.open(f"/proc/self/ns/{kind}", os.O_RDONLY), flag) for kind, flag in NAMESPACES.items()]
    call("unshare", CLONE_NEWNS | CLONE_NEWNET)
    try:
        here = Machine()
        here.sh("mount --make-rprivate /", "mkdir -p /run/netns", "mount -t tmpfs tmpfs /run/netns")
        here.sh("ip link set lo up", "ip link add eth0 address 02:00:00:00:00:e0 type bridge", "ip link set eth0 up")
        here.sh("ip addr add 192.0.2.1/24 dev eth0 brd +")
        yield here
    finally:
        for descriptor, flag in outside:
            call("setns", descriptor, flag)
            os.close(descriptor)
        os.chdir(folder)  # entering a mount namespace goes to its root


def call(name: str, *arguments: int) -> None:
    """A system call by its name in the C library; Python has these since 3.12 only."""
    if getattr(LIBC, name)(*arguments) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {os.strerror(code)}")
