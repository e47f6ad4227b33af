"""Which variables of the environment a recipe may read."""

from __future__ import annotations

import pytest

from twofold.errors import TwofoldError
from twofold.recipe.request import Environ

HIDDEN = {
    "PIP_INDEX_URL": "https://user:password@host/simple/",
    "UV_INDEX_URL": "https://ghp_abcdefgh@host/simple/",
    "GITHUB_PAT": "x",
    "SIGNING_KEY": "x",
    "AWS_SECRET_ACCESS_KEY": "x",
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7ABCDEFG",
    "MY_PASSPHRASE": "x",
    "DB_PASS": "x",
    "DB_PWD": "x",
    "SENTRY_DSN": "https://abc@sentry.example/1",
    "SSH_KEYS": "x",
    "NOTE": "glpat-abcdefghijklmnop",
    "PEM": "-----BEGIN RSA PRIVATE KEY-----",
    "HTTP_PROXY": "user:password@proxy:3128",
    "GIT_CONFIG_VALUE_0": "Authorization: Basic dXNlcjpwYXNzd29yZA==",
    "CHAT": "https://hooks.chat.example/services/T0/B0/abc",
    "STORAGE": "AccountName=me;AccountKey=abcdef==;",
    "DATABASE": "Server=host;User Id=me;Password=abcd;",
    "SIGNED": "https://host/file?sv=1&sig=abcd",
    "DOCKER": '{"auths": {"host": {"auth": "dXNlcjpwYXNz"}}}',
    "NETRC_LINE": "machine host login me password abc",
    "HEADER": "eyJhbGciOiJIUzI1NiJ9.e30.abc",
    "NODE": "npm_abcdefghijklmnop",
    "NEXUS_PSW": "x",
    "NEXUS_CREDS": "x",
    "DB_PW": "x",
    "CHAT_WEBHOOK": "x",
}
SHOWN = {
    "PWD": "/home/me",
    "PATH": "/usr/bin",
    "PKG_VERSION": "1.0",
    "KEYBOARD_LAYOUT": "us",
    "MONKEYPATCH": "1",
    "HOMEPAGE": "https://host/a@b",
    "REPOSITORY": "ssh://git@host/project",
    "CI_COMMIT_TAG": "v1.0",
    "PATCH": "1",
    "AT": "12:30@home",
    "LIBRARY": "sk-learn",
    "TEXT": "Basic functions, token by token",
    "QUERY": "https://host/page?key=a",
}


@pytest.mark.parametrize("name", HIDDEN)
def test_a_recipe_reads_no_secret(name: str) -> None:
    environ = Environ({**HIDDEN, **SHOWN})
    assert name not in list(environ)
    with pytest.raises(TwofoldError, match="looks like a secret"):
        environ[name]


@pytest.mark.parametrize("name", SHOWN)
def test_a_recipe_reads_what_is_no_secret(name: str) -> None:
    assert Environ({**HIDDEN, **SHOWN})[name] == SHOWN[name]
