# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pings without a pause between pods while something is broken and repaired: which of them had no answer. Pure.

This plugin util is PRIVATE to the collection. Source of the forms: ping(8) of iputils.
"""

from __future__ import annotations

import re

from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import ProofError

ANSWERED = re.compile(r"icmp_seq=(\d+) ttl=")
SENT = re.compile(r"^(\d+) packets transmitted", re.MULTILINE)
FEWEST = 50  # pings that must have been sent, five seconds of them; less says nothing
# BIRD replaces a route in the kernel by deleting and adding it (sysdep/linux/netlink.c, krt_replace_rte): a packet that
# comes in between is lost. So may be one at each end, when a session is closed and when it is back.
REPLACED = 4


def unanswered(text: str) -> tuple[int, list[int]]:
    """How many pings were sent, from the text of ping(8), and the numbers of those without an answer.

    The last one does not count: ping may have been ended before its answer came.

    Raises:
        ProofError: it did not say how many, or too few to mean anything.
    """
    sent = SENT.search(text)
    if not sent or int(sent[1]) < FEWEST:
        raise ProofError(f"ping sent less than {FEWEST} packets, or broke: {text.strip()[-200:]!r}")
    answered = {int(number) for number in ANSWERED.findall(text)}
    return int(sent[1]) - 1, sorted(set(range(1, int(sent[1]))) - answered)


def ping_faults(ends: tuple[str, str], cut: list[str], text: str) -> list[str]:
    """Whether pings between pods of two nodes, sent before, while and after some were cut off, lost what they must."""
    sent, lost = unanswered(text)
    pair, gone = f"{ends[0]} to {ends[1]}", f"{len(lost)} of {sent} pings lost"
    if {*ends} & {*cut}:
        return [] if _interrupted(lost) else [f"{pair}: {gone} and no two in a row, which must not be"]
    return [f"{pair}: {gone}, from number {lost[0]} on"] if _interrupted(lost) else []


def _interrupted(lost: list[int]) -> bool:
    """Whether pings were without an answer for longer than it takes to replace a route."""
    return len(lost) > REPLACED or any(number + 1 in lost for number in lost)
