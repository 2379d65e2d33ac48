# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""SSH keys of a topology's nodes, in its state folder.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import os
import stat
import typing as t
from dataclasses import dataclass

from ansible_collections.reftopo.lab.plugins.module_utils._file import read_text, write_whole
from ansible_collections.reftopo.lab.plugins.module_utils._node_run import Runner

USER_KEY = "id_ed25519"  # opens the nodes
HOST_KEY = "ssh_host_ed25519_key"  # all nodes of the topology show it
KNOWN_HOSTS = "known_hosts"


@dataclass(frozen=True)
class KeyFiles:
    """What the state folder holds.

    Attributes:
        keys: names of the private keys that exist.
        public: contents of public keys by the private key's name.
        known_hosts: content of known_hosts, empty when it does not exist.
        open_paths: paths that others than their owner can read.
    """

    keys: frozenset[str]
    public: t.Mapping[str, str]
    known_hosts: str
    open_paths: tuple[str, ...]


def known_hosts(public_key: str, addresses: t.Sequence[str]) -> str:
    """One line an address (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT) from a public key file's content."""
    key = " ".join(public_key.split()[:2])
    return "".join(f"{address} {key}\n" for address in addresses)


def observe(folder: str) -> KeyFiles:
    """What the state folder holds."""
    private = [name for name in (USER_KEY, HOST_KEY) if os.path.exists(os.path.join(folder, name))]
    paths = [folder, *(os.path.join(folder, name) for name in private)]
    return KeyFiles(
        keys=frozenset(private),
        public={name: read_text(os.path.join(folder, f"{name}.pub")) or "" for name in private},
        known_hosts=read_text(os.path.join(folder, KNOWN_HOSTS)) or "",
        open_paths=tuple(path for path in paths if os.path.exists(path) and os.stat(path).st_mode & 0o077),
    )


def plan(files: KeyFiles, addresses: t.Sequence[str]) -> list[tuple[str, str]]:
    """Steps as (action, subject): ``close`` a path to others, ``generate`` a key, ``derive`` its public part,
    ``list`` the nodes in known_hosts."""
    steps = [("close", path) for path in files.open_paths]
    for name in (USER_KEY, HOST_KEY):
        if name not in files.keys:
            steps.append(("generate", name))
        elif not files.public[name]:
            steps.append(("derive", name))
    public = files.public.get(HOST_KEY)
    if not public or files.known_hosts != known_hosts(public, addresses):
        steps.append(("list", KNOWN_HOSTS))
    return steps


class KeyMaker:
    """Carries out steps of ``plan`` in a state folder."""

    def __init__(self, folder: str, owner: str, addresses: t.Sequence[str], runner: Runner) -> None:
        self.folder = folder
        self.owner = owner
        self.addresses = addresses
        self.runner = runner

    def apply(self, steps: t.Iterable[tuple[str, str]]) -> None:
        """Carry out the steps.

        Raises:
            NodeError: ssh-keygen failed.
        """
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        for action, subject in steps:
            getattr(self, f"_{action}")(subject)

    def _close(self, path: str) -> None:
        os.chmod(path, stat.S_IMODE(os.stat(path).st_mode) & 0o700)

    def _generate(self, name: str) -> None:
        """The private key comes last: where it is, the pair is complete."""
        path = os.path.join(self.folder, name)
        new = f"{path}.new"
        for leftover in (new, f"{new}.pub"):
            if os.path.exists(leftover):
                os.remove(leftover)
        self.runner.change(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"reftopo.{self.owner}", "-f", new])
        os.replace(f"{new}.pub", f"{path}.pub")
        os.replace(new, path)

    def _derive(self, name: str) -> None:
        self._write(f"{name}.pub", self.runner.read(["ssh-keygen", "-y", "-f", os.path.join(self.folder, name)]))

    def _list(self, name: str) -> None:
        public = read_text(os.path.join(self.folder, f"{HOST_KEY}.pub")) or ""
        self._write(name, known_hosts(public, self.addresses))

    def _write(self, name: str, content: str) -> None:
        write_whole(os.path.join(self.folder, name), content)
