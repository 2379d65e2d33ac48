# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Try kernel features where nothing can be left behind. PRIVATE to the collection.

All trials run in one process with a network and a mount namespace of its own, /run included: both are gone with the
process, even when it is killed. Only a module that the kernel loads by itself on first use stays.
"""

from __future__ import annotations

import os
import shlex
import typing as t
from dataclasses import dataclass

from ansible_collections.reftopo.lab.plugins.module_utils._preflight_model import PreflightError, Trial


@dataclass(frozen=True)
class Feature:
    """How to try one kernel feature: the command it takes, the shell lines, and the module that holds it."""

    command: str
    script: str
    module: str


# kube-proxy's nftables mode: verdict maps on concatenations, numgen, fib, DNAT, masquerade and reject
# (kubernetes pkg/proxy/nftables/proxier.go).
NFTABLES = """\
nft -f - <<'RULES'
table ip preflight {
  map services { type ipv4_addr . inet_proto . inet_service : verdict; }
  chain pick { numgen random mod 2 vmap { 0 : accept, 1 : accept }; }
  chain in { type nat hook prerouting priority dstnat;
    ip daddr . meta l4proto . th dport vmap @services; fib daddr type local counter;
    meta l4proto tcp dnat to 192.0.2.1:80; }
  chain out { type nat hook postrouting priority srcnat;
    meta mark & 0x4000 == 0 return; meta mark set mark xor 0x4000; masquerade fully-random; }
  chain forward { type filter hook forward priority filter; ct state new reject; }
}
RULES"""
# kube-proxy's iptables mode and kubelet's hint chain (kubernetes pkg/proxy/iptables/proxier.go).
IPTABLES = """\
iptables -t nat -A POSTROUTING -m comment --comment x -m mark --mark 0x4000/0x4000 -j MASQUERADE --random-fully
iptables -t nat -A OUTPUT -p tcp -m statistic --mode random --probability 0.5 -m addrtype --dst-type LOCAL \
  -j DNAT --to-destination 192.0.2.1:80
iptables -A FORWARD -m conntrack --ctstate INVALID -j REJECT
iptables -t mangle -N KUBE-IPTABLES-HINT"""
# Calico's rules ask sets of addresses (felix/ipsets).
IPSET = """\
ipset create pf-set hash:net family inet
iptables -A FORWARD -m set --match-set pf-set src -j ACCEPT"""
# kube-proxy's ipvs mode loads ip_vs itself, as here, and keeps service addresses on a dummy device
# (kubernetes pkg/proxy/ipvs/proxier.go). The kernel loads schedulers and sets with them.
IPVS = """\
[ -e /proc/net/ip_vs ] || modprobe ip_vs
ip link add name pf-ipvs type dummy"""

# A link to put another on, the same for all trials
_LOWER = "ip link show pf-lower >/dev/null 2>&1 || ip link add name pf-lower type veth peer name pf-upper"
_FILTERING = "the option CONFIG_BRIDGE_VLAN_FILTERING"

FEATURES: dict[str, Feature] = {
    "bond": Feature("ip", "ip link add name pf-bond type bond mode active-backup", "bonding"),
    "bridge": Feature("ip", "ip link add pf-bridge type bridge && ip link set pf-bridge up", "bridge"),
    "dummy": Feature("ip", "ip link add name pf-dummy type dummy", "dummy"),
    "ipip": Feature("ip", "ip link add pf-ipip type ipip local 192.0.2.1 remote 192.0.2.2", "ipip"),
    "iptables": Feature("iptables", IPTABLES, "ip_tables"),
    "ipset": Feature("ipset", IPSET, "ip_set, ip_set_hash_net and xt_set"),
    "ipvs": Feature("ip", IPVS, "ip_vs and dummy"),
    "macvlan": Feature("ip", f"{_LOWER} && ip link add name pf-macvlan link pf-lower type macvlan", "macvlan"),
    "netns": Feature("ip", "ip netns add preflight && ip -n preflight link set lo up", "the option CONFIG_NET_NS"),
    "nftables": Feature("nft", NFTABLES, "nf_tables"),
    "tun": Feature("ip", "ip tuntap add dev pf-tun mode tun", "tun"),
    "veth": Feature("ip", "ip link add pf-veth type veth peer name pf-peer", "veth"),
    "vlan": Feature("ip", f"{_LOWER} && ip link add name pf-vlan link pf-lower type vlan id 5", "8021q"),
    "vlan_filtering": Feature("ip", "ip link add name pf-filter type bridge vlan_filtering 1", _FILTERING),
    "vxlan": Feature("ip", "ip link add pf-vxlan type vxlan id 1 local 192.0.2.1 dstport 8472 nolearning", "vxlan"),
}
# The control: a link of a kind that no kernel has. If this is said to work, nothing that is said counts.
CONTROL = "control"
_CONTROL = Feature("ip", "ip link add pf-control type reftopo_none", "")

_PROLOGUE = """\
mount -t tmpfs tmpfs /run || exit 1
try() {
  if ! command -v "$2" >/dev/null; then printf '%s missing %s\\n' "$1" "$2"; return; fi
  if out=$(sh -e -c "$3" 2>&1); then printf '%s works\\n' "$1"; return; fi
  printf '%s fails %s\\n' "$1" "$(printf %s "$out" | head -n 1)"
}
"""

Run = t.Callable[[list[str]], tuple[int, str, str]]


def script(needs: t.Iterable[str]) -> str:
    """The shell script that tries the control and each of the features `needs` (keys of FEATURES)."""
    chosen = {CONTROL: _CONTROL, **{name: FEATURES[name] for name in needs}}
    lines = [f"try {name} {feature.command} {shlex.quote(feature.script)}\n" for name, feature in chosen.items()]
    return _PROLOGUE + "".join(lines)


def parse(output: str) -> dict[str, Trial]:
    """The lines `<feature> works|fails|missing [detail]` that the script prints."""
    trials = {}
    for line in output.splitlines():
        name, outcome, *rest = line.split(" ", 2)
        detail = rest[0] if rest else ""
        if outcome == "missing":
            trials[name] = Trial(None, missing=detail)
        else:
            trials[name] = Trial(outcome == "works", detail)
    return trials


def try_features(run: Run, needs: t.Iterable[str]) -> dict[str, Trial]:
    """Try what can be tried of `needs`; a name that is not in FEATURES is left out.

    Raises PreflightError when the trials themselves did not work.
    """
    known = [name for name in needs if name in FEATURES]
    rc, stdout, stderr = run(["unshare", *_namespaces(), "sh", "-c", script(known)])
    if rc:
        raise PreflightError(f"No scratch namespace for the kernel's features: {stderr.strip()}. Are you root?")
    trials = parse(stdout)
    control = trials.pop(CONTROL, None)
    if control is None or control.works or set(trials) != set(known):
        raise PreflightError(f"The trial of the kernel's features cannot be believed: {stdout.strip()}")
    return trials


def _namespaces() -> list[str]:
    """Those of the trial; another user than root is root in a user namespace of its own (user_namespaces(7))."""
    return ["--mount", "--net", *(["--user", "--map-root-user"] if os.geteuid() else [])]
