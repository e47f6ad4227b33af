"""pip's configured indexes, and whether an index has a project."""

from __future__ import annotations

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
from urllib.parse import unquote, urlsplit

from twofold.errors import Unreachable
from twofold.index.simple_parser import parse_html_page
from twofold.install.auth import Login


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
        [sys.executable, *arguments], capture_output=True, text=True, check=False, timeout=60
    )
    return done.stdout if done.returncode == 0 else ""


def has_project(index: str, project: str, login: Login | None = None) -> bool:
    """Whether a simple index has a page for a project.

    Raises Unreachable if the index returns neither a page nor 404: whether a name is private
    must not be guessed.
    """
    return _fetch_page(index, project, login) is not None


def fetch_links(index: str, project: str, login: Login | None = None) -> set[str]:
    """Fetch the file URLs of a project's page on the index; empty without a page.

    Unquoted: pip quotes what the page does not (`+`). Files may be anywhere: beside the index
    (devpi), or on another host (PyPI). Raises Unreachable.
    """
    text = _fetch_page(index, project, login) or ""
    page = parse_html_page(text, _make_project_url(index, project))
    return {unquote(file.url) for file in page.files}


def _make_project_url(index: str, project: str) -> str:
    return f"{index.rstrip('/')}/{re.sub(r'[-_.]+', '-', project).lower()}/"


def _fetch_page(index: str, project: str, login: Login | None) -> str | None:
    """The HTML page of a project; None if the index does not have it."""
    address = _make_project_url(index, project)
    if address.startswith("file:"):
        folder = Path(urllib.request.url2pathname(urlsplit(address).path))
        page = folder / "index.html"
        return (page.read_text("utf-8") if page.is_file() else "") if folder.is_dir() else None
    request = urllib.request.Request(address, headers={"Accept": "text/html"})
    if login:
        request.add_unredirected_header("Authorization", login.basic)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return str(answer.read().decode("utf-8", "replace"))
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return None
        raise Unreachable(
            f"{index} returned {error.code} for {project}", "check the URL and the token"
        ) from error
    except urllib.error.URLError as error:
        raise Unreachable(
            f"{index} cannot be reached: {error.reason}",
            "check the URL, and that its server is running",
        ) from error
