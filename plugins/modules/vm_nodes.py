#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vm_nodes
short_description: Runs the nodes of a topology as virtual machines of libvirt
version_added: 0.1.0
author: reftopo.lab maintainers (@reftopo)
description:
  - Defines and starts one domain a node, all at once, on taps that exist already (M(reftopo.lab.link_state)), and ends
    when SSH answers on every node.
  - A machine boots the kernel of M(reftopo.lab.vm_image) directly, from a disk that holds what differs from the
    image's. Its name, addresses, routes and keys are in a file of its own that it reads at each boot, so that it comes
    back into its topology by itself after it was killed.
  - Machines use KVM where a guest that was started with it gets to its end, and are emulated elsewhere, which is some
    twenty times slower.
  - Nodes whose C(provider) is not C(vm) are left to other modules; they are named in C(/etc/hosts) all the same.
  - A machine that is off, or whose tap was replaced since it started, is started. One whose definition or files are to
    be others is stopped and started with them.
  - A node that was made from another image is refused, as is a domain of the same name without the topology's mark.
  - Where the host has no init system that does it, starts libvirt's daemons, and stops them with the last machine.
  - Must run as root.
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
  - reftopo.lab.attributes
attributes:
  diff_mode:
    details: Shows the nodes' states. Files are named, not shown.
options:
  owner:
    description: The topology's name; it is in the domains' metadata.
    type: str
    required: true
  state:
    description:
      - V(absent) removes every domain with the topology's mark, libvirt's log of it, and its part of O(cache).
      - It needs O(owner) and O(cache) alone. With O(nodes) it removes the same of these nodes, whatever their values.
    type: str
    choices: [present, absent]
    default: present
  cache:
    description: The cache; the nodes' files go to C(nodes/<owner>) in it.
    type: path
    required: true
  image:
    description: Folder of the image, from M(reftopo.lab.vm_image). Required when O(state=present).
    type: path
  state_dir:
    description: Folder of the topology's keys, from M(reftopo.lab.node_keys). Required when O(state=present).
    type: path
  nameserver:
    description: Address that the nodes ask for names outside of the cluster. Required when O(state=present).
    type: str
  nodes:
    description:
      - The nodes of the compiled topology by name; C(provider), C(role), C(address), C(router) and C(interfaces) are
        used.
      - Required when O(state=present). With O(state=absent), the nodes to remove; all of the topology without.
    type: dict
  timeout:
    description: Seconds until SSH must answer on all nodes.
    type: int
    default: 300
"""

EXAMPLES = r"""
- name: Start a node
  reftopo.lab.vm_nodes:
    owner: flannel-vxlan
    cache: /root/.cache/reftopo
    image: /root/.cache/reftopo/vm-images/0123456789abcdef
    state_dir: /root/.local/state/reftopo/flannel-vxlan
    nameserver: 172.30.10.1
    nodes:
      w1:
        provider: vm
        role: worker
        address: 172.30.10.12
        interfaces:
          eth0: {peer: rt-5e6f7a8b, mac: "02:5e:6f:7a:8b:01", address: 172.30.10.12/24, mtu: 1500}

- name: Remove whatever carries the topology's mark
  reftopo.lab.vm_nodes:
    owner: flannel-vxlan
    cache: /root/.cache/reftopo
    state: absent
"""

RETURN = r"""
before:
  description:
    - The nodes' domains, images and accelerators (C(kvm), or C(qemu) for emulation) before.
    - With O(state=absent), the domains and folders that carry the topology's mark.
  type: dict
  returned: always
  sample: {"w1": {"domain": null, "image": null, "accelerator": null}}
after:
  description: The same after; in check mode as predicted.
  type: dict
  returned: always
  sample: {"w1": {"domain": "running", "image": "0123456789abcdef", "accelerator": "kvm"}}
commands:
  description: The steps of all nodes that were taken, or would be in check mode.
  type: list
  elements: str
  returned: always
  sample: ["virsh --connect=qemu:///system --quiet start reftopo.flannel-vxlan.w1"]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.reftopo.lab.plugins.module_utils._disk_full import explained
from ansible_collections.reftopo.lab.plugins.module_utils._node_run import NodeError, Runner
from ansible_collections.reftopo.lab.plugins.module_utils._vm_converge import converge_absent, converge_present


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
            "timeout": {"type": "int", "default": 300},
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
