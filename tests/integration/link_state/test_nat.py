# SPDX-License-Identifier: GPL-3.0-or-later
"""What settings and address translation do to packets, in real namespaces, each with the control that must fail."""

from __future__ import annotations

import subprocess
import typing as t
from contextlib import contextmanager

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils._link_apply import apply, observe
from ansible_collections.reftopo.lab.plugins.module_utils._link_model import LinkStateError
from ansible_collections.reftopo.lab.plugins.module_utils._link_plan import plan

Data = dict[str, t.Any]

SERVER = """
import socket
server = socket.create_server(("", 80))
print("ready", flush=True)
while True:
    connection, address = server.accept()
    connection.sendall(address[0].encode())
    connection.close()
"""
CLIENT = """
import socket, sys
try:
    print(socket.create_connection((sys.argv[1], int(sys.argv[2])), 1).recv(99).decode())
except OSError as error:
    print("failed")
"""
MASQUERADE = {"action": "masquerade", "source": "10.1.0.0/24", "not_out": "lan"}
PORT = {"action": "dnat", "protocol": "tcp", "port": 8080, "to": "10.1.0.2:80"}
HAIRPIN = {"action": "masquerade", "source": "10.1.0.0/24", "destination": "10.1.0.0/24"}


def lab(nat: list[Data], sysctls: Data | None = None) -> Data:
    """A router between its own subnet (web, sibling) and the outside, which knows no way back into the subnet."""
    return {
        "owner": "t-nat",
        "namespaces": {
            "router": {
                "links": {
                    "lo": {},
                    "lan": {"kind": "bridge", "addresses": ["10.1.0.1/24"]},
                    "web": {"kind": "veth", "master": "lan", "peer": {"name": "eth0", "namespace": "web"}},
                    "sibling": {"kind": "veth", "master": "lan", "peer": {"name": "eth0", "namespace": "sibling"}},
                    "wan": {
                        "kind": "veth",
                        "addresses": ["198.51.100.1/24"],
                        "peer": {"name": "eth0", "namespace": "outside"},
                    },
                },
                "sysctls": sysctls or {"net.ipv4.ip_forward": 1},
                "nat": nat,
            },
            "web": {
                "links": {"lo": {}, "eth0": {"addresses": ["10.1.0.2/24"]}},
                "routes": [{"to": "default", "via": "10.1.0.1"}],
            },
            "sibling": {
                "links": {"lo": {}, "eth0": {"addresses": ["10.1.0.3/24"]}},
                "routes": [{"to": "default", "via": "10.1.0.1"}],
            },
            "outside": {"links": {"lo": {}, "eth0": {"addresses": ["198.51.100.2/24"]}}},
        },
    }


@contextmanager
def serving(namespace: str) -> t.Iterator[None]:
    """A server on port 80 there, which answers with the address that it sees."""
    command = ["ip", "netns", "exec", f"reftopo.t-nat.{namespace}", "python3", "-c", SERVER]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout and process.stdout.readline() == "ready\n"
            yield
        finally:
            process.kill()


def ask(machine: t.Any, namespace: str, address: str, port: int) -> str:
    """The address that the server saw, or `failed`."""
    command = ["ip", "netns", "exec", f"reftopo.t-nat.{namespace}", "python3", "-c", CLIENT, address, str(port)]
    return machine.run(command)[1].strip()


def test_masquerade(machine: t.Any):
    machine.converge(lab([MASQUERADE]))
    with serving("outside"), serving("web"):
        assert ask(machine, "web", "198.51.100.2", 80) == "198.51.100.1"
        assert ask(machine, "sibling", "10.1.0.2", 80) == "10.1.0.3", "within the subnet it is itself"
        machine.converge(lab([]))
        assert ask(machine, "web", "198.51.100.2", 80) == "failed", "no way back to the subnet"
        machine.converge(lab([{"action": "snat", "to": "198.51.100.1", "out": "wan"}]))
        assert ask(machine, "web", "198.51.100.2", 80) == "198.51.100.1"


@pytest.mark.parametrize(
    ("who", "address", "seen"),
    [("outside", "198.51.100.1", "198.51.100.2"), ("router", "198.51.100.1", "198.51.100.1")],
)
def test_port_map(machine: t.Any, who: str, address: str, seen: str):
    machine.converge(lab([MASQUERADE, PORT]))
    with serving("web"):
        assert ask(machine, who, address, 8080) == seen
        machine.converge(lab([MASQUERADE, {**PORT, "port": 8081}]))
        assert ask(machine, who, address, 8080) == "failed"
        assert ask(machine, who, address, 8081) == seen


def test_port_map_for_siblings(machine: t.Any):
    """Without the second rule the server answers the sibling directly, from an address that it did not ask."""
    with_hairpin = lab([PORT, HAIRPIN])
    machine.converge(with_hairpin)
    # br_netfilter, where loaded, would translate the bridged answer back.
    machine.sh("ip netns exec reftopo.t-nat.router sysctl -eq net.bridge.bridge-nf-call-iptables=0")
    with serving("web"):
        assert ask(machine, "sibling", "10.1.0.1", 8080) == "10.1.0.1"
        machine.converge(lab([PORT]))
        assert ask(machine, "sibling", "10.1.0.1", 8080) == "failed"
        machine.converge(lab([{**PORT, "not_in": "lan"}, HAIRPIN]))
        assert ask(machine, "sibling", "10.1.0.1", 8080) == "failed", "not from the bridge"


