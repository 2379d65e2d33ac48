# SPDX-License-Identifier: GPL-3.0-or-later
"""Route reflectors whose BIRD is killed, not closed: what pods of other nodes lose, and when.

By hand, for it waits out graceful restart: ./lab pytest tests/machines/test_reflectors.py
"""

from __future__ import annotations

import itertools
import time
import typing as t

import pytest
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_commands as commands
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_bird import sessions
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_connect import connected, inventory_variables
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_lab import held_together, until
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_ping import unanswered
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_snapshot import Snapshot
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_suite import Lab
from topologies import ROOT, Topology

NAME = "reflectors"
FILE = ROOT / "inventories/calico-route-reflector/topology.yml"
REFLECTORS, OTHERS = ("w1", "w2"), ("cp1", "w3")
CLUSTER = ["playbooks/nodes.yml", "playbooks/cluster.yml", "playbooks/verify.yml"]
# BIRD's time for neighbours that went without a word, in seconds (proto/bgp/config.Y, gr_time), and how much sooner or
# later a route may go: those seconds count from when the neighbour's kernel says that nobody is there any more.
GRACE, ROUGHLY = 120, 15
BROKEN, BACK = 20.0, 60.0  # seconds that one is down, and until sessions must be up again
PER_SECOND = 10  # pings
# In the container of calico-node runit starts BIRD again at once, unless it is told to let it end; then the kubelet
# would start the container anew, by its probe.
INSIDE = "nsenter --target $(pgrep --exact runsvdir) --mount --root"
ONCE = f"{INSIDE} sv once /etc/service/enabled/bird >/dev/null"
KILL = f"{{ systemctl stop kubelet && {ONCE} && kill -KILL $(pgrep --exact bird) || exit 1; }}"
START = f"{INSIDE} sv up /etc/service/enabled/bird >/dev/null; systemctl start kubelet"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Lab]:
    """A topology like calico-route-reflector, proven as a whole; whatever happens, nothing is left."""
    folder = tmp_path_factory.mktemp(NAME)
    topology = Topology(NAME, folder / "inventories", folder / NAME)
    topology.write(FILE.read_text().replace("name: calico-route-reflector", f"name: {NAME}"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REFTOPO_STATE", str(folder / "state"))
        patch.setenv("ANSIBLE_CONFIG", str(ROOT / "ansible.cfg"))
        topology.destroy()  # of a run that was killed
        try:
            topology.play(CLUSTER)
            hosts = inventory_variables(str(topology.inventory), NAME)
            with connected(hosts) as machines:
                yield Lab(hosts[f"host.{NAME}"]["reftopo_topology"], machines)
        finally:
            topology.destroy()


class Seen(t.NamedTuple):
    """How many pings were sent between pods of two nodes, and the numbers of those without an answer."""

    sent: int
    lost: list[int]


def killed(lab: Lab, reflectors: t.Iterable[str], wait: t.Callable[[], object]) -> dict[tuple[str, str], Seen]:
    """What pings between pods of all nodes saw while BIRD was killed on some, and when it was back, by both nodes."""
    pods = {str(pod.node): pod for pod in lab.endpoints["pods"]}
    ends = list(itertools.permutations(pods.values(), 2))
    pings = [(lab.machines[one.machine], commands.ping(one.address, to.address), commands.HELD) for one, to in ends]
    down = [(lab.machines[name], commands.hold(KILL, START), commands.HELD) for name in reflectors]
    with held_together(pings) as held:
        with held_together(down):
            wait()
        assert until(BACK, lambda: lacking(lab), lambda names: not names) == []
        assert all(until(BACK, lambda: [routes(lab, name) for name in OTHERS], all)), "sessions are up, routes are not"
        time.sleep(2)  # pings that must be answered
    seen = (Seen(*unanswered(one.output.decode())) for one in held)
    return {(str(one.node), str(to.node)): each for (one, to), each in zip(ends, seen)}


def established(snapshot: Snapshot) -> set[str]:
    """The neighbours that BIRD of a node has an established session with."""
    return {one.neighbour for one in sessions(snapshot.text("bgp")) if one.state == "Established"}


def lacking(lab: Lab) -> list[str]:
    """The nodes that have not a session with each reflector."""
    wanted = {lab.topology["nodes"][name]["address"] for name in REFLECTORS}
    return [name for name, seen in lab.snapshots(*OTHERS).items() if not wanted <= established(seen)]


def routes(lab: Lab, node: str) -> list[str]:
    """Where the node's routes of BIRD's lead to, its own blocks apart."""
    return [row["dst"] for row in lab.snapshots(node)[node].rows("routes", protocol="bird") if "gateway" in row]


def in_a_row(lost: list[int]) -> list[int]:
    """Those lost pings whose next was lost too."""
    return [number for number in lost if number + 1 in lost]


def test_one_that_is_killed_costs_others_no_two_pings_in_a_row(lab: Lab):
    gone, known = lab.topology["nodes"]["w2"]["address"], {name: routes(lab, name) for name in OTHERS}

    def wait() -> None:
        """The control: nobody has a session with it while it is down, and routes to its own pods stay."""
        time.sleep(BROKEN)
        for name, seen in lab.snapshots(*OTHERS).items():
            assert gone not in established(seen), f"{name} has a session with a BIRD that was killed"
            assert sorted(routes(lab, name)) == sorted(known[name])

    seen = killed(lab, ["w2"], wait)
    assert {pair: in_a_row(one.lost) for pair, one in seen.items() if "w2" not in pair and in_a_row(one.lost)} == {}
    print({pair: f"{len(one.lost)} of {one.sent}" for pair, one in seen.items()})


def test_both_that_are_killed_leave_routes_for_two_minutes(lab: Lab):
    """Nobody tells anything any more; what was told is used for as long as graceful restart has it, and then goes."""
    left: dict[str, float] = {}

    def wait() -> None:
        began = time.monotonic()
        while len(left) < len(OTHERS) and (passed := time.monotonic() - began) < GRACE + 4 * ROUGHLY:
            left.update({name: passed for name in OTHERS if name not in left and not routes(lab, name)})
            time.sleep(1)
        time.sleep(5)  # pings that must be lost

    seen = killed(lab, REFLECTORS, wait)
    print(left, {pair: (one.sent, one.lost[:1], len(one.lost)) for pair, one in seen.items()})
    assert {name: abs(seconds - GRACE) < ROUGHLY for name, seconds in left.items()} == dict.fromkeys(OTHERS, True)
    for pair in itertools.permutations(OTHERS):
        first = in_a_row(seen[pair].lost)[0] / PER_SECOND
        assert abs(first - GRACE) < ROUGHLY, f"{pair}: from {first:g} s on pings are lost"
        assert seen[pair].sent not in seen[pair].lost, "BIRD is back, and the last ping is lost"
