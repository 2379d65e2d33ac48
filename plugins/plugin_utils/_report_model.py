# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The results of a suite's run, checked and typed. PRIVATE to the collection.

The shape is the one of docs/architecture.md, "What the roles hand to each other".
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, replace

from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_problem import join_path

try:
    import jsonschema
except ImportError:  # read_results says what is missing
    jsonschema = None

State = t.Literal["reached", "blocked", "failed", "error"]

_TEXT = {"type": "string"}
_SECONDS = {"type": "number", "minimum": 0}
_MAYBE_TEXT = {"type": ["string", "null"]}


def _object(required: dict[str, t.Any], **optional: t.Any) -> dict[str, t.Any]:
    return {"type": "object", "required": list(required), "properties": {**required, **optional}}


def _array(items: dict[str, t.Any]) -> dict[str, t.Any]:
    return {"type": "array", "items": items}


OUTCOMES = ["ok", "refused", "timeout", "unreachable", "too-big", "dns"]
_ANY = "|".join(OUTCOMES)
SCHEMA = _object(
    {
        "topology": _object({"name": _TEXT, "segments": {"type": "object"}, "nodes": {"type": "object"}}),
        "started": _TEXT,
        "elapsed": _SECONDS,
        "versions": {"type": "object", "additionalProperties": _TEXT},
        "endpoints": _array(_object({"name": _TEXT, "kind": _TEXT, "node": _MAYBE_TEXT, "address": _MAYBE_TEXT})),
        "probes": _array(
            _object(
                {
                    **{key: _TEXT for key in ("check", "from", "to", "protocol", "target")},
                    "control": _MAYBE_TEXT,
                    "expect": {"type": "string", "pattern": f"^({_ANY})( or ({_ANY}))*$"},
                    "observed": {"enum": [*OUTCOMES, "error"]},
                    "ms": {"type": ["number", "null"], "minimum": 0},
                    "source": _MAYBE_TEXT,
                    "ok": {"type": "boolean"},
                },
                detail=_TEXT,
            )
        ),
        "asserts": _array(
            _object(
                {**{key: _TEXT for key in ("check", "name", "detail", "command")}, "node": _MAYBE_TEXT}
                | {"ok": {"type": "boolean"}},
                control=_MAYBE_TEXT,
                error={"type": "boolean"},
            )
        ),
        "summary": _object({key: {"type": "integer", "minimum": 0} for key in ("failed", "errors", "skipped")}),
    },
    phases=_array(_object({"name": _TEXT, "seconds": _SECONDS})),
)

# What XML 1.0 cannot hold, not even escaped (section 2.2, Char); a broken probe may well print such bytes.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class ResultsError(ValueError):
    """The results do not keep to their contract; the text names every place."""


@dataclass(frozen=True)
class Probe:
    """One cell: what one endpoint saw of another by one protocol.

    `expect` joins the outcomes that are right by " or ". `ms` is the round trip in milliseconds.
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

    @property
    def controls(self) -> list[str | None]:
        """The states that were probed: None for the healthy one, which comes first, then each broken one."""
        given = list(dict.fromkeys(probe.control for probe in self.probes))
        return sorted(given, key=lambda control: control is not None)

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
    probes = [Probe(origin=probe["from"], **_fields(Probe, probe)) for probe in data["probes"]]
    asserts = [Assertion(**_fields(Assertion, item)) for item in data["asserts"]]
    phases = [(phase["name"], phase["seconds"]) for phase in data.get("phases", [])]
    given = _fields(Results, data)
    results = Results(**{**given, "probes": probes, "asserts": asserts, "phases": phases})
    return replace(results, summary=_summary(results))


def _fields(kind: type, data: dict[str, t.Any]) -> dict[str, t.Any]:
    return {key: value for key, value in data.items() if key in kind.__dataclass_fields__}


def _summary(results: Results) -> dict[str, int]:
    """Count anew. The suite may know of more failures than cells show (a fixture that broke), never of fewer."""
    states = [item.state for item in (*results.probes, *results.asserts)]
    given = results.summary
    return {
        "passed": sum(state in ("reached", "blocked") for state in states),
        "failed": max(states.count("failed"), given["failed"]),
        "errors": max(states.count("error"), given["errors"]),
        "skipped": given["skipped"],
    }
