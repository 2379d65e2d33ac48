# Copyright: the reftopo.lab maintainers
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings what a host lacks before the module of the same name puts it where it belongs."""

from __future__ import annotations

import json
import os
import platform
import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.reftopo.lab.plugins.plugin_utils._existing_contents import Contents, contents

MODULE = "reftopo.lab.existing_host"
ON_CONTROLLER = ("artifacts", "left_out", "files")


class ActionModule(ActionBase):
    """Asks the module what is lacking, transfers that, and lets it do the rest; or just asks, in check mode."""

    TRANSFERS_FILES = False  # not always: the folder for them is made when there are some

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """The module's result."""
        super().run(tmp, task_vars)
        arguments = {key: value for key, value in self._task.args.items() if key not in ON_CONTROLLER}
        if arguments.get("state") == "absent":
            return self._execute_module(module_name=MODULE, module_args=arguments, task_vars=task_vars)
        wanted = self._wanted()
        # The binaries run on the controller, too, which kubeadm does there.
        brought = {"machine": platform.machine(), "contents": wanted.files, "images": wanted.images}
        result = self._module(arguments, brought, task_vars)
        if result.get("failed") or not result.get("lacking") or self._task.check_mode:
            return result
        folder = self._bring(wanted, result["lacking"])
        return self._module(arguments, {**brought, "incoming": folder}, task_vars)

    def _module(
        self, arguments: dict[str, t.Any], brought: dict[str, t.Any], task_vars: dict[str, t.Any] | None
    ) -> dict[str, t.Any]:
        given = {**arguments, "brought": brought}
        result: dict[str, t.Any] = self._execute_module(module_name=MODULE, module_args=given, task_vars=task_vars)
        return result

    def _wanted(self) -> Contents:
        """What goes on the host."""
        artifacts = self._task.args.get("artifacts") or ""
        path = os.path.join(artifacts, "manifest.json")
        try:
            manifest = {}
            if os.path.exists(path) or not self._task.check_mode:
                with open(path, encoding="utf-8") as stream:
                    manifest = json.load(stream)
            return contents(manifest, artifacts, self._task.args.get("left_out", ()), self._task.args.get("files", {}))
        except (OSError, ValueError, KeyError) as error:
            raise AnsibleActionFail(f"{path}: {error!r}. Run the role reftopo.lab.artifacts.") from error

    def _bring(self, wanted: Contents, digests: list[str]) -> str:
        """Transfer contents to a folder of this task, which Ansible removes with it."""
        shell = self._connection._shell
        if not shell.tmpdir:
            self._make_tmp_path()
        for sha256 in digests:
            place = shell.join_path(shell.tmpdir, sha256)
            if sha256 in wanted.texts:
                self._transfer_data(place, wanted.texts[sha256])
            else:
                self._transfer_file(wanted.local[sha256], place)
        return str(shell.tmpdir)
