# SPDX-License-Identifier: GPL-3.0-or-later
"""Prepare a home folder in which ansible-test can make its virtual environments from a package index alone.

ansible-test fetches pip's installer from a site of its own and hands no environment variable on to pip. Both would
break behind a mirror, so the installer is replaced by one that runs pip from its wheel, and what pip is told here
goes into a file. ansible_test/_util/target/setup/requirements.py holds the names that this fits.

usage: bootstrap.py HOME
"""

from __future__ import annotations

import ast
import configparser
import os
import subprocess
import sys
from pathlib import Path

from ansible_test._internal.python_requirements import get_venv_packages

INSTALLER = '''\
"""Stands in for get-pip.py: runs pip from its wheel with the arguments that get-pip.py would be given."""

import runpy
import sys

sys.path.insert(0, {wheel!r})
options = [o for o in sys.argv[1:] if o not in ("--no-setuptools", "--no-wheel")]
sys.argv = ["pip", "install", *options]
runpy.run_module("pip", run_name="__main__", alter_sys=True)
'''


def pip(*args: str) -> str:
    """Run this environment's pip and return what it prints."""
    return subprocess.run([sys.executable, "-m", "pip", *args], check=True, stdout=subprocess.PIPE, text=True).stdout


def pip_settings(listing: str, proxy: str | None) -> configparser.RawConfigParser:
    """The lines of `pip config list` ("global.x='y'", ":env:.x='y'") as a configuration file."""
    settings = configparser.RawConfigParser()
    settings.add_section("global")
    for line in listing.splitlines():
        key, _separator, value = line.partition("=")
        section, _dot, option = key.rpartition(".")
        section = "global" if section == ":env:" else section
        if not settings.has_section(section):
            settings.add_section(section)
        settings.set(section, option, ast.literal_eval(value))
    if proxy and not settings.has_option("global", "proxy"):
        settings.set("global", "proxy", proxy)
    return settings


def write_installer(folder: Path) -> None:
    """Download the pip that ansible-test wants, and write an installer that runs it."""
    # The mapping is the same for each Python that the supported ansible-core versions know.
    version = get_venv_packages(type("Python", (), {"version": ""})())["pip"]
    installer = folder / f"get_pip_{version.replace('.', '_')}.py"
    if installer.exists():
        return
    pip("download", "--quiet", "--disable-pip-version-check", "--no-deps", "--dest", str(folder), f"pip=={version}")
    installer.write_text(INSTALLER.format(wheel=str(next(folder.glob(f"pip-{version}-*.whl")))))


def main() -> None:
    """Fill the folder that the command line names."""
    home = Path(sys.argv[1]).resolve()
    cache = home / ".ansible/test/cache"
    config = home / ".config/pip"
    for folder in (cache, config):
        folder.mkdir(parents=True, exist_ok=True)
    write_installer(cache)
    proxy = os.environ.get("https_proxy") or os.environ.get("HTTPS_PROXY")
    with open(config / "pip.conf", "w") as file:
        pip_settings(pip("config", "list"), proxy).write(file)


if __name__ == "__main__":
    main()
