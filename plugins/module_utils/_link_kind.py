# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds of links, and the table of their options: what each is called, read from, and whether it can be changed.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace
from ipaddress import ip_address

Data = dict[str, t.Any]
Words = t.Callable[[t.Any], str]
Change = t.Callable[[t.Any, t.Any], bool]
HIDDEN = "hidden"  # in place of an ageing time that cannot be read now


def _never(_have: t.Any, _want: t.Any) -> bool:
    return False


def _always(_have: t.Any, _want: t.Any) -> bool:
    return True


def _other_address(have: str, want: str) -> bool:
    """vxlan_changelink (drivers/net/vxlan) takes another address, not another IP version, and has no way to unset one.

    Nor does it leave one multicast group and join another, so that only unicast addresses are changed this way.
    """
    return bool(have and want) and (":" in have) == (":" in want)


def _other_mode(have: str, want: str) -> bool:
    """macvlan_changelink (drivers/net/macvlan.c) changes any mode but to and from passthru."""
    return "passthru" not in (have, want)


@dataclass(frozen=True)
class Option:
    """An option of a kind: `words` say it to ip(8), `read` finds it in what that prints about a link.

    A value is as in the module's input, "" where none is given. `in_place` says whether the kernel can change one value
    into another; else the link is made anew.
    """

    name: str
    words: Words
    read: t.Callable[[Data], t.Any]
    type: str = "str"  # as in Ansible's argument specification
    default: t.Any = ""
    required: bool = False
    in_place: Change = _never
    always: bool = False  # said to ip(8) also when it has its default, which is not the kernel's
    choices: tuple[str, ...] = ()
    allowed: range = range(0)
    address: bool = False


def _info(*keys: str) -> t.Callable[[Data], t.Any]:
    """A reader of the first of `keys` among what belongs to the kind."""

    def read(entry: Data) -> t.Any:
        info = entry.get("linkinfo", {}).get("info_data", {})
        return next((info[key] for key in keys if key in info), None)

    return read


def _flag(name: str, word: str) -> Option:
    """An option of a bridge that ip(8) shows as a number; stp_state is 2 when a program outside the kernel runs it."""
    read = _info(word)
    on = f"{word} {{:d}}".format
    return Option(name, on, lambda entry: bool(read(entry)), "bool", default=False, in_place=_always)


def read_ageing(entry: Data) -> float | str | None:
    """In seconds, from the hundredths of one that ip(8) reads and prints.

    While a spanning tree changes, for max_age + forward_delay (35 s), twice the forwarding delay is in force and shown
    in its place (__br_set_topology_change in net/bridge/br_stp.c). A time that is set meanwhile is in force at once.
    """
    info = entry.get("linkinfo", {}).get("info_data", {})
    hundredths = info.get("ageing_time")
    if info.get("topology_change") and hundredths == 2 * info["forward_delay"]:
        return HIDDEN
    return None if hundredths is None else hundredths / 100 if hundredths % 100 else hundredths // 100


def _dev(entry: Data) -> str:
    return _info("link")(entry) or entry.get("link") or ""


AGEING = Option("ageing", lambda seconds: f"ageing_time {seconds * 100}", read_ageing, "int", 300, in_place=_always)
DEV = Option("dev", "dev {}".format, _dev)
# Said of a link in general, thus before its kind: see `general`.
LOWER = replace(DEV, words="link {}".format, required=True)
TTL = Option("ttl", "ttl {}".format, _info("ttl"), "int", 0, in_place=_always, allowed=range(256))
IPIP_TTL = replace(TTL, words=lambda ttl: f"ttl {ttl or 'inherit'}")
LOCAL = Option("local", "local {}".format, _info("local", "local6"), address=True)
REMOTE = Option("remote", "remote {}".format, _info("remote", "remote6"), address=True)
VLAN_IDS = range(1, 4095)  # 0 is for priority tags only, 4095 reserved: IEEE 802.1Q, table 9-2

MACVLAN_MODES = ("vepa", "bridge", "private", "passthru")
BOND_MODES = ("balance-rr", "active-backup", "balance-xor", "broadcast", "802.3ad", "balance-tlb", "balance-alb")

