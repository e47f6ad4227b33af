"""Addresses that other tools know, asked from them at run time: twine's, pip's, anaconda-client's.

Nothing here names a host: PyPI's and TestPyPI's upload addresses are twine's, their indexes
pip's, Anaconda.org's that of anaconda-client or of its configuration file.
"""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

from twofold.errors import TwofoldError
from twofold.publish.addresses import Secret, split_login
from twofold.publish.config import TargetSettings


def read_pypirc_target(name: str) -> TargetSettings | None:
    """An index server of twine's configuration; None when it has none of that name."""
    from twine.utils import DEFAULT_CONFIG_FILE, DEFAULT_REPOSITORY, TEST_REPOSITORY

    servers = _read_pypirc()
    if name not in servers:
        return None
    server = servers[name]
    if not server.get("repository"):
        where = str(Path(DEFAULT_CONFIG_FILE).expanduser())
        raise TwofoldError(f"[{name}] names no address", "add repository = https://… to it", where)
    bare = split_login(str(server["repository"]))
    url = bare.url.rstrip("/") + "/"
    is_public = url in (DEFAULT_REPOSITORY, TEST_REPOSITORY)
    return TargetSettings(
        name=name,
        url=url,
        kind="pypi" if is_public else "legacy",
        index=_find_public_index(test=url == TEST_REPOSITORY) if is_public else "",
        user=server.get("username") or bare.user,
        token=Secret(str(server["password"])) if server.get("password") else bare.secret,
        token_source="~/.pypirc",
        ca=server.get("ca_cert") or os.environ.get("TWINE_CERT", ""),
    )


def is_test_pypi(url: str) -> bool:
    """Whether an upload address is TestPyPI's."""
    from twine.utils import TEST_REPOSITORY

    return url.rstrip("/") == TEST_REPOSITORY.rstrip("/")


def list_pypirc_names() -> list[str]:
    return sorted(_read_pypirc())


def _read_pypirc() -> dict[str, dict[str, str | None]]:
    import configparser

    from twine.exceptions import TwineException
    from twine.utils import DEFAULT_CONFIG_FILE, TEST_REPOSITORY, get_config

    try:
        # twine forgets TestPyPI where .pypirc lists other index servers.
        return {"testpypi": {"repository": TEST_REPOSITORY}, **get_config(DEFAULT_CONFIG_FILE)}
    except (configparser.Error, TwineException, ValueError):
        # The parser's own message quotes lines of the file, which may hold tokens.
        raise TwofoldError(
            "it cannot be read as an INI file",
            "mend it by the specification of .pypirc, or remove it",
            str(Path(DEFAULT_CONFIG_FILE).expanduser()),
        ) from None


@cache
def _find_public_index(test: bool) -> str:
    """The simple index of PyPI or TestPyPI, as pip knows it; '' where pip is not installed."""
    name = "TestPyPI" if test else "PyPI"
    code = f"from pip._internal.models.index import {name} as index; print(index.simple_url)"
    command = [sys.executable, "-I", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    return done.stdout.strip() if done.returncode == 0 else ""


def find_anaconda_url() -> str:
    """Anaconda.org's API: from anaconda-client's configuration, else the client's own default."""
    found = _query_anaconda_client("get_config().get('url') or DEFAULT_CONFIG['url']")
    if not found:
        raise TwofoldError(
            "the address of Anaconda.org's API is not known here",
            "pip install anaconda-client, or write it into the configuration: "
            '[targets.anaconda] with url = "…" and kind = "anaconda"',
        )
    return found.rstrip("/")


def is_anaconda_org(url: str) -> bool:
    """Whether an API's address is Anaconda.org's own, as anaconda-client knows it."""
    own = _query_anaconda_client("DEFAULT_CONFIG['url']")
    return bool(own) and own.rstrip("/") == url.rstrip("/")


def read_anaconda_token(url: str) -> str:
    """The token `anaconda login` stored for an API's address; '' where there is none."""
    return _query_anaconda_client("load_token(sys.argv[1]) or ''", url)


def _query_anaconda_client(expression: str, *arguments: str) -> str:
    """What anaconda-client's configuration says; '' where it is not installed."""
    names = "get_config, load_token, DEFAULT_CONFIG"
    code = f"import sys; from binstar_client.utils.config import {names}; print({expression})"
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "OTEL_SDK_DISABLED": "true"},
    )
    lines = done.stdout.strip().splitlines()
    return lines[-1] if done.returncode == 0 and lines else ""
