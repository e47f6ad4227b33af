"""What looks like a secret, and what only looks like one at first sight."""

from __future__ import annotations

import base64
import random
import string

import pytest

from twofold.check.rules.secrets import find_secret

_RANDOM = random.Random(20261122)


def some(length: int, alphabet: str = string.ascii_letters + string.digits) -> str:
    return "".join(_RANDOM.choice(alphabet) for _ in range(length))


def pem(kind: str) -> str:
    body = base64.encodebytes(_RANDOM.randbytes(200)).decode()
    return f"-----BEGIN {kind}-----\n{body}-----END {kind}-----\n"


_SECRET = """
    .env pkg/.env.production id_rsa pkg/id_ed25519 server.key key.secret .pypirc .netrc
    pkg/credentials.json client_secret_5.json store.p12 secrets.yaml
    service-account.json
"""
_HARMLESS = """
    .env.example environment.yml secrets.py keys.md id_rsa.pub monkey.txt key.py
    credentials.rst .envrc.md tokens.json
"""
TOKENS = {
    "private key": pem("PRIVATE KEY"),
    "RSA key": pem("RSA PRIVATE KEY"),
    "SSH key": pem("OPENSSH PRIVATE KEY"),
    "PGP key": pem("PGP PRIVATE KEY BLOCK"),
    "AWS": f"key = 'AKIA{some(16, string.ascii_uppercase)}'",
    "GitHub": f"ghp_{some(36)}",
    "GitHub, fine-grained": f"github_pat_{some(80)}",
    "GitLab": f"token: glpat-{some(20)}",
    "PyPI": f"password = pypi-AgE{some(120)}",
    "Slack": f"xoxb-{some(12, string.digits)}-{some(30)}",
    "Google": f'"AIza{some(35)}"',
    "Stripe": f"sk_live_{some(24)}",
    "npm": f"//host/:_authToken=npm_{some(36)}",
    "Hugging Face": f"hf_{some(34, string.ascii_letters)}",
}


@pytest.mark.parametrize("name", sorted(TOKENS))
@pytest.mark.parametrize("path", ["pkg/__init__.py", "pkg/data.txt", "README.md"])
def test_a_secret_is_found_on_its_line_in_any_file(name: str, path: str) -> None:
    found = find_secret(path, f"first\nsecond\n{TOKENS[name]}\n".encode())
    assert found is not None
    assert found[1] == 3


@pytest.mark.parametrize(
    "text",
    [
        "AKIAIOSFODNN7EXAMPLE",  # from Amazon's own documentation
        "ghp_" + "x" * 36,
        "begin = '-----BEGIN PRIVATE KEY-----'",
        "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----",
        pem("PUBLIC KEY"),
        pem("CERTIFICATE"),
        "password = 'hunter2'",
        "sk-learn, task-oriented, risk-averse",
        "x" + "AKIA" + "B" * 16,
        "pypi-AgE...",
    ],
)
def test_what_is_no_secret_is_left_alone(text: str) -> None:
    assert find_secret("pkg/module.py", text.encode()) is None


@pytest.mark.parametrize(
    "path",
    _SECRET.split(),
)
def test_a_file_named_like_a_secret_is_found(path: str) -> None:
    assert find_secret(path, b"x") is not None


@pytest.mark.parametrize(
    "path",
    _HARMLESS.split(),
)
def test_a_file_that_only_sounds_secret_is_left_alone(path: str) -> None:
    assert find_secret(path, b"x") is None


def test_a_public_key_under_a_keys_name_is_left_alone() -> None:
    assert find_secret("pkg/server.key", pem("PUBLIC KEY").encode()) is None


def test_settings_of_tools_are_secret_only_with_a_credential_in_them() -> None:
    assert find_secret(".npmrc", b"package-lock=false\n") is None
    assert find_secret(".condarc", b"channels:\n  - conda-forge\n") is None
    assert find_secret(".npmrc", b"//host/:_authToken=${TOKEN}\n") == ("credentials", 0)
    assert find_secret(".condarc", b"channels: [https://me:word@host/c]\n") == ("credentials", 0)
