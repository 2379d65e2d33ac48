# SPDX-License-Identifier: GPL-3.0-or-later
"""An authority and its certificates, made and looked at by this machine's openssl."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils._certificates import CertificateError, Folder, Step, Wanted

WANTED = [Wanted("etcd", "server", "192.0.2.1"), Wanted("m1", "client")]


def run(argv, data=None):
    done = subprocess.run(argv, input=data, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def folder(tmp_path):
    made = Folder(run, str(tmp_path), "lab")
    made.apply(made.plan(WANTED), WANTED)
    return made


def test_all_is_made_once_and_keys_are_private(folder, tmp_path):
    assert folder.plan(WANTED) == []
    modes = {path.relative_to(tmp_path).as_posix(): oct(path.stat().st_mode & 0o777) for path in tmp_path.rglob("*")}
    assert {name: mode for name, mode in modes.items() if "/" not in name} == {
        name: "0o700" for name in ("ca", "etcd", "m1")
    }
    assert {modes[f"{name}/tls.key"] for name in ("ca", "etcd", "m1")} == {"0o600"}


@pytest.mark.parametrize("name", ["etcd", "m1"])
def test_who_goes_by_the_letter_of_rfc_5280_takes_them_too(folder, tmp_path, name):
    strict = ["openssl", "verify", "-x509_strict", "-CAfile", str(tmp_path / "ca/tls.crt")]
    assert run([*strict, str(tmp_path / name / "tls.crt")])[0] == 0


def test_a_server_at_another_address_gets_another_certificate(folder):
    moved = [Wanted("etcd", "server", "192.0.2.2"), WANTED[1]]
    (step,) = folder.plan(moved)
    assert step[:2] == ("make", "etcd")
    assert "IP address mismatch" in step.why
    folder.apply([step], moved)
    assert folder.plan(moved) == []


def test_a_client_does_not_pass_for_a_server(folder):
    assert "unsuitable certificate purpose" in folder.plan([Wanted("m1", "server")])[0].why


def test_with_the_authority_everything_is_made_anew(folder, tmp_path):
    shutil.rmtree(tmp_path / "ca")
    steps = folder.plan(WANTED)
    assert [step.name for step in steps] == ["ca", "etcd", "m1"]
    folder.apply(steps, WANTED)
    assert folder.plan(WANTED) == []


def test_of_another_authority_is_made_anew(folder, tmp_path):
    other = Folder(run, str(tmp_path / "other"), "lab")
    other.apply(other.plan(WANTED), WANTED)
    shutil.copytree(tmp_path / "other/m1", tmp_path / "m1", dirs_exist_ok=True)
    shutil.rmtree(tmp_path / "other")
    assert [step.name for step in folder.plan(WANTED)] == ["m1"]


def test_what_nobody_uses_is_removed(folder, tmp_path):
    (tmp_path / "m1.new").mkdir()  # of a run that was killed
    steps = folder.plan(WANTED[:1])
    assert steps == [Step("remove", "m1", "nobody uses it"), Step("remove", "m1.new", "nobody uses it")]
    folder.apply(steps, WANTED[:1])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ca", "etcd"]


def test_what_openssl_says_is_told(tmp_path):
    def refuse(argv, data=None):
        return 1, "", "error in libcrypto"

    with pytest.raises(CertificateError, match="openssl could not make ca: error in libcrypto"):
        Folder(refuse, str(tmp_path), "lab").apply([Step("make", "ca", "")], [])


def test_a_server_may_have_a_host_name_in_place_of_an_address(folder):
    named = [*WANTED, Wanted("web", "server", host="a.test")]
    folder.apply(folder.plan(named), named)
    assert folder.plan(named) == []
    (step,) = folder.plan([*WANTED, Wanted("web", "server", host="b.test")])
    assert step[:2] == ("make", "web")
    assert "hostname mismatch" in step.why
