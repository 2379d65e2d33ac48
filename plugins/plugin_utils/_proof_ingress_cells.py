# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests to an ingress controller as cells of the report: rows are requests, columns the ways in. Pure.

This plugin util is PRIVATE to the collection.
"""

from __future__ import annotations

from ansible_collections.reftopo.lab.plugins.plugin_utils._ingress_controllers import Controller
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_ingress import (
    ANSWERED,
    SILENT,
    Asked,
    Seen,
    cell_faults,
)
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_ingress_cases import cases
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data

WITHOUT = "no Ingress"


def records(check: str, seen: Seen) -> list[Data]:
    """The probes of results.json for all that a check asked: once each request at each way in, in each state.

    What is made behind the other Ingresses changes what these lead to, so it is a state of its own.
    """
    states = {case.name: f"Ingress {case.name}" for case in cases(seen.controller) if case.late}
    asked = [(one, states.get(name)) for name, group in seen.asked.items() for one in group]
    asked += [(one, None) for group in seen.fronts.values() for one in group]
    asked += [(one, WITHOUT) for one in seen.without]
    found: dict[tuple[str | None, str], Asked] = {}
    for one, control in asked:
        found.setdefault((control, one.line), one)
    return [_record(check, one, control, seen.controller) for (control, _line), one in found.items()]


def _record(check: str, one: Asked, control: str | None, controller: Controller) -> Data:
    """One of them; ok is an answer by a pod, and the controller's own answers are the status that they have."""
    cell, front, result = one.cell, one.front, one.result
    faults = cell_faults(one, controller)
    return {
        "check": check,
        "control": control,
        "from": cell.name.partition("://")[2],  # the scheme is the protocol
        "to": front.name,
        "protocol": cell.scheme,
        "target": f"{front.address}:{front.ports[cell.scheme]}",
        "expect": _word(cell.by, cell.status) if front.sources else " or ".join(SILENT),
        "observed": _observed(result),
        "ms": None,
        "source": ", ".join(result.get("forwarded", [])) or None,
        "server": result.get("pod"),
        "detail": "; ".join(faults) or result.get("detail", ""),
        "ok": not faults,
    }


def _observed(result: Data) -> str:
    return _word(result.get("pod"), result["status"]) if result["observed"] == ANSWERED else result["observed"]


def _word(pod: str | None, status: int) -> str:
    return "ok" if pod else str(status)
