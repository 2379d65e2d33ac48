# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel lacks is said before anything is changed, and what it surely has costs no trial."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils._link_model import LinkStateError, State
from ansible_collections.reftopo.lab.plugins.module_utils._link_require import require
from ansible_collections.reftopo.lab.plugins.module_utils._link_spec import desired_state

LINKS: dict[str, t.Any] = {
    "br0": {"kind": "bridge", "vlan_filtering": True},
    "d0": {"kind": "dummy"},
    "t0": {"kind": "tap"},
    "t1": {"kind": "tun"},
}
USUAL: dict[str, t.Any] = {"br0": {"kind": "bridge"}, "v0": {"kind": "veth", "peer": {"name": "v1"}}}


def desired(links: dict[str, t.Any]) -> State:
    return desired_state({"owner": "t", "links": links})


class Kernel:
    """Answers the trials with the features that it lacks."""

    def __init__(self, *lacks: str, control: str = "fails") -> None:
        self.lacks = lacks
        self.control = control
        self.asked: list[str] = []

    def __call__(self, command: list[str]) -> tuple[int, str, str]:
        tried = [line.split()[1] for line in command[-1].splitlines() if line.startswith("try ")]
        self.asked += tried
        outcomes = ["fails Error: no." if name in self.lacks else "works" for name in tried[1:]]
        return 0, f"control {self.control}\n" + "".join(f"{n} {o}\n" for n, o in zip(tried[1:], outcomes)), ""


def test_everything_that_is_missing_is_named():
    with pytest.raises(LinkStateError) as raised:
        require(Kernel("dummy", "tun", "vlan_filtering"), State("t"), desired(LINKS))
    assert str(raised.value).splitlines() == [
        "the kernel cannot do all of it, nothing was changed:",
        "- links.br0.vlan_filtering: this kernel has no vlan_filtering (Error: no.); it takes the option "
        "CONFIG_BRIDGE_VLAN_FILTERING; where there is none, use a machine or virtual machine whose kernel has it",
        "- links.d0.kind: this kernel has no dummy (Error: no.); load its module: modprobe dummy; where there is none, "
        "use a machine or virtual machine whose kernel has it",
        "- links.t0.kind: this kernel has no tun (Error: no.); load its module: modprobe tun; where there is none, "
        "use a machine or virtual machine whose kernel has it",
        "- links.t1.kind: this kernel has no tun (Error: no.); load its module: modprobe tun; where there is none, "
        "use a machine or virtual machine whose kernel has it",
    ]


def test_each_feature_is_tried_once():
    kernel = Kernel()
    require(kernel, State("t"), desired(LINKS))
    assert kernel.asked == ["control", "dummy", "tun", "vlan_filtering"]


@pytest.mark.parametrize(
    ("there", "wanted"), [({}, USUAL), (LINKS, LINKS)], ids=["usual kinds", "kinds that are there"]
)
def test_nothing_is_tried_without_need(there: dict[str, t.Any], wanted: dict[str, t.Any]):
    kernel = Kernel()
    require(kernel, desired(there), desired(wanted))
    assert kernel.asked == []


def test_trials_that_cannot_be_believed():
    with pytest.raises(LinkStateError, match=r"could not be tried, nothing was changed: .* cannot be believed"):
        require(Kernel(control="works"), State("t"), desired(LINKS))
