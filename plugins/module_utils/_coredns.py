# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""CoreDNS' Corefile: kubeadm's own, with other servers for what is not the cluster's, and pods that have read it.

This module util is PRIVATE to the collection. Sources: https://coredns.io/plugins/forward and, for stub domains,
https://kubernetes.io/docs/tasks/administer-cluster/dns-custom-nameservers
"""

from __future__ import annotations

import json
import re
import time
import typing as t
from dataclasses import dataclass

from ansible_collections.reftopo.lab.plugins.module_utils._node_run import NodeError, Runner

NAME = "coredns"  # of the ConfigMap and of the Deployment
# Of the pods' template: the ConfigMap's version that they were made after.
READ = "reftopo.lab/corefile"
KEY = "Corefile"
ATTEMPT = 30  # seconds
OWN_SERVERS = "forward . /etc/resolv.conf"  # kubeadm's: the servers of the node
STUB = """{domain}:53 {{
    errors
    cache 30
    forward . {servers}
}}
"""

Data = dict[str, t.Any]


@dataclass(frozen=True)
class State:
    """The Corefile in the cluster, the version of its ConfigMap, and the one that the pods' template names, if any."""

    corefile: str
    version: str
    read: str | None


def kubeadm_corefile(manifest: str) -> str:
    """The Corefile in what ``kubeadm init phase addon coredns --print-manifest`` prints.

    Raises:
        NodeError: there is none.
    """
    found = re.search(r"^( +)Corefile: \|\n((?:\1 +.*\n|\s*\n)+)", manifest, re.MULTILINE)
    if found is None:
        raise NodeError("kubeadm prints no Corefile. Is this its version? `kubeadm init phase addon coredns --help`")
    lines = found[2].rstrip().splitlines()
    indent = len(lines[0]) - len(lines[0].lstrip())
    return "".join(f"{line[indent:]}\n" for line in lines)


def desired(own: str, upstream: list[str], stub_domains: t.Mapping[str, list[str]]) -> str:
    """kubeadm's Corefile with these servers; as it is where none are given.

    Raises:
        NodeError: it does not say in one place whom to ask.
    """
    if upstream and own.count(OWN_SERVERS) != 1:
        raise NodeError(f"kubeadm's Corefile has `{OWN_SERVERS}` {own.count(OWN_SERVERS)} times, not once:\n{own}")
    text = own.replace(OWN_SERVERS, f"forward . {' '.join(upstream)}") if upstream else own
    return text + "".join(
        STUB.format(domain=domain, servers=" ".join(servers)) for domain, servers in stub_domains.items()
    )


def plan(before: State, corefile: str, own: str) -> list[str]:
    """What is to be done: apply the Corefile, restart the pods; empty when nothing is.

    Pods that name no version started with kubeadm's Corefile.
    """
    if before.corefile != corefile:
        return ["apply", "restart"]
    fresh = corefile == own if before.read is None else before.read == before.version
    return [] if fresh else ["restart"]


class Cluster:
    """The cluster, by kubectl and kubeadm on its control plane."""

    def __init__(self, runner: Runner, kubeconfig: str, config: str, timeout: int) -> None:
        self.runner = runner
        self.kubectl = ["kubectl", f"--kubeconfig={kubeconfig}", "--namespace=kube-system"]
        self.config = config
        self.timeout = timeout

    def own(self) -> str:
        """kubeadm's Corefile for this cluster."""
        words = ["kubeadm", "init", "phase", "addon", "coredns", "--print-manifest", f"--config={self.config}"]
        return kubeadm_corefile(self.runner.read(words))

    def state(self) -> State:
        """What the API has."""
        words = ["get", f"configmap/{NAME}", f"deployment/{NAME}", "--output=json"]
        found = {item["kind"]: item for item in json.loads(self.runner.read([*self.kubectl, *words]))["items"]}
        given, template = found["ConfigMap"], found["Deployment"]["spec"]["template"]["metadata"]
        version = given["metadata"]["resourceVersion"]
        return State(given.get("data", {}).get(KEY, ""), version, template.get("annotations", {}).get(READ))

    def apply(self, steps: t.Iterable[str], corefile: str) -> None:
        """Do all steps.

        Raises:
            NodeError: kubectl failed, or CoreDNS' new pods were not ready in time.
        """
        if "apply" in steps:
            data = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": NAME}, "data": {KEY: corefile}}
            words = ["apply", "--server-side", "--force-conflicts", "--field-manager=reftopo", "--filename=-"]
            self.runner.change([*self.kubectl, *words], data=json.dumps(data))
        if "restart" in steps:
            patch = {"spec": {"template": {"metadata": {"annotations": {READ: self.state().version}}}}}
            words = ["patch", f"deployment/{NAME}", "--type=merge", f"--patch={json.dumps(patch)}"]
            self.runner.change([*self.kubectl, *words])
            self._wait()

    def _wait(self) -> None:
        """Until all pods are of the new template. kubectl may go on waiting for what has come, so it is asked anew."""
        deadline = time.monotonic() + self.timeout
        command = [*self.kubectl, "rollout", "status", f"deployment/{NAME}", f"--timeout={ATTEMPT}s"]
        while True:
            try:
                self.runner.read(command)
            except NodeError as error:
                if time.monotonic() > deadline:
                    raise NodeError(f"CoreDNS' new pods are not ready after {self.timeout} s: {error}") from error
            else:
                return
