# SPDX-License-Identifier: GPL-3.0-or-later
"""The module's input: what it means, and every error text as a golden file.

To write the golden files anew, and then read the difference: REFTOPO_GOLDEN=1 ./lab pytest tests/unit/link_state
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml
from ansible_collections.reftopo.lab.plugins.doc_fragments.link_body import ModuleDocFragment
from ansible_collections.reftopo.lab.plugins.module_utils._link_model import End, LinkStateError
from ansible_collections.reftopo.lab.plugins.module_utils._link_route import NextHop, Route
from ansible_collections.reftopo.lab.plugins.module_utils._link_route_check import route
from ansible_collections.reftopo.lab.plugins.module_utils._link_spec import (
    BODY_OPTIONS,
    LINK_OPTIONS,
    OPTIONS,
    desired_state,
)
from ansible_collections.reftopo.lab.plugins.modules import link_state

FOLDER = Path(__file__).parent
GOLDEN = sorted((FOLDER / "golden").glob("*.yml"))
LAB = yaml.safe_load((FOLDER / "cases.yml").read_text())["lab"]


@pytest.mark.parametrize("case", GOLDEN, ids=[path.stem for path in GOLDEN])
def test_errors(case: Path):
    with pytest.raises(LinkStateError) as raised:
        desired_state(yaml.safe_load(case.read_text()))
    text = f"{raised.value}\n"
    if os.environ.get("REFTOPO_GOLDEN"):
        case.with_suffix(".txt").write_text(text)
    assert text == case.with_suffix(".txt").read_text()
    assert all(problem.path and problem.problem and problem.fix for problem in raised.value.problems)


def test_the_lab_is_understood():
    state = desired_state(LAB)
    ends = dict(state.ends())
    assert set(state.namespaces) == {"", "a", "b"}
    assert ends[End("", "t-a")].peer == End("a", "eth0")
    assert (ends[End("a", "eth0")].kind, ends[End("a", "eth0")].mark) == ("veth", "a.eth0.peer")
    assert (ends[End("a", "eth1")].mark, ends[End("b", "eth1")].mark) == ("a.eth1", "a.eth1.peer")
    assert (ends[End("a", "lo")].kind, ends[End("a", "lo")].up) == ("", True)


def test_a_peer_needs_no_entry():
    state = desired_state({"owner": "t", "links": {"v0": {"kind": "veth", "peer": {"name": "v1"}}}})
    assert state.find(End("", "v1")).peer == End("", "v0")


def test_values_are_normalised():
    link = {"kind": "bridge", "mac": "02:00:00:00:00:AB", "mtu": "1400", "addresses": ["FD00:0::1/64"]}
    found = desired_state({"owner": "t", "links": {"br0": link}}).find(End("", "br0"))
    assert (found.mac, found.mtu, found.addresses) == ("02:00:00:00:00:ab", 1400, ("fd00::1/64",))


HOPS = (NextHop("fd00::1", 2, "eth0"), NextHop("fd00::2"))
ROUTES = {
    "{to: default, dev: eth0}": Route("default", 4, "", "eth0", "link"),
    "{to: default, via: 10.0.0.1}": Route("default", 4, "10.0.0.1", "", "global"),
    "{to: default, via: 'fd00::1'}": Route("default", 6, "fd00::1", "", "global"),
    "{to: 0.0.0.0/0, via: 10.0.0.1}": Route("default", 4, "10.0.0.1", "", "global"),
    "{to: '::/0', dev: eth0, metric: 1024}": Route("default", 6, "", "eth0", "global"),
    "{to: 10.0.0.1, dev: eth0, scope: global}": Route("10.0.0.1/32", 4, "", "eth0", "global"),
    "{to: 10.0.0.1, type: throw, metric: 1024, table: 254}": Route("10.0.0.1/32", 4, type="throw", metric=1024),
    "{to: 10.0.0.1, type: throw, table: '0253'}": Route("10.0.0.1/32", 4, type="throw", table="default"),
    "{to: default, nexthops: [{via: 'FD00::2'}, {via: 'fd00::1', dev: eth0, weight: 2}]}": Route(
        "default", 6, nexthops=HOPS
    ),
}


@pytest.mark.parametrize("given", ROUTES)
def test_route(given: str):
    assert route(yaml.safe_load(given)) == ROUTES[given]


def test_every_option_is_documented():
    texts = (link_state.DOCUMENTATION, ModuleDocFragment.DOCUMENTATION)
    documentation = {name: option for text in texts for name, option in yaml.safe_load(text)["options"].items()}
    assert set(documentation) == set(OPTIONS)
    text = " ".join([*documentation["links"]["description"], documentation["namespaces"]["description"]])
    assert [name for name in [*LINK_OPTIONS, *BODY_OPTIONS] if f"C({name})" not in text] == []
