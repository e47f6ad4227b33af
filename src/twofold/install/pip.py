"""Installs into a virtual environment with pip or uv."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import venv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit, urlunsplit

from twofold.errors import SubprocessFailed, TwofoldError
from twofold.install.auth import Login
from twofold.install.sources import (
    PipSources,
    fetch_links,
    has_pip,
    read_pip_sources,
    require_first,
)
from twofold.pip_config import find_uv

Installer = Literal["pip", "uv"]


@dataclass(frozen=True)
class PipInstall:
    """An installation into a virtual environment.

    `requirements` are PEP 508 requirements or paths of wheels. `index` is the simple index with
    precedence for every project it has; other dependencies come from pip's configured indexes,
    unless `only_index`. `login` is the login of a private index. With `upgrade` the newest release
    of what is named replaces an older one; its dependencies stay as long as they suffice.
    """

    requirements: Sequence[str]
    index: str = ""
    login: Login | None = None
    only_index: bool = False
    installer: Installer = "pip"
    python: Path | None = None
    upgrade: bool = False


def install_into_venv(environment: Path, wanted: PipInstall) -> Path:
    """Install into a virtual environment, created if missing; returns its Python.

    Raises TwofoldError if the index does not have the first requirement, SubprocessFailed with the
    installer's output if it fails.
    """
    if wanted.index:
        require_first(wanted.index, wanted.requirements, wanted.login)
    python = make_venv(environment.absolute(), wanted.python)
    with make_command(python, wanted) as (command, extra):
        if command[0] == sys.executable and wanted.index and not wanted.only_index:
            _refuse_other_indexes(command, extra, wanted)
        done = _run_installer(command, extra)
    if done.returncode != 0:
        output = done.stdout + done.stderr
        raise SubprocessFailed(
            f"{wanted.installer} could not install {', '.join(wanted.requirements)}",
            "check the name and the index; the project's page on the index lists its files",
            output=wanted.login.redact(output) if wanted.login else output,
        )
    return python


@contextmanager
def make_command(python: Path, wanted: PipInstall) -> Iterator[tuple[list[str], dict[str, str]]]:
    """Yield the installer's command line and its environment variables.

    The netrc file with the login exists inside the context only.
    """
    if wanted.installer == "uv" or not has_pip():
        yield _make_uv_command(python, wanted)
        return
    command, extra = _make_pip_command(python, wanted)
    if wanted.login is None:
        yield command, extra
        return
    with wanted.login.as_netrc(wanted.index) as netrc:
        yield command, extra | netrc


def _run_installer(command: list[str], extra: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
        env={**os.environ, **extra},
    )


def _refuse_other_indexes(command: list[str], extra: dict[str, str], wanted: PipInstall) -> None:
    """Refuse packages that pip would install from elsewhere although the first index has them.

    pip treats all indexes alike and installs the highest version: a package with a private name
    and a high version on a public index would be installed (dependency confusion). uv queries
    the first index alone; for pip, the report of a dry run is checked first.
    """
    dry = [*command[: -len(wanted.requirements)], "--dry-run", "--ignore-installed"]
    done = _run_installer([*dry, "--report", "-", *wanted.requirements], extra)
    if done.returncode != 0:
        return  # the installation fails in the same way, and its output is shown
    base = wanted.index.rstrip("/").removesuffix("/simple")
    for item in json.loads(done.stdout)["install"]:
        name, url = item["metadata"]["name"], _strip_user(item["download_info"]["url"])
        if url.startswith(base + "/"):
            continue
        links = fetch_links(wanted.index, name, wanted.login)
        if links is not None and unquote(url) not in links:
            raise TwofoldError(
                f"stopped: pip would install {name} {item['metadata']['version']} from another "
                f"index, although {wanted.index} has that project (dependency confusion)",
                "pin the version you need, or pass --uv: uv queries the first index alone",
            )


def make_venv(environment: Path, python: Path | None = None) -> Path:
    """The Python of a virtual environment, created without pip if missing."""
    inside = find_venv_python(environment)
    if inside.is_file():
        return inside
    if environment.is_dir() and any(environment.iterdir()):
        raise TwofoldError(
            f"{environment} is neither empty nor a virtual environment", "choose another folder"
        )
    if python is None:
        venv.EnvBuilder(with_pip=False, symlinks=os.name != "nt").create(environment)
    else:
        _run([str(python), "-m", "venv", "--without-pip", str(environment)])
    return inside


def find_venv_python(environment: Path) -> Path:
    """The path of a virtual environment's Python on this platform."""
    return environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _run(command: list[str]) -> None:
    done = subprocess.run(
        command, capture_output=True, encoding="utf-8", errors="replace", check=False
    )
    if done.returncode != 0:
        raise SubprocessFailed(
            f"{command[0]} could not create a virtual environment",
            "pass the path of a working Python interpreter",
            output=done.stdout + done.stderr,
        )


def _make_pip_command(python: Path, wanted: PipInstall) -> tuple[list[str], dict[str, str]]:
    """Use our own environment's pip for the other environment, which needs none."""
    command = [sys.executable, "-m", "pip", "--python", str(python), "install"]
    command += ["--disable-pip-version-check", "--quiet", "--no-input"]
    command += ["--upgrade"] if wanted.upgrade else []
    extra: dict[str, str] = {}
    if wanted.index:
        extra["PIP_INDEX_URL"] = wanted.index
        others = () if wanted.only_index else read_pip_sources().indexes
        extra["PIP_EXTRA_INDEX_URL"] = " ".join(others)
        if wanted.only_index:
            extra["PIP_FIND_LINKS"] = ""
        host = urlsplit(wanted.index).hostname
        if wanted.index.startswith("http://") and host:
            extra["PIP_TRUSTED_HOST"] = host
    return [*command, *wanted.requirements], extra


def _make_uv_command(python: Path, wanted: PipInstall) -> tuple[list[str], dict[str, str]]:
    """Make a command for uv, which uses the first index that has a project (`first-index`).

    URLs with a login are passed in the environment: a process list shows arguments.
    """
    uv = find_uv()
    if uv is None:
        raise TwofoldError("neither pip nor uv is installed", "install pip or uv")
    command = [uv, "pip", "install", "--python", str(python), "--quiet"]
    if wanted.upgrade:  # uv's --upgrade would upgrade every dependency too, unlike pip's
        names = [re.split(r"[^\w.-]", one.strip(), maxsplit=1)[0] for one in wanted.requirements]
        command += [f"--upgrade-package={name}" for name in names]
    extra = {"UV_INDEX_STRATEGY": "first-index"}
    if wanted.index:
        sources = PipSources((), ()) if wanted.only_index else read_pip_sources()
        index = wanted.login.add_to_url(wanted.index) if wanted.login else wanted.index
        addresses = [index, *sources.indexes]
        extra["UV_INDEX"] = " ".join(addresses[:-1])
        extra["UV_DEFAULT_INDEX"] = addresses[-1]
        extra["UV_FIND_LINKS"] = " ".join(sources.find_links)
    return [*command, *wanted.requirements], {k: v for k, v in extra.items() if v}


def _strip_user(address: str) -> str:
    parts = urlsplit(address)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
