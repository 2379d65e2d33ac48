# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A certificate authority and certificates of it, in a folder each, made by openssl.

This module util is PRIVATE to the collection. A pair is made aside and its folder renamed, so that what is there is
whole, also after a run that was killed.
"""

from __future__ import annotations

import os
import shutil
import typing as t

Run = t.Callable[..., tuple[int, str, str]]

AUTHORITY = "ca"
CERTIFICATE, KEY = "tls.crt", "tls.key"
DAYS = 365
# RFC 5280, 4.2.1.12. A server's is a client's as well: etcd's gateway is a client of etcd itself.
USAGE = {"server": "serverAuth, clientAuth", "client": "clientAuth"}
# RFC 5280, 4.2.1.3: an authority's certificate must say that it signs. Python refuses it otherwise, from 3.13 on.
ROOT = ["basicConstraints = critical, CA:TRUE", "keyUsage = critical, keyCertSign"]
PURPOSE = {"server": "sslserver", "client": "sslclient"}  # openssl's words for what a certificate is looked at for


class CertificateError(Exception):
    """The one error of this module: what openssl said."""


class Wanted(t.NamedTuple):
    """A certificate: its name, which is also its folder's, server or client, and a server's address or host name."""

    name: str
    usage: str
    address: str = ""
    host: str = ""


class Step(t.NamedTuple):
    """One thing to do: make or remove, a certificate's name, and why."""

    action: str
    name: str
    why: str


def configuration(name: str, extensions: t.Iterable[str]) -> str:
    """What openssl makes a certificate by (config(5), x509v3_config(5))."""
    lines = ["[req]", "distinguished_name = name", "x509_extensions = extensions", "prompt = no"]
    return "\n".join([*lines, "[name]", f"CN = {name}", "[extensions]", *extensions]) + "\n"


def extensions(wanted: Wanted) -> list[str]:
    """The extensions of a certificate that is no authority's."""
    given = {"IP": wanted.address, "DNS": wanted.host}
    names = [f"subjectAltName = {kind}:{name}" for kind, name in given.items() if name]
    return ["basicConstraints = critical, CA:FALSE", f"extendedKeyUsage = {USAGE[wanted.usage]}", *names]


class Folder:
    """The folder of one authority. ``run`` is AnsibleModule.run_command."""

    def __init__(self, run: Run, path: str, authority: str) -> None:
        self._run = run
        self._path = path
        self._authority = authority

    def _file(self, *parts: str) -> str:
        return os.path.join(self._path, *parts)

    def plan(self, wanted: t.Sequence[Wanted]) -> list[Step]:
        """What has to be done; with the authority goes everything that it signed."""
        why = self._fault(Wanted(AUTHORITY, ""))
        steps = [Step("make", AUTHORITY, why)] if why else []
        faults = {one.name: "it must be of the authority" if why else self._fault(one) for one in wanted}
        steps += [Step("make", name, fault) for name, fault in faults.items() if fault]
        there = sorted(os.listdir(self._path)) if os.path.isdir(self._path) else []
        return steps + [Step("remove", name, "nobody uses it") for name in there if name not in {AUTHORITY, *faults}]

    def _fault(self, wanted: Wanted) -> str:
        """Why a certificate cannot stay; empty when it can."""
        certificate, root = self._file(wanted.name, CERTIFICATE), self._file(AUTHORITY, CERTIFICATE)
        if not os.path.exists(certificate):
            return "it is not there"
        use = ["-purpose", PURPOSE[wanted.usage]] if wanted.usage else []
        where = ["-verify_ip", wanted.address] if wanted.address else []
        where += ["-verify_hostname", wanted.host] if wanted.host else []
        code, dummy, log = self._run(["openssl", "verify", "-CAfile", root, *use, *where, certificate])
        return f"openssl verify: {_reason(log)}" if code else ""

    def apply(self, steps: t.Iterable[Step], wanted: t.Sequence[Wanted]) -> None:
        """Do all steps; a plan has the authority first."""
        by_name = {one.name: one for one in wanted}
        signed = ["-CA", self._file(AUTHORITY, CERTIFICATE), "-CAkey", self._file(AUTHORITY, KEY)]
        for step in steps:
            if step.action == "remove":
                shutil.rmtree(self._file(step.name))
            elif step.name == AUTHORITY:
                self._make(AUTHORITY, self._authority, ROOT, [])
            else:
                self._make(step.name, step.name, extensions(by_name[step.name]), signed)

    def _make(self, name: str, subject: str, parts: list[str], signed: list[str]) -> None:
        target, aside = self._file(name), self._file(f"{name}.new")
        shutil.rmtree(aside, ignore_errors=True)
        os.makedirs(aside, mode=0o700)
        key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{aside}/{KEY}"]
        command = ["openssl", "req", "-x509", "-days", str(DAYS), *key, *signed, "-out", f"{aside}/{CERTIFICATE}"]
        code, dummy, log = self._run([*command, "-config", "/dev/stdin"], data=configuration(subject, parts))
        if code:
            raise CertificateError(f"openssl could not make {name}: {_reason(log)}")
        shutil.rmtree(target, ignore_errors=True)
        os.rename(aside, target)


def _reason(log: str) -> str:
    return next((line for line in log.splitlines() if line.startswith("error ")), log.strip()[-200:])
