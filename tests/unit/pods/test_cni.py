# SPDX-License-Identifier: GPL-3.0-or-later
"""What CNI plugins are told, in which order, and what becomes of their errors. The plugins are played by a function."""

from __future__ import annotations

import json

import pytest
from ansible_collections.reftopo.lab.plugins.module_utils import _pod_cni as cni
from ansible_collections.reftopo.lab.plugins.module_utils._pod_model import PodError

NETWORK = {
    "cniVersion": "1.0.0",
    "name": "pods",
    "plugins": [{"type": "bridge", "ipam": {"type": "host-local"}}, {"type": "tuning"}],
}


class Plugins:
    """Answers as plugins do, and keeps what they were told."""

    def __init__(self, failing: str = "", output: str = "", log: str = "") -> None:
        self.failing, self.output, self.log = failing, output, log
        self.told: list[tuple[str, str, dict, dict]] = []

    def __call__(self, argv, data, environ_update):
        name, request = argv[0].rpartition("/")[2], json.loads(data)
        self.told.append((environ_update["CNI_COMMAND"], name, request, environ_update))
        if name == self.failing:
            return 1, self.output, self.log
        return 0, json.dumps({"by": name}), ""


def test_add_hands_each_result_on_and_returns_the_last():
    plugins = Plugins()
    assert cni.add(plugins, NETWORK, "web", "/proc/7/ns/net") == {"by": "tuning"}
    (first, second) = plugins.told
    common = {"cniVersion": "1.0.0", "name": "pods"}
    assert first[:3] == ("ADD", "bridge", {**common, "type": "bridge", "ipam": {"type": "host-local"}})
    assert second[:3] == ("ADD", "tuning", {**common, "type": "tuning", "prevResult": {"by": "bridge"}})
    assert second[3] == {
        "CNI_COMMAND": "ADD",
        "CNI_CONTAINERID": "web",
        "CNI_NETNS": "/proc/7/ns/net",
        "CNI_IFNAME": "eth0",
        "CNI_PATH": "/opt/cni/bin",
        "CNI_ARGS": "",
    }


def test_add_asks_for_an_address():
    plugins = Plugins()
    cni.add(plugins, NETWORK, "web", "/proc/7/ns/net", "10.88.0.2")
    assert {told[3]["CNI_ARGS"] for told in plugins.told} == {"IgnoreUnknown=true;IP=10.88.0.2"}


@pytest.mark.parametrize("result", [None, {"by": "tuning"}])
def test_delete_goes_backwards_with_the_last_result(result):
    plugins = Plugins()
    cni.delete(plugins, NETWORK, "web", "", result)
    assert [told[:2] for told in plugins.told] == [("DEL", "tuning"), ("DEL", "bridge")]
    assert all(told[2].get("prevResult") == result for told in plugins.told)


def test_check_tells_what_the_plugin_says():
    assert cni.check(Plugins(), NETWORK, "web", "/proc/7/ns/net", {}) == ""
    error = json.dumps({"code": 999, "msg": "no eth0", "details": "of web"})
    told = cni.check(Plugins("tuning", error), NETWORK, "web", "/proc/7/ns/net", {})
    assert told == "CNI plugin tuning, CHECK of web: no eth0: of web"


@pytest.mark.parametrize(("output", "log"), [("not JSON", ""), ("", "not JSON\n")])
def test_a_plugin_that_breaks_is_told_too(output, log):
    with pytest.raises(PodError) as error:
        cni.add(Plugins("bridge", output, log), NETWORK, "web", "/proc/7/ns/net")
    assert str(error.value) == "CNI plugin bridge, ADD of web: not JSON"


def test_missing_plugins(monkeypatch, tmp_path):
    monkeypatch.setattr(cni, "PLUGINS", str(tmp_path))
    for name in ("bridge", "host-local"):
        (tmp_path / name).write_text("")
    (tmp_path / "bridge").chmod(0o755)
    assert cni.missing_plugins(NETWORK) == ["host-local", "tuning"]
