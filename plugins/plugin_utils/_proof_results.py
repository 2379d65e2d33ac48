# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The results of one run, for the report: docs/architecture.md says what results.json holds.

This plugin util is PRIVATE to the collection.
"""

from __future__ import annotations

import dataclasses
import datetime
import functools
import json
import os
import pathlib
import time
import typing as t

from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data, Endpoint
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_verdict import summary

T = t.TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Promise:
    """What an assert claims; command shows it to a person, control is the state that a check put the lab in."""

    check: str
    name: str
    node: str | None
    command: str
    control: str | None = None


Settle = t.Callable[[Promise, "list[str]"], None]  # notes what came of a claim, and fails when it does not hold


@dataclasses.dataclass
class Results:
    """What was found so far; requests are those made while something changed, paths those of Services."""

    topology: Data
    versions: dict[str, str] = dataclasses.field(default_factory=dict)
    endpoints: list[Data] = dataclasses.field(default_factory=list)
    probes: list[Data] = dataclasses.field(default_factory=list)
    asserts: list[Data] = dataclasses.field(default_factory=list)
    phases: list[Data] = dataclasses.field(default_factory=list)
    requests: list[Data] = dataclasses.field(default_factory=list)
    paths: list[Data] = dataclasses.field(default_factory=list)
    skipped: int = 0
    began: float = dataclasses.field(default_factory=time.time)

    def claim(self, promise: Promise, faults: list[str]) -> None:
        """Note an assert, which holds when it has no faults."""
        found = {"ok": not faults, "detail": "\n".join(faults[:20]), "error": False}
        self.asserts.append({**dataclasses.asdict(promise), **found})

    def undecided(self, check: str, name: str, why: str) -> None:
        """Note an assert that could not even be tried: it is no pass."""
        found = {"ok": False, "detail": why, "error": True}
        self.asserts.append({**dataclasses.asdict(Promise(check, name, None, "")), **found})

    def once(self, phase: str, make: t.Callable[[str], T]) -> t.Callable[[str], T]:
        """What is made for a check when it is first asked for; how long it took is a phase, named with the check.

        What broke is not tried again either: whoever asks for it is told the same.
        """
        broke: dict[str, Exception] = {}

        @functools.cache
        def of(name: str) -> T:
            if name in broke:
                raise broke[name]
            began = time.monotonic()
            try:
                return make(name)
            except Exception as problem:
                broke[name] = problem
                raise
            finally:
                self.phases.append({"name": phase.format(name), "seconds": round(time.monotonic() - began, 1)})

        return of

    def data(self) -> Data:
        """The contents of results.json."""
        started = datetime.datetime.fromtimestamp(self.began, datetime.timezone.utc)
        return {
            "topology": self.topology,
            "started": started.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "elapsed": round(time.time() - self.began, 1),
            "versions": self.versions,
            "endpoints": self.endpoints,
            "probes": self.probes,
            "asserts": self.asserts,
            "summary": {**summary(self.probes, self.asserts), "skipped": self.skipped},
            "phases": self.phases,
            "requests": self.requests,
            "paths": self.paths,
        }

    def write(self, path: pathlib.Path) -> None:
        """Write results.json at once or not at all."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        part.write_text(json.dumps(self.data(), indent=1) + "\n", encoding="utf-8")
        os.replace(part, path)


def endpoint_entries(found: dict[str, list[Endpoint]]) -> list[Data]:
    """The entries of `endpoints`; kind in the singular."""
    kinds = {"pods": "pod", "nodes": "node", "namespaces": "namespace", "services": "service", "dns": "name"}
    return [
        {"name": end.name, "kind": kinds[kind], "node": end.node, "address": end.address}
        for kind, ends in found.items()
        for end in ends
    ]


def versions(objects: list[Data]) -> dict[str, str]:
    """What the nodes say they run; where they differ, all of it."""
    infos = [item["status"]["nodeInfo"] for item in objects if item["kind"] == "Node"]
    keys = {
        "kubernetes": "kubeletVersion",
        "containerd": "containerRuntimeVersion",
        "kernel": "kernelVersion",
        "system": "osImage",
    }
    return {name: ", ".join(sorted({info[key] for info in infos})) for name, key in keys.items() if infos}
