"""A login is for the server it is for: files that lie elsewhere are fetched without it."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.factories.releases import hash_file, make_conda, make_wheel
from tests.servers.package_servers import TOKEN, FakeServer, QuetzServer, Store, run_server
from twofold.errors import Refused
from twofold.formats.reader import read_artifact
from twofold.publish.addresses import can_share_login
from twofold.publish.files import ReleaseFile
from twofold.publish.http import HttpClient
from twofold.publish.order import Order, prepare
from twofold.publish.resolve import resolve_targets
from twofold.publish.responses import RetryPolicy
from twofold.publish.targets.legacy import LegacyIndex

ONCE = RetryPolicy(attempts=1, sleep=lambda _: None)


class Elsewhere(FakeServer):
    """A store of files on another server, which notes what it is told of logins."""

    def do_GET(self) -> None:
        logins = [self.headers[name] for name in ("Authorization", "X-API-Key")]
        self.store.other.setdefault("logins", []).append(logins)
        self.send_stored(self.path_only)

    do_HEAD = do_GET


class SendingOn(QuetzServer):
    """A quetz server that keeps its files in a store, and sends who asks there."""

    def do_GET(self) -> None:
        if self.path_only not in self.store.files:
            return self.send_answer(404, {})
        name = self.path_only.rpartition("/")[2]
        self.send_response(302)
        self.send_header("Location", f"{self.store.other['elsewhere']}/{name}")
        self.send_header("Content-Length", "0")
        return self.end_headers()

    do_HEAD = do_GET


class LinkingIndex(FakeServer):
    """An index for users, whose page names files on another server, and one whose hash it tells
    not."""

    def do_POST(self) -> None:
        self.store.put("uploaded", self.form()["content"])
        self.send_answer(200, {})

    def do_GET(self) -> None:
        if not (self.headers["Authorization"] or "").startswith("Basic "):
            return self.send_answer(401, {})
        links = ""
        if "uploaded" in self.store.files and self.path_only != "/simple/":
            name = self.store.other["name"]
            links = f'<a href="{self.store.other["elsewhere"]}/{name}">{name}</a>'
        found = self.path_only.startswith("/simple/")
        return self.send_answer(200 if found else 404, data=f"<html>{links}</html>".encode())


class Echoing(FakeServer):
    """An index that tells its users in its errors what they sent."""

    def do_GET(self) -> None:
        sent = (self.headers["Authorization"] or "").removeprefix("Basic ")
        plain = base64.b64decode(sent).decode()
        self.send_answer(403, {"message": f"no: {sent}, which is {plain}, or {quote(plain)}"})


@contextmanager
def elsewhere(file: Path) -> Iterator[tuple[str, Store]]:
    with run_server(Elsewhere) as (address, store):
        store.put(f"/{file.name}", file.read_bytes())
        yield address, store


def publish(file: Path, target: str) -> list[str]:
    with prepare(Order([file], [target], retry_policy=ONCE)) as publication:
        return [step.file.name for step in publication.carry_out(lambda _: None)]


def test_a_channel_that_sends_to_a_store_keeps_the_token_and_a_second_run_knows_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWOFOLD_TOKEN", TOKEN)
    package = make_conda(tmp_path, "my_package", "1.0")
    with elsewhere(package) as (there, kept), run_server(SendingOn) as (address, store):
        store.other["elsewhere"] = there
        assert publish(package, f"quetz+{address}/lab") == [package.name]
        assert publish(package, f"quetz+{address}/lab") == []
        assert kept.other["logins"]
        assert all(login == [None, None] for login in kept.other["logins"])
        assert store.history == {f"/get/lab/noarch/{package.name}": {hash_file(package)}}


def test_a_page_that_names_files_elsewhere_does_not_get_the_login_sent_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWOFOLD_TOKEN", TOKEN)
    wheel = make_wheel(tmp_path, "my_package", "1.0")
    with elsewhere(wheel) as (there, kept), run_server(LinkingIndex) as (address, store):
        store.other |= {"elsewhere": there, "name": wheel.name}
        assert publish(wheel, f"legacy+{address}/legacy/") == [wheel.name]
        assert publish(wheel, f"legacy+{address}/legacy/") == []
        assert kept.other["logins"]
        assert all(login == [None, None] for login in kept.other["logins"])


def test_a_server_that_echoes_a_password_with_its_user_does_not_get_it_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWINE_USERNAME", "ann")
    monkeypatch.setenv("TWINE_PASSWORD", "pass word/8")
    wheel = make_wheel(tmp_path, "my_package", "1.0")
    with run_server(Echoing) as (address, _), pytest.raises(Refused) as caught:
        publish(wheel, f"legacy+{address}/legacy/")
    assert "no: ***" in str(caught.value)
    for form in ("pass word/8", "pass%20word", base64.b64encode(b"ann:pass word/8").decode()):
        assert form not in str(caught.value)


def test_the_same_server_is_its_host_and_port_and_never_less_safe() -> None:
    home = "https://host/simple/"
    assert can_share_login("https://host:443/files/a.whl", home)
    assert can_share_login("https://host/a", "http://host/b")
    assert not can_share_login("http://host/a", home)
    assert not can_share_login("https://files.host/a", home)
    assert not can_share_login("https://host:8443/a", home)
    assert not can_share_login("https://host@other/a", home)


class Exact(FakeServer):
    """An index that takes uploads at one spelling of its URL, and redirects or refuses others."""

    def do_POST(self) -> None:
        name = self.form()["content"]
        self.store.other.setdefault("paths", []).append(self.path_only)
        wanted = self.store.other["wanted"]
        if self.path_only == wanted:
            self.store.other["sent"] = name
            return self.send_answer(200, {})
        if self.store.other["redirects"]:
            self.send_response(301)
            self.send_header("Location", wanted)
            self.send_header("Content-Length", "0")
            return self.end_headers()
        return self.send_answer(404, {"detail": "not found"})


@pytest.mark.parametrize("wanted", ["/api/packages/pypi", "/api/packages/pypi/"])
@pytest.mark.parametrize("written", ["/api/packages/pypi", "/api/packages/pypi/"])
@pytest.mark.parametrize("redirects", [True, False])
def test_an_upload_url_is_used_as_it_is_written_and_then_with_the_other_slash(
    tmp_path: Path, wanted: str, written: str, redirects: bool
) -> None:
    wheel = make_wheel(tmp_path, "my_package", "1.0")
    with run_server(Exact) as (address, store):
        store.other.update(wanted=wanted, redirects=redirects)
        (settings,) = resolve_targets([f"legacy+{address}{written}"], {})
        assert settings.url == f"{address}{written}"
        index = LegacyIndex(settings, HttpClient(retry_policy=ONCE), None)
        index.send(ReleaseFile(read_artifact(wheel)), lambda _: None)
        assert store.other["sent"] == wheel.read_bytes()
        assert store.other["paths"] == list(dict.fromkeys([written, wanted]))
