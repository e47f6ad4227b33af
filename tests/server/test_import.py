"""`twofold admin import`: other registries, their folders and their APIs, into a channel."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.factories.packages import make_generic_conda, make_sdist, make_wheel
from tests.server.conftest import Place
from tests.servers.devpi import PASSWORD, USER, run_devpi
from tests.servers.pypiserver import end_server, start_server
from twofold.cli import main
from twofold.server.store import files


class Pages:
    """A server on loopback of exactly these pages: path and query -> body."""

    def __init__(self) -> None:
        self.pages: dict[str, bytes] = {}
        self.media: dict[str, str] = {}
        self.requested: list[str] = []
        self.login = ""
        own = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                own.requested.append(self.path)
                body = own.pages.get(self.path)
                status = 404 if body is None else 200
                if own.login and self.headers.get("Authorization") != own.login:
                    status, body = 401, b""
                self.send_response(status)
                media = own.media.get(self.path, "application/json")
                self.send_header("Content-Type", media)
                self.send_header("Content-Length", str(len(body or b"")))
                self.end_headers()
                self.wfile.write(body or b"")

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def put_json(self, path: str, value: object) -> None:
        self.pages[path] = json.dumps(value).encode()


@pytest.fixture
def pages() -> Iterator[Pages]:
    made = Pages()
    yield made
    made.server.shutdown()
    made.server.server_close()


def sums(path: Path) -> dict[str, str]:
    data = path.read_bytes()
    names = ("sha256", "sha1", "md5")
    return {name: hashlib.new(name, data, usedforsecurity=False).hexdigest() for name in names}


def run_import(place: Place, *words: str, code: int = 0) -> None:
    data = str(place.settings.data)
    assert main(["admin", "--data", data, "import", *words]) == code


def find_names(place: Place) -> set[str]:
    """The files of the channel that were uploaded, not converted."""
    with place.registry.database.read() as db:
        channel = db.exec_driver_sql("SELECT id FROM channels WHERE name = 'main'").scalar_one()
        rows = db.exec_driver_sql(
            f"SELECT filename FROM files WHERE channel_id = {channel} AND made_from IS NULL"
        )
        return set(rows.scalars())


@pytest.fixture
def built(tmp_path: Path) -> dict[str, Path]:
    folder = tmp_path / "built"
    made = [
        make_wheel(folder, "eggs", "1.0"),
        make_wheel(folder, "eggs", "2.0"),
        make_sdist(folder, "spam", "1.0"),
        make_generic_conda(folder / "noarch", "tool", "3.1"),
    ]
    return {path.name: path for path in made}


def offer_nexus(pages: Pages, built: dict[str, Path]) -> str:
    """REST "List Assets", two to a page, as help.sonatype.com shows it; indexes are assets too."""
    simple = "simple/eggs/"
    items = [{"downloadUrl": f"{pages.url}/repository/hosted/{simple}", "path": simple}]
    items[0] |= {"repository": "hosted", "format": "pypi", "checksum": {}}
    for name, path in sorted(built.items()):
        inner = f"noarch/{name}" if name.endswith(".conda") else f"packages/p/1/{name}"
        pages.pages[f"/repository/hosted/{inner}"] = path.read_bytes()
        items.append(
            {
                "downloadUrl": f"{pages.url}/repository/hosted/{inner}",
                "path": f"/{inner}",
                "id": f"aG9zdGVkOjE{len(items)}",
                "repository": "hosted",
                "format": "pypi",
                "checksum": sums(path),
                "contentType": "application/zip",
                "lastModified": "2026-11-02T10:00:00.000+00:00",
                "fileSize": path.stat().st_size,
            }
        )
    first = "/service/rest/v1/assets?repository=hosted"
    pages.put_json(first, {"items": items[:2], "continuationToken": "next:1"})
    pages.put_json(
        f"{first}&continuationToken=next%3A1", {"items": items[2:], "continuationToken": None}
    )
    return f"{pages.url}/repository/hosted/simple/"


def offer_artifactory(pages: Pages, built: dict[str, Path]) -> str:
    """The "File List" of the REST API as jfrog.com/help shows it: sizes may be strings there."""
    listed = [{"uri": "/.pypi/simple.html", "size": "1", "folder": False, "sha1": "0" * 40}]
    for name, path in built.items():
        inner = f"noarch/{name}" if name.endswith(".conda") else f"eggs/1.0/{name}"
        pages.pages[f"/artifactory/repo/{inner}"] = path.read_bytes()
        found = sums(path)
        file = {"uri": f"/{inner}", "size": path.stat().st_size, "folder": False}
        file |= {"lastModified": "2026-11-02T10:00:00.000Z"}
        listed.append(file | {"sha1": found["sha1"], "sha2": found["sha256"]})
    listing = "/artifactory/api/storage/repo"
    answer = {"uri": pages.url + listing, "created": "2026-11-02T10:00:00.000Z", "files": listed}
    pages.put_json(f"{listing}?list&deep=1&listFolders=0", answer)
    return f"{pages.url}/artifactory/api/pypi/repo/simple"


def offer_simple(pages: Pages, built: dict[str, Path], root: str) -> None:
    """PEP 503's pages with MD5 alone, as older servers write them."""
    projects = {name.partition("-")[0] for name in built if not name.endswith(".conda")}
    links = "".join(f'<a href="{name}/">{name}</a>' for name in sorted(projects))
    pages.pages[root] = f'<a href="/elsewhere/">other</a>{links}'.encode()
    pages.media[root] = "text/html"
    for project in projects:
        page = ""
        for name, path in built.items():
            if name.startswith(f"{project}-"):
                pages.pages[f"/files/{name}"] = path.read_bytes()
                page += f'<a href="/files/{name}#md5={sums(path)["md5"]}">{name}</a>'
        pages.pages[f"{root}{project}/"] = page.encode()
        pages.media[f"{root}{project}/"] = "text/html"


