# SPDX-License-Identifier: GPL-3.0-or-later
"""What is concluded of a load balancer: all claims hold of a lab that is well, and the right one not of another."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_load_balancer as proof
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_load_balancer_objects as made
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data, Endpoint, Probe
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_verdict import judge
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_wire import Outcome

TOPOLOGY: Data = {
    "cluster": {"control_plane": ["cp1"], "workers": ["w1", "w2"]},
    "nodes": {name: {"address": f"192.0.2.1{number}"} for number, name in enumerate(("cp1", "w1", "w2"), 1)},
}
ADDRESSES = {"anywhere": "192.0.2.240", "local-w1": "192.0.2.241", "local-w2": "192.0.2.242"}
FREE = ["192.0.2.247", "192.0.2.2"]
NOBODY: dict[str, list[str]] = {address: [] for address in ADDRESSES.values()}
ALL = {"192.0.2.240": ["w1"], "192.0.2.241": ["w1"], "192.0.2.242": ["w2"]}
CUT = {"192.0.2.240": ["w2"], "192.0.2.241": [], "192.0.2.242": ["w2"]}
OUTSIDE = Endpoint("outside", "namespaces", None, "192.0.2.201")
SILENT = ("timeout", "unreachable")
PATH = {
    **dict.fromkeys(("protocol", "from", "to", "target", "node", "observed", "server"), ""),
    **{"detail": "rules lead to dropped", "ok": False},
}


def outcome(name: str, address: str, protocol: str, expect: tuple[str, ...], observed: str = "") -> Outcome:
    target = Endpoint(name, "services", None, address, ports=made.PORTS, answers=("end",))
    probe = Probe("lb", OUTSIDE, target, protocol, expect)
    result = {"observed": observed or expect[0], "ms": 1.0, "server": "end", "source": OUTSIDE.address}
    return Outcome(probe, result, judge(probe, result))


def copied(claimed: dict[str, list[str]]) -> dict[str, list[str]]:
    return {address: list(who) for address, who in claimed.items()}


def asked(silent: t.Collection[str] = (), free: t.Sequence[str] = ()) -> list[Outcome]:
    ends = [(name, address, SILENT if name in silent else ("ok",)) for name, address in ADDRESSES.items()]
    ends += [(f"nobody at {one}", one, SILENT) for one in free]
    return [outcome(*end[:2], protocol, end[2]) for end in ends for protocol in ("tcp", "udp")]


@pytest.fixture
def seen() -> proof.Seen:
    """What a lab that is well shows."""
    own = {node["address"]: [name] for name, node in TOPOLOGY["nodes"].items()}
    refused = 'AllocationFailed: Failed to allocate IP for "reftopo-load-balancer/{}": no available IPs'
    return proof.Seen(
        "192.0.2.240/29",
        dict(ADDRESSES),
        made.main_services(TOPOLOGY),
        list(FREE),
        {
            "healthy": {**copied(ALL), **own, **{one: [] for one in FREE}},
            "cut": copied(CUT),
            "back": copied(ALL),
            "silent": copied(NOBODY),
            "again": copied(ALL),
        },
        {
            "healthy": asked(free=FREE),
            "cut": asked(["local-w1"]),
            "back": asked(),
            "silent": asked(list(ADDRESSES)),
            "again": asked(),
        },
        {"elsewhere": [refused.format("elsewhere")], "foreign": [], "late": [refused.format("late")]},
        dict.fromkeys(("elsewhere", "foreign", "late"), ""),
        "w1",
        7.0,
        "w2",
        late="192.0.2.243",
        paths=[{"ok": True}],
    )


def held(seen: proof.Seen) -> set[str]:
    """The claims that do not hold."""
    return {claim.case for claim in proof.claims(TOPOLOGY) if proof.faults(claim, seen, TOPOLOGY)}


def test_all_holds_when_all_is_well(seen: proof.Seen):
    assert held(seen) == set()
    assert len(proof.claims(TOPOLOGY)) == 1 + 2 * len(ADDRESSES) + len(proof.TOLD)


def set_in(place: str, *path: str, value: t.Any) -> t.Callable[[proof.Seen], None]:
    def change(seen: proof.Seen) -> None:
        where = getattr(seen, place)
        for key in path[:-1]:
            where = where[key]
        where[path[-1]] = value

    return change


def probe_fails(phase: str, name: str, observed: str) -> t.Callable[[proof.Seen], None]:
    def change(seen: proof.Seen) -> None:
        for index, one in enumerate(seen.asked[phase]):
            if one.probe.target.name == name and one.probe.protocol == "udp":
                probe = one.probe
                seen.asked[phase][index] = outcome(name, probe.target.address, "udp", probe.expect, observed)

    return change


def field(name: str, value: t.Any) -> t.Callable[[proof.Seen], None]:
    return lambda seen: setattr(seen, name, value)


CASES: dict[str, tuple[t.Callable[[proof.Seen], None], set[str]]] = {
    "two nodes answer": (set_in("claimed", "healthy", "192.0.2.240", value=["w1", "w2"]), {"anywhere-announced"}),
    "nobody answers": (set_in("claimed", "healthy", "192.0.2.240", value=[]), {"anywhere-announced"}),
    "the control plane answers": (set_in("claimed", "healthy", "192.0.2.240", value=["cp1"]), {"anywhere-announced"}),
    "one without an endpoint": (set_in("claimed", "healthy", "192.0.2.241", value=["w2"]), {"local-w1-announced"}),
    "no way to a service": (probe_fails("healthy", "anywhere", "timeout"), {"anywhere-reached"}),
    "a broken probe": (probe_fails("silent", "anywhere", "error"), {"silent"}),
    "an address that nobody has": (set_in("claimed", "healthy", FREE[0], value=["w1"]), {"quiet"}),
    "an address that answers": (probe_fails("healthy", f"nobody at {FREE[1]}", "ok"), {"quiet"}),
    "deaf": (set_in("claimed", "healthy", "192.0.2.12", value=[]), {"quiet"}),
    "an address outside the pool": (set_in("given", "elsewhere", value="192.0.2.2"), {"refused"}),
    "a refusal without a name": (set_in("pending", "elsewhere", value=["AllocationFailed: no"]), {"refused"}),
    "somebody else's service": (set_in("given", "foreign", value="192.0.2.244"), {"foreign"}),
    "a word on somebody else's service": (set_in("pending", "foreign", value=["IPAllocated: x"]), {"foreign"}),
    "a pool without an end": (set_in("given", "late", value="192.0.2.244"), {"exhausted"}),
    "a pool with room": (field("unfilled", ["filler-1"]), {"exhausted"}),
    "no word of the last": (set_in("pending", "late", value=[]), {"exhausted"}),
    "nothing is freed": (field("late", ""), {"freed"}),
    "nobody takes over": (field("took", None), {"takeover"}),
    "too late": (field("took", 15.1), {"takeover"}),
    "both answer": (set_in("claimed", "cut", "192.0.2.240", value=["w1", "w2"]), {"takeover"}),
    "the client knows another": (field("neighbour", "w1"), {"takeover"}),
    "one without an endpoint takes over": (set_in("claimed", "cut", "192.0.2.241", value=["w2"]), {"stays"}),
    "it answers nevertheless": (probe_fails("cut", "local-w1", "ok"), {"stays"}),
    "two after the repair": (set_in("claimed", "back", "192.0.2.240", value=["w1", "w2"]), {"back"}),
    "no way after the repair": (probe_fails("back", "local-w1", "timeout"), {"back"}),
    "a speaker is left": (set_in("claimed", "silent", "192.0.2.240", value=["w1"]), {"silent"}),
    "a way without speakers": (probe_fails("silent", "local-w2", "ok"), {"silent"}),
    "no speaker comes back": (set_in("claimed", "again", "192.0.2.242", value=[]), {"again"}),
    "rules lead elsewhere": (field("paths", [PATH]), {"paths"}),
    "no way was followed": (field("paths", []), {"paths"}),
    "something is left": (field("left", ["namespace/x is still there"]), {"gone"}),
    "too few were asked": (set_in("asked", "again", value=[]), {"again"}),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_else_is_told(case: str, seen: proof.Seen):
    change, told = CASES[case]
    change(seen)
    assert held(seen) == told


@pytest.mark.parametrize(("address", "told"), [("192.0.2.230", "is not in"), ("192.0.2.242", "is there twice")])
def test_addresses_are_of_the_pool_and_differ(address: str, told: str, seen: proof.Seen):
    seen.addresses["local-w1"] = address
    (fault,) = proof.faults(proof.claims(TOPOLOGY)[0], seen, TOPOLOGY)
    assert told in fault


def test_without_addresses_nothing_holds(seen: proof.Seen):
    seen.addresses["local-w2"], seen.asked, seen.claimed = "", {}, {}
    assert held(seen) == {claim.case for claim in proof.claims(TOPOLOGY)}
