#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: flannel_records
short_description: Keeps flannel's configuration in etcd, and no leases of nodes that are gone
version_added: 0.1.0
author: reftopo.lab maintainers (@reftopo)
description:
  - Runs on the node that has etcd, with etcd's own certificate, by C(etcdctl).
  - Puts the network's configuration at C(/coreos.com/network/config), where flanneld reads it as it starts, and deletes
    leases below C(/coreos.com/network/subnets) whose address is no member's. Leases end by themselves only after a day.
  - In check mode, where etcd does not run yet, there are no records.
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
  - reftopo.lab.attributes
options:
  endpoint:
    description: etcd's URL.
    type: str
    required: true
  config:
    description: The network, as L(flannel has it,https://github.com/flannel-io/flannel/blob/master/Documentation/configuration.md).
    type: dict
    required: true
  members:
    description: The underlay addresses of all nodes.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Tell flannel its network
  reftopo.lab.flannel_records:
    endpoint: https://172.30.49.11:2379
    config:
      Network: 10.244.0.0/16
      SubnetLen: 24
      Backend: {Type: vxlan, VNI: 1, Port: 8472}
    members: [172.30.49.11, 172.30.49.12]
"""

RETURN = r"""
steps:
  description: What was done, or would be in check mode, in order.
  type: list
  elements: str
  returned: always
  sample: ["put /coreos.com/network/config: it is not there"]
"""

import json

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.reftopo.lab.plugins.module_utils._flannel_etcd import ETCD, etcdctl, parse, plan, read_all


def observe(module: AnsibleModule) -> dict:
    """flannel's records by key."""
    if module.check_mode and module.run_command(["systemctl", "is-active", "--quiet", "etcd"])[0]:
        return {}
    dummy, printed, dummy = module.run_command(read_all(module.params["endpoint"], ETCD), check_rc=True)
    return parse(printed)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "endpoint": {"type": "str", "required": True},
            "config": {"type": "dict", "required": True},
            "members": {"type": "list", "elements": "str", "required": True},
        },
        supports_check_mode=True,
    )
    params = module.params
    steps = plan(observe(module), params["config"], params["members"])
    for action, key, dummy in () if module.check_mode else steps:
        value = [json.dumps(params["config"])] if action == "put" else []
        module.run_command(etcdctl(params["endpoint"], action, key, *value, folder=ETCD), check_rc=True)
    described = [f"{action} {key}: {why}" for action, key, why in steps]
    diff = {"prepared": "".join(f"{line}\n" for line in described)} if steps else {}
    module.exit_json(changed=bool(steps), steps=described, diff=diff)


if __name__ == "__main__":
    main()
