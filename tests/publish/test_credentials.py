"""Tokens: found in one order, sent to their own target alone, and never shown."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.servers.package_servers import TOKEN, AnacondaServer, run_server
from twofold.errors import TwofoldError
from twofold.publish.addresses import Credentials, Secret, redact_secrets
from twofold.publish.credentials import (
    clean_credentials,
    find_credentials,
    read_netrc_login,
)
from twofold.publish.resolve import get_default_targets, resolve_targets
from twofold.publish.targets.settings import TargetSettings, get_token_variable

SECRET = "zq-7f3e9-the-secret-value"


def registry_target(name: str = "lab", **more: Any) -> TargetSettings:
    return TargetSettings(name, "http://host/main", **more)


def test_the_targets_own_variable_comes_before_the_common_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TWOFOLD_TOKEN", "common")
    monkeypatch.setenv(get_token_variable("lab"), "own")
    found = find_credentials(registry_target())
    assert found is not None
    assert found.secret.reveal() == "own"
    assert "TWOFOLD_TOKEN_LAB" in found.source


def test_the_common_variable_is_not_sent_to_one_of_several_targets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TWOFOLD_TOKEN", "common")
    assert find_credentials(registry_target(), [registry_target("b")]) is None


def test_the_keyring_is_read_where_the_environment_has_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_keyring(tmp_path, monkeypatch, {"twofold:http://host/main": {"token": "from-keyring"}})
    found = find_credentials(registry_target(token=Secret("from-config")))
    assert found is not None
    assert found.secret.reveal() == "from-keyring"


def test_a_login_in_the_address_is_meant_whatever_else_there_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TWOFOLD_TOKEN", "common")
    for address in ("http://me:own@host/main", "http://host/t/own/main"):
        (target,) = resolve_targets([address])
        found = find_credentials(target)
        assert found is not None
        assert (found.secret.reveal(), found.source) == ("own", "the URL")
        assert target.url == "http://host/main"


def test_twines_variables_are_for_the_one_index_among_other_targets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TWINE_USERNAME", "me")
    monkeypatch.setenv("TWINE_PASSWORD", "twines")
    index = TargetSettings("pypi", "http://host/legacy/", "pypi")
    channel = TargetSettings("anaconda:me", "http://api", "anaconda", owner="me")
    found = find_credentials(index, [channel])
    assert found is not None
    assert (found.user, found.secret.reveal()) == ("me", "twines")
    assert find_credentials(index, [channel, TargetSettings("b", "http://b/", "legacy")]) is None
    assert find_credentials(channel, [index]) is None
    monkeypatch.setenv("ANACONDA_API_TOKEN", "anacondas")
    found = find_credentials(channel, [index])
    assert found is not None
    assert found.secret.reveal() == "anacondas"


def test_pypirc_comes_before_twines_keyring_as_for_twine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_keyring(tmp_path, monkeypatch, {"http://host/up": {"me": "from-keyring"}})
    monkeypatch.setenv("HOME", str(tmp_path))
    pypirc = "[distutils]\nindex-servers =\n  lab\n[lab]\nrepository = http://host/up\n"
    (tmp_path / ".pypirc").write_text(f"{pypirc}username = me\n")
    (target,) = resolve_targets(["lab"])
    found = find_credentials(target)
    assert found is not None
    assert (found.user, found.secret.reveal()) == ("me", "from-keyring")
    (tmp_path / ".pypirc").write_text(f"{pypirc}username = me\npassword = from-pypirc\n")
    (target,) = resolve_targets(["lab"])
    found = find_credentials(target)
    assert found is not None
    assert (found.secret.reveal(), found.source) == ("from-pypirc", "~/.pypirc")


def test_what_anaconda_login_stored_is_found() -> None:
    """By anaconda-client's own function, in the folder its own configuration names."""
    client = [sys.executable, "-c", STORE, "http://127.0.0.1:9/api", "stored-by-the-client"]
    subprocess.run(client, check=True, capture_output=True)
    (target,) = resolve_targets(["anaconda+http://127.0.0.1:9/api/me"])
    found = find_credentials(target)
    assert found is not None
    assert (found.secret.reveal(), found.source) == (
        "stored-by-the-client",
        "anaconda-client's login",
    )


STORE = """
import sys
from binstar_client.utils import config
config.get_config = lambda **_: {"url": sys.argv[1]}
config.store_token(sys.argv[2], None)
"""


