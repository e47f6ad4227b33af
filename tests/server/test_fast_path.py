"""The front: quick answers are the slow ones, changes are seen at once, logs hold no secret."""

from __future__ import annotations

import http.client
import json
import logging
import re
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
import zstandard

from tests.factories.packages import make_wheel
from tests.server.conftest import Place
from tests.servers.processes import wait_until
from twofold.server.auth import accounts
from twofold.server.registry import administration, lifecycle

JSON = "application/vnd.pypi.simple.v1+json"


def test_the_quick_and_the_long_way_answer_alike(served: Place, tmp_path: Path) -> None:
    """A query makes a request go the long way round."""
    done = served.upload(make_wheel(tmp_path)).json()
    for path in (
        "/main/simple/my-package/",
        f"/main/files/{done['sha256']}/{done['filename']}",
        "/main/noarch/my_package-1.0.0-py_0.conda",
    ):
        for accept in ("*/*", JSON):
            quick = served.get(path, accept=accept)
            long = served.get(f"{path}?long", accept=accept)
            assert quick.content == long.content
            for header in ("etag", "content-type", "cache-control", "x-content-type-options"):
                assert quick.headers[header] == long.headers[header], (path, header)
            assert quick.headers.get("vary") == long.headers.get("vary")


def test_every_change_is_seen_by_the_next_request(served: Place, tmp_path: Path) -> None:
    registry, owner = served.registry, served.owner
    done = served.upload(make_wheel(tmp_path)).json()
    file = f"/main/files/{done['sha256']}/{done['filename']}"
    for _ in range(3):
        assert served.get(file).status_code == 200
        lifecycle.yank(registry, owner, "main", "my_package", "1.0.0", "bad")
        assert "data-yanked" in served.get("/main/simple/my-package/").text
        lifecycle.unyank(registry, owner, "main", "my_package", "1.0.0")
        assert "data-yanked" not in served.get("/main/simple/my-package/").text
    administration.change_rule(registry, "operator", "main", "public", "no")
    assert served.get(file).status_code == 401
    administration.change_rule(registry, "operator", "main", "public", "yes")
    assert served.get(file).status_code == 200
    lifecycle.delete_release(registry, owner, "main", "my_package")
    assert served.get(file).status_code == 404


def test_both_ways_read_the_first_of_two_credentials(served: Place, tmp_path: Path) -> None:
    served.upload(make_wheel(tmp_path)).raise_for_status()
    administration.change_rule(served.registry, "operator", "main", "public", "no")
    parts = urlsplit(served.url)
    for first, second, status in (("bad", served.token, 401), (served.token, "bad", 200)):
        for path in ("/main/simple/my-package/", "/main/simple/my-package/?long"):
            line = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=60)
            line.putrequest("GET", path)
            for token in (first, second):
                line.putheader("Authorization", f"Bearer {token}")
            line.endheaders()
            assert line.getresponse().status == status, (first, path)
            line.close()


def test_requests_are_counted(served: Place, tmp_path: Path) -> None:
    served.upload(make_wheel(tmp_path)).raise_for_status()
    served.get("/main/simple/my-package/")
    served.get("/nothing")
    reported: list[str] = []

    def counted() -> bool:
        reported.append(served.get("/metrics").text)
        return all(
            f'twofold_requests_total{{method="{method}",status="{status}"}} 1\n' in reported[-1]
            for method, status in (("GET", 404), ("POST", 200))
        )

    wait_until(counted)
    found = re.search(r'{method="GET",status="200"} (\d+)', reported[-1])
    assert found is not None
    assert 1 <= int(found[1]) <= len(reported)  # the page, and what was asked for since
    assert f"twofold_request_seconds_count {int(found[1]) + 2}" in reported[-1]


def test_logs_are_json_and_hold_no_secret(
    served: Place, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "twofold.server")
    served.upload(make_wheel(tmp_path)).raise_for_status()
    served.upload(make_wheel(tmp_path), token="twofold-" + "x" * 38)
    requests.post(f"{served.url}/t/{served.token}/main/upload", data=b"x", timeout=120)
    wait_until(lambda: len(caplog.records) == 4)
    entries = [json.loads(record.message) for record in caplog.records]
    assert [entry.get("status") for entry in entries] == [200, None, 401, 400]
    assert (entries[1]["failed"], entries[1]["reason"]) == ("login", "invalid-token")
    assert entries[3]["path"] == "/t/***/main/upload"
    assert served.token not in caplog.text
    assert "x" * 38 not in caplog.text


@pytest.mark.parametrize("path", ["/x/t/{}/main/y", "//t/{}/main", "/main/project/{}", "/t/t/{}/x"])
def test_a_token_in_the_wrong_place_of_an_address_is_not_logged(
    served: Place, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    caplog.set_level(logging.INFO, "twofold.server")
    requests.post(f"{served.url}{path.format(served.token)}", timeout=120)
    wait_until(lambda: bool(caplog.records))
    assert served.token not in caplog.text and "***" in caplog.text


def test_no_secret_is_kept_in_the_store(served: Place, tmp_path: Path) -> None:
    accounts.add_user(served.registry, "operator", "ann", "a-long-password")
    served.upload(make_wheel(tmp_path)).raise_for_status()
    everything = b"".join(
        path.read_bytes() for path in served.settings.data.rglob("*") if path.is_file()
    )
    assert served.token.encode() not in everything
    assert b"a-long-password" not in everything


def test_readiness_reports_what_is_unreachable(served: Place) -> None:
    assert served.get("/healthz").json() == {"status": "ok"}
    folder = served.registry.blobs.folder
    assert folder is not None
    folder.rename(folder.with_name("elsewhere"))
    answer = served.get("/readyz")
    assert answer.status_code == 503
    assert "cannot reach objects" in answer.reason
    folder.with_name("elsewhere").rename(folder)
    assert served.get("/readyz").status_code == 200


def test_a_large_repodata_follows_while_the_last_one_is_given_out(
    served: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shards tell of a new package at once; repodata.json is rendered by another process."""
    monkeypatch.setattr("twofold.server.pages.conda_pages.LARGE_PAGE", 1)
    served.publish(make_wheel(tmp_path, "one"))
    url = "/main/noarch/repodata.json"
    assert len(served.get(url).json()["packages.conda"]) == 1
    served.publish(make_wheel(tmp_path, "two"))
    index = served.get("/main/noarch/repodata_shards.msgpack.zst").content
    shards = zstandard.ZstdDecompressor().decompressobj().decompress(index)
    assert b"two" in shards
    deadline = time.monotonic() + 120
    while len(served.get(url).json()["packages.conda"]) == 1:
        assert time.monotonic() < deadline
        time.sleep(0.05)
