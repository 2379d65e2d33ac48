# SPDX-License-Identifier: GPL-3.0-or-later
"""What the host of tests/unit/existing_host is to have."""

from __future__ import annotations

MIB = 1024**2
CONFIG, UNIT, PROGRAM = "/etc/containerd/config.toml", "/etc/systemd/system/kubelet.service", "/usr/bin/kubeadm"
PAUSE, PROXY = "registry.k8s.io/pause:3.10.2", "registry.k8s.io/kube-proxy:v1.37.2"
