# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How Ansible reaches nodes and hosts: its connection variables. Pure. PRIVATE to the collection."""

from __future__ import annotations

import os
import shlex
import typing as t

from ansible_collections.reftopo.lab.plugins.plugin_utils._topology_rules_existing import CONNECTION

Data = dict[str, t.Any]

# The default of 10 s is too short for a virtual machine that is emulated on a busy host.
COMMON = {"ansible_python_interpreter": "/usr/bin/python3", "ansible_ssh_timeout": 60}


def by_own_keys(node: Data, state: str) -> Data:
    """How a node that is made here is reached: with the keys of the topology's state folder alone."""
    # Quoted twice: for the shell's rules by which Ansible splits, and for ssh, which takes a list of files.
    known_hosts = shlex.quote(f'UserKnownHostsFile="{state}/known_hosts"')
    return {
        **COMMON,
        "ansible_host": node["address"],
        "ansible_user": "root",
        "ansible_ssh_private_key_file": f"{state}/id_ed25519",
        "ansible_ssh_common_args": f"-o {known_hosts} -o StrictHostKeyChecking=yes -o IdentitiesOnly=yes",
    }


def as_given(node: Data) -> Data:
    """How a host that is there already is reached: as the file says. Host variables beside the file say more."""
    given = {key: node[key] for key in CONNECTION if key in node}
    if "ansible_ssh_private_key_file" in given:
        given["ansible_ssh_private_key_file"] = os.path.expanduser(given["ansible_ssh_private_key_file"])
    variables = {**COMMON, "ansible_host": node["address"], "ansible_user": "root", **given}
    return variables if variables["ansible_user"] == "root" else {**variables, "ansible_become": True}
