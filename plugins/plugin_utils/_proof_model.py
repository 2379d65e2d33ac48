# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of the verification suite: endpoints, probes, and the error that stops it.

This plugin util is PRIVATE to the collection.
"""

from __future__ import annotations

import dataclasses
import typing as t
import uuid

Data = dict[str, t.Any]

NAMES = ("dns", "srv", "cname")  # protocols of probes that ask for a name: its addresses, services, other name
HOST = "host"  # the machine that carries the topology, where namespaces are


class ProofError(Exception):
    """The suite itself cannot go on: what, where, and how to fix it. Never a result of a check."""


@dataclasses.dataclass(frozen=True)
class Endpoint:
    """Something that a probe starts from or goes to.

    kind is pods, nodes, namespaces, services or dns, the words of a check's from and to. machine is where a probe from
    here runs: a node's name or HOST. namespace is the agent's: None, a path or an address. answers are the host names
    by which the target may answer, or all records of a name without an address; empty when that is not known.
    """

    name: str
    kind: str
    node: str | None
    address: str
    machine: str = HOST
    namespace: str | None = None
    ports: t.Mapping[str, int] = dataclasses.field(default_factory=dict)
    answers: tuple[str, ...] = ()


class Hop(t.NamedTuple):
    """A machine that forwards packets, and the addresses by which it may say so."""

    name: str
    addresses: frozenset[str]


def new_key() -> str:
    """A text that no other packet holds; lower case, since agnhost's UDP echo is."""
    return "reftopo" + uuid.uuid4().hex


@dataclasses.dataclass(frozen=True)
class Probe:
    """One cell of a check: who asks whom how, what must be observed, and whose address the target must see.

    hops are the machines that forward it, where that is asked. control is None, or the state of the lab that the check
    made: "flannel.1 down on w1", then "repaired". size is the length in bytes of the whole IP packet, sent with DF. Of
    one that is too large the source itself must say so, unless refused_anywhere: then a router on the way may.
    """

    check: str
    source: Endpoint
    target: Endpoint
    protocol: str
    expect: tuple[str, ...] = ("ok",)
    expect_source: str | None = None
    control: str | None = None
    size: int | None = None
    refused_anywhere: bool = False
    hops: tuple[Hop, ...] = ()
    key: str = dataclasses.field(default_factory=new_key)

    def again(self) -> Probe:
        """The same probe with a key of its own, so that a capture tells the attempts apart."""
        return dataclasses.replace(self, key=new_key())
