"""pip's configured indexes, and whether an index has a project."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from packaging.requirements import InvalidRequirement, Requirement

from twofold.errors import TwofoldError, Unreachable
from twofold.fetching.client import Endpoint, fetch_page
from twofold.index.simple_parser import ACCEPT, parse_project_page
from twofold.install.auth import Login

#: How the names of files end that pip installs.
_FILES = (".whl", ".tar.gz", ".zip", ".tar.bz2", ".tar.xz", ".tgz", ".egg")


@dataclass(frozen=True)
class PipSources:
    """pip's indexes, the main one first, and its folders or pages of links."""

    indexes: tuple[str, ...]
    find_links: tuple[str, ...]


def has_pip() -> bool:
    """Whether pip is installed for our own Python."""
    return find_spec("pip") is not None


@cache
def read_pip_sources() -> PipSources:
    """Read `pip config list`, environment before files; default: pip's default index."""
    if not has_pip():
        return PipSources((), ())
    settings: dict[str, str] = {}
    for line in _run_python("-m", "pip", "config", "list").splitlines():
        name, _, value = line.partition("=")
        section, _, key = name.partition(".")
        if section in ("global", "install") or (key and section == ":env:"):
            settings[key.lstrip(".")] = "".join(shlex.split(value))
    main = settings.get("index-url") or _run_python(
        "-c", "from pip._internal.models.index import PyPI; print(PyPI.simple_url)"
    )
    extra = settings.get("extra-index-url", "").split()
    return PipSources(
        tuple(dict.fromkeys([main.strip(), *extra])),
        tuple(settings.get("find-links", "").split()),
    )


def _run_python(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-X", "utf8", *arguments],
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
        timeout=60,
    )
    return done.stdout if done.returncode == 0 else ""


def require_first(index: str, requirements: Sequence[str], login: Login | None = None) -> list[str]:
    """Raise TwofoldError unless the index has the first named project; list the others it lacks.

    A wrong address answers 404 for every name, and pip's own indexes may have a stranger's package
    of that name: the command must stop before they are asked. Raises Unreachable.
    """
    names = [name for name in map(parse_project_name, requirements) if name]
    missing = [name for name in dict.fromkeys(names) if not fetch_links(index, name, login)]
    if names and names[0] not in missing:
        return missing
    place = index.rstrip("/").removesuffix("/simple")
    if not _is_index(index, login):
        hint = "check the address: a registry's ends with its channel (http://host/main)"
        if place.startswith("file:"):
            folder = Path(url2pathname(urlsplit(place).path))
            hint = f"make it one: twofold index {folder}"
            if not folder.is_dir():
                hint = "check the path: the folder does not exist"
        raise TwofoldError(f"there is no channel at {place}", hint)
    if names:
        raise TwofoldError(
            f"{place} does not have {names[0]}: nothing was installed",
            "check the name and the channel; leave out --from to install from pip's own indexes",
        )
    return missing


def parse_project_name(requirement: str) -> str:
    """The project that an index is asked for; '' for a file or a URL."""
    try:
        parsed = Requirement(requirement)
    except InvalidRequirement:
        is_file = "/" in requirement or "\\" in requirement or requirement.endswith(_FILES)
        return "" if is_file else re.split(r"[\s\[=<>!~;@]", requirement, maxsplit=1)[0]
    return "" if parsed.url else parsed.name


def _is_index(index: str, login: Login | None) -> bool:
    """Whether the root of an index is there: PEP 503 demands a page of all projects."""
    return _fetch_page(index.rstrip("/") + "/", login) is not None


def fetch_links(index: str, project: str, login: Login | None = None) -> set[str] | None:
    """Fetch the file URLs of a project's page on the index; None if it has no such page.

    Unquoted: pip quotes what the page does not (`+`). Files may be anywhere: beside the index
    (devpi), or on another host (PyPI). Raises Unreachable if the index returns neither a page nor
    404: whether a name is private must not be guessed.
    """
    address = f"{index.rstrip('/')}/{re.sub(r'[-_.]+', '-', project).lower()}/"
    fetched = _fetch_page(address, login)
    if fetched is None:
        return None
    try:
        page = parse_project_page(*fetched, address)
    except ValueError as error:
        raise Unreachable(
            f"{index} returned no readable page for {project}: {error}", "check the URL"
        ) from error
    return {unquote(file.url) for file in page.files if file.filename.endswith(_FILES)}


def _fetch_page(address: str, login: Login | None) -> tuple[bytes, str] | None:
    """The body and media type of an index's page; None if the index does not have it."""
    if address.startswith("file:"):
        folder = Path(url2pathname(urlsplit(address).path))
        page = folder / "index.html"
        return (page.read_bytes(), "text/html") if page.is_file() else None
    source = Endpoint(address, secret=login.credential if login else None, any_address=True)
    found = fetch_page(source, address, ACCEPT)
    return (found.body, found.media) if found else None