def test_a_password_in_the_keyring_is_found_again_by_its_user(
    pypiserver: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """login, whoami and logout for an index with the legacy API; what is left is named."""
    store = with_keyring(tmp_path, monkeypatch, {})
    target = f"legacy+{pypiserver}/"
    code, output = run_with_input(["login", target, "--user", "me"], f"{SECRET}\n")
    assert (code, "not verified" in output) == (0, True), output
    assert SECRET in store.read_text()
    code, output = run_with_input(["whoami", target], "")
    assert (
        "me (targets of the kind legacy cannot verify it) (token: the keyring (twine's))" in output
    )
    code, output = run_with_input(["logout", target], "", TWOFOLD_TOKEN="other")
    assert SECRET not in store.read_text()
    assert "the environment (TWOFOLD_TOKEN) still has a token" in output


def test_whoami_names_every_target_although_one_refuses(anaconda: str, tmp_path: Path) -> None:
    words = ["whoami", anaconda, str(tmp_path), "legacy+http://127.0.0.1:9/", "--json"]
    code, output = run_with_input(words, "", TWOFOLD_TOKEN=SECRET)
    assert code == 1
    assert "files are written directly" in output
    assert "cannot verify it" in output
    assert "(401)" in output
    assert SECRET not in output


def with_keyring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: Any) -> Path:
    """A keyring of the test's own: a backend class over a JSON file."""
    store = tmp_path / "keyring.json"
    store.write_text(json.dumps(content))
    module = tmp_path / "keyring_backends" / "file_keyring.py"
    module.parent.mkdir()
    module.write_text(KEYRING)
    monkeypatch.setenv("TEST_KEYRING", str(store))
    monkeypatch.setenv("PYTHONPATH", str(module.parent))
    monkeypatch.syspath_prepend(str(module.parent))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "file_keyring.FileKeyring")
    import keyring
    import keyring.core

    monkeypatch.setattr(keyring.core, "_keyring_backend", keyring.core.load_env())
    return store


KEYRING = """
import json, os
from keyring.backend import KeyringBackend
class FileKeyring(KeyringBackend):
    priority = 1
    def _read(self):
        with open(os.environ["TEST_KEYRING"]) as f:
            return json.load(f)
    def _write(self, value):
        with open(os.environ["TEST_KEYRING"], "w") as f:
            json.dump(value, f)
    def get_password(self, service, username):
        return self._read().get(service, {}).get(username)
    def set_password(self, service, username, password):
        value = self._read(); value.setdefault(service, {})[username] = password
        self._write(value)
    def delete_password(self, service, username):
        value = self._read(); del value[service][username]
        self._write(value)
"""


@pytest.fixture
def anaconda() -> Iterator[str]:
    with run_server(AnacondaServer) as (address, _):
        yield f"anaconda+{address}/api/me"


def run_with_input(twofold_words: list[str], text: str, **env: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "twofold", *twofold_words],
        input=text,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **env},
    )
    return done.returncode, done.stdout + done.stderr


