# SPDX-License-Identifier: GPL-3.0-or-later
"""A topology on three hosts, two of them by SSH: refused, built, proven, damaged, repaired, destroyed."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
CHANGED = re.compile(r"^(\S+) +: ok=\d+ +changed=(\d+)", re.MULTILINE)


def changed(run: subprocess.CompletedProcess[str]) -> dict[str, int]:
    """The hosts where a run that succeeded changed something."""
    assert run.returncode == 0, run.stdout[-6000:] + run.stderr[-2000:]
    return {host: int(count) for host, count in CHANGED.findall(run.stdout) if int(count)}


def test_a_topology_on_hosts_that_are_there(hosts):
    before = hosts.state()
    lan = json.loads(
        subprocess.run(
            ["ansible-inventory", "-i", str(hosts.folder / "inventories"), "--host", "host.t-wide"],
            capture_output=True,
            check=True,
            cwd=Path(__file__).parents[3],
        ).stdout
    )["reftopo_topology"]["segments"]["lan"]

    # Refused by each host that has a reason, and touched on none.
    for host in ("h1", "h2"):
        numbers = f"id {lan['vni']} dstport {lan['port']}"
        hosts.ssh(host, f"ip link add t-foreign type vxlan {numbers} local 127.0.0.1")
    refused = hosts.play("up")
    assert refused.returncode != 0
    assert f"VNI {lan['vni']} (segments.lan.vni): t-foreign has it at port {lan['port']}" in refused.stdout
    assert set(re.findall(r"fatal: \[(\w+)\.t-wide\]", refused.stdout)) == {"h1", "h2"}
    for host in ("h1", "h2"):
        hosts.ssh(host, "ip link delete t-foreign")
    assert hosts.changes(before) == []

    assert set(changed(hosts.play("up"))) == {"h1.t-wide", "h2.t-wide", "host.t-wide"}
    # The control of the comparison: it sees what is there now.
    for host, lines in hosts.state().items():
        new = {*lines} - {*before[host]}
        assert any(lan["tunnel"] in line for line in new), new
        assert any("reftopo.t-wide." in line for line in new), new
    for words in (("--check", "--diff"), ()):
        assert changed(hosts.play("build", "t-wide", *words)) == {}

    # The control of the proof: without one entry of one host's list the suite fails there.
    hosts.ssh("h1", f"bridge fdb del 00:00:00:00:00:00 dev {lan['tunnel']} dst 172.31.200.12")
    broken = hosts.play("verify")
    assert broken.returncode != 0
    assert "h1-flood-lan" in broken.stdout
    assert "none went to 172.31.200.12" in broken.stdout
    assert changed(hosts.play("build", "t-wide", "--check", "--diff")) == {"h1.t-wide": 1}
    assert changed(hosts.play("build")) == {"h1.t-wide": 1}
    assert changed(hosts.play("verify")) == {}

    assert "localhost" in changed(hosts.play("destroy"))
    assert hosts.changes(before) == []
    assert not (hosts.folder / "state" / "t-wide").exists()
