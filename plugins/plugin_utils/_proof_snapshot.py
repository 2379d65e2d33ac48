# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine's network state, read by one command and parsed once. Pure.

This plugin util is PRIVATE to the collection. A part that could not be read is an error when it is asked for: empty and
unknown must not be confused.
"""

from __future__ import annotations

import json
import typing as t

from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data, ProofError

# Calico's BIRD, asked in its container by what that has. It writes its socket there, unless it does not run.
RUNS_BIRD = "test ! -e /var/run/calico/bird.ctl ||"
BIRDCL = "nsenter --target $(pgrep --exact bird) --mount --root birdcl -s /var/run/calico/bird.ctl"
# The network namespaces of pods, where Calico attaches them; one that ends meanwhile has nothing.
PODS = """test ! -e /var/run/calico || {
told() { out=$(ip -n "$@" 2>/dev/null); echo "${out:-[]}"; }
first='['
for name in $(ip netns list | cut -d' ' -f1); do
printf '%s{"links": %s, "routes": %s, "neighbours": %s}' "$first" "$(told $name -j -d address show)" \
"$(told $name -j -4 route show)" "$(told $name -j -4 neigh show)"
first=,
done
test "$first" = '[' || echo ']'; }"""
PROXY_ARP = "for one in /proc/sys/net/ipv4/conf/cali*/proxy_arp; do test ! -e $one || echo $one $(cat $one); done"
PARTS = {
    "links": "ip -j -d address show",
    "routes": "ip -j -4 route show table all",
    "neighbours": "ip -j -4 neigh show",
    "fdb": "bridge -j fdb show",
    "nft": "nft -j list ruleset",
    "iptables": "iptables-save",
    # Without the kernel's module there is nothing to read, which is what a node in another mode must show.
    "ipvs": "test ! -e /proc/net/ip_vs || cat /proc/net/ip_vs",
    "ipset": "test ! -e /proc/net/ip_vs || ipset save",
    "bgp": f"{RUNS_BIRD} {BIRDCL} show protocols all",
    "prefixes": f"{RUNS_BIRD} {BIRDCL} show route all",
    "pods": PODS,
    "proxy_arp": PROXY_ARP,
}
MARK = "@@reftopo"
COMMAND = "\n".join(
    f"echo '{MARK} {name}'; {command} 2>&1; rc=$?; echo; echo '{MARK} rc' $rc" for name, command in PARTS.items()
)


class Snapshot:
    """The parts of one machine's state, from the output of COMMAND."""

    def __init__(self, machine: str, output: str) -> None:
        self.machine = machine
        self.parts = split(output)

    def text(self, part: str) -> str:
        """A part as the command printed it."""
        text, code = self.parts.get(part, ("no output", -1))
        if code != 0:
            raise ProofError(f"{self.machine}: `{PARTS[part]}` failed ({code}): {text.strip()[:200]}")
        return text

    def table(self, part: str) -> list[Data]:
        """A part that is JSON; no entries at all are printed as nothing by some commands."""
        try:
            return t.cast("list[Data]", json.loads(self.text(part).strip() or "[]"))
        except ValueError as problem:
            raise ProofError(f"{self.machine}: `{PARTS[part]}` printed no JSON: {problem}") from problem

    def link(self, name: str) -> Data:
        """A link with its addresses and details; empty when there is none of this name."""
        return next((link for link in self.table("links") if link["ifname"] == name), {})

    def rows(self, part: str, **wanted: t.Any) -> list[Data]:
        """The rows of a part that have these values."""
        return [row for row in self.table(part) if all(row.get(key) == value for key, value in wanted.items())]

    def about(self, link: str) -> dict[str, list[str]]:
        """All that belongs to a link, comparable between two snapshots; what it learned by itself left out."""
        own = self.link(link)
        info = {key: without_timers(value) for key, value in own.get("linkinfo", {}).items()}
        return {
            "link": [str({**{key: own.get(key) for key in ("flags", "mtu", "address")}, "linkinfo": info})],
            "routes": sorted(str(row) for row in self.rows("routes", dev=link)),
            "neighbours": sorted(str(row) for row in self.rows("neighbours", dev=link)),
            "fdb": sorted(str(row) for row in self.rows("fdb", ifname=link) if row.get("state")),
        }


def without_timers(value: t.Any) -> t.Any:
    """What is told of a kind of link, without the time that a bridge's port has left in its state."""
    return {k: v for k, v in value.items() if not k.endswith("_timer")} if isinstance(value, dict) else value


def changes(before: Snapshot, after: Snapshot, link: str) -> list[str]:
    """Each entry of a link that is not as it was."""
    then, now = before.about(link), after.about(link)
    lost = [f"{part}: {row} is gone" for part, rows in then.items() for row in rows if row not in now[part]]
    return lost + [f"{part}: {row} is new" for part, rows in now.items() for row in rows if row not in then[part]]


def split(output: str) -> dict[str, tuple[str, int]]:
    """Each part's text and exit status."""
    parts: dict[str, tuple[str, int]] = {}
    name, lines = "", []
    for line in output.splitlines():
        if line.startswith(f"{MARK} rc "):
            parts[name] = ("\n".join(lines), int(line.split()[2]))
        elif line.startswith(f"{MARK} "):
            name, lines = line.split()[1], []
        else:
            lines.append(line)
    return parts