def test_login_whoami_and_logout_with_a_keyring(
    anaconda: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = with_keyring(tmp_path, monkeypatch, {})
    code, output = run_with_input(["login", anaconda], TOKEN + "\n")
    assert (code, "as me" in output) == (0, True), output
    assert TOKEN in store.read_text()
    code, output = run_with_input(["whoami", anaconda], "")
    assert code == 0
    assert "me (token: the keyring)" in output
    assert TOKEN not in output
    code, output = run_with_input(["logout", anaconda], "")
    assert code == 0
    assert TOKEN not in store.read_text()


def test_a_line_break_around_a_token_is_not_sent(anaconda: str) -> None:
    code, output = run_with_input(["whoami", anaconda], "", TWOFOLD_TOKEN=f" {TOKEN}\r\n")
    assert code == 0, output
    assert "me (token: the environment (TWOFOLD_TOKEN))" in output


@pytest.mark.parametrize("token", [f"{SECRET}\nX-Other: 1", f"{SECRET} two", f"{SECRET}\u20ac"])
def test_what_cannot_be_a_token_is_reported_by_its_source_and_never_shown(
    anaconda: str, token: str
) -> None:
    code, output = run_with_input(["whoami", anaconda], "", TWOFOLD_TOKEN=token)
    assert code == 1
    assert "the token from the environment (TWOFOLD_TOKEN) is malformed" in output
    assert SECRET not in output
    assert "Traceback" not in output


def test_a_blank_token_is_reported(anaconda: str) -> None:
    code, output = run_with_input(["whoami", anaconda], "", TWOFOLD_TOKEN=" \n")
    assert (code, "(TWOFOLD_TOKEN) is empty" in output) == (1, True), output


@pytest.mark.parametrize("command", ["login", "whoami", "logout"])
def test_a_keyring_that_is_set_up_wrongly_is_reported_with_a_way_to_do_without(
    anaconda: str, command: str
) -> None:
    wrong = {"PYTHON_KEYRING_BACKEND": "not_installed.Keyring"}
    code, output = run_with_input([command, anaconda], TOKEN + "\n", **wrong)
    assert code == 1
    assert "the keyring failed: ModuleNotFoundError" in output
    assert "Traceback" not in output
    without = {"PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}
    assert without["PYTHON_KEYRING_BACKEND"] in output
    code, output = run_with_input([command, anaconda], TOKEN + "\n", **without)
    assert code == 0, output


def test_a_keyring_that_breaks_is_reported(
    anaconda: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_keyring(tmp_path, monkeypatch, {}).write_text("{no json")
    code, output = run_with_input(["whoami", anaconda], "")
    assert code == 1
    assert "the keyring failed: JSONDecodeError" in output
    assert "Traceback" not in output


def test_without_a_keyring_the_token_stands_in_a_private_configuration(
    anaconda: str, tmp_path: Path
) -> None:
    code, output = run_with_input(["login", anaconda], TOKEN + "\n")
    assert code == 0, output
    config = tmp_path / "twofold-config" / "config.toml"
    assert TOKEN in config.read_text()
    if os.name == "posix":
        assert config.stat().st_mode & 0o077 == 0
    code, output = run_with_input(["whoami", "--json"], "")
    assert '"who": "me"' in output
    run_with_input(["logout", anaconda], "")
    assert TOKEN not in config.read_text()


def test_a_wrong_token_is_not_stored(anaconda: str, tmp_path: Path) -> None:
    code, output = run_with_input(["login", anaconda], f"{SECRET}\n")
    assert code == 1
    assert SECRET not in output
    assert not (tmp_path / "twofold-config" / "config.toml").exists()


def test_a_server_that_echoes_the_token_does_not_get_it_printed() -> None:
    import base64

    basic = base64.b64encode(f"__token__:{SECRET}".encode()).decode()
    text = redact_secrets(f"bad token {SECRET} in Basic {basic}", [Secret(SECRET)])
    assert SECRET not in text
    assert basic not in text


def test_a_secret_shows_itself_nowhere_by_accident() -> None:
    secret = Secret(SECRET)
    assert SECRET not in repr(secret) + str(secret) + f"{secret}" + repr(
        TargetSettings("n", "u", token=secret)
    )
    with pytest.raises(TypeError):
        __import__("pickle").dumps(secret)


def uploads(name: str, url: str, kind: str = "legacy") -> TargetSettings:
    return TargetSettings(name, url, kind)


@pytest.mark.parametrize(
    ("variables", "user", "source"),
    [
        ({"UV_PUBLISH_TOKEN": SECRET}, None, "UV_PUBLISH_TOKEN"),
        ({"UV_PUBLISH_PASSWORD": SECRET, "UV_PUBLISH_USERNAME": "me"}, "me", "UV_PUBLISH_PASSWORD"),
        ({"UV_PUBLISH_PASSWORD": "x", "UV_PUBLISH_TOKEN": SECRET}, None, "UV_PUBLISH_TOKEN"),
    ],
)
def test_uvs_variables_count_for_the_one_index_that_can_be_meant(
    variables: dict[str, str], user: str | None, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    index = uploads("index", "https://host/upload/")
    found = find_credentials(index)
    assert found is not None
    assert (found.secret.reveal(), found.user) == (SECRET, user)
    assert source in found.source
    assert find_credentials(index, [uploads("other", "https://other/upload/")]) is None
    assert find_credentials(registry_target()) is None


def test_the_upload_address_of_uv_is_the_default_target(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_PUBLISH_URL", "https://host/upload/")
    assert get_default_targets() == ["legacy+https://host/upload/"]


@pytest.mark.parametrize("kind", ["legacy", "registry", "artifactory", "prefix"])
def test_the_netrc_entry_of_the_host_comes_last_and_goes_to_no_other(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "my-netrc"
    netrc.write_text(
        f"machine host login me password {SECRET}\nmachine pipe login __token__ password t\n"
        "default login any password never\n"
    )
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    found = read_netrc_login(uploads("a", "https://host:8443/main", kind))
    assert found is not None
    assert (found.secret.reveal(), found.user, found.source) == (SECRET, "me", str(netrc))
    token = read_netrc_login(uploads("b", "https://pipe/main", kind))
    assert token is not None and (token.secret.reveal(), token.user) == ("t", None)
    assert read_netrc_login(uploads("c", "https://host.example/main", kind)) is None


def test_an_invalid_netrc_is_named_with_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "n").write_text(f"machine host login me passwort {SECRET}\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "n"))
    with pytest.raises(TwofoldError, match="line 1 is not valid") as caught:
        read_netrc_login(uploads("a", "https://host/main"))
    assert SECRET not in str(caught.value)
    assert caught.value.problems[0].where == str(tmp_path / "n")


@pytest.mark.parametrize("user", [None, "__token__"])
@pytest.mark.parametrize("quote", ["'", '"'])
def test_a_token_that_was_copied_with_its_quotes_is_not_sent(quote: str, user: str | None) -> None:
    credentials = Credentials(Secret(f"{quote}{SECRET}{quote}"), user, "the environment (X)")
    for kind in ("legacy", "registry"):
        with pytest.raises(TwofoldError, match=r"\(X\) is in quotes") as caught:
            clean_credentials(uploads("a", "https://host/main", kind), credentials)
        assert SECRET not in str(caught.value)
    password = replace(credentials, user="me")
    assert clean_credentials(uploads("a", "https://host/main"), password) == password
