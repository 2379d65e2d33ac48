# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the manifests of a control plane are compared with its cluster, and applied.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import os
import re
import typing as t

from ansible_collections.reftopo.lab.plugins.module_utils._kubeadm_plan import (
    KUSTOMIZATION,
    MANIFESTS,
    Desired,
    KubeadmError,
)

Run = t.Callable[..., tuple[int, str, str]]

# Members of system:masters may apply before kubeadm has bound its own administrators' group.
EARLY_KUBECONFIG = "/etc/kubernetes/super-admin.conf"
READY = "/readyz"
MANAGER = "reftopo"  # whose are the fields that the server applies
# What kubectl says of objects whose kind, or whose namespace, is itself among the manifests and not there yet.
LACKING = re.compile(r'ensure CRDs are installed first|namespaces "[^"]+" not found')
# What kubectl says while etcd waits for a slow disk, or the kubelet starts the API server again; the texts are those of
# client-go's util/net (IsConnectionRefused, IsTimeout) and of etcd's api/v3/rpctypes/error.go.
PASSING = re.compile(r"etcdserver: |TLS handshake timeout|i/o timeout|connection refused|currently unable to handle")


def manifests_differ(run: Run, desired: Desired, wait_for: t.Callable[[str], None]) -> bool:
    """Whether the cluster is not as the manifests say.

    Raises:
        KubeadmError: that could not be found out.
    """
    if not desired.manifests():
        return False
    if not all(os.path.exists(path) for path in desired.manifests()):
        return True
    wait_for(READY)
    codes = set()
    for command, given in manifest_calls("diff", desired, run):
        rc, dummy, stderr = run(command, data=given)
        if rc > 1 and LACKING.search(stderr):
            return True
        if rc > 1:  # kubectl diff: 0 equal, 1 different, more is an error
            raise KubeadmError(f"kubectl diff of {MANIFESTS} failed: {stderr.strip()}\nIs the API server running?")
        codes.add(rc)
    return 1 in codes


def manifest_calls(verb: str, desired: Desired, run: Run) -> t.Iterator[tuple[list[str], str | None]]:
    """The commands that give a verb to all manifests, each with its standard input.

    A kustomization may name a file of the node image, outside of its own folder, which `kubectl apply -k` does not
    take. What it makes of others' manifests is applied by the server: they may be too large for an annotation.

    Raises:
        KubeadmError: a kustomization makes nothing.
    """
    kubectl = ["kubectl", "--kubeconfig", EARLY_KUBECONFIG]
    plain = [path for path in desired.manifests() if os.path.basename(path) != KUSTOMIZATION]
    if plain:
        yield [*kubectl, verb, *(argument for path in plain for argument in ("-f", path))], None
    for folder in (os.path.dirname(path) for path in desired.manifests() if path not in plain):
        rc, stdout, stderr = run(["kubectl", "kustomize", "--load-restrictor=LoadRestrictionsNone", folder])
        if rc != 0:
            raise KubeadmError(f"kubectl kustomize {folder} failed: {stderr.strip()}")
        yield [*kubectl, verb, "--server-side", "--force-conflicts", f"--field-manager={MANAGER}", "-f", "-"], stdout
