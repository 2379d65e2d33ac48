# SPDX-License-Identifier: GPL-3.0-or-later
"""Two hosts become a cluster and are as before again: the whole way of a user, once."""

from __future__ import annotations

import re
import stat

from ansible_collections.reftopo.lab.plugins.module_utils._existing_model import FOLDERS

RECORD = "/var/lib/reftopo/existing.json"
# What each has of its own, that a node would have, too, or would change: a package, a setting, a folder; and on one of
# them a chain, a rule, a set and a route beside those of a network plugin.
FURNISH = {
    "cp1": "apt-get -qq install --yes ethtool && sysctl -qw net.ipv4.ip_forward=0",
    "w1": "sysctl -qw net.ipv4.ip_forward=1 && mkdir -p /opt/cni"
    " && iptables -N T-MINE && iptables -A T-MINE -p tcp --dport 9 -j ACCEPT && iptables -A INPUT -j T-MINE"
    " && ipset create t-mine hash:net && ipset add t-mine 192.0.2.0/24"
    " && ip route add 192.0.2.0/26 dev eth0 proto static",
}
# Beside them w1's own where the kernel has IPIP: its module's link, as Felix does not set it.
OF_IPIP = "modprobe ipip && ip link set tunl0 mtu 1400"
# BIRD and Felix remove routes with their protocols that are not theirs, and addresses of tunl0, so Calico does not
# begin beside these.
STRANGE = ("ip route {} 192.0.2.64/26 dev eth0 proto bird", "ip route {} blackhole 192.0.2.128/25 proto 80")
STRANGE_ADDRESS = "ip address {} 192.0.2.1/32 dev tunl0"
OWN_TABLE = "nft 'table inet t-mine { chain input { type filter hook input priority 10; tcp dport 9 drop; }; }'"
# Kernel modules stay, and what came with them; in a container all that this machine has were there before.
OF_MODULES = re.compile(
    r"settings: \+ net/(netfilter/|nf_conntrack_max |ipv4/vs/|ipv[46]/(conf|neigh)/tunl0/)"
    r"|links: \+ tunl0@NONE: <NOARP> mtu 1480 "
)
# What the comparison must see of a node, and of each network plugin on it.
OF_NODES = ("files: + /usr/bin/kubelet", "packages: + ethtool", "nft: + table ip kube-proxy")
OF_CALICO = (
    "files: + /run/calico/",
    "files: + /var/lib/calico/",
    "ipsets: + create cali40",
    "links: + cali",
    "nft: + \tchain cali-INPUT {",
    "routes: + blackhole 10.244.",
)
OF_NETWORKS = {
    "flannel-vxlan": ("links: + flannel.1",),
    "calico-bgp": (*OF_CALICO, "via 198.51.100.11 dev eth0 proto bird"),
    "calico-ipip": (
        *OF_CALICO,
        "links: + tunl0@NONE: <NOARP,UP,LOWER_UP> mtu 1480 ",
        "via 198.51.100.11 dev tunl0 proto 80",
    ),
    "calico-vxlan": (*OF_CALICO, "links: + vxlan.calico"),
}
FOREIGN = "mkdir -p /etc/cni/net.d && touch /etc/cni/net.d/87-podman.conflist"


def test_hosts_become_a_cluster_and_are_as_before_again(hosts):
    if hosts.network == "calico-ipip":
        hosts.ssh("w1", OF_IPIP)
    for name, words in FURNISH.items():
        hosts.ssh(name, f"dpkg --purge ethtool && apt-get -qq update && {words} && {OWN_TABLE}")
    before, folders = {name: hosts.snapshot(name) for name in FURNISH}, folders_of_nodes(hosts)

    refuse(hosts)
    assert left(hosts, before) == [], "a refused host is not touched"

    built = hosts.play("up")
    assert built.returncode == 0, built.stdout[-6000:] + built.stderr[-2000:]
    record = hosts.ssh("w1", f"stat -c %a {RECORD}").strip()
    assert int(record, 8) == stat.S_IRUSR | stat.S_IWUSR
    # The control of the comparison: it sees a node.
    changed = hosts.changes({"w1": before["w1"]})
    for one in (*OF_NODES, *OF_NETWORKS[hosts.network]):
        assert any(one in line for line in changed), one

    for words in (("--check", "--diff"), ()):
        again = hosts.play("build", *words)
        assert again.returncode == 0, again.stdout[-4000:]
        assert "changed=0" in again.stdout
        assert not [line for line in again.stdout.splitlines() if "changed=" in line and "changed=0" not in line]

    gone = hosts.play("destroy")
    assert gone.returncode == 0, gone.stdout[-4000:] + gone.stderr[-2000:]
    assert left(hosts, before) == []
    assert folders_of_nodes(hosts) == folders
    assert not (hosts.folder / "state" / "t-office").exists()


def refuse(hosts):
    """The control: what is of somebody else, a port and an address in use, on both hosts at once; it goes again."""
    calico, ipip = hosts.network.startswith("calico"), hosts.network == "calico-ipip"
    strange = (*STRANGE, STRANGE_ADDRESS) if ipip else STRANGE
    hosts.ssh("w1", " && ".join([FOREIGN, *(words.format("add") for words in strange)]))
    hosts.ssh("cp1", "systemd-run --quiet --unit=t-port python3 -m http.server 10250")
    hosts.plug_stranger("w1")
    refused = hosts.play("up")
    assert refused.returncode != 0
    assert "/etc/cni: not empty" in refused.stdout, refused.stdout[-6000:]
    assert "tcp 10250: somebody listens there already" in refused.stdout
    assert "somebody else on the wire of eth0 has 198.51.100.12/24: 02:00:00:00:00:99" in refused.stdout
    assert calico == ("routes of protocol bird or 80 (to 192.0.2.64/26, 192.0.2.128/25)" in refused.stdout)
    assert ipip == ("tunl0 has 192.0.2.1/32, and Calico removes" in refused.stdout)
    hosts.unplug_stranger()
    hosts.ssh("w1", " && ".join(["rm -r /etc/cni", *(words.format("delete") for words in strange)]))
    hosts.ssh("cp1", "systemctl stop t-port")


def left(hosts, before):
    """What is not as it was on the hosts, and ought to be."""
    changes = (line.partition(": ") for line in hosts.changes(before))
    return [f"{name}: {line}" for name, _, line in changes if hosts.kinds[name] != "vm" or not OF_MODULES.match(line)]


def folders_of_nodes(hosts):
    """Those that a node's programs alone have, by host; some hold logs, which are not compared."""
    return {name: hosts.ssh(name, f"ls -d {' '.join(FOLDERS)} || true") for name in FURNISH}
