# SPDX-License-Identifier: GPL-3.0-or-later
"""Neighbours on one bridge that know each other beforehand, in the words of link_state.

Those that are learned are counted for all namespaces of a machine together, and beyond 1024 nobody, the machine itself
included, finds another one (Linux, ip-sysctl.rst: neigh/default/gc_thresh3). Permanent ones are not counted.
"""

from __future__ import annotations

import typing as t


def mac(number: int) -> str:
    return f"02:00:00:00:{number >> 8:02x}:{number & 255:02x}"


def known(others: t.Iterable[int], address: t.Callable[[int], str]) -> list[dict[str, str]]:
    """Permanent neighbours by their numbers."""
    return [{"address": address(other), "mac": mac(other)} for other in others]
