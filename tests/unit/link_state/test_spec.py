# SPDX-License-Identifier: GPL-3.0-or-later
"""The module's input: what it means, and every error text as a golden file.

To write the golden files anew, and then read the difference: REFTOPO_GOLDEN=1 ./lab pytest tests/unit/link_state
"""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible_collections.reftopo.lab.plugins.doc_fragments.link_body import ModuleDocFragment
from ansible_collections.reftopo.lab.plugins.module_utils import _link_spec
from ansible_collections.reftopo.lab.plugins.module_utils._link_model import End, LinkStateError
from ansible_collections.reftopo.lab.plugins.module_utils._link_route import NextHop, Route
from ansible_collections.reftopo.lab.plugins.module_utils._link_route_check import ROUTE_OPTIONS, route
from ansible_collections.reftopo.lab.plugins.module_utils._link_spec import (
    BODY_OPTIONS,
    FDB_OPTIONS,
    LINK_OPTIONS,
    OPTIONS,
    PEER_OPTIONS,
    as_known,
    desired_state,
    validated,
)
from ansible_collections.reftopo.lab.plugins.modules import link_state
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

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


FLAT = st.sampled_from(["veth", "tap", "", "7", "yes", 7, 0, True, False, 1.5, None])
VALUE = st.one_of(FLAT, st.lists(FLAT, max_size=2), st.just({}), st.just({"name": "x"}))
FITTING = st.sampled_from(
    [("kind", "veth"), ("mtu", 1400), ("up", False), ("addresses", ["x"]), ("mac", "x"), ("to", "x")]
)


@settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=200,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_what_ansible_is_not_asked_it_would_say(data: st.DataObject, monkeypatch: pytest.MonkeyPatch):
    known = data.draw(st.sampled_from([LINK_OPTIONS, FDB_OPTIONS, PEER_OPTIONS, ROUTE_OPTIONS, BODY_OPTIONS]))
    random = st.tuples(st.sampled_from([*known, "colour"]), VALUE)
    options = dict(data.draw(st.lists(st.one_of(FITTING, random), max_size=4)))
    found: list[t.Any] = []
    for ask in (as_known, lambda *_arguments: False):
        with monkeypatch.context() as patch:
            patch.setattr(_link_spec, "as_known", ask)
            problems: list[t.Any] = []
            found.append((validated(options, known, "x", problems), problems))
    assert repr(found[0][1]) == repr(found[1][1])
    assert types(found[0][0]) == types(found[1][0])


def types(options: dict[str, t.Any] | None) -> t.Any:
    """With the types, since 1, True and 1.0 are equal."""
    return options and {name: (type(value), repr(value)) for name, value in options.items()}


def test_most_links_are_as_ansible_would_have_them():
    assert as_known({"kind": "veth", "mtu": 1400, "addresses": ["10.0.0.1/24"], "peer": {"name": "x"}}, LINK_OPTIONS)
    for options in ({"colour": "red"}, {"kind": "x"}, {"mtu": "1400"}, {"mtu": True}, {"addresses": [1]}):
        assert not as_known(options, LINK_OPTIONS), options
    assert not as_known({"namespace": "a"}, PEER_OPTIONS), "name is required"
