"""Configuration of other tools, read at run time: twine's, pip's and anaconda-client's.

No host is named here: the upload URLs of PyPI and TestPyPI come from twine, their indexes from
pip, the URL of Anaconda.org from anaconda-client or its configuration file.
"""

from __future__ import annotations

import os
import sys
from functools import cache
from pathlib import Path

from twofold.errors import TwofoldError
from twofold.publish.addresses import Secret, split_login
from twofold.publish.targets.settings import TargetSettings

#: The names that twine knows without a file, and its file.
PUBLIC_NAMES = ("pypi", "testpypi")
PYPIRC = Path("~/.pypirc")


def read_pypirc_target(name: str) -> TargetSettings | None:
    """Read an index server of ~/.pypirc; None if the file has no such server."""
    if name not in PUBLIC_NAMES and not PYPIRC.expanduser().is_file():
        return None  # twine, which brings much, is imported for its own names and files only
    from twine.utils import DEFAULT_CONFIG_FILE, DEFAULT_REPOSITORY, TEST_REPOSITORY

    servers = _read_pypirc()
    if name not in servers:
        return None
    server = servers[name]
    if not server.get("repository"):
        where = str(Path(DEFAULT_CONFIG_FILE).expanduser())
        raise TwofoldError(f"[{name}] has no repository", "add repository = https://… to it", where)
    bare = split_login(str(server["repository"]))
    public = {one.rstrip("/"): one for one in (DEFAULT_REPOSITORY, TEST_REPOSITORY)}
    url = public.get(bare.url.rstrip("/"), bare.url)
    is_public = url in public.values()
    return TargetSettings(
        name=name,
        url=url,
        kind="pypi" if is_public else "legacy",
        index=_find_public_index(test=url == TEST_REPOSITORY) if is_public else "",
        user=server.get("username") or bare.user,
        token=Secret(str(server["password"])) if server.get("password") else bare.secret,
        token_source="~/.pypirc",
        ca=server.get("ca_cert") or os.environ.get("TWINE_CERT", ""),
        client_cert=server.get("client_cert") or "",
    )


def is_test_pypi(url: str) -> bool:
    """Whether an upload URL is TestPyPI's."""
    from twine.utils import TEST_REPOSITORY

    return url.rstrip("/") == TEST_REPOSITORY.rstrip("/")


def list_pypirc_names() -> list[str]:
    """List the index servers of ~/.pypirc by name."""
    return sorted(_read_pypirc())


def _read_pypirc() -> dict[str, dict[str, str | None]]:
    import configparser

    from twine.exceptions import TwineException
    from twine.utils import DEFAULT_CONFIG_FILE, TEST_REPOSITORY, get_config

    try:
        # twine drops TestPyPI if .pypirc lists other index servers.
        return {"testpypi": {"repository": TEST_REPOSITORY}, **get_config(DEFAULT_CONFIG_FILE)}
    except (configparser.Error, TwineException, ValueError):
        # The parser's own message quotes lines of the file, which may contain tokens.
        raise TwofoldError(
            "it is not a valid INI file",
            "correct it (see the specification of .pypirc), or remove it",
            str(Path(DEFAULT_CONFIG_FILE).expanduser()),
        ) from None


@cache
def _find_public_index(test: bool) -> str:
    """The simple index of PyPI or TestPyPI, from pip; '' if pip is not installed."""
    name = "TestPyPI" if test else "PyPI"
    import subprocess

    code = f"from pip._internal.models.index import {name} as index; print(index.simple_url)"
    command = [sys.executable, "-X", "utf8", "-I", "-c", code]
    done = subprocess.run(
        command, capture_output=True, encoding="utf-8", errors="replace", check=False, timeout=60
    )
    return done.stdout.strip() if done.returncode == 0 else ""


def find_anaconda_url() -> str:
    """The URL of Anaconda.org's API: anaconda-client's configuration, else its default."""
    found = _query_anaconda_client("get_config().get('url') or DEFAULT_CONFIG['url']")
    if not found:
        raise TwofoldError(
            "the URL of Anaconda.org's API is not known",
            "pip install anaconda-client, or write the URL into config.toml: "
            '[targets.anaconda] with url = "…" and kind = "anaconda"',
        )
    return found.rstrip("/")


def is_anaconda_org(url: str) -> bool:
    """Whether the URL of an API is Anaconda.org's, by anaconda-client's default."""
    own = _query_anaconda_client("DEFAULT_CONFIG['url']")
    return bool(own) and own.rstrip("/") == url.rstrip("/")


def read_anaconda_token(url: str) -> str:
    """Read the token that `anaconda login` stored for an API; '' if there is none."""
    return _query_anaconda_client("load_token(sys.argv[1]) or ''", url)


def _query_anaconda_client(expression: str, *arguments: str) -> str:
    """Evaluate an expression with anaconda-client's configuration; '' without the client."""
    import subprocess

    names = "get_config, load_token, DEFAULT_CONFIG"
    code = f"import sys; from binstar_client.utils.config import {names}; print({expression})"
    done = subprocess.run(
        [sys.executable, "-X", "utf8", "-c", code, *arguments],
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
        timeout=60,
        env={**os.environ, "OTEL_SDK_DISABLED": "true"},
    )
    lines = done.stdout.strip().splitlines()
    return lines[-1] if done.returncode == 0 and lines else ""
