# SPDX-License-Identifier: GPL-3.0-or-later
"""One call of vagrant_box. Commands are played, files are real."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils import _vagrant_box as vagrant_box
from ansible_collections.reftopo.lab.plugins.module_utils import _vagrant_box_apply as apply
from ansible_collections.reftopo.lab.plugins.module_utils import _vm_libvirt as vm_libvirt
from ansible_collections.reftopo.lab.plugins.module_utils._node_run import NodeError, Runner
from ansible_collections.reftopo.lab.plugins.module_utils._vm_model import Domain
from ansible_collections.reftopo.lab.plugins.module_utils._vm_plan import VmImage

CHAIN = {"family": "ip", "table": "filter", "name": "LIBVIRT_INP", "handle": 5}
JUMP = {"family": "ip", "table": "filter", "chain": "INPUT", "handle": 9, "expr": [{"jump": {"target": "LIBVIRT_INP"}}]}
TABLE = {"table": {"family": "ip", "name": "filter", "handle": 1}}


class Machine:
    """Plays virsh, nft and what makes files.

    Attributes:
        ruleset: what nft lists.
        answers: whether libvirt's daemon does, and until when: one that is ``somebody_elses`` is not ended.
    """

    def __init__(self, pool_file: Path) -> None:
        self.pool_file = pool_file
        self.ruleset: list[dict] = []
        self.answers, self.somebody_elses = True, False
        self.active = False
        self.ran: list[str] = []
        self.told: list[str] = []

    def __call__(self, argv: list[str], data: str = "", **dummy: object) -> tuple[int, str, str]:
        if argv == apply.RULESET:
            return 0, json.dumps({"nftables": self.ruleset}), ""
        if argv[0] == "virsh" and argv[3] in ("version", "pool-list"):
            return (0, "reftopo-vagrant\n" if self.active else "\n", "") if self.answers else (1, "", "no daemon")
        self.ran.append(argv[3] if argv[0] == "virsh" else argv[0])
        self.told += data.splitlines()
        self.change(argv)
        return 0, "", ""

    def stop(self) -> None:
        self.answers = self.somebody_elses

    def change(self, argv: list[str]) -> None:
        if "pool-define-as" in argv:
            self.pool_file.touch()
        elif "pool-start" in argv:
            self.active = True
        elif argv[0] == "cp":
            Path(argv[-1]).touch()
        elif argv[0] == "mv":
            Path(argv[-2]).rename(argv[-1])


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A host without an init system, on which libvirt is as new, and an image."""
    image = VmImage(str(tmp_path / "image"), "abc", "quiet", b"initrd")
    monkeypatch.setattr(apply, "observe_image", lambda path: image if path else image._replace(initrd=b""))
    monkeypatch.setattr(apply, "accelerator", lambda *dummy: "qemu")
    monkeypatch.setattr(apply, "definitions", list)
    monkeypatch.setattr(apply, "POOL_FILE", str(tmp_path / "pool.xml"))
    for module in (apply, vagrant_box):
        monkeypatch.setattr(module, "BOOT", str(tmp_path))
    monkeypatch.setattr(apply, "NOTES", (f"{tmp_path}/notes/*",))
    monkeypatch.setattr(vm_libvirt, "FOR_VAGRANT", str(tmp_path / "for-vagrant"))
    monkeypatch.setattr(vm_libvirt, "SYSTEMD", str(tmp_path / "nowhere"))
    made = Machine(tmp_path / "pool.xml")
    monkeypatch.setattr(vm_libvirt, "stop", made.stop)
    return made


def present(machine: Machine, tmp_path: Path, check: bool = False, image: str = "image") -> dict:
    return apply.present({"cache": str(tmp_path), "image": image}, Runner(machine), check)


def test_a_box_is_made_once(machine: Machine, tmp_path: Path):
    first = present(machine, tmp_path)
    assert first["changed"]
    assert first["commands"]
    machine.ran.clear()
    again = present(machine, tmp_path)
    assert machine.ran == []
    assert again == {**first, "changed": False, "commands": [], "diff": {}}


def test_check_mode_predicts_and_changes_nothing(machine: Machine, tmp_path: Path):
    predicted = present(machine, tmp_path, check=True)
    assert machine.ran == []
    assert not list(tmp_path.iterdir())
    assert predicted["changed"]
    assert present(machine, tmp_path)["commands"] == predicted["commands"]


def test_another_initrd_is_replaced(machine: Machine, tmp_path: Path):
    present(machine, tmp_path)
    (initrd,) = tmp_path.glob("*.initrd")
    initrd.write_bytes(b"half")
    assert present(machine, tmp_path)["changed"]
    assert initrd.read_bytes() != b"half"


def test_without_an_image_there_is_no_box(machine: Machine, tmp_path: Path):
    with pytest.raises(NodeError, match="is no image of virtual machines"):
        present(machine, tmp_path, image="")


def test_machines_that_are_there_are_not_pulled_away(machine: Machine, monkeypatch: pytest.MonkeyPatch):
    domains = [Domain("reftopo-vagrant.cp1.x"), Domain("somebody-elses")]
    monkeypatch.setattr(apply, "definitions", lambda: domains)
    with pytest.raises(NodeError, match=r"^reftopo-vagrant\.cp1\.x: still there\. Destroy them first"):
        apply.absent(Runner(machine), False)
    assert machine.ran == []


def test_what_the_daemon_keeps_goes_with_it(machine: Machine, tmp_path: Path):
    present(machine, tmp_path)
    assert json.loads((tmp_path / "for-vagrant").read_text()) == {"tables": [], "chains": []}
    machine.ruleset = [TABLE, {"chain": CHAIN}, {"rule": JUMP}]
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes/one.log").touch()
    machine.ran.clear()
    done = apply.absent(Runner(machine), False)
    assert done["changed"]
    assert machine.told == ["delete table ip filter"]
    assert not (tmp_path / "for-vagrant").exists()
    machine.ran.clear()
    machine.ruleset = []
    machine.pool_file.unlink()
    for path in (*tmp_path.glob("reftopo-vagrant-*"), tmp_path / "notes/one.log"):
        path.unlink()
    assert apply.absent(Runner(machine), False) == {"changed": False, "commands": [], "diff": {}}
    assert machine.ran == []


def test_tables_that_were_there_before_stay(machine: Machine, tmp_path: Path):
    machine.ruleset = [TABLE]
    present(machine, tmp_path)
    machine.ruleset = [TABLE, {"chain": CHAIN}, {"rule": JUMP}]
    apply.absent(Runner(machine), False)
    assert machine.told == [
        "delete rule ip filter INPUT handle 9",
        "flush chain ip filter LIBVIRT_INP",
        "delete chain ip filter LIBVIRT_INP",
    ]


def test_the_rules_of_a_daemon_that_runs_are_its_own(machine: Machine, tmp_path: Path):
    present(machine, tmp_path)
    machine.ruleset = [TABLE, {"chain": CHAIN}, {"rule": JUMP}]
    machine.somebody_elses = True
    apply.absent(Runner(machine), False)
    assert machine.told == []


def test_nothing_is_noted_where_an_init_system_runs_the_daemon(machine: Machine, tmp_path: Path):
    (tmp_path / "nowhere").mkdir()
    present(machine, tmp_path)
    assert not (tmp_path / "for-vagrant").exists()


def test_a_daemon_that_is_down_is_started_and_its_pool_with_it(machine: Machine, tmp_path: Path):
    present(machine, tmp_path)
    machine.answers = False
    assert present(machine, tmp_path, check=True)["commands"] == [apply.START]
