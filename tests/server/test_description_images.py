"""Images of descriptions: blocked, or fetched by the registry within its limits."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.factories.packages import make_wheel
from tests.server.conftest import Place, serve
from twofold.errors import Refused
from twofold.server.proxy import images
from twofold.server.proxy.images import ImageCache
from twofold.server.registry import administration

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)


class ImageServer:
    """A host of images on loopback that counts what it is asked for; `answers` by path."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answers: dict[str, tuple[int, str, bytes]] = {"/a.png": (200, "image/png", PNG)}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append(self.path)
                status, media, body = outer.answers.get(self.path, (404, "text/plain", b""))
                self.send_response(status)
                self.send_header("Content-Type", media)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Write nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def image_server() -> Iterator[ImageServer]:
    made = ImageServer()
    yield made
    made.server.shutdown()
    made.server.server_close()


def wait_for(place: Place, path: str, text: str) -> str:
    end = time.monotonic() + 30
    while text not in (page := place.get(path).text):
        assert time.monotonic() < end, page
        time.sleep(0.05)
    return page


def test_images_come_through_the_registry_where_the_rule_says_so(
    place: Place, image_server: ImageServer, tmp_path: Path
) -> None:
    settings = replace(place.settings, image_hosts=(image_server.host,))
    url = f"http://{image_server.host}"
    text = f"# Hi\n\n![A & B]({url}/a.png) ![rel](docs/x.png) ![gone]({url}/gone.png)"
    more = ("Description-Content-Type: text/markdown", "", text)
    with serve(replace(place, settings=settings)) as served:
        served.publish(make_wheel(tmp_path, "my_package", "1.0", *more))
        address = "/main/project/my-package/1.0/-/images"
        page = wait_for(served, "/main/project/my-package", ">Hi<")
        assert '<span class="no-image">A &amp; B</span>' in page and address not in page
        assert served.get(f"{address}/0").status_code == 404  # the rule is not set
        administration.change_rule(served.registry, "operator", "main", "images", "proxied")
        page = served.get("/main/project/my-package").text
        assert f'<img src="{address}/0" alt="A &amp; B"' in page
        assert '<span class="no-image">rel</span>' in page
        found = served.get(f"{address}/0")
        assert (found.status_code, found.content) == (200, PNG)
        assert found.headers["content-type"] == "image/png"
        assert "sandbox" in found.headers["content-security-policy"]
        for _ in range(3):
            assert served.get(f"{address}/0").content == PNG
            assert served.get(f"{address}/2").status_code == 404
        for place_ in ("1", "3", "999999999999999999999"):
            assert served.get(f"{address}/{place_}").status_code == 404
        assert sorted(image_server.asked) == ["/a.png", "/gone.png"]


@pytest.mark.parametrize(
    ("status", "media", "body"),
    [
        (200, "text/html", b"<script>"),
        (200, "image/png", bytes(6 << 20)),
        (200, "image/png", b""),
        (500, "image/png", PNG),
        (302, "image/png", b""),
    ],
    ids=["html", "large", "empty", "error", "no-location"],
)
def test_what_is_no_image_is_not_shown(
    image_server: ImageServer, tmp_path: Path, status: int, media: str, body: bytes
) -> None:
    image_server.answers["/x"] = status, media, body
    cache = ImageCache(tmp_path / "images", (image_server.host,))
    for _ in range(2):
        with pytest.raises(Refused) as error:
            cache.get(f"http://{image_server.host}/x")
        assert error.value.status == 404
    assert image_server.asked == ["/x"]


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1/a.png",
        "http://localhost/a.png",
        "http://169.254.169.254/latest/meta-data",
        "http://[::1]/a.png",
        "http://user:secret@127.0.0.1/a.png",
    ],
)
def test_internal_addresses_are_not_asked(
    image_server: ImageServer, tmp_path: Path, url: str
) -> None:
    with pytest.raises(Refused):
        ImageCache(tmp_path / "images").get(url)
    with pytest.raises(Refused):
        ImageCache(tmp_path / "images").get(f"http://{image_server.host}/a.png")
    assert image_server.asked == []


def test_an_old_image_is_served_until_its_host_answers_again(
    image_server: ImageServer, tmp_path: Path
) -> None:
    cache = ImageCache(tmp_path / "images", (image_server.host,))
    url = f"http://{image_server.host}/a.png"
    assert cache.get(url).body == PNG
    (kept,) = (tmp_path / "images").iterdir()
    old = time.time() - images.MAX_AGE - 10
    os.utime(kept, (old, old))
    image_server.answers["/a.png"] = 500, "text/plain", b""
    assert cache.get(url).body == PNG
    os.utime(kept, (old, old))
    image_server.answers["/a.png"] = 200, "image/gif", b"GIF89a"
    assert cache.get(url).media == "image/gif"


def test_the_oldest_images_go_beyond_the_limit(
    image_server: ImageServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "MAX_KEPT", 1000)
    cache = ImageCache(tmp_path / "images", (image_server.host,))
    for number in range(20):
        image_server.answers[f"/{number}"] = 200, "image/png", bytes([number]) * 100
        cache.get(f"http://{image_server.host}/{number}")
    assert sum(one.stat().st_size for one in (tmp_path / "images").iterdir()) <= 1000
