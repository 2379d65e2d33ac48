# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The results of a suite's run, checked and typed. PRIVATE to the collection.

The shape is the one of docs/architecture.md, "What the roles hand to each other".
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.reftopo.lab.plugins.plugin_utils._report_schema import SCHEMA
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_problem import join_path

try:
    import jsonschema
except ImportError:  # read_results says what is missing
    jsonschema = None

State = t.Literal["reached", "blocked", "failed", "error"]

# What XML 1.0 cannot hold, not even escaped (section 2.2, Char); a broken probe may well print such bytes.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class ResultsError(ValueError):
    """The results do not keep to their contract; the text names every place."""


@dataclass(frozen=True)
class Probe:
    """One cell: what one endpoint saw of another by one protocol.

    `expect` joins the outcomes that are right by " or ". `ms` is the round trip in milliseconds. `server` is who
    answered, `source` the address that it saw.
    """

    check: str
    control: str | None
    origin: str
    to: str
    protocol: str
    target: str
    expect: str
    observed: str
    ms: float | None
    source: str | None
    ok: bool
    detail: str = ""
    server: str | None = None

    @property
    def expected(self) -> bool:
        """Whether the outcome alone, without the source address and so on, is right."""
        return self.observed in self.expect.split(" or ")

    @property
    def state(self) -> State:
        """What the cell means; a probe that broke says nothing about the network, so it is never "blocked"."""
        if self.observed == "error":
            return "error"
        if not self.ok:
            return "failed"
        return "reached" if self.observed == "ok" else "blocked"


@dataclass(frozen=True)
class Assertion:
    """One claim about the mechanism, with the command that shows it."""

    check: str
    name: str
    node: str | None
    ok: bool
    detail: str
    command: str
    control: str | None = None
    error: bool = False

    @property
    def state(self) -> State:
        """What the claim came to."""
        return "error" if self.error else "reached" if self.ok else "failed"


@dataclass(frozen=True)
class Requests:
    """What one asked another all the while something changed: how often, and how often without an answer of a pod.

    `runs` are, in order, who answered or what came in place of an answer, and how often in a row. `before` and `after`
    are the pods that were there. `expect` says in words what must come of it.
    """

    check: str
    control: str | None
    name: str
    origin: str
    to: str
    protocol: str
    expect: str
    asked: int
    failed: int
    runs: list[tuple[str, int]]
    before: list[str]
    after: list[str]
    ok: bool
    detail: str = ""

    @property
    def state(self) -> State:
        """What they came to."""
        return "reached" if self.ok else "failed"


@dataclass(frozen=True)
class ServicePath:
    """How one packet to a Service went: by which rules of which node, to whom, and with which source address.

    `rules` are the maps and chains, or the virtual server, of `node`'s kube-proxy in `mode`, in the order in which they
    lead on. `end` is where they lead: ADDRESS:PORT, or dropped, refused or nobody; with `chance`, a fraction. `source`
    is the client's own address, `seen` the one that the server saw.
    """

    check: str
    control: str | None
    origin: str
    to: str
    protocol: str
    target: str
    observed: str
    node: str
    mode: str
    rules: list[str]
    command: str
    end: str
    chance: str
    masqueraded: bool
    server: str | None
    source: str
    seen: str | None
    detail: str
    ok: bool


Item = t.Union[Probe, Assertion, Requests]


@dataclass(frozen=True)
class Results:
    """One run of the suite; `elapsed` in seconds, `phases` as (name, seconds)."""

    topology: dict[str, t.Any]
    started: str
    elapsed: float
    versions: dict[str, str]
    endpoints: list[dict[str, t.Any]]
    probes: list[Probe]
    asserts: list[Assertion]
    phases: list[tuple[str, float]]
    summary: dict[str, int]
    requests: list[Requests] = field(default_factory=list)
    paths: list[ServicePath] = field(default_factory=list)

    @property
    def items(self) -> list[Item]:
        """All that was decided."""
        return [*self.probes, *self.asserts, *self.requests]

    @property
    def verdict(self) -> t.Literal["proven", "failed", "incomplete"]:
        """The whole run in a word; what was skipped, or never asked, is not proven."""
        if self.summary["failed"] or self.summary["errors"]:
            return "failed"
        return "incomplete" if self.summary["skipped"] or not self.summary["passed"] else "proven"


def read_results(data: dict[str, t.Any]) -> Results:
    """Return the typed form of results; raise ResultsError with every violation of the contract."""
    if jsonschema is None:
        raise ResultsError("reports need the Python package jsonschema; install it where Ansible runs")
    errors = sorted(jsonschema.Draft202012Validator(SCHEMA).iter_errors(data), key=lambda error: error.json_path)
    problems = [f"{join_path('', *error.absolute_path) or 'results'}: {error.message}" for error in errors]
    problems = problems or [*_contradictions(data["probes"])]
    if problems:
        raise ResultsError("\n".join(["the results cannot be reported:", *(f"  {problem}" for problem in problems)]))
    return _typed(_clean(data))


def _contradictions(probes: list[dict[str, t.Any]]) -> t.Iterator[str]:
    """A cell may fail although it observed what it expected (a wrong source address), but not the other way."""
    for index, probe in enumerate(probes):
        if probe["ok"] and probe["observed"] not in probe["expect"].split(" or "):
            yield f"probes[{index}].ok: true, but expected is {probe['expect']} and observed {probe['observed']}"


def _clean(value: t.Any) -> t.Any:
    if isinstance(value, str):
        return _NOT_XML.sub("\ufffd", value)
    if isinstance(value, dict):
        return {_clean(key): _clean(item) for key, item in value.items()}
    return [_clean(item) for item in value] if isinstance(value, list) else value


def _typed(data: dict[str, t.Any]) -> Results:
    probes, requests, paths = (
        [kind(origin=entry["from"], **_fields(kind, entry)) for entry in data.get(key, [])]
        for key, kind in (("probes", Probe), ("requests", Requests), ("paths", ServicePath))
    )
    asserts = [Assertion(**_fields(Assertion, item)) for item in data["asserts"]]
    phases = [(phase["name"], phase["seconds"]) for phase in data.get("phases", [])]
    given = _fields(Results, data)
    made = {"probes": probes, "asserts": asserts, "phases": phases, "requests": requests, "paths": paths}
    results = Results(**{**given, **made})
    return replace(results, summary=_summary(results))


def _fields(kind: type, data: dict[str, t.Any]) -> dict[str, t.Any]:
    return {key: value for key, value in data.items() if key in kind.__dataclass_fields__}


def _summary(results: Results) -> dict[str, int]:
    """Count anew. The suite may know of more failures than cells show (a fixture that broke), never of fewer."""
    states = [item.state for item in results.items]
    given = results.summary
    return {
        "passed": sum(state in ("reached", "blocked") for state in states),
        "failed": max(states.count("failed"), given["failed"]),
        "errors": max(states.count("error"), given["errors"]),
        "skipped": given["skipped"],
    }
