# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What differs between ingress controllers, for who installs and who tries them. PRIVATE to the collection."""

from __future__ import annotations

import dataclasses
import re
import typing as t


@dataclasses.dataclass(frozen=True)
class Controller:
    """A controller: its objects in the cluster, and what it does otherwise than others.

    Attributes:
        namespace: where its objects are.
        labels: of its pods.
        service: its own, of type LoadBalancer, which keeps clients' addresses.
        ports: names of those that its container listens on, for HTTP and for TLS.
        default_certificate: name of the certificate for names that it knows none for, which it signs itself.
        line: a line of its log, with the groups path, router and server.
        router: start of what that line calls the way of a request, {namespace}, {ingress} and {service} filled in.
        unlike: what it does otherwise than the API says, by host and path: the service that answers, or the status.
        forgets: whether a name has no certificate any more when its Ingress is deleted.
    """

    namespace: str
    labels: t.Mapping[str, str]
    service: str
    ports: t.Mapping[str, str]
    default_certificate: str
    line: re.Pattern[str]
    router: str
    unlike: t.Mapping[str, str | int] = dataclasses.field(default_factory=dict)
    forgets: bool = True


# By the name of the IngressClass, which is that of cluster.ingress.controller.
CONTROLLERS = {
    "traefik": Controller(
        namespace="traefik",
        labels={"app.kubernetes.io/name": "traefik"},
        service="traefik",
        ports={"http": "web", "https": "websecure"},
        default_certificate="TRAEFIK DEFAULT CERT",
        # pkg/middlewares/accesslog/logger_formatters.go, CommonLogFormatter
        line=re.compile(r'"\S+ (?P<path>\S+) [^"]*" .* "(?P<router>[^"]*)" "(?P<server>[^"]*)" \d+ms$'),
        router="{namespace}-{ingress}-",
        # Its routers are tried in the order of their rules' lengths, and that of a prefix is the longer one
        # (pkg/muxer/http/mux.go, GetRulePriority; pkg/provider/kubernetes/ingress/kubernetes.go, buildRule).
        unlike={"precedence.test/both": "two", "precedence.test/long/path": "two"},
    ),
    "nginx": Controller(
        namespace="ingress-nginx",
        labels={"app.kubernetes.io/name": "ingress-nginx"},
        service="ingress-nginx-controller",
        ports={"http": "http", "https": "https"},
        default_certificate="Kubernetes Ingress Controller Fake Certificate",
        # internal/ingress/controller/config/config.go, logFormatUpstream
        line=re.compile(
            r'"\S+ (?P<path>\S+) [^"]*" \d+ .* \[(?P<router>[^]]*)\] \[[^]]*\] (?P<server>\S+) \S+ \S+ \S+ \S+$'
        ),
        router="{namespace}-{service}-",
        # nginx itself sends who leaves out the slash of a location to where that is (ngx_http_core_module, location).
        unlike={"slash.test/foo": 301},
        # What Lua has been told of a name stays, as nobody tells it that the name is gone (configureCertificates).
        forgets=False,
    ),
}