def offer_artifactory_without_lists(pages: Pages, built: dict[str, Path]) -> str:
    """Where the file list is refused (its edition has none), pip's pages are read."""
    offer_simple(pages, built, "/artifactory/api/pypi/repo/simple/")
    return f"{pages.url}/artifactory/repo"


def offer_pypiserver(pages: Pages, built: dict[str, Path]) -> str:
    offer_simple(pages, built, "/simple/")
    return pages.url


def offer_quetz(pages: Pages, built: dict[str, Path]) -> str:
    """Its route /get/CHANNEL/PATH (quetz/main.py)."""
    (name,) = [name for name in built if name.endswith(".conda")]
    pages.pages[f"/get/lab/noarch/{name}"] = built[name].read_bytes()
    record = {"name": "tool", "version": "3.1", "build": "0", "build_number": 0}
    record |= {"subdir": "noarch", "sha256": sums(built[name])["sha256"]}
    pages.put_json("/get/lab/noarch/repodata.json", {"packages.conda": {name: record}})
    return f"{pages.url}/channels/lab"


OFFERS = {
    "nexus": ("nexus", offer_nexus, 4),
    "artifactory": ("artifactory", offer_artifactory, 4),
    "artifactory without lists": ("artifactory", offer_artifactory_without_lists, 3),
    "pypiserver": ("pypiserver", offer_pypiserver, 3),
    "quetz": ("quetz", offer_quetz, 1),
}


