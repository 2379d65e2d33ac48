# SPDX-License-Identifier: GPL-3.0-or-later
"""What makes a cell of results that came out well another one: cut off as it must be, or wrong in each way there is."""

from __future__ import annotations

import typing as t

Data = dict[str, t.Any]

CUT = {"expect": "timeout", "observed": "timeout", "ms": None, "source": None}
BREAKAGES: dict[str, Data] = {
    "timeout": {"observed": "timeout", "ok": False, "ms": None, "source": None},
    "refused": {"observed": "refused", "ok": False, "ms": None, "source": None},
    "unreachable": {"observed": "unreachable", "ok": False, "ms": None, "source": None},
    "too-big": {"observed": "too-big", "ok": False, "ms": None, "source": None},
    "dns": {"observed": "dns", "ok": False, "ms": None, "source": None},
    "open": {"expect": "timeout or unreachable", "ok": False},
    "fits": {"expect": "too-big", "ok": False},
    "source": {"ok": False, "detail": "source address 172.30.10.12 seen, not 10.244.0.2"},
    "error": {"observed": "error", "ok": False, "ms": None, "source": None, "detail": "no such namespace"},
}
