# SPDX-License-Identifier: GPL-3.0-or-later
"""Batches, failing lines, and the check of what the kernel made of it, with an `ip` that answers as told."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils._link_apply import apply, observe, verify
from ansible_collections.reftopo.lab.plugins.module_utils._link_body import Step
from ansible_collections.reftopo.lab.plugins.module_utils._link_kind import given_options
from ansible_collections.reftopo.lab.plugins.module_utils._link_model import Link, LinkStateError, Namespace, State

STEPS = [
    Step("", "link del dev t-a", "links.t-a", may_be_gone=True),
    Step("", "link del dev t-b", "links.t-b", may_be_gone=True),
    Step("", "link set dev t-c mtu 1", "links.t-c.mtu"),
    Step("reftopo.t.a", "link set dev lo up", "namespaces.a.links.lo.up"),
]


class Ip:
    """Records what it is asked, and answers from a list; then with success."""

    def __init__(self, *answers: tuple[int, str, str]) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[list[str], str]] = []

    def __call__(self, command: list[str], data: str = "") -> tuple[int, str, str]:
        self.asked.append((command, data))
        return self.answers.pop(0) if self.answers else (0, "", "")


def test_one_batch_for_each_namespace():
    ip = Ip()
    apply(ip, STEPS)
    assert ip.asked == [
        (["ip", "-batch", "-"], "link del dev t-a\nlink del dev t-b\nlink set dev t-c mtu 1\n"),
        (["ip", "-n", "reftopo.t.a", "-batch", "-"], "link set dev lo up\n"),
    ]


def test_a_link_that_is_gone_already_is_no_failure():
    ip = Ip((1, "", 'Cannot find device "t-b"\nCommand failed -:2\n'))
    apply(ip, STEPS)
    assert [data for _command, data in ip.asked][1:] == ["link set dev t-c mtu 1\n", "link set dev lo up\n"]


@pytest.mark.parametrize(
    ("error", "path", "said"),
    [
        (
            "Error: mtu less than device minimum.\nCommand failed -:3\n",
            "links.t-c.mtu",
            "mtu less than device minimum.",
        ),
        ('Cannot find device "t-c"\nCommand failed -:3\n', "links.t-c.mtu", 'Cannot find device "t-c"'),
        ("RTNETLINK answers: Operation not permitted\nCommand failed -:1\n", "links.t-a", "Operation not permitted"),
        ("Cannot open network namespace\n", "links.t-a", "Cannot open network namespace"),
    ],
)
def test_a_failure_names_the_place_in_the_input(error: str, path: str, said: str):
    with pytest.raises(LinkStateError) as raised:
        apply(Ip((1, "", error)), STEPS)
    assert [problem.path for problem in raised.value.problems] == [path]
    assert said in str(raised.value)
    assert "Command failed" not in str(raised.value)


def test_nothing_runs_after_a_failure():
    ip = Ip((1, "", "Error: no.\nCommand failed -:1\n"))
    with pytest.raises(LinkStateError):
        apply(ip, STEPS)
    assert len(ip.asked) == 1


def test_what_is_left_is_an_error_that_names_the_attribute():
    options = given_options("bridge", {})
    want = Link("t-a", kind="bridge", mark="t-a", mtu=1400, owner="t", options=options)
    have = {"up": True, "mtu": 1500, "options": options}
    state = State("t", {"": Namespace({"t-a": want})})
    verify(state, state)
    with pytest.raises(LinkStateError, match=r"links\.t-a\.mtu: is not as wanted, 'ip link set dev t-a mtu 1400'"):
        verify(State("t", {"": Namespace({"t-a": Link("t-a", "bridge", "t-a", owner="t", **have)})}), state)


def test_a_machine_that_cannot_be_read_is_an_error(tmp_path: Path):
    with pytest.raises(LinkStateError, match="cannot read the links of this machine: no permission"):
        observe(Ip((1, "", "no permission\n")), "t", str(tmp_path))


def test_names_below_run_netns(tmp_path: Path):
    """A plain file is stale, anything else is in the way; names of others are not looked at."""
    for name in ("reftopo.t.old", "reftopo.t-2.old", "other", "reftopo.t"):
        (tmp_path / name).touch()
    (tmp_path / "reftopo.t.linked").symlink_to("/proc/self/ns/net")
    empty = (0, "[]\n" * 5, "")
    no_table = (1, "", "Error: No such file or directory\n")  # nft
    state = observe(Ip(empty, no_table), "t", str(tmp_path))
    assert (state.stale, state.blocked, list(state.namespaces)) == (("old",), ("linked",), [""])
    assert observe(Ip(empty, no_table), "t", str(tmp_path / "missing")).stale == ()
