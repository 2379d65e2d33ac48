# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks one web server for several hosts, each so often: prints what was answered, as JSON.

This module util is PRIVATE to the collection. It is sent to a machine as text, so it needs nothing but Python.
"""

from __future__ import annotations

import http.client
import json
import sys

from ansible_collections.reftopo.lab.plugins.module_utils._probe_protocols import observed

PATH = "/hostname"  # where agnhost says its pod's name
TIMEOUT = 2.0  # seconds


def ask(address: str, port: int, host: str) -> str:
    """What came of one request on a connection of its own: status and, of 200, the pod's name; or why nothing came."""
    connection = http.client.HTTPConnection(address, port, timeout=TIMEOUT)
    try:
        connection.request("GET", PATH, headers={"Host": host})
        answer = connection.getresponse()
        body = answer.read().decode(errors="replace").strip()
        return f"200 {body}" if answer.status == http.client.OK else str(answer.status)
    except (OSError, http.client.HTTPException) as problem:
        return observed(problem)
    finally:
        connection.close()


def main() -> None:
    """The last arguments: address, port, and as JSON how often each host is asked for."""
    address, port, times = sys.argv[-3:]
    wanted: dict[str, int] = json.loads(times)
    found = {host: [ask(address, int(port), host) for _one in range(count)] for host, count in wanted.items()}
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
