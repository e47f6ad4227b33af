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
