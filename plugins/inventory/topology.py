# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inventory plugin: one topology.yml becomes hosts, groups and the compiled topology."""

from __future__ import annotations

DOCUMENTATION = r"""
name: topology
short_description: Hosts and variables of a reference topology
version_added: 0.1.0
author: reftopo.lab maintainers (@reftopo)
description:
  - Reads C(inventories/<name>/topology.yml), validates all of it at once, and compiles it.
  - C(docs/topology.md) describes the format of the file.
  - For a valid topology C(flannel-vxlan) it adds the group C(flannel_vxlan) with the children C(flannel_vxlan_host)
    (the machine that carries it, C(host.flannel-vxlan)) and C(flannel_vxlan_nodes), which has the children
    C(flannel_vxlan_control_plane) and C(flannel_vxlan_workers) with one host a node, such as C(w1.flannel-vxlan). Nodes
    whose pods are made by hand are in the child C(<name>_pods), and hosts that are there already in C(<name>_existing).
  - The group has the variables C(reftopo_topology) (the compiled topology), C(reftopo_state_dir) and
    C(reftopo_cache_dir); each node has C(reftopo_node), its own part of the compiled topology.
  - A node whose C(provider) is V(existing) has the C(ansible_*) variables that the file says of it, and those of
    C(host_vars) and C(group_vars) beside it; every other node is reached by keys of its own.
  - An invalid file is a warning, so that other topologies stay usable. It adds C(host.<name>) in C(<name>_host) and no
    other host. C(reftopo_topology_errors) is then a list of C(path), C(problem) and C(fix), on which playbooks stop.
  - For a node whose C(provider) is V(auto) the kernel features that it needs are tried, in namespaces that end with the
    trial. C(provider_why) of the compiled node tells what came of it.
  - What C(ip address) and C(ip route) tell of this machine is compared with the topology's networks. Links and
    routes of topologies that are up do not count.
  - An environment variable that is empty counts as not set.
requirements:
  - netaddr
  - jsonschema
options:
  state_root:
    description: Folder that holds one folder of state (keys, kubeconfig, reports) for each topology.
    type: path
    default: ~/.local/state/reftopo
    env:
      - name: REFTOPO_STATE
  cache_dir:
    description: Folder of what all topologies share and what can be made again (artifacts, node images).
    type: path
    default: ~/.cache/reftopo
    env:
      - name: REFTOPO_CACHE
  provider:
    description:
      - What nodes are made of whose C(provider) the topology's file does not say.
      - With V(auto) a node is a container where this machine's kernel has what the node needs, else a virtual machine.
    type: str
    choices: [auto, container, vm]
    default: container
    env:
      - name: REFTOPO_PROVIDER
"""

EXAMPLES = r"""
# inventories/pair/topology.yml
name: pair
description: Two network namespaces on one bridge reach each other.
segments:
  lan: {cidr: 172.30.20.0/24}
namespaces:
  left: {segment: lan}
  right: {segment: lan}
"""

import functools
import json
import os
import pathlib
import shlex
import subprocess
import typing as t

from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin
from ansible_collections.reftopo.lab.plugins.module_utils._preflight_model import PreflightError
from ansible_collections.reftopo.lab.plugins.module_utils._preflight_probe import try_features
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_compile import compile_topology
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_host import Occupied, occupied
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_names import group_name
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_problem import Problem
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_rules_existing import CONNECTION, EXISTING
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_validate import validate

# The utilities leave them None when they are not there, so that documentation works everywhere.
try:
    import jsonschema  # noqa: F401  # pylint: disable=unused-import
    import netaddr  # noqa: F401  # pylint: disable=unused-import

    MISSING = None
except ImportError as error:
    MISSING = error


@functools.cache
def occupied_here() -> list[Occupied]:
    """The networks in use on this machine, asked once for all topologies of a run."""
    return occupied(_ip("address"), _ip("route", "show", "table", "all"))


@functools.cache
def lacking_here(features: frozenset[str]) -> dict[str, str]:
    """Which kernel features this machine lacks, with what trying them told; raises PreflightError or OSError.

    A user other than root tries them in a user namespace: what needs a module that only root can load is lacking then.
    """
    return {name: trial.detail for name, trial in try_features(_run, features).items() if trial.works is False}


def _run(command: list[str]) -> tuple[int, str, str]:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    return done.returncode, done.stdout, done.stderr


def _forget_empty() -> None:
    """A variable of ours that the environment has as nothing is taken for not set, as roles and ./lab take it."""
    for name in [name for name, value in os.environ.items() if name.startswith("REFTOPO_") and not value]:
        del os.environ[name]


def _ip(*words: str) -> list[dict[str, t.Any]]:
    """What iproute2 lists; raises OSError, SubprocessError, or ValueError for an ip that knows no JSON."""
    done = subprocess.run(["ip", "-j", "-4", *words], capture_output=True, check=True, timeout=10)
    return json.loads(done.stdout or "[]")


