# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What has to be done to have these pods and no others: facts in, steps out.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import json

from ansible_collections.reftopo.lab.plugins.module_utils._pod_model import (
    Data,
    Desired,
    Observed,
    Step,
    configuration_file,
    container_id,
)


def configuration(network: Data) -> str:
    """The text of a network's file."""
    return json.dumps(network, indent=2) + "\n"


def plan(observed: Observed, desired: Desired) -> list[Step]:
    """The steps from ``observed`` to ``desired``, in order; empty when nothing is to do."""
    why = {pod: _why_not(pod, observed, desired) for pod in {**observed.records, **desired.pods}}
    steps = [Step("remove", pod, why[pod]) for pod in observed.records if why[pod]]
    if observed.configuration != configuration(desired.network):
        steps.append(Step("write", configuration_file(desired.network)))
    for pod, containers in desired.pods.items():
        made = bool(why[pod])
        steps += [Step("make", pod)] if made else []
        for identity in (container_id(pod, name) for name in containers):
            if made or identity not in observed.tasks:
                steps += [Step("clear", identity, "it has ended")] if _has_ended(identity, observed, made) else []
                steps.append(Step("start", identity))
    return steps


def _has_ended(identity: str, observed: Observed, made: bool) -> bool:
    """Whether a container's remains are in the way; those of a pod that is made anew went with it."""
    return not made and identity in observed.containers


def _why_not(pod: str, observed: Observed, desired: Desired) -> str:
    """Why a pod cannot stay as it is; empty when it can."""
    if pod not in desired.pods:
        return "it is not wanted"
    record = observed.records.get(pod)
    if record is None:
        return "it is not there"
    if record["made_of"] != desired.made_of(pod):
        return "it was made of something else"
    if pod not in observed.tasks:
        return "its pause container has ended, and the namespaces with it"
    if record["result"] is None:
        return "its network was not attached to the end"
    return observed.faults.get(pod, "")
