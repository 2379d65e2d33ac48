# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The suite's connections, from the inventory's variables alone.

This plugin util is PRIVATE to the collection.
"""

from __future__ import annotations

import contextlib
import shlex
import subprocess
import typing as t

from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_lab import Machine, as_root
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import HOST, Data, ProofError
from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_way import underlay

try:
    import testinfra
    from testinfra.utils.ansible_runner import AnsibleRunner
except ImportError:  # inventory_variables says what is missing
    testinfra = None

LONGEST_SOCKET = 90  # bytes; 107 (unix(7)) less what OpenSSH appends while it makes one


def inventory_variables(inventory: str, topology: str) -> Data:
    """The variables of every host of a topology, by host name."""
    if testinfra is None:
        raise ProofError("the suite needs the Python package pytest-testinfra; install requirements.lock")
    runner = AnsibleRunner.get_runner(inventory)
    variables = {host: runner.get_variables(host) for host in runner.get_hosts(f"{topology.replace('-', '_')}_*")}
    host = variables.get(f"host.{topology}")
    if host is None:
        raise ProofError(f"there is no topology {topology} in {inventory}: expected {topology}/topology.yml there")
    if "reftopo_topology_errors" in host:
        errors = [f"  {error['path']}: {error['problem']}; {error['fix']}" for error in host["reftopo_topology_errors"]]
        raise ProofError("\n".join([f"topology {topology} is not valid:", *errors]))
    return variables


def ssh_arguments(variables: Data) -> list[str]:
    """OpenSSH's options for a machine: as Ansible's, but never asking, and one connection for the whole run.

    The connection's socket is in the topology's state folder, unless its path were longer than the kernel allows.
    """
    socket = f"{variables['reftopo_state_dir']}/.{variables['ansible_host']}"
    shared = ["-o", "ControlMaster=auto", "-o", "ControlPersist=60", "-o", f"ControlPath={socket}"]
    # A host that is there already may be reached by what ssh itself knows.
    key, port = variables.get("ansible_ssh_private_key_file"), variables.get("ansible_port")
    return [
        *(("-i", key) if key else ()),
        *(("-o", f"Port={port}") if port else ()),
        *shlex.split(variables.get("ansible_ssh_common_args", "")),
        *("-o", "BatchMode=yes", "-o", "ConnectTimeout=60", "-o", "LogLevel=ERROR"),
        *(shared if len(socket) <= LONGEST_SOCKET else ()),
    ]


def node_machine(name: str, variables: Data) -> Machine:
    """A node, by SSH."""
    arguments, address = ssh_arguments(variables), f"{variables['ansible_user']}@{variables['ansible_host']}"
    sudo = bool(variables.get("ansible_become"))
    host = testinfra.get_host(f"ssh://{address}", ssh_extra_args=shlex.join(arguments), controlpersist=0, sudo=sudo)
    return Machine(name, host, ("ssh", *arguments, address), sudo)


def host_machine() -> Machine:
    """This machine, where the namespaces are."""
    return Machine(HOST, testinfra.get_host("local://", sudo=bool(as_root())), (*as_root(), "sh", "-c"))


@contextlib.contextmanager
def connected(hosts: Data) -> t.Iterator[dict[str, Machine]]:
    """The machines of a topology by name; no connection is left behind."""
    nodes = {
        variables["reftopo_node"]["name"]: variables for variables in hosts.values() if "reftopo_node" in variables
    }
    machines = {name: node_machine(name, variables) for name, variables in nodes.items()}
    try:
        yield {**machines, HOST: host_machine()}
    finally:
        for machine in machines.values():
            close = [machine.prefix[0], "-O", "exit", *machine.prefix[1:]]
            subprocess.run(close, check=False, capture_output=True)


def all_macs(topology: Data, machines: dict[str, Machine]) -> Data:
    """A topology whose nodes all have the MAC address of their underlay: hosts that were there before are asked."""
    nodes = {}
    for name, node in topology["nodes"].items():
        interfaces, first = node["interfaces"], underlay(node)
        if "mac" not in interfaces[first]:
            told = {"mac": machines[name].run(f"cat /sys/class/net/{first}/address").strip()}
            interfaces = {**interfaces, first: {**interfaces[first], **told}}
        nodes[name] = {**node, "interfaces": interfaces}
    return {**topology, "nodes": nodes}
