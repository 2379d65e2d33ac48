# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Forwarding entries (FDB) and permanent neighbours of links. PRIVATE to the collection."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from ansible_collections.reftopo.lab.plugins.module_utils._link_model import Link

Data = dict[str, t.Any]
Command = tuple[str, str, str]

FLOOD = "00:00:00:00:00:00"  # of a vxlan: where frames go whose destination is not known
# Besides MAC and destination, what the kernel's key or `fdb del` needs, by its name in the output of bridge(8)
SELECTORS = {"port": "port", "vni": "vni", "src_vni": "src_vni", "viaIf": "via"}


def is_for_several(mac: str) -> bool:
    """Whether frames to an address can go to several: the flood address, and groups by the lowest bit of byte one."""
    return mac == FLOOD or bool(int(mac[:2], 16) & 1)


class FdbEntry(t.NamedTuple):
    """Where frames to `mac` go: to `dst` by a vxlan, or by this port of a bridge, in `vlan` if not 0."""

    mac: str
    dst: str = ""
    vlan: int = 0
    selector: str = ""  # only in observed ones: what must be said besides to delete it

    def words(self, link: str) -> str:
        """The entry in the words of `bridge fdb`."""
        words = [self.mac, f"dev {link}"]
        words += [f"dst {self.dst}"] if self.dst else ["master"]
        words += [f"vlan {self.vlan}"] if self.vlan else []
        return " ".join([*words, *filter(None, [self.selector])])

    @property
    def key(self) -> tuple[str, int, bool]:
        """What two entries of a link cannot have in common, unless they are one of several destinations."""
        return (self.mac, self.vlan, bool(self.dst))

    @property
    def has_several(self) -> bool:
        """Whether the address can have several destinations (vxlan_fdb_update in drivers/net/vxlan)."""
        return bool(self.dst) and is_for_several(self.mac)

    def command(self, link: str) -> str:
        """What adds it."""
        how = "append" if self.has_several else "replace"
        return f"fdb {how} {self.words(link)}{'' if self.dst else ' static'}"


class Neighbour(t.NamedTuple):
    """A permanent entry of the ARP or neighbour table."""

    address: str
    mac: str


def parse_fdb(entries: t.Iterable[Data]) -> dict[str, list[FdbEntry]]:
    """By link, what was entered by hand, from what `bridge -j fdb show` prints.

    The rest was learned, came from a routing daemon, or is the link's own: a port's MAC address is ``permanent`` in
    its bridge, and what is ``self`` without a destination is a filter of the link.
    """
    found: dict[str, list[FdbEntry]] = {}
    for entry in entries:
        by_hand = entry["state"] == "static" if "master" in entry else entry["state"] in ("static", "permanent")
        if by_hand and ("master" in entry or "dst" in entry) and "extern_learn" not in entry["flags"]:
            selector = " ".join(f"{word} {entry[key]}" for key, word in SELECTORS.items() if key in entry)
            found.setdefault(entry["ifname"], []).append(
                FdbEntry(entry["mac"], entry.get("dst", ""), entry.get("vlan", 0), selector)
            )
    return found


def parse_neighbours(entries: t.Iterable[Data]) -> dict[str, list[Neighbour]]:
    """By link, from what `ip -j neigh show nud permanent` prints."""
    found: dict[str, list[Neighbour]] = {}
    for entry in entries:
        if "lladdr" in entry:
            found.setdefault(entry["dev"], []).append(Neighbour(entry["dst"], entry["lladdr"]))
    return found


def without_default(entries: t.Iterable[FdbEntry], options: t.Mapping[str, t.Any]) -> tuple[FdbEntry, ...]:
    """Without the flood entry that a vxlan has by its options `remote` or `group`."""
    default = {options.get("remote"), options.get("group")}
    return tuple(entry for entry in entries if not (entry.mac == FLOOD and entry.dst in default))


def effective(options: t.Mapping[str, t.Any], entries: t.Iterable[FdbEntry]) -> Data:
    """The options of a vxlan, `remote` and `group` only while they lead anywhere: their flood entry can be deleted."""
    reached = {entry.dst for entry in entries if entry.mac == FLOOD}
    return {
        name: "" if name in ("remote", "group") and value not in reached else value for name, value in options.items()
    }


def without_bridge(entries: t.Iterable[FdbEntry]) -> tuple[FdbEntry, ...]:
    """Without those in the FDB of a bridge, which go when the port leaves it."""
    return tuple(entry for entry in entries if entry.dst)


def removals(have: Link, want: Link) -> t.Iterator[Command]:
    """Tool, command and place for each entry that is too many, save those that are overwritten."""
    for entry in _extra_fdb(have.fdb, want.fdb):
        yield "bridge", f"fdb del {entry.words(want.name)}", "fdb"
    wanted = {neighbour.address for neighbour in want.neighbours}
    for neighbour in have.neighbours:
        if neighbour.address not in wanted:
            yield "ip", f"neigh del {neighbour.address} dev {want.name}", "neighbours"


def additions(have: Link, want: Link) -> t.Iterator[Command]:
    """Tool, command and place for each entry that is missing or another."""
    for number, entry in enumerate(want.fdb):
        if entry not in have.fdb:
            yield "bridge", entry.command(want.name), f"fdb[{number}]"
    for number, neighbour in enumerate(want.neighbours):
        if neighbour not in have.neighbours:
            words = f"{neighbour.address} lladdr {neighbour.mac} dev {want.name} nud permanent"
            yield "ip", f"neigh replace {words}", f"neighbours[{number}]"


def _extra_fdb(have: t.Iterable[FdbEntry], want: t.Collection[FdbEntry]) -> list[FdbEntry]:
    overwritten = {entry.key for entry in want if not entry.has_several}
    return [entry for entry in have if entry not in want and (entry.selector or entry.key not in overwritten)]
