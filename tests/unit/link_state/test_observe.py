# SPDX-License-Identifier: GPL-3.0-or-later
"""Which namespaces have the owner's table, told by one process, with an `ip` and an `nft` that answer as told."""

from __future__ import annotations

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils._link_model import ROOT, LinkStateError, Namespace, State
from ansible_collections.reftopo.lab.plugins.module_utils._link_observe import observe_nat

STATE = State("t", {name: Namespace() for name in (ROOT, "a", "b", "c")})
TABLE = '{"nftables": [{"metainfo": {}}, {"table": {"family": "ip", "name": "reftopo.t", "handle": 1}}]}\n'
NONE = "Error: No such file or directory\nlist table ip reftopo.t\n"


@pytest.fixture(autouse=True)
def nft_is_there(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("shutil.which", lambda name, path: name)


def holders(inside: tuple[int, str, str], outside: tuple[int, str, str] = (1, "", NONE)) -> list[str]:
    """The namespaces that are found to have a table."""

    def run(command: list[str], data: str | None = None) -> tuple[int, str, str]:
        assert (command[0], bool(data)) in (("ip", True), ("nft", False))
        return inside if data else outside

    state = observe_nat(run, STATE, None)
    return [name for name, body in state.namespaces.items() if body.nat is not None]


def test_those_that_fail_have_none():
    assert holders((1, TABLE, f"{NONE}Command failed -:1\n{NONE}Command failed -:3\n")) == ["b"]
    assert holders((0, TABLE * 3, ""), (0, TABLE, "")) == [ROOT, "a", "b", "c"]


@pytest.mark.parametrize(
    "answer",
    [
        (1, TABLE, f"{NONE}Command failed -:1\n"),  # nft crashed in one of them: no line, and no word of it
        (1, TABLE * 2, "Error: Operation not permitted\nCommand failed -:1\n"),
        (255, "", "Cannot open network namespace"),
    ],
)
def test_anything_else_is_an_error(answer: tuple[int, str, str]):
    with pytest.raises(LinkStateError, match="cannot read the address translation of the namespaces"):
        holders(answer)


def test_so_it_is_for_the_machine_itself():
    with pytest.raises(LinkStateError, match="of this machine: Error: Operation not permitted"):
        holders((0, TABLE * 3, ""), (1, "", "Error: Operation not permitted"))
