#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: node_keys
short_description: Keeps the SSH keys of a topology's nodes
version_added: 0.1.0
author: reftopo.lab maintainers (@reftopo)
description:
  - Keeps, in the topology's state folder, the key that opens the nodes (C(id_ed25519)), the host key that they show
    (C(ssh_host_ed25519_key)), and C(known_hosts) with one line a node.
  - Keys are generated once, by C(ssh-keygen). The folder and the private keys are readable by their owner alone, whom
    the module must run as.
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
  - reftopo.lab.attributes
attributes:
  diff_mode:
    details: Names the files, shows none.
options:
  owner:
    description: The topology's name, used as the keys' comment.
    type: str
    required: true
  state_dir:
    description: The topology's state folder.
    type: path
    required: true
  addresses:
    description: The nodes' addresses.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Keep the keys of two nodes
  reftopo.lab.node_keys:
    owner: flannel-vxlan
    state_dir: ~/.local/state/reftopo/flannel-vxlan
    addresses: [172.30.10.11, 172.30.10.12]
"""

RETURN = r"""
steps:
  description: What was done, or would be in check mode.
  type: list
  elements: str
  returned: always
  sample: ["generate id_ed25519", "generate ssh_host_ed25519_key", "list known_hosts"]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.reftopo.lab.plugins.module_utils._node_keys import KeyMaker, observe, plan
from ansible_collections.reftopo.lab.plugins.module_utils._node_run import NodeError, Runner


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "owner": {"type": "str", "required": True},
            "state_dir": {"type": "path", "required": True},
            "addresses": {"type": "list", "elements": "str", "required": True},
        },
        supports_check_mode=True,
    )
    folder, addresses = module.params["state_dir"], module.params["addresses"]
    try:
        steps = plan(observe(folder), addresses)
        if steps and not module.check_mode:
            KeyMaker(folder, module.params["owner"], addresses, Runner(module.run_command)).apply(steps)
    except (NodeError, OSError) as error:
        module.fail_json(msg=str(error))
    described = [f"{action} {subject}" for action, subject in steps]
    diff = {"prepared": "".join(f"{line}\n" for line in described)} if steps else {}
    module.exit_json(changed=bool(steps), steps=described, diff=diff)


if __name__ == "__main__":
    main()
