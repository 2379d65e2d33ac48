#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_secrets
short_description: Makes a cluster's certificate authority, bootstrap token and administrator's kubeconfig beforehand
version_added: 0.1.0
author: reftopo.lab maintainers (@reftopo)
description:
  - Makes with kubeadm, in a folder of this machine, what a cluster's nodes need from the first moment, so that control
    plane and workers can start together. What is there already is kept.
  - Files are C(pki/ca.crt), C(pki/ca.key), C(token), C(admin.conf) and, where it is asked for, C(bgp-password); all but
    the certificate have mode 0600. Beside them C(cluster.json) keeps what the cluster is built with.
  - Each is made aside and renamed, so that what is there is whole, also after a run that was killed.
  - The machine needs no default route and no container engine for it.
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: partial
    details: Files are named, their contents are secret.
  platform:
    platforms: posix
options:
  folder:
    description: Where the files go.
    type: path
    required: true
  kubeadm:
    description: The kubeadm binary to run.
    type: path
    required: true
  kubernetes:
    description: The cluster's version, which keeps kubeadm from asking the internet for one.
    type: str
    required: true
  endpoint:
    description: The API server's V(address:port), which the kubeconfig points to.
    type: str
    required: true
  bgp_password:
    description: Whether to make a password for sessions of BGP, too.
    type: bool
    default: false
  record:
    description: What the cluster is built with; M(reftopo.lab.preflight) compares it in later runs.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Make what the nodes need from the first moment
  reftopo.lab.cluster_secrets:
    folder: /root/.local/state/reftopo/flannel-vxlan
    kubeadm: /root/.cache/reftopo/artifacts/0123456789abcdef/bin/kubeadm
    kubernetes: v1.37.2
    endpoint: 172.30.10.11:6443
    record:
      cluster: "{{ reftopo_topology['cluster'] }}"
      nodes: "{{ reftopo_topology['nodes'] }}"
"""

RETURN = r"""
made:
  description: The files that were missing, and C(cluster.json) when it had to change.
  type: list
  elements: str
  returned: always
  sample: ["pki", "token", "admin.conf"]
"""

import json
import os
import secrets
import shutil
import string

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.reftopo.lab.plugins.module_utils._file import read_text, write_whole

# https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/#token-format: [a-z0-9]{6}.[a-z0-9]{16}
TOKEN_ID = "reftop"
TOKEN_LENGTH = 16
MADE = ("pki", "token", "admin.conf")
# RFC 2385 section 4.5: at least 12 and up to 80 bytes
BGP_PASSWORD = "bgp-password"
BGP_PASSWORD_LENGTH = 24
RECORD = "cluster.json"
API = "kubeadm.k8s.io/v1beta4"


def random_text(length: int) -> str:
    """So many lower-case letters and digits; 16 have 82 bits of randomness."""
    alphabet = string.ascii_lowercase + string.digits
    return "".join(secrets.choice(alphabet) for dummy in range(length))


def configuration(kubernetes: str, endpoint: str, certificates: str) -> str:
    """What kubeadm works by; all that it would otherwise find out about this machine, which is no node, is said."""
    documents = [
        {
            "kind": "InitConfiguration",
            "localAPIEndpoint": {"advertiseAddress": endpoint.rpartition(":")[0]},
            "nodeRegistration": {"name": "none", "criSocket": "unix:///run/containerd/containerd.sock"},
        },
        {
            "kind": "ClusterConfiguration",
            "kubernetesVersion": kubernetes,
            "controlPlaneEndpoint": endpoint,
            "certificatesDir": certificates,
            "encryptionAlgorithm": "ECDSA-P256",
        },
    ]
    return "\n---\n".join(json.dumps({"apiVersion": API, **document}) for document in documents)


def make(module: AnsibleModule, name: str, aside: str) -> None:
    """Make one of ``MADE``, or the password, in the folder ``aside``."""
    params = module.params
    if name in ("token", BGP_PASSWORD):
        text = f"{TOKEN_ID}.{random_text(TOKEN_LENGTH)}" if name == "token" else random_text(BGP_PASSWORD_LENGTH)
        with open(os.open(f"{aside}/{name}", os.O_WRONLY | os.O_CREAT, 0o600), "w") as stream:
            stream.write(text)
        return
    phase, pki = ["kubeconfig", "admin", f"--kubeconfig-dir={aside}"], f"{params['folder']}/pki"
    if name == "pki":
        # Not in place: kubeadm writes the key first, and takes a key without its certificate for an error.
        phase, pki = ["certs", "ca"], f"{aside}/pki"
    text = configuration(params["kubernetes"], params["endpoint"], pki)
    module.run_command([params["kubeadm"], "init", "phase", *phase, "--config=/dev/stdin"], data=text, check_rc=True)


def make_all(module: AnsibleModule, names: list[str]) -> None:
    """Make them one by one; a later one needs those before it."""
    folder = module.params["folder"]
    aside = os.path.join(folder, "secrets.new")
    shutil.rmtree(aside, ignore_errors=True)
    os.makedirs(aside, mode=0o700)
    for name in names:
        make(module, name, aside)
        os.rename(f"{aside}/{name}", f"{folder}/{name}")
    os.rmdir(aside)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "folder": {"type": "path", "required": True},
            "kubeadm": {"type": "path", "required": True},
            "kubernetes": {"type": "str", "required": True},
            "endpoint": {"type": "str", "required": True},
            "bgp_password": {"type": "bool", "default": False, "no_log": False},
            "record": {"type": "dict", "required": True},
        },
        supports_check_mode=True,
    )
    folder = module.params["folder"]
    wanted = [*MADE, *([BGP_PASSWORD] if module.params["bgp_password"] else [])]
    missing = [name for name in wanted if not os.path.exists(os.path.join(folder, name))]
    record, path = json.dumps(module.params["record"], indent=1, sort_keys=True) + "\n", os.path.join(folder, RECORD)
    recorded = [] if read_text(path) == record else [RECORD]
    if missing and not module.check_mode:
        make_all(module, missing)
    if recorded and not module.check_mode:
        write_whole(path, record, 0o600)
    made = missing + recorded
    diff = {"prepared": "".join(f"+ {name}\n" for name in made)} if made else {}
    module.exit_json(changed=bool(made), made=made, diff=diff)


if __name__ == "__main__":
    main()