KINDS: dict[str, tuple[Option, ...]] = {
    "bond": (
        # Only without ports (BOND_OPTFLAG_NOSLAVES in drivers/net/bonding/bond_options.c)
        Option("mode", "mode {}".format, _info("mode"), default=BOND_MODES[0], always=True, choices=BOND_MODES),
        # The kernel's default, 0, never notices a dead port, and not every mode allows it (bonding.rst).
        Option(
            "miimon",
            "miimon {}".format,
            _info("miimon"),
            "int",
            100,
            in_place=_always,
            always=True,
            allowed=range(1, 2**31),
        ),
    ),
    "bridge": (
        _flag("vlan_filtering", "vlan_filtering"),
        _flag("stp", "stp_state"),
        replace(AGEING, allowed=range(1000001)),  # IEEE 802.1D, table 7-5; 0 forgets at once, as a hub would
    ),
    "dummy": (),
    "ipip": (replace(LOCAL, required=True), replace(REMOTE, required=True), DEV, IPIP_TTL),
    "macvlan": (
        LOWER,
        Option("mode", "mode {}".format, _info("mode"), default="vepa", in_place=_other_mode, choices=MACVLAN_MODES),
    ),
    "tap": (),
    "tun": (),
    "veth": (),
    "vlan": (LOWER, Option("id", "id {}".format, _info("id"), "int", required=True, allowed=VLAN_IDS)),
    "vxlan": (
        Option("id", "id {}".format, _info("id"), "int", required=True, allowed=range(1, 2**24)),
        # RFC 7348, section 8; the kernel's own default is 8472 (vxlan_init_module in drivers/net/vxlan).
        Option("port", "dstport {}".format, _info("port"), "int", 4789, always=True, allowed=range(1, 65536)),
        DEV,
        replace(LOCAL, in_place=_other_address),
        Option("group", "group {}".format, _info("group", "group6"), address=True),
        replace(REMOTE, in_place=_other_address),
        Option(
            "learning",
            lambda on: "learning" if on else "nolearning",
            _info("learning"),
            "bool",
            default=True,
            in_place=_always,
        ),
        TTL,
    ),
}
OPTIONS: dict[str, str] = {option.name: option.type for options in KINDS.values() for option in options}
MASTERS = ("bridge", "bond")
TUNTAP = ("tun", "tap")  # made by an ioctl that takes only a name, a mode and who may open it
WITHOUT_MAC = ("ipip", "tun")  # what ip(8) shows as the address of an ipip is `local`


def kind_of(entry: Data) -> str:
    """The kind of a link that ip(8) prints; it has one word for tun and tap."""
    kind = entry.get("linkinfo", {}).get("info_kind", "")
    return _info("type")(entry) or kind if kind == "tun" else kind


def read_options(entry: Data) -> Data:
    """The options of a link that ip(8) prints."""
    found = {option.name: option.read(entry) for option in KINDS.get(kind_of(entry), ())}
    return {
        option.name: option.default if found[option.name] is None else found[option.name]
        for option in KINDS.get(kind_of(entry), ())
    }


def given_options(kind: str, given: t.Mapping[str, t.Any]) -> Data:
    """The options of a link of the module's input, with defaults, as ip(8) will print them."""
    return {
        option.name: str(ip_address(given[option.name]))
        if option.address and given.get(option.name)
        else given.get(option.name, option.default)
        for option in KINDS.get(kind, ())
    }


def shown_options(kind: str, options: t.Mapping[str, t.Any]) -> Data:
    """Those that the module's input must name to get them."""
    return {
        option.name: options[option.name] for option in KINDS.get(kind, ()) if options[option.name] != option.default
    }


def keeps_mtu(kind: str, options: t.Mapping[str, t.Any]) -> bool:
    """Whether an MTU can be given to `link add`.

    A bridge only keeps one that is set later: see Body in _link_body.py. What lies on another link can have none above
    the MTU of that one, which may be such a bridge.
    """
    return kind != "bridge" and kind not in TUNTAP and not options.get("dev")


def must_be_made_anew(kind: str, have: t.Mapping[str, t.Any], want: t.Mapping[str, t.Any]) -> bool:
    """Whether the options of a link differ where the kernel cannot change them."""
    return any(
        have[option.name] != want[option.name] and not option.in_place(have[option.name], want[option.name])
        for option in KINDS.get(kind, ())
    )


def changes(kind: str, have: t.Mapping[str, t.Any], want: t.Mapping[str, t.Any]) -> t.Iterator[tuple[str, str]]:
    """Name and words of `link set` for each option that differs."""
    for option in KINDS.get(kind, ()):
        if have[option.name] != want[option.name]:
            yield option.name, f"type {kind} {option.words(want[option.name])}"


def creation(kind: str, options: t.Mapping[str, t.Any]) -> str:
    """The end of `link add`: kind and options."""
    said = [
        option for option in KINDS[kind] if option.required or option.always or options[option.name] != option.default
    ]
    before = [option.words(options[option.name]) for option in said if option is LOWER]
    after = [option.words(options[option.name]) for option in said if option is not LOWER]
    return " ".join([*before, f"type {kind}", *after])
