"""What looks like a secret, and what only looks like one at first sight."""

from __future__ import annotations

import base64
import functools
import gzip
import io
import random
import string
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from tests.factories.artifacts import make_member, write_conda, write_sdist, write_wheel
from twofold.check import check_file
from twofold.check.packed_files import MAX_SCANNED
from twofold.check.rules.nested_archives import _MAX_TOTAL, read_members
from twofold.check.rules.secrets import find_secret
from twofold.conda_metadata import CondaPackage

_RANDOM = random.Random(20261122)


def some(length: int, alphabet: str = string.ascii_letters + string.digits) -> str:
    return "".join(_RANDOM.choice(alphabet) for _ in range(length))


def pem(kind: str) -> str:
    body = base64.encodebytes(_RANDOM.randbytes(200)).decode()
    return f"-----BEGIN {kind}-----\n{body}-----END {kind}-----\n"


_SECRET = """
    .envrc pkg/.envrc .envrc.local .ENV ID_RSA Credentials.JSON .s3cfg .vault-token
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
        "AKIAWYXYXYXYXYXYXYXY",  # made up: a random one has more characters than three
        "ghp_" + "abcab" * 8,
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


#: Contents that show that a file is no secret, whatever its name says.
_NO_SECRETS = {
    "pkg/secrets.json": '{"$schema": "https://json-schema.org/draft/2020-12/schema", '
    '"type": "object", "properties": {"password": {"type": "string"}}}',
    "client_secrets.json": '{"web": {"client_id": "YOUR_ID", "client_secret": "YOUR_SECRET", '
    '"redirect_uris": [], "auth_uri": "https://accounts.example.org/auth"}}',
    "pkg/lang/en.key": "Welcome to the game\nPress any key\n",
    "pkg/lang/fr.key": "translation text\nBonjour\n",
    "pkg/docker.json": '{"auths": {"a.org": {"auth": "example0example"}}, "auth": "methods"}',
    "pkg/lang/de.key": "welcome = Willkommen\nexit = Ende\n",
    "chart/secrets.yaml": "apiVersion: v1\nkind: Secret\nmetadata:\n  name: x\ndata:\n"
    "  password: {{ .Values.password | b64enc }}\n",
    "secrets.yml": "# all of them\npassword: ${PASSWORD}\ntoken: <your token>\n",
    "docs/.pypirc": "[distutils]\nindex-servers = pypi\n[pypi]\nusername = __token__\n"
    "password = <your token>\n",
    "secrets.toml": 'title = "Secrets"\n[x]\nkey = "CHANGE_ME"\n',
    ".env.j2": "DB={{ db }}\n",
    "api/secrets.yml": "openapi: 3.0.0\nschemes:\n  bearer: {type: http, scheme: bearer}\n",
    "rules/secrets.yaml": "- id: secret-scan\n  files: ['./a.py', \"b\"]\n  on: [push]\n",
    "values/secrets.yaml": 'password: "{{ .Values.password }}"\n',
    ".envrc": "use flake\nPATH_add bin\nexport VIRTUAL_ENV=.venv\nTOKEN=$(pass show x)\n",
    "x/.envrc": 'source_url "https://example.org/direnvrc" "sha256-zelF0vLbEl5uaqrfIzbgNz="\n',
    "secrets.txt": "What is a secret and why does it matter\n",
}
#: Contents of the same forms that hold one.
_SECRETS = {
    "secrets.json": '{"prod": "hunter2"}',
    "client_secret.json": '{"web": {"client_id": "YOUR_ID", "client_secret": "abc"}}',
    "service_account.json": '{"type": "service_account", "private_key": "abc"}',
    "server.key": "deadbeefdeadbeef",
    "door.key": "password = Willkommen\n",
    "other.key": "Willkommen\n",
    "mixed.key": "two words\nx8Zq1LmPw0\n",
    ".docker/config.json": '{"auths": {"a.org": {"auth": "dTpwYXNzd29yZA=="}}}',
    "kubeconfig": "users:\n- user:\n    token: abcdefghijklmnop1234\n",
    "deploy/prod.tfstate": '{"password": "hunter22"}',
    "k8s.yaml": "client-key-data: "
    + "LS0tLS1CRUdJTiBSU0EgUFJJVkFURSBLRVktLS0tLQpNSUlFb3dJQkFBS0NBUUVB"
    + "\n",
    "secrets.yaml": "password: hunter22\n",
    "secrets.yml": "password: my secret pass phrase\n",
    "secrets.ini": "[x]\nurl = https://me:word@host/x\n",
    "secrets.env": "PASSWORD=12345\n",
    "secrets.toml": '[db]\ntoken = "CHANGE_ME"\npassword = "x9"\n',
    ".pypirc": "[pypi]\nusername = __token__\npassword = abc\n",
    ".env.production": "DB_PASSWORD=x\n",
    "credentials": "[default]\naws_secret_access_key = abcd\n",
    ".env": "A=1\n",
    "a.envrc/.envrc": "use flake; export DB=hunter2\n",
    ".envrc": "if has x; then TOKEN=abc1; fi\n",
    "flow/secrets.yaml": "db: {user: me, password: hunter}\n",
    "list/secrets.yml": "keys: [push, 9f86d081884c7d65]\n",
}


@pytest.mark.parametrize("path", _NO_SECRETS)
def test_contents_without_a_secret_acquit_a_file_of_its_name(path: str) -> None:
    for ends in ("\n", "\r\n"):
        assert find_secret(path, _NO_SECRETS[path].replace("\n", ends).encode()) is None


@pytest.mark.parametrize("path", _SECRETS)
def test_contents_with_a_secret_condemn_a_file(path: str) -> None:
    for ends in ("\n", "\r\n"):
        assert find_secret(path, _SECRETS[path].replace("\n", ends).encode()) is not None


_NAMED = (".env", ".envrc", ".pypirc", ".netrc", "credentials.json", "id_rsa", "secrets.toml")
_PLAIN = b"password: abc"


def _in_sdist(folder: Path, path: str, data: bytes = _PLAIN) -> Path:
    member = make_member(f"my_package-1.0.0/{path}", data)
    return write_sdist(folder, member)


def _in_wheel(folder: Path, path: str, data: bytes = _PLAIN) -> Path:
    return write_wheel(folder, {"my_package/__init__.py": b"", path: data})


def _in_conda(folder: Path, path: str, data: bytes = _PLAIN) -> Path:
    return write_conda(folder, files={path: data})


@pytest.mark.parametrize("make", [_in_sdist, _in_wheel, _in_conda])
@pytest.mark.parametrize("folder", ["", "my_package/", "a/b/c/"])
@pytest.mark.parametrize("name", _NAMED)
def test_a_file_named_like_a_secret_is_found_in_every_archive_at_every_depth(
    make: Callable[[Path, str], Path], folder: str, name: str, tmp_path: Path
) -> None:
    path = make(tmp_path, folder + name)
    found = [finding for finding in check_file(path) if finding.code == "TF201"]
    assert [finding.where for finding in found] == [f"{path.name}: {folder}{name}"]
    assert found[0].is_error


def test_a_secret_beside_a_recipe_in_a_conda_package_is_found(tmp_path: Path) -> None:
    beside = {"recipe/.env": b"A=b", "test/.netrc": b"x", "test/run_test.py": b"import gone, pkg"}
    package = CondaPackage("my_package", "1.0.0", noarch="generic", info_files=beside)
    path = write_conda(tmp_path, package)
    assert {finding.code for finding in check_file(path)} == {"TF201"}
    found = [finding.where for finding in check_file(path) if finding.code == "TF201"]
    assert sorted(found) == [f"{path.name}: info/recipe/.env", f"{path.name}: info/test/.netrc"]


def _zip(files: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in files.items():
            archive.writestr(path, data)
    return made.getvalue()


def _tar(files: dict[str, bytes], mode: str) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode=mode) as archive:
        for path, data in files.items():
            member = tarfile.TarInfo(path)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return made.getvalue()


_ENV = {"a/readme.txt": b"text", "a/.envrc": b"export DB_PASSWORD=hunter2x9"}
_NESTED = {
    "data.zip": _zip(_ENV),
    "data.whl": _zip(_ENV),
    "data.tar": _tar(_ENV, "w"),
    "data.tar.gz": _tar(_ENV, "w:gz"),
    "data.tar.bz2": _tar(_ENV, "w:bz2"),
    "data.tar.xz": _tar(_ENV, "w:xz"),
    "data.bin": _zip({"b/data": _tar({"c.dat": _tar(_ENV, "w:xz")}, "w")}),
    "tool.pyz": b"#!/usr/bin/env python3\n" + _zip(_ENV),
    "site.docx": _zip({"in/a.conda": _zip({"pkg.tar.zst": zstandard.compress(_tar(_ENV, "w"))})}),
    "seven.zip": functools.reduce(lambda data, _: _zip({"in.zip": data}), range(7), _zip(_ENV)),
    "large.zip": _zip({"noise": random.Random(7).randbytes(MAX_SCANNED), **_ENV}),
    "data.TGZ": _tar({"in.zip": _zip({"b/deep.tar.gz": _tar(_ENV, "w:gz")})}, "w:gz"),
}


@pytest.mark.parametrize("make", [_in_sdist, _in_wheel])
@pytest.mark.parametrize("name", _NESTED)
def test_a_secret_in_an_archive_that_a_package_carries_is_found(
    name: str, make: Callable[..., Path], tmp_path: Path
) -> None:
    path = make(tmp_path, f"example/{name}", _NESTED[name])
    (found,) = [f for f in check_file(path) if f.code == "TF201"]
    assert found.is_error
    assert found.where.endswith(f"example/{name}")
    assert ".envrc'" in found.message


def test_a_secret_that_is_compressed_alone_is_found_by_its_name(tmp_path: Path) -> None:
    path = _in_wheel(tmp_path, "my_package/server.key.gz", gzip.compress(b"deadbeefdeadbeef"))
    (found,) = [f for f in check_file(path) if f.code == "TF201"]
    assert "'server.key'" in found.message


@pytest.mark.parametrize(
    "data",
    [
        b"PK\x03\x04 no zip",
        b"\x1f\x8b no gzip",
        b"text",
        _NESTED["data.zip"][:-30],
        _tar({"zeros": bytes(50 << 20), ".env": b"A=b"}, "w:bz2"),
        _zip({"example.txt": b"nothing", ".env": b""}),
        functools.reduce(lambda data, _: _zip({"in.zip": data}), range(9), _zip(_ENV)),
        zstandard.compress(b"text")[:-1],
    ],
    ids=["zip", "gzip", "text", "cut off", "bomb", "harmless", "too deep", "zstandard"],
)
def test_an_archive_that_cannot_be_read_or_is_harmless_is_passed_over(data: bytes) -> None:
    assert [name for name, inner in read_members(data) if find_secret(name, inner)] == []


def test_an_archive_at_the_end_of_the_budget_is_not_unpacked_whole() -> None:
    """Where nothing is left of it: zlib takes a limit of 0 for none."""
    bomb = gzip.compress(bytes(200 << 20), 9)
    assert len(bomb) < MAX_SCANNED
    filled = io.BytesIO()
    with zipfile.ZipFile(filled, "w", zipfile.ZIP_DEFLATED) as archive:
        left = _MAX_TOTAL - len(bomb)
        while left:
            size = min(left, MAX_SCANNED)
            archive.writestr(f"{left}.bin", bytes(size))
            left -= size
        archive.writestr("last.gz", bomb)
    tracemalloc.start()
    paths = [path for path, _ in read_members(filled.getvalue())]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert paths[-1] == "last.gz"
    assert peak < 64 << 20
