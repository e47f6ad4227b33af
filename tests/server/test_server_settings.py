"""The settings of `serve` and `admin`: options, environment and the reference hold together."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pytest

from twofold.cli import serve
from twofold.cli.server_settings import SERVING, STORE, VARIABLES, ServerOption, read_settings
from twofold.cli.setting_values import find_unknown_variables
from twofold.errors import UsageError

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "serve.md"
OPTIONS = (*STORE, *SERVING)
VALUES = {
    "data": "somewhere",
    "port": "1234",
    "connections": "7",
    "head_timeout": "1.5",
    "send_timeout": "2.5",
    "spool_quota": "99",
    "oidc_issuer": "https://id.example",
    "oidc_issuer?": "https://other.example",
    "oidc_client_secret_file": str(PAGE),
    "oidc_client_secret_file?": str(PAGE.with_name("admin.md")),
    "oidc_role": "staff=team:upload,a=b=team:admin",
    "oidc_role?": "x=y:read",
    "oidc_accounts": "existing",
    "oidc_accounts?": "create",
    "webhook_host": "ci.internal,10.0.0.1:8080",
    "webhook_host?": "other.internal",
    "image_host?": "other.internal",
    "port?": "0",
    "connections?": "9",
    "head_timeout?": "2",
    "send_timeout?": "3",
    "spool_quota?": "1GiB",
    "session_days": "3",
    "session_days?": "5",
    "session_idle_hours": "9",
    "session_idle_hours?": "5",
    "second_factor": "everybody",
    "second_factor?": "administrators",
    "log_reads": "yes",
    "trusted_proxy": "10.0.0.0/8, ::1",
}


#: What an issuer cannot be without.
ISSUER = {"TWOFOLD_OIDC_ISSUER": "https://issuer.example", "TWOFOLD_OIDC_CLIENT_ID": "id"}


def parse(*words: str) -> argparse.Namespace:
    return serve.parser().parse_args(list(words))


def test_every_option_stands_in_the_reference_with_its_variable() -> None:
    page = PAGE.read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(--[a-z-]+)` \| `(TWOFOLD_[A-Z_]+)` \|", page, re.MULTILINE)
    assert sorted(rows) == sorted((option.flag, option.variable) for option in OPTIONS)


def test_serve_takes_no_option_without_a_variable() -> None:
    flags = {flag for action in serve.parser()._actions for flag in action.option_strings}
    general = {flag for flag in flags if flag in ("-h", "--help", "--json")}
    assert flags - general <= {option.flag for option in OPTIONS} | _general_flags()


def _general_flags() -> set[str]:
    from twofold.cli.terminal import Parser

    return {flag for action in Parser("serve", "")._actions for flag in action.option_strings}


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.variable)
def test_a_variable_sets_what_its_option_sets(option: object) -> None:
    name = option.field  # type: ignore[attr-defined]
    text = VALUES.get(name, f"x-{name}")
    flag = option.flag  # type: ignore[attr-defined]
    words = [flag] if name == "log_reads" else [flag, text]
    if name == "trusted_proxy":
        words = [flag, "10.0.0.0/8", flag, "::1"]
    if name == "oidc_role":
        words = [flag, "staff=team:upload", flag, "a=b=team:admin"]
    if name == "webhook_host":
        words = [flag, "ci.internal", flag, "10.0.0.1:8080"]
    base = ISSUER if name.startswith("oidc") else {}
    given = read_settings(parse(*words), base)
    alone = {**base, option.variable: text}  # type: ignore[attr-defined]
    assert read_settings(parse(), alone) == given
    assert given != read_settings(parse(), base)
    other = {**base, option.variable: VALUES.get(f"{name}?", "0")}  # type: ignore[attr-defined]
    assert read_settings(parse(*words), other) == given


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--oidc-issuer", "http://id.example", "--oidc-client-id", "x"), "an https URL"),
        (("--oidc-issuer", "https://id.example"), "a client id"),
        (("--oidc-client-id", "x"), "an https URL"),
        (("--oidc-role", "staff=team"), "an https URL"),
    ],
)
def test_half_an_issuer_is_a_mistake(words: tuple[str, ...], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_settings(parse(*words), {})


@pytest.mark.parametrize(
    "role", ["staff", "staff=team", "staff=team:owner", "=team:read", "a=:read"]
)
def test_a_role_of_a_group_names_group_organisation_and_role(role: str) -> None:
    with pytest.raises(UsageError, match="GROUP=ORGANISATION:ROLE"):
        read_settings(parse("--oidc-role", role), ISSUER)


def test_the_clients_secret_comes_from_a_file_or_the_environment(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("from a file\n", encoding="utf-8")
    environment = {**ISSUER, "TWOFOLD_OIDC_CLIENT_SECRET": "from the environment"}
    found = read_settings(parse(), environment).issuer
    assert found is not None and found.client_secret == "from the environment"
    path = str(tmp_path / "secret")
    found = read_settings(parse("--oidc-client-secret-file", path), environment).issuer
    assert found is not None and found.client_secret == "from a file"
    assert "from a file" not in repr(found)
    with pytest.raises(UsageError, match="cannot be read"):
        read_settings(parse("--oidc-client-secret-file", f"{path}2"), environment)


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("host", ("http://x", "a b", "[", "1.2.3.4/8")),
        ("port", ("eighty", "80.5", "-1", "65536", "1e3", "\u0660")),
        ("log-reads", ("maybe", "2")),
        ("connections", ("0", "-5", "x", "99999999999999999999")),
        ("head-timeout", ("1 s", "0", "-1", "nan", "inf", "1e400")),
        ("send-timeout", ("0", "nan", "30s")),
        ("spool-quota", ("0", "-1", "1.5", "10 GiBs", "99999999TiB")),
        ("session-days", ("0", "inf")),
        ("second-factor", ("Everybody", "none")),
        ("webhook-host", ("http://x/", "x:bad", "x:99999", "*", "a,b c")),
        ("image-host", ("https://x", "x/y", "x:")),
        ("data", ("~nobody-of-this-name/x",)),
    ],
)
def test_a_wrong_value_is_named_with_what_is_expected(name: str, texts: tuple[str, ...]) -> None:
    variable = f"TWOFOLD_{name.replace('-', '_').upper()}"
    for text in texts:
        with pytest.raises(
            UsageError, match=f"{variable}: .*({re.escape(text)}|unknown user|host)"
        ):
            read_settings(parse(), {variable: text})
        if name != "log-reads":
            with pytest.raises(SystemExit, match="2"):
                parse(f"--{name}={text}")


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.variable)
def test_an_empty_variable_is_one_that_is_not_set(option: ServerOption) -> None:
    """So that a line `TWOFOLD_HOST=` opens the registry on no other address; lists can be empty."""
    given = read_settings(parse(), {option.variable: ""})
    if option.field == "trusted_proxy":
        assert given.trusted_proxies == ()
    else:
        assert given == read_settings(parse(), {})


@pytest.mark.parametrize(
    ("option", "text", "value"),
    [("host", "[::1]", "::1"), ("spool_quota", "20GiB", 20 << 30), ("port", " 0 ", 0)],
)
def test_a_value_is_read_as_people_write_it(option: str, text: str, value: object) -> None:
    settings = read_settings(parse(), {f"TWOFOLD_{option.upper()}": text})
    assert getattr(settings, option) == value


def test_a_folder_in_the_home_is_found_where_no_shell_reads_the_variable() -> None:
    data = read_settings(parse(), {"TWOFOLD_DATA": "~/registry"}).data
    assert data == (Path.home() / "registry").resolve()


def test_a_variable_that_is_no_setting_is_named_with_the_one_that_was_meant() -> None:
    names = ["TWOFOLD_PUBLICURL", "TWOFOLD_NONSENSE", "TWOFOLD_TOKEN_LAB", "TWOFOLD_QUIET", "HOME"]
    found = find_unknown_variables([*names, *VARIABLES], VARIABLES)
    assert found == {"TWOFOLD_NONSENSE": "", "TWOFOLD_PUBLICURL": "TWOFOLD_PUBLIC_URL"}


@pytest.mark.slow
def test_admin_finds_the_store_by_the_environment(registry: object, twofold: object) -> None:
    env = {"TWOFOLD_DATA": str(registry.data)}  # type: ignore[attr-defined]
    done = twofold("admin", "channels", "--json", env=env)  # type: ignore[operator]
    assert done.code == 0 and done.json["name"] == "main"