@pytest.mark.parametrize("product", OFFERS)
def test_what_a_registry_lists_is_imported_once(
    place: Place,
    pages: Pages,
    built: dict[str, Path],
    product: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    kind, offer, count = OFFERS[product]
    url = offer(pages, built)
    run_import(place, kind, url, "--dry-run")
    assert f"{count} to import, 0 already there, 0 failed" in capsys.readouterr().out
    assert find_names(place) == set()
    run_import(place, kind, url)
    assert f"{count} imported, 0 already there, 0 failed" in capsys.readouterr().out
    assert len(find_names(place)) == count
    pages.requested.clear()
    run_import(place, kind, url, "--json")
    found = json.loads(capsys.readouterr().out)
    assert (len(found["present"]), found["imported"], found["failed"]) == (count, [], [])
    assert not any(path.endswith((".whl", ".gz", ".conda")) for path in pages.requested)


def test_bytes_that_are_not_those_of_the_list_stay_out_and_stop_no_other(
    place: Place, pages: Pages, built: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    url = offer_nexus(pages, built)
    bad = next(path for path in pages.pages if path.endswith("eggs-1.0-py3-none-any.whl"))
    pages.pages[bad] = built["eggs-2.0-py3-none-any.whl"].read_bytes()
    gone = next(path for path in pages.pages if path.endswith("spam-1.0.tar.gz"))
    del pages.pages[gone]
    run_import(place, "nexus", url, code=1)
    out = capsys.readouterr().out
    assert "2 imported, 0 already there, 2 failed" in out
    assert "eggs-1.0-py3-none-any.whl: its md5 is" in out or "its sha256 is" in out
    assert find_names(place) == {"eggs-2.0-py3-none-any.whl", "tool-3.1-0.conda"}


def test_other_bytes_under_a_name_of_the_channel_are_reported(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = make_wheel(tmp_path / "a", "eggs", "1.0").parent
    run_import(place, "simple", str(first))
    make_wheel(tmp_path / "b", "eggs", "1.0", code="x = 2\n")
    run_import(place, "pypiserver", str(tmp_path / "b"), code=1)
    assert "0 imported, 0 already there, 1 failed" in capsys.readouterr().out


def test_a_login_is_read_from_stdin_and_sent(
    place: Place, pages: Pages, built: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = offer_nexus(pages, built)
    pages.login = "Basic bWU6c2VjcmV0"
    run_import(place, "nexus", url, code=1)
    monkeypatch.setenv("NEXUS_PASSWORD", "secret")
    run_import(place, "nexus", url, "--user", "me", "--secret-from", "env:NEXUS_PASSWORD")
    assert len(find_names(place)) == 4


@pytest.mark.parametrize("how", ["option", "url"])
def test_a_token_for_quetz_is_sent_where_quetz_reads_it(
    place: Place,
    pages: Pages,
    built: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
    how: str,
) -> None:
    """In the path, /t/TOKEN/get/...: quetz takes it from there and from X-API-Key alone."""
    url = offer_quetz(pages, built)
    pages.pages = {f"/t/key-1{path}": body for path, body in pages.pages.items()}
    run_import(place, "quetz", url, code=1)
    monkeypatch.setenv("QUETZ_KEY", "key-1")
    words = ["--token", "--secret-from", "env:QUETZ_KEY"]
    if how == "url":
        url, words = url.replace("/channels/", "/t/key-1/channels/"), []
    run_import(place, "quetz", url, *words)
    assert find_names(place) == {"tool-3.1-0.conda"}


def test_a_password_in_the_url_is_sent_as_a_login_and_not_shown(
    place: Place, pages: Pages, built: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    url = offer_nexus(pages, built).replace("://", "://me:secret@")
    pages.login = "Basic bWU6c2VjcmV0"
    run_import(place, "nexus", url)
    assert len(find_names(place)) == 4
    pages.login = "Basic another"
    run_import(place, "nexus", url, code=1)
    shown = capsys.readouterr()
    assert "has 4 files" in shown.err
    assert "secret" not in shown.out + shown.err


@pytest.mark.parametrize(
    ("kind", "path", "message"),
    [
        ("nexus", "/", "no repository of Nexus"),
        ("nexus", "/repository/none", "has no repository 'none'"),
        ("devpi", "/root/none", "no index of devpi"),
        ("simple", "/none", "no simple index"),
        ("quetz", "/get/none", "no conda channel"),
    ],
)
def test_an_address_of_another_kind_is_reported(
    place: Place,
    pages: Pages,
    capsys: pytest.CaptureFixture[str],
    kind: str,
    path: str,
    message: str,
) -> None:
    run_import(place, kind, pages.url + path, code=1)
    assert message in capsys.readouterr().err
    run_import(place, kind, "/no/such/folder", code=1)
    assert "there is no folder" in capsys.readouterr().err


def test_folders_of_devpi_and_of_a_channel_are_read_with_their_hashes(
    place: Place, tmp_path: Path, built: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    wheel = built["eggs-1.0-py3-none-any.whl"]
    start = sums(wheel)["sha256"][:16]
    devpi = tmp_path / "server" / "+files" / "me" / "dev" / "+f" / start[:3] / start[3:]
    devpi.mkdir(parents=True)
    shutil.copy(wheel, devpi)
    run_import(place, "devpi", str(tmp_path / "server"))
    run_import(place, "devpi", str(tmp_path / "server"))
    assert "0 imported, 1 already there" in capsys.readouterr().out.splitlines()[-1]
    damaged = tmp_path / "server" / "+files" / "me" / "dev" / "+f" / "000" / "0000000000000"
    damaged.mkdir(parents=True)
    shutil.copy(built["eggs-2.0-py3-none-any.whl"], damaged)
    run_import(place, "devpi", str(tmp_path / "server"), code=1)
    assert "not that of its folder" in capsys.readouterr().out
    package = built["tool-3.1-0.conda"]
    record = {"packages.conda": {package.name: {"sha256": "0" * 64}}}
    (package.parent / "repodata.json").write_text(json.dumps(record), "utf-8")
    run_import(place, "quetz", str(package.parent.parent), code=1)
    assert "failed  noarch/tool-3.1-0.conda: its sha256 is" in capsys.readouterr().out


def test_a_folder_without_a_list_of_hashes_is_imported_once(
    place: Place, tmp_path: Path, built: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "packages"
    folder.mkdir()
    wheel = Path(shutil.copy(built["eggs-1.0-py3-none-any.whl"], folder))
    run_import(place, "pypiserver", str(folder))
    run_import(place, "pypiserver", str(folder), "--dry-run")
    assert "0 to import, 1 already there" in capsys.readouterr().out.splitlines()[-1]
    wheel.write_bytes(b"other")
    run_import(place, "pypiserver", str(folder), code=1)
    assert "with other bytes" in capsys.readouterr().out


@pytest.mark.slow
def test_an_interrupted_import_goes_on_where_it_was(place: Place, tmp_path: Path) -> None:
    for number in range(60):
        make_wheel(tmp_path / "many", "eggs", f"1.{number}")
    command = [sys.executable, "-m", "twofold", "admin", "--data", str(place.settings.data)]
    command += ["import", "pypiserver", str(tmp_path / "many")]
    kills = 0
    for _ in range(20):
        process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
        assert process.stderr is not None
        for _ in range(8):
            if not process.stderr.readline():
                break
        time.sleep(0.01 * (kills % 5))
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
        kills += 1
        if process.wait() == 0:
            break
    assert kills > 2
    assert subprocess.run(command, capture_output=True, check=True).returncode == 0
    assert len(find_names(place)) == 60
    with place.registry.database.read() as db:
        assert files.find_file(db, 1, "", "eggs-1.0-py3-none-any.whl") is not None


@pytest.mark.slow
def test_a_real_pypiserver_is_imported(
    place: Place, tmp_path: Path, built: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = next(iter(built.values())).parent
    command = [sys.executable, "-m", "pypiserver", "run", "-i", "127.0.0.1"]
    process, url = start_server(
        lambda port: [*command, "-p", str(port), str(folder)], "/simple/", tmp_path / "log"
    )
    try:
        run_import(place, "pypiserver", url)
    finally:
        end_server(process)
    assert "3 imported, 0 already there, 0 failed" in capsys.readouterr().out
    assert find_names(place) == {name for name in built if not name.endswith(".conda")}


@pytest.mark.slow
def test_a_real_devpi_is_imported_and_its_folder_has_the_same_files(
    place: Place, tmp_path: Path, built: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    with run_devpi(tmp_path / "devpi") as host:
        uploads = [str(path) for name, path in built.items() if not name.endswith(".conda")]
        words = ["upload", "--repository-url", f"{host}/{USER}/dev/", "-u", USER, "-p", PASSWORD]
        subprocess.run(
            [sys.executable, "-m", "twine", *words, *uploads], check=True, capture_output=True
        )
        run_import(place, "devpi", f"{host}/{USER}/dev/+simple/")
        assert "3 imported, 0 already there, 0 failed" in capsys.readouterr().out
        assert urlsplit(host).port
    run_import(place, "devpi", str(tmp_path / "devpi" / "data"))
    assert "0 imported, 3 already there, 0 failed" in capsys.readouterr().out
