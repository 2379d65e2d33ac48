# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of the kernel in a namespace, as sysctl(8) has them. PRIVATE to the collection."""

from __future__ import annotations

import re
import typing as t

Values = t.Mapping[str, str]

SWAPPED = str.maketrans("./", "/.")
ALL_FORWARDING = "net/ipv4/conf/all/forwarding"
OF_A_LINK = re.compile(r"net/[^/]+/(?:conf|neigh)/([^/]+)/[^/]+")


def normalised(key: str) -> str:
    """The key with slashes: whichever of . and / comes first is the separator, the other belongs to a name."""
    first = re.search("[./]", key)
    return key.translate(SWAPPED) if first and first.group() == "." else key


def parse(output: str) -> dict[str, str]:
    """Values by key from what `sysctl KEY…` prints."""
    pairs = (line.split(" = ", 1) for line in output.splitlines() if " = " in line)
    return {normalised(key.strip()): " ".join(value.split()) for key, value in pairs}


def before_links(key: str) -> bool:
    """Whether a link takes the setting over when it is made (inetdev_init in the kernel's net/ipv4/devinet.c)."""
    return bool(re.fullmatch(r"net/[^/]+/(conf|neigh)/default/[^/]+", key))


def changes(have: Values, want: Values, links: t.Container[str]) -> list[str]:
    """The wanted keys that have to be written, in order; `links` are those that were not made anew meanwhile.

    What is set for all links goes first, since it may overwrite what each has (inet_forward_change in
    net/ipv4/devinet.c, addrconf_fixup_forwarding in net/ipv6/addrconf.c).
    """
    changed = []
    for key in sorted(want, key=lambda key: _all(key) is None):
        link = OF_A_LINK.fullmatch(key)
        lost = link and link.group(1) not in {"all", "default"} and link.group(1) not in links
        reset = _all(key) is None and any(_resets(other, key) for other in changed)
        if have.get(key) != want[key] or lost or reset:
            changed.append(key)
    return changed


def _all(key: str) -> str | None:
    """The key that sets all links at once, when this is one."""
    key = ALL_FORWARDING if key == "net/ipv4/ip_forward" else key
    return key if "/conf/all/" in key else None


def _resets(other: str, key: str) -> bool:
    link = OF_A_LINK.fullmatch(key)
    return bool(link) and _all(other) == key.replace(f"/{link.group(1)}/", "/all/", 1)
