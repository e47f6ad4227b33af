"""Indexes upstream: METADATA before wheels, unchanged pages, logins, proxies, answers too large."""

from __future__ import annotations

import base64
import hashlib
import http.server
import json
import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.factories.packages import make_conda, make_wheel
from tests.server.conftest import Place, serve
from tests.servers.upstream import StaticServer, add_upstream
from twofold.errors import Refused, Unreachable
from twofold.fetching import credentials
from twofold.fetching.client import Endpoint, fetch_page
from twofold.server.auth import accounts
from twofold.server.proxy import config
from twofold.server.proxy.config import UpstreamConfig
from twofold.server.store import audit

JSON = "application/vnd.pypi.simple.v1+json"
SECRET = "correct-horse-battery"


def files_of(place: Place, name: str) -> dict[str, dict[str, Any]]:
    response = place.get(f"/main/simple/{name}/", Accept=JSON)
    assert response.status_code == 200, response.text
    return {file["filename"]: file for file in response.json()["files"]}


def advance_clock(place: Place, hours: float = 1) -> None:
    ahead = place.registry.clock() + timedelta(hours=hours)
    object.__setattr__(place.registry, "clock", lambda: ahead)


def sha256_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


# METADATA (PEP 658)


def test_metadata_are_passed_on_before_the_wheel_is_fetched(
    served: Place, behind: Place, tmp_path: Path
) -> None:
    wheel = make_wheel(tmp_path, "spam", "1.0", "Requires-Dist: eggs")
    behind.publish(wheel)
    add_upstream(served, f"{behind.channel}/simple/")
    file = files_of(served, "spam")[wheel.name]
    sha256 = file["core-metadata"]["sha256"]
    address = f"/main/files/{sha256_of(wheel.read_bytes())}/{wheel.name}"
    body = served.get(f"{address}.metadata").content
    assert sha256_of(body) == sha256 and b"Requires-Dist: eggs" in body
    assert served.get("/main/noarch/repodata.json").json()["packages.conda"] == {}  # not fetched
    behind.registry.blobs.delete(sha256_of(wheel.read_bytes()))  # a resolver needs no wheel
    advance_clock(served)
    assert served.get(f"{address}.metadata").content == body
    assert f'data-core-metadata="sha256={sha256}"' in served.get("/main/simple/spam/").text


def test_metadata_of_another_hash_are_refused_and_those_without_a_hash_not_offered(
    served: Place, static: StaticServer, tmp_path: Path
) -> None:
    good, none = make_wheel(tmp_path, "spam", "1.0"), make_wheel(tmp_path, "spam", "2.0")
    static.publish(good, none)
    page = static.folder / "simple" / "spam" / "index.html"
    first, second = page.read_text().splitlines()
    first = first.replace("<a ", f'<a data-core-metadata="sha256={"0" * 64}" ')
    second = second.replace("<a ", "<a data-core-metadata=true ")
    page.write_text(f"{first}\n{second}")
    (static.folder / "files" / f"{good.name}.metadata").write_bytes(b"Name: evil\n")
    add_upstream(served, f"{static.url}/simple")
    files = files_of(served, "spam")
    assert files[good.name]["core-metadata"] == {"sha256": "0" * 64}
    assert files[none.name]["core-metadata"] is False
    address = f"/main/files/{sha256_of(good.read_bytes())}/{good.name}.metadata"
    answer = served.get(address)
    assert (answer.status_code, answer.json()["code"]) == (502, "upstream-changed")
    address = f"/main/files/{sha256_of(none.read_bytes())}/{none.name}.metadata"
    assert b"Name: spam" in served.get(address).content  # from the wheel, which is fetched


def test_extras_of_upstream_projects_are_read_from_their_metadata(
    served: Place, behind: Place, tmp_path: Path
) -> None:
    extra = ("Provides-Extra: fast", "Requires-Dist: speed; extra == 'fast'")
    behind.publish(make_wheel(tmp_path, "eggs", "2.0", *extra))
    add_upstream(served, f"{behind.channel}/simple/")
    done = served.upload(make_wheel(tmp_path, "spam", "1.0", "Requires-Dist: eggs[fast]"))
    assert done.json()["conda"] == ["noarch/spam-1.0-py_0.conda"]
    records = served.get("/main/noarch/repodata.json").json()["packages.conda"]
    assert {"eggs", "speed"} <= set(records["spam-1.0-py_0.conda"]["depends"])


