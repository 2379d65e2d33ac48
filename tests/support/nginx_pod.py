# SPDX-License-Identifier: GPL-3.0-or-later
"""What the pod of ingress-nginx says when it is asked as the suite asks it."""

from __future__ import annotations

import json

from ansible_collections.reftopo.lab.plugins.plugin_utils import _proof_nginx_objects as made

MASTER, PROGRAM = 20, 7  # process IDs


def conf(servers: list[str]) -> str:
    blocks = "".join(f"\tserver {{\n\t\tserver_name {one}.{made.DOMAIN} ;\n\t}}\n" for one in servers)
    return f"worker_processes 2;\nhttp {{\n\tserver {{\n\t\tserver_name _ ;\n\t}}\n{blocks}}}\n"


def printed(servers: list[str], workers: list[int], endpoints: list[str], *more: str) -> str:
    """What the controller's pod prints."""
    processes = [
        f"1 /usr/bin/dumb-init -- {made.PROGRAM} --ingress-class=nginx ",
        f"{PROGRAM} {made.PROGRAM} --ingress-class=nginx ",
        f"{MASTER} nginx: master process /usr/sbin/nginx -c /etc/nginx/nginx.conf",
        *(f"{pid} nginx: worker process" for pid in workers),
        *more,
    ]
    ends = [{"address": one, "port": "8080"} for one in endpoints]
    backends = [{"name": f"{made.NAMESPACE}-web-80", "endpoints": ends}, {"name": "upstream-default-backend"}]
    parts = [conf(servers), "\n".join(processes), json.dumps(backends)]
    return f"\n{made.SEPARATOR}\n".join(parts)
