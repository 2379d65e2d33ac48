# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether single values of link_state's input can be what they are for. PRIVATE to the collection."""

from __future__ import annotations

import re
import typing as t
from ipaddress import ip_interface

from ansible_collections.reftopo.lab.plugins.module_utils._link_model import ADDRESSES_OF_LO, Problem

Data = dict[str, t.Any]
Problems = t.Iterator[Problem]

# Narrower than dev_valid_name (net/core/dev.c), which allows what ip's batch mode would take for quotes or a comment.
LINK_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}")
RESERVED_LINK_NAMES = {"all", "default"}  # folders of their own in /proc/sys/net/ipv4/conf
MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
MTU = range(68, 65536)  # ETH_MIN_MTU and ETH_MAX_MTU in include/uapi/linux/if_ether.h
SMALLEST_MTU_OF_IPV6 = 1280  # RFC 8200, section 5; the kernel removes IPv6 from a link with less


def link_name(name: str, path: str) -> Problems:
    """What is wrong with a link's name."""
    if not LINK_NAME.fullmatch(name) or name in RESERVED_LINK_NAMES:
        fix = "use at most 15 letters, digits, _, - and ., and neither all nor default"
        yield Problem(path, f"{name!r} cannot be a link's name", fix)


def attributes(options: Data, path: str) -> Problems:
    """What is wrong with a link's MTU, MAC address and addresses."""
    mtu, mac = options.get("mtu"), options.get("mac")
    if mtu is not None and mtu not in MTU:
        yield Problem(f"{path}.mtu", f"{mtu} is no MTU of a link", f"use {MTU[0]} to {MTU[-1]}")
    if mac is not None and not MAC.fullmatch(mac.lower()):
        yield Problem(f"{path}.mac", f"{mac!r} is no MAC address", 'write it as "02:00:00:00:00:01"')
    elif mac is not None and (int(mac[:2], 16) & 1 or not int(mac.replace(":", ""), 16)):
        yield Problem(f"{path}.mac", f"{mac} is no unicast address", "make its first byte even, such as 02")
    for number, address in enumerate(options["addresses"]):
        yield from _address(address, mtu, f"{path}.addresses[{number}]")


def _address(address: str, mtu: int | None, path: str) -> Problems:
    try:
        interface = ip_interface(address)
    except ValueError as error:
        yield Problem(path, str(error), "write it as 10.0.0.1/24 or fd00::1/64")
        return
    if "/" not in address:
        yield Problem(path, f"{address} has no prefix length", f"write {interface}, or the length of its network")
    if (interface.version == 6 and interface.is_link_local) or str(interface) in ADDRESSES_OF_LO:
        yield Problem(path, f"{interface} is set by the kernel", "remove it")
    if interface.version == 6 and mtu is not None and mtu < SMALLEST_MTU_OF_IPV6:
        fix = f"raise mtu to {SMALLEST_MTU_OF_IPV6}, or remove the address"
        yield Problem(path, f"IPv6 does not work with mtu {mtu}", fix)
