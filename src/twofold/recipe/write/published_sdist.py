"""The sdist of a release as the configured index shows it: its address and its sha256.

The index is the one pip is configured for; where nothing is configured, pip's own default is
read from pip. The page is PEP 691's JSON or PEP 503's HTML, whichever the index gives.
"""

from __future__ import annotations

import base64
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit, urlunsplit

from twofold.errors import BadFile, SubprocessFailed, TwofoldError, Unreachable
from twofold.index.simple_parser import ACCEPT, ProjectPage, parse_project_page
from twofold.names import normalize_name
from twofold.recipe.write.draft import Source
from twofold_build.names import canonicalize_version

#: The largest page of an index (bytes); PyPI's largest has some 30 MB. Seconds of silence.
MAX_PAGE_BYTES = 64 << 20
TIMEOUT = 30


def find_published_sdist(name: str, version: str, environment: Mapping[str, str]) -> Source:
    """Raises TwofoldError when the release or its sdist is not there, Unreachable for no answer."""
    index = _find_index(environment)
    wanted = f"{normalize_name(name).replace('-', '_')}-{version}"
    for file in _fetch_page(index, normalize_name(name)).files:
        stem = file.filename.removesuffix(".tar.gz")
        if stem != file.filename and _is_same_release(stem, wanted):
            if not file.sha256:
                raise TwofoldError(f"the index has no sha256 of {file.filename}")
            return Source(url=file.url, sha256=file.sha256)
    raise TwofoldError(
        f"the index has no sdist of {name} {version}",
        "publish it first, or name a file with --sdist and its address with --url",
    )


def _is_same_release(stem: str, wanted: str) -> bool:
    name, _, version = stem.rpartition("-")
    expected, _, wanted_version = wanted.rpartition("-")
    return normalize_name(name) == normalize_name(expected) and (
        canonicalize_version(version) == canonicalize_version(wanted_version)
    )


def _find_index(environment: Mapping[str, str]) -> str:
    """pip's index: its environment variable, its configuration, its default."""
    if environment.get("PIP_INDEX_URL"):
        return environment["PIP_INDEX_URL"]
    found = re.search(
        r"(?:global|install|download)\.index-url='([^']+)'", _read_pip_config("config", "list")
    )
    if found:
        return found.group(1)
    default = re.search(r"\(default\s+(https?://\S+?)\)", _read_pip_config("download", "--help"))
    if default:
        return default.group(1)
    raise TwofoldError("pip does not say which index it uses", "set PIP_INDEX_URL")


def _read_pip_config(*words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "pip", *words],
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        timeout=60,
        check=False,
    )
    if done.returncode:
        raise SubprocessFailed(
            f"pip {' '.join(words)} failed", "is pip installed?", output=done.stderr
        )
    return done.stdout


def _fetch_page(index: str, project: str) -> ProjectPage:
    """The project's page."""
    page, headers = _split_credentials(f"{index.rstrip('/')}/{project}/")
    request = urllib.request.Request(page, headers={"Accept": ACCEPT, **headers})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
            body = answer.read(MAX_PAGE_BYTES + 1)
            kind = answer.headers.get_content_type()
    except urllib.error.HTTPError as error:
        message = f"the index answers {error.code} for {page}"
        raise TwofoldError(message, "is the project published there?") from error
    except (urllib.error.URLError, OSError, ValueError) as error:
        message = f"the index does not answer: {error}"
        raise Unreachable(message, "check the address and the connection", page) from error
    if len(body) > MAX_PAGE_BYTES:
        raise TwofoldError("the index's page is larger than 64 MiB", "", page)
    try:
        return parse_project_page(body, kind, page)
    except ValueError as error:
        raise BadFile("the index's page is malformed (PEP 691)", "", page) from error


def _split_credentials(address: str) -> tuple[str, dict[str, str]]:
    """The address as it may be shown, and the header that its user and password stand for."""
    split = urlsplit(address)
    if split.username is None:
        return address, {}
    host = split.netloc.rpartition("@")[2]
    pair = f"{unquote(split.username)}:{unquote(split.password or '')}".encode()
    header = {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
    return urlunsplit(split._replace(netloc=host)), header
