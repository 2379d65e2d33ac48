# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controls of a run of the suite: what is broken, asked, repaired and asked again.

This plugin util is PRIVATE to the collection.
"""

from __future__ import annotations

import contextlib
import dataclasses
import typing as t

from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_cni as cni
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_commands as commands
from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_plan as plan
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_change import command as change_command
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_lab import Held, held_together
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import HOST, Data, ProofError
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_snapshot import Snapshot, changes
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_suite import Lab
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_wire import Outcome
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_change import title


@dataclasses.dataclass(frozen=True)
class Control:
    """What a check with break saw: while it was broken, and after its repair; and what was not as before then.

    residue is what was still there of a pod whose network was taken away; None where it was not a pod that was broken.
    """

    broken: list[Outcome]
    repaired: list[Outcome]
    left: list[str]
    residue: list[str] | None = None


def control_names(check: Data) -> tuple[str, str]:
    """How results name the two states of a check with break."""
    if "change" in check["break"]:
        change = title(check["break"]["change"])
        return change, f"{change}, repaired"
    if "pod" in check["break"]:
        return f"{check['break']['pod']} detached", f"{check['break']['pod']} attached again"
    if "routes" in check["break"]:
        what = f"routes to pods of {', '.join(check['break']['routes'])}"
        return f"{what} hidden on {check['break']['node']}", f"{what} back on {check['break']['node']}"
    node, link, state = (check["break"][key] for key in ("node", "link", "state"))
    return f"{link} {state} on {node}", f"{link} repaired on {node}"


@contextlib.contextmanager
def broken(lab: Lab, check: Data, before: Snapshot) -> t.Iterator[Held]:
    """The lab with the check's link down; it is repaired when the block ends, however it ends."""
    node, link = check["break"]["node"], check["break"]["link"]
    if link in lab.topology["nodes"][node]["interfaces"]:
        raise ProofError(f"cannot take {link} of {node} down: the way to the node that must repair it is {link}")
    command = commands.break_link(link, commands.repair(before, link))
    with lab.machines[node].held(command, commands.HELD) as held:
        yield held


def control(lab: Lab, name: str) -> Control:
    """Break, ask, repair, ask again."""
    check = lab.topology["checks"][name]
    if "change" in check["break"]:
        return _changed(lab, name, check["break"]["link_state"], lab.topology["link_state"])
    if "pod" in check["break"]:
        return _detached(lab, name, check["break"]["pod"])
    if "routes" in check["break"]:
        return _hidden(lab, name, **check["break"])
    node, link = check["break"]["node"], check["break"]["link"]
    before = lab.snapshots(node)[node]
    seen = _broken_and_repaired(lab, name, broken(lab, check, before))
    return Control(*seen, changes(before, lab.snapshots(node)[node], link))


def _changed(lab: Lab, name: str, unlike: Data, healthy: Data) -> Control:
    """The control whose break is a change of the link state of this machine."""
    host = lab.machines[HOST]
    seen = _broken_and_repaired(lab, name, host.held(change_command("hold", unlike, healthy), commands.HELD))
    return Control(*seen, host.run(change_command("left", unlike, healthy)).splitlines())


def _hidden(lab: Lab, name: str, node: str, routes: list[str]) -> Control:
    """The control whose break are rules of policy routing before a node's routes to the pods of others."""
    machine = lab.machines[node]
    before = machine.run(commands.RULES)
    command = commands.hide_routes([lab.peers[peer].subnet for peer in routes])
    seen = _broken_and_repaired(lab, name, machine.held(command, commands.HELD))
    after = machine.run(commands.RULES)
    return Control(*seen, [] if after == before else [f"rules were {before.strip()}, and are {after.strip()}"])


def _detached(lab: Lab, name: str, pod: str) -> Control:
    """The control whose break is CNI DEL of a pod; its repair is ADD, which must give it what it had."""
    end = next(end for end in lab.endpoints["pods"] if end.name == pod)
    before, residue = lab.pods[end.machine], list[str]()
    plugins = lab.topology["nodes"][end.machine]["cni"]["plugins"]
    leased = any(plugin.get("ipam", {}).get("type") == "host-local" for plugin in plugins)

    @contextlib.contextmanager
    def without_network() -> t.Iterator[None]:
        pid = before["containers"][pod]["pid"]
        with lab.machines[end.machine].held(commands.detach(pod, pid, end.address), commands.HELD):
            residue.extend(cni.residue(pod, before, lab.pod_facts(end.machine)[end.machine], leased))
            yield

    down, repaired = _broken_and_repaired(lab, name, without_network())
    after = lab.pod_facts(end.machine)[end.machine]
    return Control(down, repaired, cni.result_faults(pod, after) + cni.plugged_faults(pod, after), residue)


def _broken_and_repaired(
    lab: Lab, name: str, breaking: contextlib.AbstractContextManager[Held | None]
) -> tuple[list[Outcome], list[Outcome]]:
    """What a check's probes see while it is broken, and afterwards."""
    down, repaired = control_names(lab.topology["checks"][name])
    with held_together(lab.servers()):
        with breaking:
            lab.forget()
            while_down = lab.ask(plan.reach_probes(lab.topology, name, lab.endpoints, down, broken=True))
        lab.forget()
        return while_down, lab.ask(plan.reach_probes(lab.topology, name, lab.endpoints, repaired))