class InventoryModule(BaseInventoryPlugin):
    """Adds the hosts and variables of one topology.yml."""

    NAME = "reftopo.lab.topology"
    # The file is the user's own, as group_vars are; ansible-inventory shows text wrapped when it is not trusted.
    trusted_by_default = True

    def verify_file(self, path: str) -> bool:
        """Claims files named topology.yml."""
        return os.path.basename(path) == "topology.yml" and super().verify_file(path)

    def parse(self, inventory: t.Any, loader: t.Any, path: str, cache: bool = True) -> None:
        """Load, validate and compile the file, then add what came of it."""
        super().parse(inventory, loader, path, cache)
        if MISSING:
            raise AnsibleParserError(f"reftopo.lab.topology needs netaddr and jsonschema: {MISSING}") from MISSING
        _forget_empty()
        self.set_options()
        file = pathlib.Path(path).absolute()
        folder = file.parent.name
        provider = self.get_option("provider")
        topology, problems = validate(file.read_bytes(), folder, self._occupied(), provider, self._lacking)
        if problems:
            self._add_invalid(folder, problems)
        else:
            self._add_valid(compile_topology(topology))

    def _occupied(self) -> list[Occupied]:
        try:
            return occupied_here()
        except (OSError, ValueError, subprocess.SubprocessError) as failure:
            self.display.warning(f"cannot tell which networks this machine uses, so overlaps go unnoticed: {failure}")
            return []

    def _lacking(self, features: frozenset[str]) -> dict[str, str] | None:
        try:
            return lacking_here(features)
        except (OSError, PreflightError, subprocess.SubprocessError) as failure:
            self.display.warning(f"cannot tell what this machine's kernel has: {failure}")
            return None

    def _add_invalid(self, name: str, problems: list[Problem]) -> None:
        self._add_host_of(name)
        self.inventory.set_variable(f"host.{name}", "reftopo_topology_errors", [p._asdict() for p in problems])
        lines = "\n".join(f"  {problem}" for problem in problems)
        self.display.warning(f"topology {name} is not valid and is left out:\n{lines}", formatted=True)

    def _add_valid(self, topology: dict[str, t.Any]) -> None:
        group = self.inventory.add_group(topology["group"])
        self._add_host_of(topology["name"])
        for child in ("host", "nodes", "existing"):
            self.inventory.add_child(group, self.inventory.add_group(f"{group}_{child}"))
        for child in ("control_plane", "workers", "pods"):
            self.inventory.add_child(f"{group}_nodes", self.inventory.add_group(f"{group}_{child}"))
        for name, value in {**self._folders(topology["name"]), "reftopo_topology": topology}.items():
            self.inventory.set_variable(group, name, value)
        for node in topology["nodes"].values():
            self._add_node(topology, node)

    def _add_host_of(self, name: str) -> None:
        """The machine that carries the topology is this one."""
        group = self.inventory.add_group(f"{group_name(name)}_host")
        variables = {"ansible_connection": "local", "ansible_python_interpreter": "/usr/bin/python3"}
        if os.geteuid() != 0:
            variables["ansible_become"] = True
        self._populate_host_vars([f"host.{name}"], variables, group)

    def _add_node(self, topology: dict[str, t.Any], node: dict[str, t.Any]) -> None:
        group = topology["group"] + _ending(node)
        state = self._folders(topology["name"])["reftopo_state_dir"]
        connection = _as_given(node) if node["provider"] == EXISTING else _by_own_keys(node, state)
        variables = {
            **connection,
            "ansible_python_interpreter": "/usr/bin/python3",
            # The default of 10 s is too short for a virtual machine that is emulated on a busy host.
            "ansible_ssh_timeout": 60,
            "reftopo_node": node,
        }
        self._populate_host_vars([f"{node['name']}.{topology['name']}"], variables, group)
        if node["provider"] == EXISTING:
            self.inventory.add_child(f"{topology['group']}_existing", f"{node['name']}.{topology['name']}")

    def _folders(self, name: str) -> dict[str, str]:
        state = os.path.join(self.get_option("state_root"), name)
        return {"reftopo_state_dir": state, "reftopo_cache_dir": self.get_option("cache_dir")}


def _by_own_keys(node: dict[str, t.Any], state: str) -> dict[str, t.Any]:
    """How a node that is made here is reached: with the keys of the topology's state folder alone."""
    # Quoted twice: for the shell's rules by which Ansible splits, and for ssh, which takes a list of files.
    known_hosts = shlex.quote(f'UserKnownHostsFile="{state}/known_hosts"')
    return {
        "ansible_host": node["address"],
        "ansible_user": "root",
        "ansible_ssh_private_key_file": f"{state}/id_ed25519",
        "ansible_ssh_common_args": f"-o {known_hosts} -o StrictHostKeyChecking=yes -o IdentitiesOnly=yes",
    }


def _as_given(node: dict[str, t.Any]) -> dict[str, t.Any]:
    """How a host that is there already is reached: as the file says. Host variables beside the file say more."""
    given = {key: node[key] for key in CONNECTION if key in node}
    if "ansible_ssh_private_key_file" in given:
        given["ansible_ssh_private_key_file"] = os.path.expanduser(given["ansible_ssh_private_key_file"])
    variables = {"ansible_host": node["address"], "ansible_user": "root", **given}
    return variables if variables["ansible_user"] == "root" else {**variables, "ansible_become": True}


def _ending(node: dict[str, t.Any]) -> str:
    """What follows the topology's name in a node's group."""
    if "role" in node:
        return "_control_plane" if node["role"] == "control-plane" else "_workers"
    return "_pods" if "pods" in node else "_nodes"
