# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Calls CNI plugins as a container runtime does: https://www.cni.dev/docs/spec/, sections 2 to 4.

This module util is PRIVATE to the collection. It is also sent to a machine as text, so beside the model it needs
nothing but Python.
"""

from __future__ import annotations

import json
import os
import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils._pod_model import INTERFACE, PLUGINS, Data, PodError

Run = t.Callable[..., tuple[int, str, str]]


def missing_plugins(network: Data) -> list[str]:
    """The plugins of a network, IPAM's included, that this machine does not have."""
    types = [part["type"] for one in network["plugins"] for part in (one, one.get("ipam", {})) if "type" in part]
    return sorted({name for name in types if not os.access(f"{PLUGINS}/{name}", os.X_OK)})


def add(run: Run, network: Data, pod: str, netns: str, address: str = "") -> Data:
    """Attach a pod: each plugin gets the result of the one before; returns the last one's.

    Args:
        address: an address that the pod had, for host-local to give again; empty for any.
    """
    result: Data | None = None
    attachment = _environment(pod, netns, address)
    for plugin in network["plugins"]:
        answer = _call(run, "ADD", _request(network, plugin, result), attachment)
        result = json.loads(answer)
    return result or {}


def delete(run: Run, network: Data, pod: str, netns: str, result: Data | None) -> None:
    """Detach a pod; the plugins in reverse order. Without a namespace they only give back what they hold for it."""
    for plugin in reversed(network["plugins"]):
        _call(run, "DEL", _request(network, plugin, result), _environment(pod, netns))


def check(run: Run, network: Data, pod: str, netns: str, result: Data) -> str:
    """What the plugins find to be not as they left it; empty when all is."""
    try:
        for plugin in network["plugins"]:
            _call(run, "CHECK", _request(network, plugin, result), _environment(pod, netns))
    except PodError as error:
        return str(error)
    return ""


def _request(network: Data, plugin: Data, result: Data | None) -> Data:
    common = {"cniVersion": network["cniVersion"], "name": network["name"], **plugin}
    return common if result is None else {**common, "prevResult": result}


def _environment(pod: str, netns: str, address: str = "") -> dict[str, str]:
    """What plugins are told of a pod beside their command and configuration (section 2)."""
    arguments = f"IgnoreUnknown=true;IP={address}" if address else ""
    common = {"CNI_IFNAME": INTERFACE, "CNI_PATH": PLUGINS, "CNI_ARGS": arguments}
    return {"CNI_CONTAINERID": pod, "CNI_NETNS": netns, **common}


def _call(run: Run, command: str, request: Data, attachment: dict[str, str]) -> str:
    environment = {"CNI_COMMAND": command, **attachment}
    code, output, log = run([f"{PLUGINS}/{request['type']}"], data=json.dumps(request), environ_update=environment)
    if code:
        what = f"CNI plugin {request['type']}, {command} of {attachment['CNI_CONTAINERID']}"
        raise PodError(f"{what}: {_reason(output) or log.strip()}")
    return output


def _reason(output: str) -> str:
    """What a plugin says of its failure: an error result of section 5."""
    try:
        answer = json.loads(output)
    except ValueError:
        return output.strip()
    return ": ".join(filter(None, (answer.get("msg"), answer.get("details"))))
