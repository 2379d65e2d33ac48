#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module: the binaries and container images that nodes consist of, in the cache."""

from __future__ import annotations

DOCUMENTATION = r"""
module: artifacts
short_description: Builds or fetches the binaries and container images of nodes
version_added: 0.1.0
author: reftopo.lab maintainers (@reftopo)
description:
  - Puts what a node needs and Debian does not have (Kubernetes, etcd, CoreDNS, containerd, CNI plugins, flannel or
    Calico, add-ons) into a folder of the cache, with a manifest. Images are there under their upstream names and tags.
  - The folder's name is a key of the lock and the source, and for the source V(build) of Go's version and of every file
    that is compiled. Complete artifacts are never made again; an interrupted run continues with what is missing.
  - Two runs at once share the work. Each item has a lock, for which the second run waits.
  - Writes what it is doing to the file C(progress) in the cache.
requirements:
  - mmdebstrap and podman, for the source V(build); also gcc and libc6-dev, as flannel's udp backend is written in C
  - podman, for the sources V(upstream) and V(mirror)
attributes:
  check_mode:
    description: Tells what would be made, without making it. The source V(auto) does ask upstream whether it answers.
    support: full
  diff_mode:
    description: Lists what is made.
    support: full
  idempotent:
    description: Complete artifacts are left alone.
    support: full
  platform:
    description: Where it runs.
    support: full
    platforms: linux
options:
  lock:
    description: Versions, digests and URLs, in the format of C(roles/artifacts/files/lock.yml); see docs/artifacts.md.
    type: dict
    required: true
  files:
    description: Folder that holds C(go/), one folder a Go module, and C(images/), one folder a Containerfile.
    type: path
    required: true
  cache:
    description: Folder that all topologies share; safe to delete.
    type: path
    required: true
  cni:
    description: CNI of the clusters; what only nodes with another one need is left out.
    type: str
    choices: [flannel, calico]
    default: flannel
  addons:
    description: Add-ons of the clusters; what only nodes with another one need is left out.
    type: list
    elements: str
    choices: [metallb, nginx, traefik]
    default: []
  source:
    description:
      - V(build) compiles Go modules and builds images on Debian packages, from a Go module proxy and a Debian mirror.
      - V(upstream) downloads released files and pulls images from their publishers.
      - V(mirror) does the same from O(mirror_files) and O(mirror_registry).
      - V(auto) is V(upstream) if the lock has every digest (or with O(allow_unpinned)) and upstream answers within
        seconds, else V(build).
    type: str
    choices: [auto, build, upstream, mirror]
    default: auto
  mirror_registry:
    description:
      - Registry that holds the images under their upstream paths, as containerd asks mirrors for them,
        V(https://host:port/prefix). With V(http://) it is asked without TLS.
    type: str
    default: ""
  mirror_files:
    description: URL below which each download is at its upstream URL without the scheme, as C(dl.k8s.io/release/…).
    type: str
    default: ""
  allow_unpinned:
    description: Fetch also what has no digest in the lock. Nothing then tells whether it is what was released.
    type: bool
    default: false
  python:
    description: Interpreter that has pip; it installs a Go toolchain where the machine has none that is new enough.
    type: path
    default: python3
"""

EXAMPLES = r"""
- name: Binaries and images
  reftopo.lab.artifacts:
    lock: "{{ lookup('ansible.builtin.file', role_path ~ '/files/lock.yml') | from_yaml }}"
    files: "{{ role_path }}/files"
    cache: "{{ lookup('ansible.builtin.env', 'HOME') }}/.cache/reftopo"
    source: build
  register: artifacts_result
"""

RETURN = r"""
path:
  description: Folder of the artifacts; in check mode it may not be there yet.
  type: str
  returned: success
  sample: /root/.cache/reftopo/artifacts/0123456789abcdef
key:
  description: Its name, the content key.
  type: str
  returned: success
source:
  description: The source that was used.
  type: str
  returned: success
  sample: build
reason:
  description: Why V(auto) used it; empty for other sources.
  type: str
  returned: success
made:
  description: What was made, or in check mode would be. What other runs left complete is not in it.
  type: list
  elements: str
  returned: success
  sample: [go kubernetes v1.37.2, image kube-proxy v1.37.2]
manifest:
  description: Binaries and images with their digests, see docs/architecture.md. Empty in check mode if there are none.
  type: dict
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.reftopo.lab.plugins.module_utils._artifact_converge import Settings, choose, converge, missing
from ansible_collections.reftopo.lab.plugins.module_utils._artifact_lock import parse_lock
from ansible_collections.reftopo.lab.plugins.module_utils._artifact_model import ADDONS, CNIS, ArtifactError, of_cluster
from ansible_collections.reftopo.lab.plugins.module_utils._artifact_plan import Locate
from ansible_collections.reftopo.lab.plugins.module_utils._artifact_store import Store
from ansible_collections.reftopo.lab.plugins.module_utils._disk_full import explained


def run_module(module: AnsibleModule) -> dict:
    """Choose, plan, make; returns the module's result."""
    params = dict(module.params)
    lock = of_cluster(parse_lock(params.pop("lock")), params.pop("cni"), params.pop("addons"))
    locate = Locate(registry=params.pop("mirror_registry"), files=params.pop("mirror_files"))
    settings = Settings(locate=locate, **params)
    store = Store(settings.cache)
    choice = choose(module.run_command, lock, settings, store)
    key = choice.plan.key
    manifest, made = store.manifest(key), [item.label for item in missing(store, choice.plan)]
    changed = manifest is None
    if changed and not module.check_mode:
        manifest = converge(module.run_command, choice, settings, store)
    return {
        "changed": changed,
        "path": store.folder(key),
        "key": key,
        "source": choice.plan.manifest["source"],
        "reason": choice.reason,
        "made": made,
        "manifest": manifest or {},
        "diff": {"before": "", "after": "".join(f"{line}\n" for line in made), "after_header": store.folder(key)},
    }


def main() -> None:
    """Wire the module."""
    module = AnsibleModule(
        argument_spec={
            "lock": {"type": "dict", "required": True},
            "files": {"type": "path", "required": True},
            "cache": {"type": "path", "required": True},
            "cni": {"type": "str", "choices": list(CNIS), "default": "flannel"},
            "addons": {"type": "list", "elements": "str", "choices": list(ADDONS), "default": []},
            "source": {"type": "str", "choices": ["auto", "build", "upstream", "mirror"], "default": "auto"},
            "mirror_registry": {"type": "str", "default": ""},
            "mirror_files": {"type": "str", "default": ""},
            "allow_unpinned": {"type": "bool", "default": False},
            "python": {"type": "path", "default": "python3"},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**run_module(module))
    except (ArtifactError, OSError) as error:
        module.fail_json(msg=explained(error, module.params["cache"]))


if __name__ == "__main__":
    main()
