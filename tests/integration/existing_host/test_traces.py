# SPDX-License-Identifier: GPL-3.0-or-later
"""What Calico leaves in a kernel is taken back from a network namespace in which others have the same of their own.

A moment's stand-in for the clusters of test_existing_host.py, which take minutes each.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils import _existing_apply as apply
from ansible_collections.reftopo.lab.plugins.module_utils._existing_model import Observed
from ansible_collections.reftopo.lab.plugins.module_utils._existing_plan import plan_absent
from ansible_collections.reftopo.lab.plugins.module_utils._existing_record import Before, Record
from ansible_collections.reftopo.lab.plugins.module_utils._existing_rules import chains, removal, tables
from ansible_collections.reftopo.lab.plugins.module_utils._existing_traces import left_routes

NETNS = "t-traces"
LINKS, NETWORKS = ("cali*", "vxlan.calico"), ("10.244.0.0/16", "10.96.0.0/16")
OWN = """
ip link set lo up
ip link add eth0 up type veth peer name far
ip link set far up
ip address add 198.51.100.11/24 dev eth0
ipset create t-mine hash:net
iptables -N T-MINE
iptables -A T-MINE -m set --match-set t-mine src -j ACCEPT
iptables -A INPUT -j T-MINE
nft 'table inet t-mine { chain input { type filter hook input priority 10; tcp dport 9 drop; }; }'
ip route add 192.0.2.0/25 dev eth0 proto bird
ip route add blackhole 192.0.2.128/25 proto 80
"""
# As Felix and BIRD make them: rules that lead to no chain of Calico's, sets that rules hold, routes that outlive links.
CALICOS = """
ipset create cali40s:abc hash:net
ipset create cali4t3 hash:ip
iptables -t raw -N cali-PREROUTING
iptables -t raw -I PREROUTING -m comment --comment cali:6gwbT8clXdHdC1b1 -j cali-PREROUTING
iptables -N cali-INPUT
iptables -N cali-wl-to-host
iptables -N KUBE-FIREWALL
iptables -A cali-INPUT -m comment --comment cali:i7okJZpS8VxaJB3n -m set --match-set cali40s:abc src -g cali-wl-to-host
iptables -I INPUT -m comment --comment cali:Cz_u1IQiXIMmKD4c -j cali-INPUT
iptables -I INPUT -j KUBE-FIREWALL
iptables -A FORWARD -m comment --comment cali:S93hcgKJrXEqnTfs -m mark --mark 0x10000/0x10000 -j ACCEPT
ip link add calif00d up type veth peer name inner
ip link add vxlan.calico up type vxlan id 4096 dstport 4789 dev eth0
ip route add 10.244.190.65 dev calif00d
ip route add blackhole 10.244.190.64/26 proto bird
ip route add blackhole 10.244.190.128/26 proto 80
ip route add 10.244.176.0/26 via 198.51.100.12 dev eth0 proto bird
ip route add 10.244.80.0/26 dev vxlan.calico proto 80
"""
SHOWN = ("ip route show table all", "ip -o link", "nft --stateless list ruleset", "ipset save")
Run = Callable[..., "tuple[int, str, str]"]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Runs commands in a network namespace; the links of this machine are not its own."""
    subprocess.run(["ip", "netns", "delete", NETNS], capture_output=True, check=False)  # of a run that was killed
    subprocess.run(["ip", "netns", "add", NETNS], check=True)

    def run(argv: list[str], environ_update: object = None) -> tuple[int, str, str]:
        done = subprocess.run(["ip", "netns", "exec", NETNS, *argv], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr

    monkeypatch.setattr(
        apply.os.path, "exists", lambda path, there=os.path.exists: "class/net" in str(path) or there(path)
    )
    yield run
    subprocess.run(["ip", "netns", "delete", NETNS], check=True)


def said(run: Run, *argv: str) -> str:
    """What a command prints, which must succeed."""
    code, out, err = run(list(argv))
    assert code == 0, f"{argv}: {err}"
    return out


def before(run: Run) -> Before:
    ruleset = json.loads(said(run, "nft", "-j", "list", "ruleset"))
    return Before(tables=tables(ruleset), chains=chains(ruleset), ipsets=ipsets(run))


def ipsets(run: Run) -> tuple[str, ...]:
    return tuple(said(run, "ipset", "list", "-name").split())


def observed(run: Run, record: Record) -> Observed:
    """The namespace as it is, of what a host is looked at for."""
    ruleset, saved = json.loads(said(run, "nft", "-j", "list", "ruleset")), said(run, "iptables-save")
    return Observed(
        record=record,
        now=before(run),
        links=frozenset(one["ifname"] for one in json.loads(said(run, "ip", "-j", "link"))),
        rules=tuple(removal(ruleset, record.before, saved)),
        routes=tuple(left_routes(json.loads(said(run, "ip", "-j", "-4", "route")), record.networks, record.links)),
    )


def shown(run: Run) -> dict[str, list[str]]:
    return {words: [line for line in said(run, *words.split()).splitlines() if line] for words in SHOWN}


def test_calicos_traces_go_and_others_stay(run: Run):
    said(run, "sh", "-ec", OWN)
    first, record = shown(run), Record("office", before(run), links=LINKS, networks=NETWORKS)
    said(run, "sh", "-ec", CALICOS)
    seen = shown(run)
    assert all(seen[words] != first[words] for words in SHOWN)  # the control of the comparison
    steps = [step for step in plan_absent(observed(run, record)) if step.action != "forget"]
    apply.Applier(run, None, record, "").apply(steps)
    assert shown(run) == first
    assert [str(step) for step in plan_absent(observed(run, record))] == ["forget /var/lib/reftopo/existing.json"]
