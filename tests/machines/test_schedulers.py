# SPDX-License-Identifier: GPL-3.0-or-later
"""Each scheduler of IPVS on one virtual machine, changed while the cluster is up and judged by the suite.

By hand, for an emulated machine takes minutes: ./lab pytest tests/machines/test_schedulers.py
"""

from __future__ import annotations

import subprocess
import sys
import typing as t

import pytest
from topologies import ROOT, Topology

NAME = "schedulers"
FILE = ROOT / "inventories/flannel-vxlan-ipvs/topology.yml"
CLUSTER = ["playbooks/cluster.yml"]
# Of the whole suite: virtual servers, rules, and what services do, on the node that has them; and its rules alone.
SERVICES, RULES = "services-by-kube-proxy and w1", "test_ruled and w1"
ROUND = ["lc", "dh", "sh", "sed", "nq", "rr"]


def suite(lab: Topology, cases: str) -> subprocess.CompletedProcess[str]:
    """What cases of the suite say of the cluster as it is."""
    options = [f"--topology={NAME}", f"--ansible-inventory={lab.inventory}", f"--results={lab.log}.json", f"-k={cases}"]
    command = [sys.executable, "-m", "pytest", "-q", "--tb=short", "tests/topology", *options]
    return subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Topology]:
    """A topology like flannel-vxlan-ipvs, proven as a whole with rr; whatever happens, nothing is left."""
    folder = tmp_path_factory.mktemp(NAME)
    topology = Topology(NAME, folder / "inventories", folder / NAME)
    topology.write(FILE.read_text().replace("name: flannel-vxlan-ipvs", f"name: {NAME}"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REFTOPO_STATE", str(folder / "state"))
        topology.destroy()  # of a run that was killed
        try:
            topology.play(["playbooks/nodes.yml", *CLUSTER, "playbooks/verify.yml"])
            yield topology
        finally:
            topology.destroy()


@pytest.mark.parametrize(("was", "scheduler"), list(zip(("rr", *ROUND), ROUND)), ids=ROUND)
def test_a_scheduler_takes_over(lab: Topology, was: str, scheduler: str):
    lab.change({f"proxy_scheduler: {was}": f"proxy_scheduler: {scheduler}"})
    told = suite(lab, RULES)  # the control: what is not there yet is missed
    assert told.returncode == 1
    assert f"scheduler {was}, must be {scheduler}" in told.stdout
    assert set(lab.play(CLUSTER).changed) == {f"cp1.{NAME}", f"w1.{NAME}"}
    proven = suite(lab, SERVICES)
    assert proven.returncode == 0, proven.stdout
    print(scheduler, proven.stdout.splitlines()[-1])
