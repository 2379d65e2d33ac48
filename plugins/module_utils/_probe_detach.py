# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes the network of a pod away by CNI DEL, and gives it back by ADD when standard input closes.

This module util is PRIVATE to the collection. It is sent to a machine as text together with what makes pods, so that it
also repairs when whoever started it is killed. Its arguments are the pod, the PID of its pause container, the address
that it is to have again, and what to say on standard error when the network is gone.
"""

from __future__ import annotations

import json
import os
import pathlib
import signal
import subprocess
import sys

from ansible_collections.reftopo.lab.plugins.module_utils._pod_cni import add, delete
from ansible_collections.reftopo.lab.plugins.module_utils._pod_model import RECORDS


def run(argv: list[str], data: str, environ_update: dict[str, str]) -> tuple[int, str, str]:
    """What AnsibleModule.run_command does."""
    environment = {**os.environ, **environ_update}
    # pylint: disable-next=ansible-bad-function
    done = subprocess.run(argv, input=data, capture_output=True, text=True, check=False, env=environment)
    return done.returncode, done.stdout, done.stderr


def main() -> None:
    """Detach, say so, wait, attach again, and record the new result."""
    for end in (signal.SIGHUP, signal.SIGPIPE, signal.SIGTERM, signal.SIGINT):
        signal.signal(end, signal.SIG_IGN)
    pod, pid, address, ready = sys.argv[-4:]
    file, netns = pathlib.Path(RECORDS, f"{pod}.json"), f"/proc/{pid}/ns/net"
    record = json.loads(file.read_text(encoding="utf-8"))
    network = record["made_of"]["network"]
    try:
        delete(run, network, pod, netns, record["result"])
        os.write(2, f"{ready}\n".encode())
        sys.stdin.read()
    finally:
        record["result"] = add(run, network, pod, netns, address)
        file.write_text(json.dumps(record), encoding="utf-8")


if __name__ == "__main__":
    main()
