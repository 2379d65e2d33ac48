# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cases of the proof of Ingress: the files in ingress/, which no controller is named in. Pure.

This plugin util is PRIVATE to the collection. A case has a name, what it shows, rules (host, exact or prefix, and the
service that it leads to) or a default backend, hosts with a certificate (tls), and what is asked of it. class is the
controller's own when it is left out. What is late is made when everything else has been asked.

A cell has url, and of the answer by (the service) or status; of TLS the name that the certificate is for, `default` for
the controller's own, and sni where another name than the url's is asked for; headers that are sent, and websocket.
"""

from __future__ import annotations

import functools
import pathlib
import typing as t
import urllib.parse

from ansible_collections.reftopo.lab.plugins.plugin_utils._ingress_controllers import Controller
from ansible_collections.reftopo.lab.plugins.plugin_utils._proof_model import Data

try:
    import yaml
except ImportError:  # comes with Ansible; here only so that documentation tools can import the file
    yaml = None

FOLDER = pathlib.Path(__file__).parent / "ingress"
OWN = "own"  # the class of the controller that is tried
DEFAULT = "default"  # the certificate that a controller has for names that it knows none for
FOUND, SWITCHED, NOT_FOUND = 200, 101, 404


class Cell(t.NamedTuple):
    """One request of a case, and what must come of it. status is that of an answer by a service where it has one."""

    case: str
    url: str
    by: str | None
    status: int
    certificate: str | None
    sni: str | None
    headers: t.Mapping[str, str]
    websocket: bool

    @property
    def scheme(self) -> str:
        """http or https: the entry point that is asked."""
        return urllib.parse.urlsplit(self.url).scheme

    @property
    def name(self) -> str:
        """The cell as a person writes it."""
        words = [f"SNI {self.sni}"] if self.sni else []
        words += [f"{name}: {value}" for name, value in self.headers.items()]
        return f"{self.url}{' by WebSocket' if self.websocket else ''}{''.join(f' with {one}' for one in words)}"

    def without(self, controller: Controller) -> Cell:
        """The same when no rule is there any more."""
        certificate = self.certificate and (DEFAULT if controller.forgets else self.certificate)
        return self._replace(by=None, status=NOT_FOUND, certificate=certificate)


class Case(t.NamedTuple):
    """An Ingress and what is asked of it."""

    name: str
    shows: str
    owner: str | None
    rules: tuple[Data, ...]
    default: str | None
    tls: tuple[str, ...]
    late: bool
    cells: tuple[Cell, ...]


def cases(controller: Controller) -> tuple[Case, ...]:
    """All cases in the order of their files, as a controller must pass them."""
    return tuple(_case(entry, controller) for entry in _entries())


@functools.cache
def _entries() -> tuple[Data, ...]:
    texts = [path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.yml"))]
    return tuple(entry for text in texts for entry in yaml.safe_load(text))


def _case(entry: Data, controller: Controller) -> Case:
    return Case(
        entry["name"],
        entry["shows"],
        entry.get("class", OWN),
        tuple(entry.get("rules", ())),
        entry.get("default"),
        tuple(entry.get("tls", ())),
        entry.get("late", False),
        tuple(_cell(entry["name"], asked, controller) for asked in entry["asked"]),
    )


def _cell(case: str, asked: Data, controller: Controller) -> Cell:
    websocket = asked.get("websocket", False)
    by, status = asked.get("by"), asked.get("status", SWITCHED if websocket else FOUND)
    other = controller.unlike.get(asked["url"].partition("://")[2])
    if isinstance(other, int):
        by, status = None, other
    elif other:
        by = other
    certificate, headers = asked.get("certificate"), asked.get("headers", {})
    return Cell(case, asked["url"], by, status, certificate, asked.get("sni"), headers, websocket)
