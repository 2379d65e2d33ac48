# SPDX-License-Identifier: GPL-3.0-or-later
"""One call of the module, on a host that is made up: nothing is touched unless it is whole and wanted."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils import _existing_converge as converge
from ansible_collections.reftopo.lab.plugins.module_utils._existing_model import Facts
from ansible_collections.reftopo.lab.plugins.module_utils._existing_record import ExistingError

SOURCE = {"sha256": "p1", "mode": "0755", "size": 70}
PARAMS = {
    "owner": "office",
    "node": {"name": "w1", "role": "worker", "interfaces": {"ens3": {"address": "192.168.50.12/24", "mtu": 1500}}},
    "packages": ["conntrack"],
    "units": ["containerd.service"],
    "links": ["flannel.1"],
    "networks": {"cluster.pod_cidr": "10.244.0.0/16"},
    "ports": {"tcp": [10250]},
    "needs": ["vxlan"],
    "brought": {"machine": "x86_64", "contents": {"/usr/bin/kubeadm": SOURCE}, "images": {}, "incoming": None},
}


@pytest.fixture
def applied(monkeypatch):
    """The steps that were carried out."""
    done = []
    monkeypatch.setattr(converge.Applier, "apply", lambda dummy, steps: done.extend(map(str, steps)))
    return done


def host(monkeypatch, observed):
    monkeypatch.setattr(converge, "observe", lambda *dummy: observed)


def run(*dummy, **options):
    raise AssertionError("no command runs here")


def given(**brought):
    return {**PARAMS, "brought": {**PARAMS["brought"], **brought}}


def test_nothing_is_done_before_the_contents_are_there(monkeypatch, applied, fresh):
    host(monkeypatch, fresh)
    result = converge.present(PARAMS, run, check_mode=False)
    assert result["lacking"] == ["p1"]
    assert "write /usr/bin/kubeadm" in result["steps"]
    assert applied == []
    result = converge.present(given(incoming="/tmp/x"), run, check_mode=False)
    assert applied == result["steps"]


def test_what_the_host_is_made_of_is_told(monkeypatch, applied, fresh):
    host(monkeypatch, dataclasses.replace(fresh, facts=dataclasses.replace(fresh.facts, emulated=True)))
    result = converge.present(PARAMS, run, check_mode=True)
    assert (result["container"], result["emulated"]) == (False, True)


def test_check_mode_tells_the_same_and_does_nothing(monkeypatch, applied, fresh, node):
    for observed, call in ((fresh, converge.present), (node, converge.absent)):
        host(monkeypatch, observed)
        predicted = call(given(incoming="/tmp/x"), run, check_mode=True)
        assert applied == []
        done = call(given(incoming="/tmp/x"), run, check_mode=False)
        assert applied == done["steps"] == predicted["steps"]
        applied.clear()


def test_a_node_is_looked_at_again_once_its_programs_have_ended(monkeypatch, applied, node):
    """While they run they change rules and routes: what was seen before may not be there any more, or be new."""
    ended = dataclasses.replace(
        node, full=(), active=frozenset(), pods=(), rules=("delete table ip calico",), routes=("unicast 10.244.7.0/26",)
    )
    seen = [ended, node]
    monkeypatch.setattr(converge, "observe", lambda *dummy: seen.pop())
    converge.absent({"owner": "office"}, run, check_mode=False)
    assert seen == []
    assert applied.index("end pods") < applied.index("unroute unicast 10.244.7.0/26")
    assert [step for step in applied if step.startswith("nft")] == ["nft delete table ip calico"]


def test_a_host_that_cannot_be_a_node_is_not_touched(monkeypatch, applied, fresh):
    host(monkeypatch, dataclasses.replace(fresh, full=("/etc/cni",)))
    with pytest.raises(ExistingError, match=r"cannot be the node w1 of office:\n  /etc/cni: not empty"):
        converge.present(given(incoming="/tmp/x"), run, check_mode=False)
    assert applied == []


def test_the_node_of_another_topology_is_not_taken_back(monkeypatch, applied, node):
    host(monkeypatch, node)
    with pytest.raises(ExistingError, match="a node of the topology office"):
        converge.absent({"owner": "lab"}, run, check_mode=False)
    assert applied == []


def test_a_host_that_cannot_be_looked_at_keeps_its_record(monkeypatch, applied, node):
    host(monkeypatch, dataclasses.replace(node, digests={}, full=(), facts=Facts(lacks=("systemctl",))))
    with pytest.raises(ExistingError, match="no systemctl"):
        converge.absent({"owner": "office"}, run, check_mode=False)
    assert applied == []
