#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vm_image
short_description: Makes from a node image what virtual machines boot from
version_added: 0.1.0
author: reftopo.lab maintainers (@reftopo)
description:
  - Makes three files that QEMU starts a node from without a boot loader, C(vmlinux), C(initrd) and C(disk.raw).
    They hold what the node image holds, containerd's store included, and a Debian kernel for virtual machines.
  - C(vmlinux) is decompressed and C(initrd) loads nothing but the drivers of disk and network, for a machine without
    virtualization emulates each instruction of the start.
  - C(disk.raw) is meant to be read only, below an overlay (C(qemu-img create -b)) of each VM. It takes the space of its
    content.
  - What a VM is of its own, C(initrd) finds in the folder C(/seed) of a second archive that is appended to it, see
    C(files/init) of the role P(reftopo.lab.vm_image#role).
  - The image is cached by a key of everything it is made of. The kernel's packages are cached apart; their versions are
    no part of the key. Remove C(vm-images) from the cache for newer ones.
  - An image whose files do not have the size and modification time that C(manifest.json) says is refused. Their
    C(digests) in it, of the disk that of its blocks, are compared when a machine does not come up.
  - Must run as root, on the machine that holds the cache, which must be amd64. Two runs at once wait for each other;
    one that is killed leaves a folder C(*.partial) that the next one removes.
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
  - reftopo.lab.attributes
options:
  cache:
    description: The cache; the image goes to C(vm-images/<key>) in it.
    type: path
    required: true
  image:
    description: Folder of the node image, from M(reftopo.lab.node_image).
    type: path
    required: true
  files:
    description:
      - Folder with C(rootfs/), which is laid over the node image, C(init), the initrd's first process, and the script
        C(pack-initrd).
    type: path
    required: true
  suite:
    description: Debian release that the kernel comes from.
    type: str
    default: trixie
  masked_units:
    description: systemd units that never start on a VM, besides those of the node image.
    type: list
    elements: str
    required: true
  mirror:
    description: URI of a Debian archive. When empty, the one that this machine's own packages come from, else Debian's.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Make the VM image
  reftopo.lab.vm_image:
    cache: /root/.cache/reftopo
    image: /root/.cache/reftopo/node-images/0123456789abcdef
    files: "{{ role_path }}/files"
    masked_units: [run-lock.mount]
"""

RETURN = r"""
path:
  description: Folder of the image; it ends in C(unknown) when RV(key) is empty.
  type: str
  returned: always
  sample: /root/.cache/reftopo/vm-images/0123456789abcdef
key:
  description: Content key of the image. Empty in check mode while the node image, which it depends on, does not exist.
  type: str
  returned: always
  sample: 0123456789abcdef
commands:
  description: The commands that ran.
  type: list
  elements: str
  returned: always
  sample: ["zstd --decompress --quiet --rm /root/.cache/reftopo/vm-images/0123456789abcdef.partial/vmlinux.zst"]
"""

import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.reftopo.lab.plugins.module_utils._disk_full import explained
from ansible_collections.reftopo.lab.plugins.module_utils._node_image import folder_digest, has_manifest
from ansible_collections.reftopo.lab.plugins.module_utils._node_run import NodeError, Runner
from ansible_collections.reftopo.lab.plugins.module_utils._vm_image import VmRecipe, load_image
from ansible_collections.reftopo.lab.plugins.module_utils._vm_image_apply import VmImageBuilder


def recipe_of(params: dict) -> VmRecipe:
    return VmRecipe(
        suite=params["suite"],
        image=params["image"],
        manifest=load_image(params["image"]),
        masked_units=tuple(params["masked_units"]),
        files=params["files"],
        files_digest=folder_digest(params["files"]),
    )


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "cache": {"type": "path", "required": True},
            "image": {"type": "path", "required": True},
            "files": {"type": "path", "required": True},
            "suite": {"type": "str", "default": "trixie"},
            "masked_units": {"type": "list", "elements": "str", "required": True},
            "mirror": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    if module.check_mode and not has_manifest(module.params["image"]):
        module.exit_json(
            changed=True, path=os.path.join(module.params["cache"], "vm-images/unknown"), key="", commands=[]
        )
    runner = Runner(module.run_command)
    try:
        recipe = recipe_of(module.params)
        builder = VmImageBuilder(recipe, module.params["cache"], module.params["mirror"], runner)
        changed = not builder.complete()
        if changed and not module.check_mode:
            changed = builder.build()
    except (NodeError, OSError) as error:
        module.fail_json(msg=explained(error, module.params["cache"]), commands=runner.commands)
    diff = {"before": "", "after": f"{builder.path}\n"} if changed else {}
    module.exit_json(changed=changed, path=builder.path, key=recipe.key(), commands=runner.commands, diff=diff)


if __name__ == "__main__":
    main()
