# SPDX-License-Identifier: GPL-3.0-or-later
"""What is seen of an ingress controller that is well, for tests of what is concluded from it."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_ingress as proof
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_ingress_objects as made
from ansible_collections.reftopo.lab.plugins.plugin_utils._ingress_controllers import CONTROLLERS
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_ingress import Asked, Front, Seen
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_ingress_cases import DEFAULT, Case, Cell, cases
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data

TRAEFIK = CONTROLLERS["traefik"]
CASES: dict[str, Case] = {case.name: case for case in cases(TRAEFIK)}
SERVERS = {"one": "10.0.0.2", "two": "10.0.1.2"}
CLIENT, BALANCER = "192.0.2.201", "192.0.2.240"
KEPT = Front("the address", BALANCER, made.PORTS, (CLIENT,))
DEAF = Front("cp1's node port", "192.0.2.11", {"http": 30080, "https": 30443})
SPREAD = Front("spread", "192.0.2.241", made.PORTS, ("10.0.1.1", "10.0.0.0"))
LINE = '{} - - [date] "GET {}?key={} HTTP/1.1" 200 12 "-" "-" 1 "{}" "{}" 1ms'


def answer(cell: Cell, front: Front) -> Data:
    """What a controller that is well answers."""
    if not front.sources:
        return {"observed": "timeout", "detail": ""}
    result: Data = {"observed": "answered", "status": cell.status}
    if cell.certificate:
        own = cell.certificate == DEFAULT
        result |= {"certificate": TRAEFIK.default_certificate if own else cell.certificate, "trusted": not own}
    if cell.by and not cell.websocket:
        host = cell.url.partition("://")[2].partition("/")[0]
        result |= {"host": host, "scheme": cell.scheme, "forwarded": [front.sources[0]]}
    return {**result, **({"pod": cell.by} if cell.by else {})}


def asked(cells: t.Iterable[Cell], front: Front) -> list[Asked]:
    return [Asked(cell, front, f"key{number}-{cell.case}", answer(cell, front)) for number, cell in enumerate(cells)]


def log(one: Asked) -> str:
    """A line of the controller's log; the first is of the check of a name in TLS that has nothing to do with it."""
    path = "/" + one.cell.url.partition("://")[2].partition("/")[2]
    pod = one.result.get("pod")
    router = f"{made.NAMESPACE}-{one.cell.case}-host@kubernetes" if pod else "-"
    return LINE.format(CLIENT, path, one.key, router, f"http://{SERVERS[pod]}:8080" if pod else "-")


def seen() -> Seen:
    """All that is seen of a controller that is well."""
    found = Seen(TRAEFIK, SERVERS, BALANCER)
    found.asked = {case.name: asked(case.cells, KEPT) for case in CASES.values()}
    sample = CASES["hosts"].cells[:1]
    found.fronts = {
        proof.KEPT: asked(sample, KEPT),
        proof.DEAF: asked(sample, DEAF),
        proof.SPREAD: asked(sample, SPREAD),
    }
    found.without = asked([cell.without(TRAEFIK) for case in CASES.values() for cell in case.cells], KEPT)
    found.log = "\n".join(["something else", *(log(one) for group in found.asked.values() for one in group)])
    found.statuses = {case.name: [BALANCER] if case.owner == "own" else [] for case in CASES.values() if not case.late}
    return found


def changed(group: list[Asked], index: int, **parts: t.Any) -> None:
    """Let one answer be otherwise."""
    one = group[index]
    group[index] = dataclasses.replace(one, result={**one.result, **parts})
