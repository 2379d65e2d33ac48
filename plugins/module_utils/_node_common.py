# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What containers and virtual machines have in common as nodes: files of their own, and how a call is reported.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils._file import read_text
from ansible_collections.reftopo.lab.plugins.module_utils._node_model import Seed, container_name
from ansible_collections.reftopo.lab.plugins.module_utils._node_plan import HOST_KEY
from ansible_collections.reftopo.lab.plugins.module_utils._node_run import NodeError

HOSTS = "/etc/hosts"
HOSTS_BEGIN = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n"
Result = dict[str, t.Any]
LEAVING = "leaving"  # file in a node's folder: its removal has begun


def own_nodes(params: t.Mapping[str, t.Any], provider: str, keys: t.Sequence[str]) -> dict[str, Result]:
    """The nodes of a provider; one whose provider is not told is a container.

    Raises:
        NodeError: a node lacks one of the keys.
    """
    own = {name: node for name, node in params["nodes"].items() if node.get("provider", "container") == provider}
    lacking = [
        f"nodes.{name}.{key}: missing. Give the node as the compiled topology has it."
        for name, node in own.items()
        for key in keys
        if key not in node
    ]
    if lacking:
        raise NodeError("\n".join(lacking))
    return own


def leaving(params: t.Mapping[str, t.Any]) -> t.Callable[[str], bool]:
    """Whether what has this name is to be removed: some of the topology's nodes, or all that there is of it."""
    if params.get("nodes") is None:
        return lambda dummy: True
    names = {container_name(params["owner"], name) for name in params["nodes"]}
    return lambda name: name in names


def hosts_file(addresses: t.Mapping[str, str]) -> str:
    """/etc/hosts with all nodes (name to address)."""
    return HOSTS_BEGIN + "".join(f"{address} {name}\n" for name, address in addresses.items())


def node_files(params: t.Mapping[str, t.Any]) -> dict[str, Seed]:
    """The files of every node that differ from the image's. Keys that do not exist yet are empty."""
    keys = params["state_dir"]
    return {
        HOSTS: Seed(hosts_file({name: node["address"] for name, node in params["nodes"].items()})),
        "/etc/resolv.conf": Seed(f"nameserver {params['nameserver']}\n"),
        "/root/.ssh/authorized_keys": Seed(read_text(f"{keys}/id_ed25519.pub") or "", 0o600),
        HOST_KEY: Seed(read_text(f"{keys}/ssh_host_ed25519_key") or "", 0o600),
    }


def result(commands: list[str], before: Result, after: Result) -> Result:
    """What a module returns."""
    return {
        "changed": bool(commands),
        "before": before,
        "after": after,
        "commands": commands,
        "diff": {"before": before, "after": after},
    }
