"""`twofold admin`: people, rights, the log; verify, sweep and move of the store."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, text, update

from tests.factories.packages import make_wheel
from tests.server.conftest import Place, serve
from tests.servers.stores import S3, PostgreSQL
from twofold.cli import main
from twofold.errors import Refused, TwofoldError
from twofold.server.app import open_registry
from twofold.server.auth import accounts
from twofold.server.context import Registry
from twofold.server.model import Action
from twofold.server.registry import administration, lifecycle, maintenance
from twofold.server.settings import Settings
from twofold.server.store import Blobs, Database, lists
from twofold.server.store import accounts as store_accounts
from twofold.server.store.schema import pages as stored_pages


def admin(place: Place, *words: str, code: int = 0) -> None:
    assert main(["admin", "--data", str(place.settings.data), *words]) == code


def output(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out.strip()


def test_people_get_rights_and_lose_them(
    served: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    admin(served, "user", "ann")
    admin(served, "token", "ann", "--days", "3", "--project", "my-package")
    token = output(capsys).split()[-1]
    wheel = make_wheel(tmp_path)
    assert served.upload(wheel, token).status_code == 403
    admin(served, "role", "main", "ann", "upload")
    assert served.upload(make_wheel(tmp_path, "other"), token).status_code == 403
    assert served.upload(wheel, token).status_code == 200
    named = accounts.TokenRequest("no\x1b[2J\u202e such")
    with served.registry.database.read() as db:
        ann = store_accounts.find_user(db, "ann")
    assert ann is not None
    accounts.issue_token_for(served.registry, "ann", ann, named)
    admin(served, "tokens", "ann")
    listed = output(capsys)
    assert "such" in listed and not set(listed) & set("\x1b\u202e")
    shown = next(word for word in listed.split() if token.startswith(word.removesuffix("...")))
    assert token.startswith(shown.removesuffix("..."))
    admin(served, "revoke", "ann", shown)
    refused = served.upload(wheel, token)
    assert (refused.status_code, "revoked" in refused.reason) == (401, True)


def test_users_and_channels_are_listed_as_the_registry_lists_them(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    registry = place.registry
    ann, bob = (accounts.add_user(registry, "operator", name) for name in ("ann", "bob"))
    administration.disable_user(registry, "operator", ann)
    accounts.add_channel(registry, "operator", "dev", bob, public=False)
    for user, role in ((bob, Action.READ), (ann, Action.UPLOAD)):
        administration.set_role(registry, "operator", "main", user, role)
    place.publish(make_wheel(tmp_path))
    place.publish(make_wheel(tmp_path, "gone"))
    lifecycle.delete_release(registry, administration.OPERATOR, "main", "gone", None)
    users = [(one.name, one.kind, one.disabled) for one in administration.list_users(registry)]
    channels = [
        (one.name, one.public, size, sorted(roles.items()))
        for one, size, roles in administration.list_channels(registry)
    ]

    def check(found: list[list[tuple[Any, ...]]] | None) -> None:
        assert found is not None
        assert [(name, kind, bool(end)) for name, kind, end in found[0]] == users
        assert channels == [
            (name, bool(public), size, [(who, role) for of, who, role in found[2] if of == key])
            for key, name, public, size in found[1]
        ]

    queries = lists.USERS, lists.CHANNELS, lists.ROLES
    check(lists.read(registry.database, *queries))
    check(lists.read_local(str(place.settings.data / "registry.sqlite"), *queries))
    with registry.database.write() as db:
        db.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    admin(place, "users", code=1)  # opened through Database, which reports it
    assert "upgrade twofold" in capsys.readouterr().err


def test_an_expired_token_and_a_disabled_user_are_reported(served: Place, tmp_path: Path) -> None:
    registry = served.registry
    ann = accounts.add_user(registry, "operator", "ann", "a-long-password")
    administration.set_role(registry, "operator", "main", ann, Action.UPLOAD)
    soon = registry.clock() - timedelta(seconds=1)
    old, _ = accounts.issue_token_for(
        registry, "operator", ann, accounts.TokenRequest("t", expires_at=soon)
    )
    new, _ = accounts.issue_token_for(registry, "operator", ann, accounts.TokenRequest("t"))
    wheel = make_wheel(tmp_path)
    assert "expired" in served.upload(wheel, old).reason
    assert served.upload(wheel, new).status_code == 200
    with pytest.raises(Refused, match="expired"):
        accounts.check_password(registry, "ann", old)
    assert accounts.check_password(registry, "ann", "a-long-password").name == "ann"
    administration.disable_user(registry, "operator", ann)
    assert served.upload(wheel, new).status_code == 401
    with pytest.raises(Refused, match="Invalid user name or password"):
        accounts.check_password(registry, "ann", "a-long-password")


def test_every_change_is_in_the_log_without_secrets(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place.publish(make_wheel(tmp_path))
    admin(place, "token", "owner", "--name", "ci")
    secret = output(capsys).split()[-1]
    admin(place, "yank", "main", "my_package", "1.0.0", "--reason", "broken")
    admin(place, "rule", "main", "quota", "5000")
    capsys.readouterr()
    admin(place, "log", "--json")
    text = output(capsys)
    actions = [json.loads(line)["action"] for line in text.splitlines()]
    assert actions == ["first-start", "publish", "token", "yank", "rule"]
    assert secret not in text
    assert place.token not in text


def test_rules_of_a_channel_are_kept(served: Place, tmp_path: Path) -> None:
    admin(served, "rule", "main", "quota", "3000")
    assert served.upload(make_wheel(tmp_path, "one")).status_code == 200
    full = served.upload(make_wheel(tmp_path, "two"))
    assert (full.status_code, full.json()["code"]) == (413, "quota")
    admin(served, "rule", "main", "deletion", "never")
    with pytest.raises(TwofoldError, match="never deletes"):
        lifecycle.delete_release(served.registry, served.owner, "main", "one")
    admin(served, "rule", "main", "public", "no")
    assert served.get("/main/simple/one/").status_code == 401
    admin(served, "rule", "main", "colour", "red", code=1)


def test_old_releases_go_and_the_newest_stay(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for version in ("1.0", "1.1", "1.2"):
        place.publish(make_wheel(tmp_path, "my_package", version))
    admin(place, "retain", "main", "--keep", "1", "--days", "5")
    assert output(capsys) == ""
    admin(place, "retain", "main", "--keep", "2")
    assert "my_package-1.0" in output(capsys)
    admin(place, "retain", code=0)
    assert output(capsys) == ""
    admin(place, "retain", "main", code=2)
    assert "has no retention rule" in capsys.readouterr().err
    admin(place, "rule", "main", "keep", "1")
    capsys.readouterr()
    admin(place, "retain", "--dry-run")
    admin(place, "retain")
    gone = output(capsys).splitlines()
    assert len(gone) == 4 and all("my_package-1.1" in line for line in gone)


def test_the_log_is_filtered_and_written_as_a_table(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place.publish(make_wheel(tmp_path))
    admin(place, "yank", "main", "my_package", "1.0.0", "--reason", "=1+1")
    capsys.readouterr()
    admin(place, "log", "--action", "yank", "--csv")
    rows = list(csv.DictReader(io.StringIO(output(capsys))))
    assert [(row["actor"], row["subject"]) for row in rows] == [("operator", "my_package 1.0.0")]
    admin(place, "log", "--actor", "nobody")
    assert output(capsys) == ""


def test_a_wrong_argument_is_reported(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    admin(place, "disable", "nobody", code=1)
    assert "There is no user 'nobody'" in capsys.readouterr().err
    assert main(["admin", "--data", str(place.settings.data / "x"), "users"]) == 1
    assert "there is no registry" in capsys.readouterr().err


def blob_path(registry: Registry, sha256: str) -> Path:
    assert registry.blobs.folder is not None
    return registry.blobs.folder / "blobs" / sha256[:2] / sha256[2:4] / sha256


BAD_WORDS = {
    ("token", "owner", "--days", "0"): (2, "is not a number from 1 to 36500"),
    ("token", "owner", "--days", "99999999"): (2, "is not a number from 1 to 36500"),
    ("token", "owner", "--channel", "none-such"): (1, "There is no channel 'none-such'"),
    ("token", "owner", "--project", "???"): (1, "No project is called"),
    ("token", "owner", "--actions", "fly"): (2, "is not a list of actions"),
    ("prefix", "main", "", "owner"): (1, "No names of projects begin with"),
    ("prefix", "main", "-", "owner"): (1, "No names of projects begin with"),
    ("prefix", "main", "\xe4", "owner"): (1, "No names of projects begin with"),
    ("rule", "main", "keep-days", "9" * 30): (1, "is not a valid value of keep-days"),
    ("rule", "main", "quota", "9" * 5000): (1, "is not a valid value of quota"),
    ("retain", "main", "--keep", "1", "--days", "-1"): (2, "is not a number from 0"),
    ("retain", "main", "--keep", "1", "--days", "9999999"): (2, "is not a number from 0"),
    ("publisher", "main", "p", "--issuer", "https://ci.invalid", "--claim", "x"): (
        2,
        "not a claim",
    ),
}


@pytest.mark.parametrize("words", BAD_WORDS)
def test_bad_arguments_are_reported_with_a_hint_and_change_nothing(
    place: Place, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    code, message = BAD_WORDS[words]
    before = len(administration.read_changes(place.registry, administration.AuditQuery()))
    try:
        admin(place, *words, code=code)
    except SystemExit as ended:
        assert ended.code == code
    reported = capsys.readouterr().err
    assert message in reported
    assert "hint: " in reported or "There is no" in reported
    assert len(administration.read_changes(place.registry, administration.AuditQuery())) == before


def test_a_token_for_a_project_is_good_however_its_name_is_written(
    served: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    admin(served, "token", "owner", "--project", "My.Package")
    token = output(capsys).split()[-1]
    assert served.upload(make_wheel(tmp_path), token).status_code == 200
    assert served.upload(make_wheel(tmp_path, "other"), token).status_code == 403


def test_pages_that_say_another_thing_than_the_records_are_found(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place.publish(make_wheel(tmp_path, "one"))
    place.publish(make_wheel(tmp_path, "two"))
    admin(place, "verify")
    with place.registry.database.write() as db:
        db.execute(delete(stored_pages).where(stored_pages.c.key == "simple/main/html/one"))
        body = stored_pages.c.key == "simple/main/json/two"
        db.execute(update(stored_pages).where(body).values(body=b'{"files": []}'))
    capsys.readouterr()
    admin(place, "verify", code=1)
    reported = capsys.readouterr().err
    for project in ("one", "two"):
        assert f"stale pages: main/label/main/simple/{project}" in reported


def test_a_damaged_and_a_missing_object_are_found_and_repaired(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = [place.publish(make_wheel(tmp_path, name)).file for name in ("one", "two")]
    other = Blobs(str(tmp_path / "other"))
    for file in done:
        copy = tmp_path / "copy"
        place.registry.blobs.fetch(file.sha256, copy)
        other.put(file.sha256, copy)
    assert maintenance.verify(place.registry).is_sound
    damaged, missing = (blob_path(place.registry, file.sha256) for file in done)
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"!")
    missing.unlink()
    admin(place, "verify", code=1)
    reported = capsys.readouterr()
    assert f"damaged: {done[0].sha256}" in reported.err
    assert f"missing: {done[1].sha256}" in reported.err
    admin(place, "verify", "--repair-from", str(tmp_path / "other"))
    assert maintenance.verify(place.registry).is_sound


def test_a_verification_that_was_interrupted_goes_on_where_it_stopped(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maintenance, "REPORT_EVERY", 1)
    for number in range(3):
        place.publish(make_wheel(tmp_path, f"p{number}"))
    damaged, *others = sorted(blob.sha256 for blob in place.registry.blobs.list_all())
    blob_path(place.registry, damaged).write_bytes(b"damaged")
    for last in ("3 of 6 objects", "2 of 3 projects of main"):
        reported: list[str] = []

        def stop(text: str, last: str = last, reported: list[str] = reported) -> None:
            reported.append(text)
            if text == last:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            maintenance.verify(place.registry, None, stop, resumes=True)
        assert reported[-1] == last
    assert reported[:2] == ["going on after 3 objects", "3 of 6 objects"]  # the damaged one again
    reported = []
    report = maintenance.verify(place.registry, None, reported.append, resumes=True)
    again = ["going on after 6 objects", "6 of 6 objects"]
    assert reported == [*again, "3 of 3 projects of main"]
    assert (report.checked, report.damaged, report.missing) == (6, [damaged], [])
    reported = []
    report = maintenance.verify(place.registry, None, reported.append, resumes=True)
    assert reported[0] == "1 of 6 objects"  # one that came to its end begins again
    assert others and report.damaged == [damaged]


def test_only_old_objects_without_a_record_are_swept(place: Place, tmp_path: Path) -> None:
    kept = place.publish(make_wheel(tmp_path)).file
    stray = tmp_path / "stray"
    for name in (b"old", b"new"):
        import hashlib

        stray.write_bytes(name)
        place.registry.blobs.put(hashlib.sha256(name).hexdigest(), stray)
    old = hashlib.sha256(b"old").hexdigest()
    os.utime(blob_path(place.registry, old), (0, 0))
    os.utime(blob_path(place.registry, kept.sha256), (0, 0))
    assert maintenance.collect_garbage(place.registry, dry_run=True) == [old]
    assert maintenance.collect_garbage(place.registry) == [old]
    assert {blob.sha256 for blob in place.registry.blobs.list_all()} >= {kept.sha256}


def test_a_registry_moves_to_postgresql_and_s3_and_back(
    place: Place, tmp_path: Path, postgresql: PostgreSQL, s3: S3
) -> None:
    """Cut off in the middle by a damaged object, then finished; clients see the same."""
    for number in range(5):
        place.publish(make_wheel(tmp_path, f"p{number}"))
    there = Settings(tmp_path / "there", postgresql.empty_database(), s3.new_bucket())
    some = place.publish(make_wheel(tmp_path, "last")).file
    path = blob_path(place.registry, some.sha256)
    whole = path.read_bytes()
    path.write_bytes(b"damaged" + whole[7:])
    words = ["move", "--to-database", there.database, "--to-objects", there.objects]
    admin(place, *words, code=1)
    path.write_bytes(whole)
    admin(place, *words)
    back = Settings(tmp_path / "back")
    moved = Place(open_registry(there), there, place.token, place.owner)
    maintenance.migrate_storage(
        moved.registry, Database(back.database_url), Blobs(back.objects_url), lambda _: None
    )
    returned = Place(open_registry(back), back, place.token, place.owner)
    seen = []
    for one in (place, moved, returned):
        assert maintenance.verify(one.registry).is_sound
        with serve(one):
            seen.append(
                (
                    one.get("/main/simple/p3/").text,
                    one.get("/main/noarch/repodata.json").json(),
                    one.get("/main/noarch/p3-1.0.0-py_0.conda").content,
                    lists.read(one.registry.database, lists.USERS, lists.ROLES),
                    [row[1] for row in lists.read(one.registry.database, lists.CHANNELS)[0]],
                )
            )
            assert one.upload(make_wheel(tmp_path, "after")).status_code == 200
    assert seen[0] == seen[1] == seen[2]
    for one in (moved, returned):
        one.registry.database.close()


def test_the_command_is_a_process_too(place: Place) -> None:
    words = [sys.executable, "-m", "twofold", "admin", "--data", str(place.settings.data)]
    done = subprocess.run([*words, "channels"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("main  public  0")
    lists_users = (
        "import sys; from twofold.cli import main; main(sys.argv[1:]); print(*sys.modules)"
    )
    words[1:3] = ["-c", lists_users]
    done = subprocess.run([*words, "users"], capture_output=True, text=True, check=True)
    assert "sqlite3" in done.stdout and "sqlalchemy" not in done.stdout


def test_the_location_of_the_registry_may_be_given_before_or_after_the_command(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    data = str(place.settings.data)
    reported = []
    for words in (["--data", data, "channels"], ["channels", "--data", data]):
        assert main(["admin", *words]) == 0
        reported.append(output(capsys))
    assert reported[0] == reported[1] != ""