# Pages that have not changed


def test_a_page_is_fetched_again_only_when_it_has_changed(
    served: Place, static: StaticServer, tmp_path: Path
) -> None:
    static.publish(make_wheel(tmp_path, "spam", "1.0"))
    add_upstream(served, f"{static.url}/simple")
    assert len(files_of(served, "spam")) == 1
    files_of(served, "spam")
    assert static.statuses == [200]
    advance_clock(served)
    assert len(files_of(served, "spam")) == 1
    assert static.statuses == [200, 304]
    files_of(served, "spam")
    assert static.statuses == [200, 304]  # good for another ten minutes


def test_an_etag_revalidates_a_page(served: Place, behind: Place, tmp_path: Path) -> None:
    behind.publish(make_wheel(tmp_path, "spam", "1.0"))
    add_upstream(served, f"{behind.channel}/simple/")
    assert len(files_of(served, "spam")) == 1
    advance_clock(served)
    assert len(files_of(served, "spam")) == 1
    behind.publish(make_wheel(tmp_path, "spam", "2.0"))
    advance_clock(served)
    assert len(files_of(served, "spam")) == 2


# Logins


def all_output(place: Place, caplog: pytest.LogCaptureFixture) -> str:
    """The audit log, the logs, and what a list of upstreams shows."""
    with place.registry.database.read() as db:
        response = [
            json.dumps(change.detail) for change in audit.list_entries(db, audit.AuditQuery())
        ]
    shown = [repr(one) for _, one in config.list_all(place.registry)]
    return "\n".join([*response, *shown, caplog.text])


