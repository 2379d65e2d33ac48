#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: container_nodes
short_description: Runs the nodes of a topology as podman containers
version_added: 0.1.0
author: reftopo.lab maintainers (@reftopo)
description:
  - Starts one container a node from a node image, all at once, in network namespaces that exist already
    (M(reftopo.lab.link_state)), and ends when SSH answers on every node.
  - A node's root is an overlay over the image. What is written to it lies in the nodes' folder, so that a node which
    was stopped, or whose container was removed, comes back as it was.
  - A container that is missing, stopped or half made is made again. One whose network namespace or links were
    replaced since it started is stopped and made again; what was built on a link went with it.
  - A node that was made from another image is refused, as is a container of the same name without the topology's label.
  - Must run as root.
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
  - reftopo.lab.attributes
attributes:
  diff_mode:
    details: Shows the nodes' states. Files are named, not shown.
options:
  owner:
    description: The topology's name; containers carry it in the label C(reftopo.topology).
    type: str
    required: true
  state:
    description:
      - V(absent) removes every container with the topology's label, the mounts of its nodes and their part of O(cache).
      - It needs O(owner) and O(cache) alone. With O(nodes) it removes the same of these nodes, whatever their values.
    type: str
    choices: [present, absent]
    default: present
  cache:
    description: The cache; the nodes' files go to C(nodes/<owner>) in it.
    type: path
    required: true
  image:
    description: Folder of the node image, from M(reftopo.lab.node_image). Required when O(state=present).
    type: path
  state_dir:
    description: Folder of the topology's keys, from M(reftopo.lab.node_keys). Required when O(state=present).
    type: path
  nameserver:
    description: Address that the nodes ask for names outside of the cluster. Required when O(state=present).
    type: str
  nodes:
    description:
      - The nodes of the compiled topology by name; C(netns), C(address) and the C(peer) of C(interfaces) are used.
      - Required when O(state=present). With O(state=absent), the nodes to remove; all of the topology without.
    type: dict
  timeout:
    description: Seconds until SSH must answer on all nodes.
    type: int
    default: 60
"""

EXAMPLES = r"""
- name: Start two nodes
  reftopo.lab.container_nodes:
    owner: flannel-vxlan
    cache: /root/.cache/reftopo
    image: /root/.cache/reftopo/node-images/0123456789abcdef
    state_dir: /root/.local/state/reftopo/flannel-vxlan
    nameserver: 172.30.10.1
    nodes:
      cp1: {netns: reftopo.flannel-vxlan.cp1, address: 172.30.10.11}
      w1: {netns: reftopo.flannel-vxlan.w1, address: 172.30.10.12}

- name: Remove whatever carries the topology's mark
  reftopo.lab.container_nodes:
    owner: flannel-vxlan
    cache: /root/.cache/reftopo
    state: absent
"""

RETURN = r"""
before:
  description:
    - The nodes' containers and images before.
    - With O(state=absent), the containers, mounts and folders that carry the topology's mark.
  type: dict
  returned: always
  sample: {"cp1": {"container": null, "image": null}}
after:
  description: The same after; in check mode as predicted.
  type: dict
  returned: always
  sample: {"cp1": {"container": "running", "image": "0123456789abcdef"}}
commands:
  description: The steps of all nodes that were taken, or would be in check mode.
  type: list
  elements: str
  returned: always
  sample: ["podman rm --force --time=0 reftopo.flannel-vxlan.cp1"]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.reftopo.lab.plugins.module_utils._disk_full import explained
from ansible_collections.reftopo.lab.plugins.module_utils._node_converge import converge_absent, converge_present
from ansible_collections.reftopo.lab.plugins.module_utils._node_run import NodeError, Runner


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "owner": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "cache": {"type": "path", "required": True},
            "image": {"type": "path"},
            "state_dir": {"type": "path"},
            "nameserver": {"type": "str"},
            "nodes": {"type": "dict"},
            "timeout": {"type": "int", "default": 60},
        },
        required_if=[("state", "present", ("image", "state_dir", "nameserver", "nodes"))],
        supports_check_mode=True,
    )
    converge = converge_absent if module.params["state"] == "absent" else converge_present
    try:
        result = converge(module.params, Runner(module.run_command), module.check_mode)
    except (NodeError, OSError) as error:
        module.fail_json(msg=explained(error, module.params["cache"]))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
