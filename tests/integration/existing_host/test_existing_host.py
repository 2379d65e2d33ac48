# SPDX-License-Identifier: GPL-3.0-or-later
"""Two hosts become a cluster and are as before again: the whole way of a user, once."""

from __future__ import annotations

import re
import stat

RECORD = "/var/lib/reftopo/existing.json"
# What each has of its own, that a node would have, too, or would change: a package, a setting, a folder.
FURNISH = {
    "cp1": "apt-get -qq install --yes ethtool && sysctl -qw net.ipv4.ip_forward=0",
    "w1": "sysctl -qw net.ipv4.ip_forward=1 && mkdir -p /opt/cni",
}
OWN_TABLE = "nft 'table inet t-mine { chain input { type filter hook input priority 10; tcp dport 9 drop; }; }'"
# Kernel modules stay, and settings that came with them; in a container all that this machine has were there before.
OF_MODULES = re.compile(r"w1: settings: \+ net/(netfilter/|nf_conntrack_max )")
FOREIGN = "mkdir -p /etc/cni/net.d && touch /etc/cni/net.d/87-podman.conflist"


def test_hosts_become_a_cluster_and_are_as_before_again(hosts):
    for name, words in FURNISH.items():
        hosts.ssh(name, f"dpkg --purge ethtool && apt-get -qq update && {words} && {OWN_TABLE}")
    before = {name: hosts.snapshot(name) for name in FURNISH}

    # The control of the refusal: what is of somebody else, a port and an address in use, on two hosts at once.
    hosts.ssh("w1", FOREIGN)
    hosts.ssh("cp1", "systemd-run --quiet --unit=t-port python3 -m http.server 10250")
    hosts.plug_stranger("w1")
    refused = hosts.play("up")
    assert refused.returncode != 0
    assert "/etc/cni: not empty" in refused.stdout
    assert "tcp 10250: somebody listens there already" in refused.stdout
    assert "somebody else on the wire of eth0 has 198.51.100.12/24: 02:00:00:00:00:99" in refused.stdout
    hosts.unplug_stranger()
    hosts.ssh("w1", "rm -r /etc/cni")
    hosts.ssh("cp1", "systemctl stop t-port")
    assert left(hosts, before) == [], "a refused host is not touched"

    built = hosts.play("up")
    assert built.returncode == 0, built.stdout[-6000:] + built.stderr[-2000:]
    record = hosts.ssh("w1", f"stat -c %a {RECORD}").strip()
    assert int(record, 8) == stat.S_IRUSR | stat.S_IWUSR
    # The control of the comparison: it sees a node.
    changed = hosts.changes({"w1": before["w1"]})
    for one in ("files: + /usr/bin/kubelet", "packages: + ethtool", "nft: + table ip kube-proxy", "links: + flannel.1"):
        assert any(one in line for line in changed), one

    for words in (("--check", "--diff"), ()):
        again = hosts.play("build", *words)
        assert again.returncode == 0, again.stdout[-4000:]
        assert "changed=0" in again.stdout
        assert not [line for line in again.stdout.splitlines() if "changed=" in line and "changed=0" not in line]

    gone = hosts.play("destroy")
    assert gone.returncode == 0, gone.stdout[-4000:] + gone.stderr[-2000:]
    assert left(hosts, before) == []
    assert not (hosts.folder / "state" / "t-office").exists()


def left(hosts, before):
    """What is not as it was on the hosts, and ought to be."""
    return [line for line in hosts.changes(before) if not OF_MODULES.match(line)]
