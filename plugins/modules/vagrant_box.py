#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vagrant_box
short_description: Makes a box of Vagrant's libvirt provider from what virtual machines boot from
version_added: 0.1.0
author: reftopo.lab maintainers (@reftopo)
description:
  - Packs the disk of a M(reftopo.lab.vm_image) as a box, with a catalog for C(vagrant box add), in the cache. A new box
    has the time of its making as its version, so that Vagrant takes the latest.
  - The box has no boot loader. Its C(Vagrantfile) has libvirt start the image's kernel and initrd, which are put into
    C(/var/lib/libvirt/boot), so a box is of use on the machine alone where it was made.
  - The same file says how libvirt runs machines here, by KVM where a guest that was started with it gets to its end,
    else by emulation.
  - Defines the storage pool C(reftopo-vagrant), in which Vagrant keeps the box's disk and the machines'.
  - Where the host has no init system that does it, starts libvirt's daemons, and with O(state=absent) stops them, and
    removes what they keep of firewall rules.
  - Must run as root.
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
  - reftopo.lab.attributes
options:
  state:
    description:
      - V(absent) removes the pool with all volumes, kernels and initrds, and logs of machines; boxes stay in the cache.
        It refuses while a machine of Vagrant's is there.
    type: str
    choices: [present, absent]
    default: present
  cache:
    description: The cache; the box goes to C(vagrant-boxes/<key>) in it. Required when O(state=present).
    type: path
  image:
    description: Folder of what virtual machines boot from. Required when O(state=present).
    type: path
"""

EXAMPLES = r"""
- name: Make the box
  reftopo.lab.vagrant_box:
    cache: /root/.cache/reftopo
    image: /root/.cache/reftopo/vm-images/0123456789abcdef
"""

RETURN = r"""
path:
  description: The catalog. Empty in check mode while the image does not exist.
  type: str
  returned: when O(state=present)
  sample: /root/.cache/reftopo/vagrant-boxes/0123456789abcdef/reftopo-node.json
version:
  description: The box's version; in check mode that of one made now.
  type: str
  returned: when O(state=present)
  sample: "20260101.100000"
driver:
  description: How machines run, V(kvm), or V(qemu) for emulation.
  type: str
  returned: when O(state=present)
  sample: kvm
commands:
  description: The steps that were taken, or would be in check mode.
  type: list
  elements: str
  returned: always
  sample: ["virsh --connect=qemu:///system --quiet pool-start reftopo-vagrant"]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.reftopo.lab.plugins.module_utils._node_image import has_manifest
from ansible_collections.reftopo.lab.plugins.module_utils._node_run import NodeError, Runner
from ansible_collections.reftopo.lab.plugins.module_utils._vagrant_box_apply import absent, present


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "cache": {"type": "path"},
            "image": {"type": "path"},
        },
        required_if=[("state", "present", ("cache", "image"))],
        supports_check_mode=True,
    )
    runner = Runner(module.run_command)
    wanted = module.params["state"] == "present"
    if wanted and module.check_mode and not has_manifest(module.params["image"]):
        module.exit_json(changed=True, path="", version="", driver="", commands=[])
    try:
        result = present(module.params, runner, module.check_mode) if wanted else absent(runner, module.check_mode)
    except (NodeError, OSError) as error:
        module.fail_json(msg=str(error), commands=runner.commands)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
