# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cases of the proof of Services: the files in services/, and the pods and machines that they are asked from. Pure.

This plugin util is PRIVATE to the collection. A case has a name, what it shows, a Service's spec (its ports are PORTS
when it has none), `ends` (who may answer, or by the name of a port who), `slice` (the endpoint of a Service that has no
selector), `asked` and `names`.

`asked` has by front, who asks, and what must come of it. Fronts: `address` is the Service's own, `closed` the same at
a port that it does not have, `near` and `far` the node port at the node that has the endpoint and at another one. What
must come of it: `own`, the server answers and sees the asker's own address; `near` or `far`, it sees the address that
kube-proxy of that node masquerades with; `node near` or `node far`, it sees that node's, with which the network plugin
masqueraded; or what is observed in place of an answer.

`names` has what is asked of the DNS, by its kind, and all records that there must be; {word} stands for a name or an
address, as `words` in _proof_svc_ground says.
"""

from __future__ import annotations

import functools
import pathlib
import re
import typing as t

from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import NAMES, Data, ProofError

try:
    import yaml
except ImportError:  # comes with Ansible; here only so that documentation tools can import the file
    yaml = None

FOLDER = pathlib.Path(__file__).parent / "services"
ADDRESS, CLOSED, NEAR, FAR = "address", "closed", "near", "far"
# The test workload's pod on each of the two nodes, the nodes, and the first machine outside.
ASKERS = ("pod near", "pod far", "node near", "node far", "outside")
OUTSIDE = "outside"
# The ports of a Service that says nothing of them: one number, which is another one of the pod for TCP than for UDP.
PORTS: tuple[Data, ...] = (
    {"name": "tcp", "port": 80, "targetPort": 8080},
    {"name": "udp", "port": 80, "targetPort": 8081, "protocol": "UDP"},
)


class Record(t.NamedTuple):
    """What is asked of the DNS, and what it must say; nothing is that there is no such name."""

    kind: str
    name: str
    wanted: tuple[str, ...]


class Case(t.NamedTuple):
    """A Service and what is asked of it. ends are, by a port's name, who may answer."""

    name: str
    shows: str
    spec: Data
    ends: t.Mapping[str, tuple[str, ...]]
    slice: str | None
    asked: t.Mapping[str, t.Mapping[str, str]]
    names: tuple[Record, ...]

    @property
    def ports(self) -> tuple[Data, ...]:
        """The ports of its Service."""
        return tuple(self.spec.get("ports", ()))


@functools.cache
def cases() -> tuple[Case, ...]:
    """All cases, in the order of their files."""
    texts = [path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.yml"))]
    return tuple(_case(entry) for text in texts for entry in yaml.safe_load(text))


def _case(entry: Data) -> Case:
    named = entry["spec"].get("type") == "ExternalName"
    spec = {**entry["spec"], **({} if named or "ports" in entry["spec"] else {"ports": list(PORTS)})}
    ends = entry.get("ends", [])
    by_port = ends if isinstance(ends, dict) else {port["name"]: ends for port in spec.get("ports", ())}
    return Case(
        entry["name"],
        entry["shows"],
        spec,
        {port: tuple(found) for port, found in by_port.items()},
        entry.get("slice"),
        entry.get("asked", {}),
        tuple(_record(one) for one in entry.get("names", ())),
    )


def _record(entry: Data) -> Record:
    kind = next(key for key in NAMES if key in entry)
    return Record(kind, entry[kind], tuple(entry["is"]))


def filled(part: t.Any, words: t.Mapping[str, str]) -> t.Any:
    """Data with what stands for {word}."""
    if isinstance(part, dict):
        return {key: filled(value, words) for key, value in part.items()}
    if isinstance(part, (list, tuple)):
        return [filled(value, words) for value in part]
    return re.sub(r"\{([^}]*)\}", lambda found: _word(found[1], words), part) if isinstance(part, str) else part


def _word(name: str, words: t.Mapping[str, str]) -> str:
    if name not in words:
        raise ProofError(f"nothing stands for {{{name}}}; there are {', '.join(words)}")
    return words[name]
