#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: node_image
short_description: Makes the root file system that all nodes share
version_added: 0.1.0
author: reftopo.lab maintainers (@reftopo)
description:
  - Unpacks Debian packages with C(mmdebstrap), adds the binaries of the artifacts and the files of the role, and
    imports the artifacts' container images into a ready C(/var/lib/containerd).
  - The image is cached by a key of everything it is made of. The packages are cached apart, so that new artifacts do
    not need them again.
  - Artifacts whose digests are not those of their C(manifest.json) are refused.
  - Package versions are no part of the key; remove C(node-images) from the cache for newer ones.
  - Must run as root, on the machine that holds the cache. Two runs at once wait for each other; one that is
    killed leaves a folder C(*.partial) that the next one removes.
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
  - reftopo.lab.attributes
options:
  cache:
    description: The cache; the image goes to C(node-images/<key>) in it.
    type: path
    required: true
  artifacts:
    description: Folder of the artifacts, with C(manifest.json).
    type: path
    required: true
  files:
    description: Folder with C(rootfs/), which is laid over the packages, and the script C(import-images).
    type: path
    required: true
  suite:
    description: Debian release.
    type: str
    default: trixie
  packages:
    description: Debian packages, without their recommendations.
    type: list
    elements: str
    required: true
  masked_units:
    description: systemd units that never start on a node.
    type: list
    elements: str
    default: []
  mirror:
    description: URI of a Debian archive. When empty, the one that this machine's own packages come from, else Debian's.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Make the node image
  reftopo.lab.node_image:
    cache: /root/.cache/reftopo
    artifacts: /root/.cache/reftopo/artifacts/0123456789abcdef
    files: "{{ role_path }}/files"
    packages: [systemd-sysv, openssh-server, python3]
"""

RETURN = r"""
path:
  description: Folder of the image; it ends in C(unknown) when RV(key) is empty.
  type: str
  returned: always
  sample: /root/.cache/reftopo/node-images/0123456789abcdef
key:
  description: Content key of the image. Empty in check mode while the artifacts, which it depends on, do not exist.
  type: str
  returned: always
  sample: 0123456789abcdef
commands:
  description: The commands that ran.
  type: list
  elements: str
  returned: always
  sample: ["chroot /root/.cache/reftopo/node-images/0123456789abcdef.partial/rootfs systemctl --quiet preset-all"]
"""

import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.reftopo.lab.plugins.module_utils._disk_full import explained
from ansible_collections.reftopo.lab.plugins.module_utils._node_image import (
    Recipe,
    folder_digest,
    has_manifest,
    load_manifest,
)
from ansible_collections.reftopo.lab.plugins.module_utils._node_image_apply import ImageBuilder
from ansible_collections.reftopo.lab.plugins.module_utils._node_run import NodeError, Runner


def recipe_of(params: dict, runner: Runner) -> Recipe:
    return Recipe(
        suite=params["suite"],
        packages=tuple(params["packages"]),
        architecture=runner.read(["dpkg", "--print-architecture"]).strip(),
        masked_units=tuple(params["masked_units"]),
        artifacts=params["artifacts"],
        manifest=load_manifest(params["artifacts"]),
        files=params["files"],
        files_digest=folder_digest(params["files"]),
    )


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "cache": {"type": "path", "required": True},
            "artifacts": {"type": "path", "required": True},
            "files": {"type": "path", "required": True},
            "suite": {"type": "str", "default": "trixie"},
            "packages": {"type": "list", "elements": "str", "required": True},
            "masked_units": {"type": "list", "elements": "str", "default": []},
            "mirror": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    if module.check_mode and not has_manifest(module.params["artifacts"]):
        module.exit_json(
            changed=True, path=os.path.join(module.params["cache"], "node-images/unknown"), key="", commands=[]
        )
    runner = Runner(module.run_command)
    try:
        recipe = recipe_of(module.params, runner)
        builder = ImageBuilder(recipe, module.params["cache"], module.params["mirror"], runner)
        changed = not builder.complete()
        if changed and not module.check_mode:
            changed = builder.build()
    except (NodeError, OSError) as error:
        module.fail_json(msg=explained(error, module.params["cache"]), commands=runner.commands)
    diff = {"before": "", "after": f"{builder.path}\n"} if changed else {}
    module.exit_json(changed=changed, path=builder.path, key=recipe.key(), commands=runner.commands, diff=diff)


if __name__ == "__main__":
    main()