@pytest.mark.parametrize("way", ["user and password", "in the address", "bearer", "conda token"])
def test_an_upstream_may_ask_for_a_login_which_nobody_is_shown(
    served: Place,
    static: StaticServer,
    tmp_path: Path,
    way: str,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    wheel = make_wheel(tmp_path, "spam", "1.0")
    static.publish(wheel)
    basic = base64.b64encode(f"ann:{SECRET}".encode()).decode()
    static.login = f"Bearer {SECRET}" if way == "bearer" else f"Basic {basic}"
    front = {
        "user and password": UpstreamConfig(
            f"{static.url}/simple", "pypi", (), credentials.from_cli("ann", SECRET)
        ),
        "in the address": UpstreamConfig(
            f"{static.url}/simple".replace("://", f"://ann:{SECRET}@"), "pypi"
        ),
        "bearer": UpstreamConfig(
            f"{static.url}/simple", "pypi", (), credentials.from_cli("", SECRET)
        ),
        "conda token": UpstreamConfig(f"{static.url}/t/{SECRET}/simple", "pypi"),
    }[way]
    if way == "conda token":
        static.login, static.token = "", SECRET
    config.add(served.registry, "operator", "main", front)
    page = served.get("/main/simple/spam/", Accept=JSON)
    assert [file["filename"] for file in page.json()["files"]] == [wheel.name]
    address = f"/main/files/{sha256_of(wheel.read_bytes())}/{wheel.name}"
    assert served.get(address).content == wheel.read_bytes()
    static.fault = 500
    other = served.get("/main/simple/other/")
    static.fault = ("redirect", f"/t/{SECRET}/again")
    third = served.get("/main/simple/third/")
    assert other.status_code == 503 and third.status_code in (502, 503)
    message = all_output(served, caplog) + page.text + other.text + third.text
    message += str(third.reason) + "".join(capfd.readouterr())
    if way == "conda token":
        assert SECRET not in message
    else:
        assert SECRET not in message.replace(f"/t/{SECRET}/", "") and basic not in message


def test_a_wrong_login_is_reported_with_a_hint(served: Place, static: StaticServer) -> None:
    static.login = "Basic x"
    add_upstream(served, f"{static.url}/simple")
    response = served.get("/main/simple/spam/")
    assert response.status_code == 503 and "401" in response.reason
    assert "upstream add" in response.json()["hint"]


def test_a_password_is_not_sent_in_clear_over_the_internet(place: Place) -> None:
    front = UpstreamConfig("http://8.8.8.8/simple", "pypi", (), credentials.from_cli("ann", SECRET))
    with pytest.raises(Refused, match="not sent over http"):
        config.add(place.registry, "operator", "main", front)


def test_a_private_channel_of_another_registry_can_be_an_upstream(
    served: Place, behind: Place, tmp_path: Path
) -> None:
    assert behind.owner.user is not None
    accounts.add_channel(behind.registry, "owner", "secret", behind.owner.user, public=False)
    package = make_conda(tmp_path, "one", "1.0")
    behind.publish(package, "secret")
    address = f"{behind.url}/t/{behind.token}/secret"
    config.add(served.registry, "operator", "main", UpstreamConfig(address, "conda"))
    (record,) = served.get("/main/noarch/repodata.json").json()["packages.conda"].values()
    assert record["name"] == "one"
    assert served.get(f"/main/noarch/{package.name}").content == package.read_bytes()
    ((_, one),) = config.list_all(served.registry)
    assert behind.token not in repr(one) and behind.token not in one.url


def test_the_command_line_takes_a_login_from_stdin(
    served: Place, static: StaticServer, tmp_path: Path, twofold: Callable[..., Any]
) -> None:
    static.publish(make_wheel(tmp_path, "spam", "1.0"))
    static.login = "Basic " + base64.b64encode(f"ann:{SECRET}".encode()).decode()
    words = ("admin", "--data", str(served.settings.data), "upstream")
    adding = (*words, "add", "main", f"{static.url}/simple", "--kind", "pypi")
    done = subprocess.run(
        [sys.executable, "-m", "twofold", *adding, "--user", "ann", "--json"],
        input=f"{SECRET}\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert json.loads(done.stdout)["login"] is True
    assert SECRET not in done.stdout + done.stderr
    shown = twofold(*words, "list")
    assert SECRET not in shown.out and static.url in shown.out
    served.registry.proxied_channels.invalidate()
    assert len(files_of(served, "spam")) == 1


@pytest.mark.parametrize("where", ["env", "file"])
@pytest.mark.parametrize("user", ["ann", ""])
def test_a_login_can_be_read_from_the_servers_machine_each_time(
    served: Place,
    static: StaticServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    twofold: Callable[..., Any],
    where: str,
    user: str,
) -> None:
    held = tmp_path / "held"

    def put(word: str | None) -> None:
        if where == "env" and word is not None:
            monkeypatch.setenv("UPSTREAM", word)
        elif where == "env":
            monkeypatch.delenv("UPSTREAM")
        elif word is not None:
            held.write_text(f"{word}\n")
        else:
            held.unlink()

    place = "env:UPSTREAM" if where == "env" else f"file:{held}"
    words = ("admin", "--data", str(served.settings.data), "upstream")
    login = ("--user", user) if user else ("--token",)
    adding = ("add", "main", f"{static.url}/simple", "--kind", "pypi", *login)
    twofold(*words, *adding, "--secret-from", place)
    assert f"login from {place}" in twofold(*words, "list").out
    served.registry.proxied_channels.invalidate()
    for name, word in (("spam", SECRET), ("eggs", f"{SECRET}2")):
        static.publish(make_wheel(tmp_path, name, "1.0"))
        basic = base64.b64encode(f"ann:{word}".encode()).decode()
        static.login = f"Basic {basic}" if user else f"Bearer {word}"
        put(word)
        assert served.get(f"/main/simple/{name}/").status_code == 200
    put(None)
    response = served.get("/main/simple/ham/")
    assert (
        response.status_code == 503
        and "cannot be read from its configured location" in response.reason
    )
    assert place not in response.text
    kept = b"".join(path.read_bytes() for path in served.settings.data.glob("registry.sqlite*"))
    assert SECRET.encode() not in kept and place.encode() in kept


@pytest.mark.parametrize("place", ["env:", "env:A B", "file:relative", "http://x", "UPSTREAM"])
def test_an_invalid_location_of_a_login_is_refused(place: str) -> None:
    with pytest.raises(Refused, match="is not a location of a password or token"):
        credentials.parse_reference(place, "ann")


def test_a_secret_named_over_http_is_never_a_place_of_the_server() -> None:
    """Or who calls could have the server's environment sent to an address of its own."""
    url, secret = credentials.split_userinfo(
        "https://elsewhere%3Aenv%3APATH:env%3APATH@host/simple"
    )
    assert url == "https://host/simple"
    assert credentials.deserialize(credentials.serialize(secret)) == secret


# Proxies


class _Proxy(http.server.BaseHTTPRequestHandler):
    """A proxy for http: it knows where `upstream.test` is, and nothing else."""

    def do_GET(self) -> None:
        requests_made: list[Any] = self.server.requested  # type: ignore[attr-defined]
        requests_made.append(
            (self.path, self.headers["Proxy-Authorization"], self.headers["Authorization"])
        )
        static: StaticServer = self.server.static  # type: ignore[attr-defined]
        _, found, path = self.path.partition("http://upstream.example.test/")
        file = static.folder / path.strip("/")
        file = file / "index.html" if file.is_dir() else file
        if path == "away":
            self.send_response(302)
            self.send_header("Location", "http://other.example.test/x")
            self.end_headers()
            return
        if not found or not file.is_file():
            self.send_error(404)
            return
        body = file.read_bytes()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def proxy(static: StaticServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Proxy)
    server.static, server.requested = static, []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", f"http://ann:pw@127.0.0.1:{server.server_address[1]}")
    yield server
    server.shutdown()
    server.server_close()
    thread.join(60)


def test_an_upstream_is_reached_through_the_proxy_of_the_environment(
    place: Place, static: StaticServer, proxy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")  # for the test's own client
    wheel = make_wheel(tmp_path, "spam", "1.0")
    static.publish(wheel)
    with serve(place):
        add_upstream(place, "http://upstream.example.test/simple")
        assert list(files_of(place, "spam")) == [wheel.name]
        address = f"/main/files/{sha256_of(wheel.read_bytes())}/{wheel.name}"
        assert place.get(address).content == wheel.read_bytes()
    packed = base64.b64encode(b"ann:pw").decode()
    assert {login for _, login, _ in proxy.requested} == {f"Basic {packed}"}
    assert static.requested == []  # not directly


@pytest.mark.parametrize(
    "url",
    ["http://169.254.169.254/x", "http://10.0.0.1/x", "http://intranet/x", "http://a.local/x"],
)
def test_addresses_that_are_not_public_are_not_requested_from_the_proxy_either(
    proxy: Any, url: str
) -> None:
    source = Endpoint("http://upstream.example.test/simple")
    with pytest.raises(Refused, match="Refused to fetch"):
        fetch_page(source, url, "*/*")
    assert proxy.requested == []


def test_loopback_and_no_proxy_are_reached_directly(
    static: StaticServer, proxy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    static.folder.joinpath("x").write_text("x")
    assert fetch_page(Endpoint(static.url, internal=True), f"{static.url}/x", "*/*") is not None
    monkeypatch.setenv("no_proxy", "upstream.example.test")
    with pytest.raises(Unreachable, match="cannot be found"):
        fetch_page(
            Endpoint("http://upstream.example.test"), "http://upstream.example.test/x", "*/*"
        )
    assert proxy.requested == []


# Too large


def test_a_page_that_is_too_large_is_given_up(static: StaticServer) -> None:
    static.folder.joinpath("x").write_bytes(bytes(1 << 20))
    source = Endpoint(static.url, internal=True)
    with pytest.raises(Unreachable, match="larger than"):
        fetch_page(source, f"{static.url}/x", "*/*", "", 1000)
