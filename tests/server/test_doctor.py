"""`twofold admin doctor`: what it finds, one thing wrong at a time."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import trustme
from sqlalchemy import text

from tests.factories.packages import make_wheel
from tests.server.conftest import Place, serve
from twofold.cli.data_owner import become_owner
from twofold.server.doctor import Finding, examine, stores
from twofold.server.model import now, to_text
from twofold.server.settings import IssuerSettings, Settings


def find(settings: Settings, check: str) -> list[Finding]:
    return [found for found in examine(settings) if found.check == check]


def states(settings: Settings) -> dict[str, str]:
    return {found.check: found.state for found in examine(settings)}


def test_a_sound_registry_has_no_error(place: Place) -> None:
    found = states(place.settings)
    assert "error" not in found.values(), examine(place.settings)
    assert {"folder", "disk", "database", "objects", "clock", "proxy"} <= set(found)


def test_a_folder_without_a_registry_is_reported_and_not_made(tmp_path: Path) -> None:
    found = states(Settings(tmp_path / "none"))
    assert (found["folder"], found["database"], found["objects"]) == ("error",) * 3
    assert not (tmp_path / "none").exists()


def test_a_folder_open_to_others_is_reported(place: Place) -> None:
    place.settings.data.chmod(0o755)
    [found] = find(place.settings, "folder")
    assert found.state == "error" and "chmod 700" in found.hint


@pytest.mark.parametrize(
    ("version", "state"), [("0099_future", "error"), ("0001", "warning"), ("", "warning")]
)
def test_a_schema_of_another_version_is_reported(place: Place, version: str, state: str) -> None:
    with place.registry.database.write() as db:
        db.execute(text("UPDATE alembic_version SET version_num = :v"), {"v": version})
    [found] = find(place.settings, "database")
    assert found.state == state


def test_a_database_that_is_none_is_reported(place: Place) -> None:
    place.registry.database.close()
    (place.settings.data / "registry.sqlite").write_bytes(b"no database at all" * 100)
    assert find(place.settings, "database")[0].state == "error"


def test_a_clock_behind_the_audit_log_is_reported(place: Place) -> None:
    later = to_text(now() + timedelta(days=2))
    with place.registry.database.write() as db:
        db.execute(text("UPDATE audit SET at = :at"), {"at": later})
    assert states(place.settings)["clock"] == "error"


def test_objects_that_cannot_be_written_are_reported(place: Place, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    for objects in (str(tmp_path / "none"), str(file)):
        assert states(replace(place.settings, objects=objects))["objects"] == "error"


@pytest.mark.parametrize(("days", "state"), [(400, "ok"), (5, "warning"), (-5, "error")])
def test_a_certificate_that_ends_is_reported(tmp_path: Path, days: int, state: str) -> None:
    end = now() + timedelta(days=days)
    cert = trustme.CA().issue_cert(
        "packages.example", not_before=end - timedelta(800), not_after=end
    )
    pem, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    cert.cert_chain_pems[0].write_to_path(str(pem))
    cert.private_key_pem.write_to_path(str(key))
    key.chmod(0o600)
    settings = Settings(tmp_path, tls_certificate=pem, tls_key=key)
    assert states(settings)["tls"] == state
    key.write_text("no key")
    assert states(settings)["tls"] == "error"


def break_key(folder: Path) -> None:
    (folder / "key.pem").write_bytes(trustme.CA().issue_cert("x").private_key_pem.bytes())


def break_mode(folder: Path) -> None:
    (folder / "key.pem").chmod(0o644)


@pytest.mark.parametrize(
    ("names", "harm", "state", "message"),
    [
        (["packages.example"], None, "ok", "ends on"),
        (["*.example"], None, "ok", "ends on"),
        (["other.example"], None, "error", "host is packages.example"),
        (["packages.example"], break_key, "error", "of another certificate"),
        (["packages.example"], break_mode, "warning", "0644"),
    ],
)
def test_a_certificate_that_clients_refuse_is_reported(
    tmp_path: Path,
    names: list[str],
    harm: Callable[[Path], None] | None,
    state: str,
    message: str,
) -> None:
    cert = trustme.CA().issue_cert(*names)
    pem, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    cert.cert_chain_pems[0].write_to_path(str(pem))
    cert.private_key_pem.write_to_path(str(key))
    key.chmod(0o600)
    if harm is not None:
        harm(tmp_path)
    settings = Settings(tmp_path, public_url="https://packages.example")
    settings = replace(settings, tls_certificate=pem, tls_key=key)
    found = [one for one in find(settings, "tls") if one.state == state]
    assert message in " ".join(one.message for one in found)
    assert state == "ok" or all(one.hint for one in found)


def lock(place: Place) -> Callable[[], None]:
    other = sqlite3.connect(place.settings.data / "registry.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    return other.close


def hold_other_tables(place: Place) -> Callable[[], None]:
    with place.registry.database.write() as db:
        db.execute(text("ALTER TABLE alembic_version RENAME TO places"))
    return lambda: None


def lose_an_object(place: Place) -> Callable[[], None]:
    place.publish(make_wheel(place.settings.data / "files", "lost"))
    for path in (place.settings.data / "objects").rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes()[:-1])
    return lambda: None


@pytest.mark.parametrize(
    ("harm", "check", "message"),
    [
        (lock, "database", "database is locked"),
        (hold_other_tables, "database", "none of twofold's"),
        (lose_an_object, "files", "missing or cut off"),
    ],
)
def test_what_is_wrong_with_the_stores_is_reported(
    place: Place,
    harm: Callable[[Place], Callable[[], None]],
    check: str,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stores, "PATIENCE", 0.1)
    mend = harm(place)
    wrong = [one for one in find(place.settings, check) if one.state != "ok"]
    mend()
    assert len(wrong) == 1 and message in wrong[0].message and wrong[0].hint, wrong


@pytest.mark.parametrize(
    ("field", "value", "check"),
    [
        ("host", "203.0.113.9", "address"),
        ("trust_root", Path(__file__), "settings"),
        ("site_logo", Path("absent.png"), "settings"),
        ("tls_key", Path(__file__), "tls"),
        ("issuer", IssuerSettings("https://id.invalid", "x"), "issuer"),
    ],
)
def test_what_a_start_would_refuse_is_reported(
    tmp_path: Path, field: str, value: object, check: str
) -> None:
    settings = replace(Settings(tmp_path / "none"), **{field: value})  # type: ignore[arg-type]
    [wrong] = [one for one in find(settings, check) if one.state == "error"]
    assert wrong.hint


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root can give files away")
def test_root_writes_as_the_owner_of_the_data_and_finds_files_of_others(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = place.settings.data
    os.chown(data / "registry.sqlite", 12345, 12345)
    [found] = find(place.settings, "folder")
    assert found.state == "error" and "chown" in found.hint
    done: list[tuple[str, int]] = []
    for name in ("setuid", "setgid"):
        monkeypatch.setattr(os, name, lambda number, name=name: done.append((name, number)))
    monkeypatch.setattr(os, "setgroups", lambda _groups: None)
    become_owner(data)
    assert done == []
    os.chown(data, 12345, 54321)
    monkeypatch.setattr(os, "access", lambda *_words, **_options: True)
    become_owner(data)
    assert done == [("setgid", 54321), ("setuid", 12345)]


def test_what_passes_passwords_in_clear_or_believes_everybody_is_reported(place: Place) -> None:
    open_host = replace(place.settings, host="0.0.0.0")
    assert states(open_host)["tls"] == "warning"
    assert states(replace(place.settings, trusted_proxies=("*",)))["proxy"] == "error"
    assert states(replace(place.settings, trusted_proxies=("proxy",)))["proxy"] == "error"


@pytest.fixture
def public(place: Place) -> Iterator[Place]:
    """A registry that knows its public URL, which leads straight to it."""
    with serve(place):
        yield place


def test_the_public_url_must_lead_here(public: Place, place: Place) -> None:
    known = replace(place.settings, public_url=public.url)
    assert {found.state for found in find(known, "public")} == {"ok"}
    for wrong in (f"{public.url}/pkgs", "http://127.0.0.1:9", "ftp://x"):
        found = find(replace(place.settings, public_url=wrong), "public")
        assert "error" in {one.state for one in found}, wrong


def test_the_command_exits_with_1_when_something_is_wrong(
    twofold: object, registry: object, tmp_path: Path
) -> None:
    data = registry.data  # type: ignore[attr-defined]
    done = twofold("admin", "doctor", "--data", data)  # type: ignore[operator]
    assert done.code == 0 and "database" in done.out, done.err
    env = {"TWOFOLD_DATA": str(tmp_path / "none")}
    done = twofold("admin", "doctor", "--json", env=env)  # type: ignore[operator]
    assert done.code == 1 and '"state": "error"' in done.out