def test_port_map_of_one_address(machine: t.Any):
    machine.converge(lab([{**PORT, "destination": "198.51.100.1", "in": "wan"}]))
    with serving("web"):
        assert ask(machine, "outside", "198.51.100.1", 8080) == "198.51.100.2"
        assert ask(machine, "router", "198.51.100.1", 8080) == "failed", "not in by wan"
        machine.converge(lab([{**PORT, "destination": "10.1.0.1"}]))
        assert ask(machine, "outside", "198.51.100.1", 8080) == "failed"


def test_forwarding(machine: t.Any):
    machine.converge(lab([MASQUERADE], {"net.ipv4.ip_forward": 0}))
    with serving("outside"):
        assert ask(machine, "web", "198.51.100.2", 80) == "failed"
        machine.converge(lab([MASQUERADE], {"net.ipv4.ip_forward": 1}))
        assert ask(machine, "web", "198.51.100.2", 80) == "198.51.100.1"


def test_reverse_path_filter(machine: t.Any):
    """A source that the router would reach by another link is let in only without the filter."""
    settings = {"net.ipv4.ip_forward": 1, "net.ipv4.conf.lan.rp_filter": 1, "net.ipv4.conf.all.rp_filter": 0}
    for value, arrives in ((1, False), (0, True)):
        machine.converge(lab([MASQUERADE], {**settings, "net.ipv4.conf.lan.rp_filter": value}))
        machine.sh("ip -n reftopo.t-nat.web addr replace 198.51.100.77/32 dev lo")
        inside = "ip netns exec reftopo.t-nat"
        before = _received(machine)
        machine.sh(f"{inside}.web ping -c1 -W1 -I 198.51.100.77 198.51.100.2 >/dev/null || true")
        assert (_received(machine) > before) == arrives


def _received(machine: t.Any) -> int:
    """Echo requests that the outside got."""
    counters = machine.sh("ip netns exec reftopo.t-nat.outside cat /proc/net/snmp")
    names, values = [line.split() for line in counters.splitlines() if line.startswith("Icmp:")]
    return int(dict(zip(names, values))["InEchos"])


def test_two_owners(machine: t.Any):
    """Tables of several owners and of others are side by side in the machine's own namespace."""
    machine.sh("nft add table ip t-foreign")
    pristine = machine.snapshot()
    inputs = [{"owner": owner, "nat": [MASQUERADE, PORT]} for owner in ("t-nat", "t-nat-2")]
    for given in inputs:
        machine.converge(given)
    machine.converge({"owner": "t-nat", "state": "deleted"})
    assert machine.converge(inputs[1]).commands == []
    machine.converge({"owner": "t-nat-2", "state": "deleted"})
    assert machine.snapshot() == pristine


def test_interrupted(machine: t.Any):
    """After any number of commands the next run completes it, and removal leaves nothing."""
    pristine = machine.snapshot()
    wanted = {**lab([MASQUERADE, PORT, HAIRPIN]), "nat": [MASQUERADE, PORT]}
    deleted = {"owner": "t-nat", "state": "deleted"}
    count = len(plan(observe(machine.run, "t-nat", wanted=machine.desired(wanted)), machine.desired(wanted)))
    for done in range(0, count, 3):
        steps = plan(observe(machine.run, "t-nat", wanted=machine.desired(wanted)), machine.desired(wanted))
        apply(machine.run, steps[:done])
        if done % 2:
            machine.converge(wanted)
            assert machine.converge(wanted).commands == []
        machine.converge(deleted)
        assert machine.snapshot() == pristine, f"interrupted after {done} commands"


def test_rendered_is_valid_input(machine: t.Any):
    after = machine.converge(lab([MASQUERADE, PORT, HAIRPIN])).after
    assert after["namespaces"]["router"]["nat"] == [PORT, MASQUERADE, HAIRPIN]
    assert machine.converge(after).commands == []


@pytest.mark.parametrize("setting", ["net/ipv4/none", "net/ipv4/conf/lan/rp_filter"])
def test_a_setting_that_the_kernel_refuses(machine: t.Any, setting: str):
    wanted = lab([], {"net/ipv4/ip_forward": 1, setting: "x", "net/ipv4/conf/wan/rp_filter": 1})
    with pytest.raises(LinkStateError) as raised:
        machine.converge(wanted)
    assert [problem.path for problem in raised.value.problems] == [f"namespaces.router.sysctls.{setting}"]


def test_a_rule_that_the_kernel_refuses(machine: t.Any):
    """All or nothing; the error names the rule."""

    def run(command: list[str], data: str = "") -> tuple[int, str, str]:
        return machine.run(command, data.replace("masquerade", "masquerade_it"))

    wanted = machine.desired({"owner": "t-nat", "nat": [PORT, MASQUERADE]})
    with pytest.raises(LinkStateError, match=r"nat\[1\]: 'nft add rule .*syntax error"):
        apply(run, plan(observe(machine.run, "t-nat", wanted=wanted), wanted))
    assert "t-nat" not in machine.sh("nft list tables")


def test_without_nft(machine: t.Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("shutil.which", lambda *_arguments, **_options: None)
    machine.converge(lab([]))
    with pytest.raises(LinkStateError, match=r"namespaces\.router\.nat: there is no nft here; install .* nftables"):
        machine.converge(lab([PORT]))
