"""Where pip takes packages from here, as pip itself tells it, and whether an index has a name."""

from __future__ import annotations

import base64
import re
import shlex
import subprocess
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from twofold.errors import Unreachable


@dataclass(frozen=True)
class PipSources:
    """pip's indexes, the main one first, and its folders or pages of links."""

    indexes: tuple[str, ...]
    find_links: tuple[str, ...]


def pip_is_here() -> bool:
    """Whether our own Python has pip."""
    return find_spec("pip") is not None


@cache
def pip_sources() -> PipSources:
    """What `pip config list` says, environment before files; pip's own default index else."""
    if not pip_is_here():
        return PipSources((), ())
    settings: dict[str, str] = {}
    for line in _output("-m", "pip", "config", "list").splitlines():
        name, _, value = line.partition("=")
        section, _, key = name.partition(".")
        if section in ("global", "install") or (key and section == ":env:"):
            settings[key.lstrip(".")] = "".join(shlex.split(value))
    main = settings.get("index-url") or _output(
        "-c", "from pip._internal.models.index import PyPI; print(PyPI.simple_url)"
    )
    extra = settings.get("extra-index-url", "").split()
    return PipSources(
        tuple(dict.fromkeys([main.strip(), *extra])),
        tuple(settings.get("find-links", "").split()),
    )


def _output(*words: str) -> str:
    done = subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, check=False, timeout=60
    )
    return done.stdout if done.returncode == 0 else ""


def has_project(index: str, project: str, token: str = "") -> bool:
    """Whether a simple index has a page for a project.

    Raises Unreachable when the index does not say yes or no: whether a name is private must
    not be guessed.
    """
    name = re.sub(r"[-_.]+", "-", project).lower()
    address = f"{index.rstrip('/')}/{name}/"
    if address.startswith("file:"):
        return Path(urllib.request.url2pathname(urlsplit(address).path)).is_dir()
    request = urllib.request.Request(address)
    if token:
        userpass = base64.b64encode(f"__token__:{token}".encode()).decode()
        request.add_unredirected_header("Authorization", f"Basic {userpass}")
    try:
        with urllib.request.urlopen(request, timeout=30):
            return True
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return False
        raise Unreachable(
            f"{index} answered {error.code} when asked for {name}", "check the address and token"
        ) from error
    except urllib.error.URLError as error:
        raise Unreachable(
            f"{index} cannot be reached: {error.reason}",
            "check the address, and that its server runs",
        ) from error
