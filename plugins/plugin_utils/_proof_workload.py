# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What checks have in common that make pods of their own in a running cluster. PRIVATE to the collection."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_lab import Machine
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data

GONE_TIMEOUT, PAUSE = 120.0, 0.5  # seconds until all namespaces must be gone, and between two looks


def workload_image(objects: list[Data]) -> str:
    """The image of the test workload's pods, among the objects of the cluster."""
    return str(next(item for item in objects if item["kind"] == "Pod")["spec"]["containers"][0]["image"])


def pod_spec(account: str) -> Data:
    """The start of a pod's spec: on any node, with a service account of the check and nothing that it does not need.

    A namespace's own account may come later than the pods.
    """
    return {
        "serviceAccountName": account,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 0,
        "tolerations": [{"operator": "Exists"}],
    }


def own_object(mark: str, version: str, kind: str, name: str, **parts: t.Any) -> Data:
    """An object of a check that has one namespace; mark is the namespace's name, and a label of all that is in it.

    Labels among the parts are its own, beside that one.
    """
    place = {} if kind == "Namespace" else {"namespace": mark}
    meta = {"name": name, "labels": {mark: "", **parts.pop("labels", {})}, **place}
    return {"apiVersion": version, "kind": kind, "metadata": meta, **parts}


def is_ready(pod: Data) -> bool:
    """Whether the API says of a pod that it is ready."""
    conditions = pod["status"].get("conditions", ())
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def namespaces_left(control_plane: Machine, kubectl: str, selector: str) -> list[str]:
    """Which namespaces are still in the cluster when their time to go is over."""
    deadline = time.monotonic() + GONE_TIMEOUT
    command = f"{kubectl} get namespaces --selector={selector} --output=name"
    while (found := control_plane.run(command).splitlines()) and time.monotonic() < deadline:
        time.sleep(PAUSE)
    return [f"{name} is still there" for name in found]
