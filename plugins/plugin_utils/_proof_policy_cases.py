# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cases of the proof of NetworkPolicies: the files in policies/, and the ground on which they are played. Pure.

This plugin util is PRIVATE to the collection. A case has a name, what it shows, and either policies or steps. A policy
is its spec beside its namespace. A step has `when`, its own policies or else those of the step before, and the labels
in which pods and namespaces differ from what they have here; null takes one away. `_filled` says what {x/a} stands for.
"""

from __future__ import annotations

import functools
import pathlib
import re
import typing as t

from ansible_collections.reftopo.lab.plugins.plugin_utils._policy_model import Data, Labels, Policy, PolicyError

try:
    import yaml
except ImportError:  # comes with Ansible; here only so that documentation tools can import the file
    yaml = None

FOLDER = pathlib.Path(__file__).parent / "policies"
# Three namespaces, of which one lacks a label; two pods in each, of which one lacks a label.
NAMESPACES: dict[str, dict[str, str]] = {
    "x": {"ns": "x", "team": "red"},
    "y": {"ns": "y", "team": "blue"},
    "z": {"ns": "z"},
}
PODS: dict[str, dict[str, str]] = {
    "x/a": {"pod": "a", "tier": "front"},
    "x/b": {"pod": "b", "tier": "back"},
    "y/a": {"pod": "a", "tier": "front"},
    "y/b": {"pod": "b", "tier": "back"},
    "z/a": {"pod": "a", "tier": "front"},
    "z/b": {"pod": "b"},
}
NAME_LABEL = "kubernetes.io/metadata.name"  # which the API server gives every namespace


class Step(t.NamedTuple):
    """What holds at one time of a case: policies as the file has them, and the labels that differ."""

    when: str
    policies: tuple[Data, ...]
    pods: t.Mapping[str, Labels]
    namespaces: t.Mapping[str, Labels]


class Case(t.NamedTuple):
    """What is applied, step after step."""

    name: str
    shows: str
    steps: tuple[Step, ...]

    def title(self, step: Step) -> str:
        """One state of the lab, in words."""
        return f"{self.name}: {step.when}" if step.when else self.name


OPEN = Step("", (), {}, {})


@functools.cache
def cases() -> tuple[Case, ...]:
    """All cases, in the order of their files."""
    texts = [path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.yml"))]
    return tuple(_case(entry) for text in texts for entry in yaml.safe_load(text))


def _case(entry: Data) -> Case:
    steps: list[Step] = []
    for given in entry.get("steps") or [{"policies": entry["policies"]}]:
        held = tuple(given["policies"]) if "policies" in given else steps[-1].policies
        steps.append(Step(given.get("when", ""), held, given.get("pods", {}), given.get("namespaces", {})))
    return Case(entry["name"], entry["shows"], tuple(steps))


def pod_labels(step: Step, pod: str) -> dict[str, str]:
    """A pod's labels at a step."""
    return _changed(PODS[pod], step.pods.get(pod, {}))


def namespace_labels(step: Step, namespace: str) -> dict[str, str]:
    """A namespace's labels at a step, without those that it has by itself."""
    return _changed(NAMESPACES[namespace], step.namespaces.get(namespace, {}))


def _changed(labels: Labels, other: Labels) -> dict[str, str]:
    return {key: value for key, value in {**labels, **other}.items() if value is not None}


def policies(step: Step, words: t.Mapping[str, str]) -> list[Policy]:
    """A step's policies with everything filled in; words are names and addresses by what stands for them."""
    return [
        Policy(words[given["namespace"]], _filled({key: given[key] for key in given if key != "namespace"}, words))
        for given in step.policies
    ]


def _filled(part: t.Any, words: t.Mapping[str, str]) -> t.Any:
    """Data with {x} for a namespace's name, {x/a} for a pod's address, {pods} and {outside} for others' addresses."""
    if isinstance(part, dict):
        return {key: _filled(value, words) for key, value in part.items()}
    if isinstance(part, list):
        return [_filled(value, words) for value in part]
    return re.sub(r"\{([^}]*)\}", lambda found: _word(found[1], words), part) if isinstance(part, str) else part


def _word(name: str, words: t.Mapping[str, str]) -> str:
    if name not in words:
        raise PolicyError(f"nothing stands for {{{name}}}; there are {', '.join(words)}")
    return words[name]
