"""A bucket as target: static index and channel, with conditional writes (moto's S3 server)."""

from __future__ import annotations

import json
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest
import requests

from tests.factories.releases import Release, hash_file, make_conda, make_wheel
from tests.servers.package_servers import FakeServer, run_server
from tests.servers.raw_server import run_raw_server, send
from tests.servers.stores import start_moto
from twofold.cli import main
from twofold.errors import ProjectErrors, TwofoldError, Unreachable
from twofold.index.folder import index_folder
from twofold.publish.order import Order, prepare
from twofold.publish.responses import RetryPolicy
from twofold.publish.run import IncompletePublicationError


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    running = start_moto()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


@pytest.fixture
def bucket(server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> tuple[str, str]:
    """(target, http address of the prefix) of a fresh bucket that anybody may read."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    name = f"b-{abs(hash(tmp_path.name))}"
    headers = {"x-amz-acl": "public-read-write"}
    requests.put(f"{server}/{name}", headers=headers, timeout=10).raise_for_status()
    return f"s3://{name}/pk?endpoint={server}&region=us-east-1", f"{server}/{name}/pk"


def publish(files: list[Path], target: str) -> list[str]:
    with prepare(Order(files, [target], retry_policy=RetryPolicy(attempts=2))) as publication:
        return [step.file.name for step in publication.carry_out(lambda _: None)]


def get(address: str) -> bytes:
    with urllib.request.urlopen(address, timeout=10) as response:
        return bytes(response.read())


def test_a_release_in_a_bucket_has_the_pages_a_folder_has(
    release: Release, bucket: tuple[str, str], tmp_path: Path
) -> None:
    target, address = bucket
    assert len(publish(release.files, target)) == 3
    assert publish(release.files, target) == []
    folder = tmp_path / "same"
    (folder / "noarch").mkdir(parents=True)
    for file in release.files:
        place = folder / "noarch" if file.suffix == ".conda" else folder
        (place / file.name).write_bytes(file.read_bytes())
    index_folder(folder, workers=0)
    pages = ["repodata.json", "repodata.json.zst", "current_repodata.json"]
    pages += ["current_repodata.json.zst", "repodata_shards.msgpack.zst"]
    for page in (*(f"noarch/{page}" for page in pages), "simple/index.html"):
        assert get(f"{address}/{page}") == (folder / page).read_bytes(), page
    theirs = json.loads(get(f"{address}/simple/my-package/index.json"))
    ours = json.loads((folder / "simple/my-package/index.json").read_bytes())
    for page in (theirs, ours):
        for entry in page["files"]:
            del entry["upload-time"]
    assert theirs == ours
    assert get(f"{address}/{release.wheel.name}.metadata")


def test_two_publishers_at_once_lose_neither_file(bucket: tuple[str, str], tmp_path: Path) -> None:
    target, address = bucket
    made = []
    for number in range(4):
        folder = tmp_path / str(number)
        folder.mkdir()
        made.append(
            [
                make_wheel(folder, "my_package", f"1.{number}"),
                make_conda(folder, "c", f"1.{number}"),
            ]
        )
    threads = [threading.Thread(target=publish, args=(files, target)) for files in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    page = json.loads(get(f"{address}/simple/my-package/index.json"))
    assert page["versions"] == ["1.0", "1.1", "1.2", "1.3"]
    records = json.loads(get(f"{address}/noarch/repodata.json"))["packages.conda"]
    assert len(records) == 4
    current = json.loads(get(f"{address}/noarch/current_repodata.json"))["packages.conda"]
    assert list(current) == ["c-1.3-py_0.conda"]


def test_other_bytes_never_replace_a_file(
    release: Release, bucket: tuple[str, str], tmp_path: Path
) -> None:
    target, address = bucket
    publish([release.conda], target)
    (tmp_path / "other").mkdir()
    other = make_conda(tmp_path / "other", "my_package", "1.0.0", code="x = 2\n")
    with pytest.raises(ProjectErrors, match="other contents"):
        publish([other], target)
    assert hash_file(release.conda) in get(f"{address}/noarch/repodata.json").decode()


def test_a_file_without_its_page_is_completed_by_the_next_run(
    release: Release, bucket: tuple[str, str]
) -> None:
    target, address = bucket
    put = requests.put(f"{address}/{release.wheel.name}", release.wheel.read_bytes(), timeout=10)
    put.raise_for_status()
    assert publish([release.wheel], target) == [release.wheel.name]
    assert release.wheel.name in get(f"{address}/simple/my-package/index.html").decode()


def test_a_bucket_that_is_not_there_is_reported(
    release: Release, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    target = f"s3://no-such-bucket/x?endpoint={server}&region=us-east-1"
    with prepare(Order([release.wheel], [target])) as publication:
        (problem,) = publication.plan.problems
    assert problem.message == "s3://no-such-bucket/x: cannot list: there is no such bucket"
    assert problem.hint


@pytest.mark.parametrize(
    ("status", "code", "hint"),
    [
        (403, "AccessDenied", "permission"),
        (403, "InvalidAccessKeyId", "AWS_ACCESS_KEY_ID"),
        (400, "ExpiredToken", "AWS_ACCESS_KEY_ID"),
        (400, "AuthorizationHeaderMalformed", "region"),
    ],
)
def test_what_s3_refuses_is_told_in_its_own_words(
    status: int, code: str, hint: str, release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-1f7e")
    body = f"<Error><Code>{code}</Code><Message>the words of S3</Message></Error>"
    head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    with run_raw_server(send((head + body).encode())) as address:
        target = f"s3://bucket/x?endpoint=http://{address}&region=us-east-1"
        with pytest.raises(Unreachable, match=rf"{code}: the words of S3") as caught:
            publish([release.wheel], target)
    assert hint in caught.value.hint
    assert "secret-1f7e" not in str(caught.value)


@pytest.mark.parametrize(
    "query", ["endpoint=localhost:9000", "endpoint=ftp://host", "endpoint=http://[x", "regoin=x"]
)
def test_an_option_of_a_bucket_that_is_none_is_named(query: str, release: Release) -> None:
    with pytest.raises(TwofoldError, match=r"endpoint is not a URL|no option 'regoin'"):
        publish([release.wheel], f"s3://bucket/x?{query}")


@pytest.mark.parametrize("content", ["{not json", "[1]", '{"packages.conda": [1]}'])
def test_a_page_that_is_none_is_named_and_kept(
    content: str, release: Release, bucket: tuple[str, str]
) -> None:
    target, address = bucket
    page = f"{address}/noarch/repodata.json"
    requests.put(page, content, timeout=10).raise_for_status()
    with pytest.raises(IncompletePublicationError, match=r"repodata\.json (is not|has another)"):
        publish([release.conda], target)
    assert get(page) == content.encode()


class Website(FakeServer):
    """What stands before a bucket for pip: `index.html` for a folder."""

    origin: ClassVar[str]

    def do_GET(self) -> None:
        page = "index.html" if self.path.endswith("/") else ""
        found = requests.get(f"{self.origin}{self.path}{page}", timeout=10)
        self.send_response(found.status_code)
        self.send_header("Content-Type", found.headers.get("Content-Type", "text/html"))
        self.send_header("Content-Length", str(len(found.content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(found.content)

    do_HEAD = do_GET


@pytest.mark.slow
def test_a_release_in_a_bucket_is_tried_where_its_users_read_it(
    release: Release,
    bucket: tuple[str, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    target, address = bucket
    (tmp_path / "twofold-config").mkdir()
    config = tmp_path / "twofold-config" / "config.toml"
    words = ["publish", *map(str, release.files), "--to", "bucket", "--try", "--json"]
    config.write_text(f'[targets.bucket]\nkind = "s3"\nurl = "{target}"\n')
    assert main(words) == 1
    pip, conda = json.loads(capsys.readouterr().out)["tried"]
    assert (pip["worked"], conda["worked"]) == (False, True)
    assert "`public-url`" in pip["steps"][0]["detail"]
    with run_server(type("Here", (Website,), {"origin": address})) as (site, _):
        with config.open("a") as more:
            more.write(f'public-url = "{site}"\n')
        assert main(words) == 0, capsys.readouterr()
