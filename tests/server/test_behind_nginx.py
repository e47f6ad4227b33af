"""The real clients behind a real nginx and Caddy as deploy/ configures them, at / and at a path."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import requests

from tests.clients.anaconda import CommandLine
from tests.clients.rattler import install_specs
from tests.factories.packages import make_conda, make_python, make_sdist, make_wheel
from tests.server.conftest import Place, serve
from tests.server.test_clients import run

EXAMPLE = Path(__file__).parents[2] / "deploy" / "nginx" / "twofold.conf"
CADDYFILE = Path(__file__).parents[2] / "deploy" / "caddy" / "Caddyfile"

pytestmark = pytest.mark.slow


def find_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def configure(folder: Path, port: int, inner: str, prefix: str, address: str = "127.0.0.1") -> Path:
    """Write the example's server without TLS, for this port, address and path."""
    server = EXAMPLE.read_text(encoding="utf-8")
    server = re.sub(r" *(listen \[|ssl_).*\n", "", server)
    server = server.replace("listen 443 ssl;", f"listen {address}:{port};")
    server = server.replace("proxy_set_header Host $host;", "proxy_set_header Host $http_host;")
    server = server.replace("location / {", f"location {prefix}/ {{")
    server = server.replace("proxy_pass http://127.0.0.1:8080;", f"proxy_pass {inner};")
    config = folder / "nginx.conf"
    temporary = "\n".join(
        f"{kind}_temp_path {folder}/{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config.write_text(
        f"daemon off;\nmaster_process off;\npid {folder}/pid;\nerror_log stderr;\nevents {{}}\n"
        f"http {{ access_log off;\n{temporary}\n{server}}}\n",
        "utf-8",
    )
    return config


@contextmanager
def run_nginx(
    config: Path,
    folder: Path,
    is_there: Callable[[], requests.Response],
    codes: Container[int] = (200,),
) -> Iterator[None]:
    """Run nginx until the end of the block, which begins when it answers."""
    with run_proxy(["nginx", "-c", config, "-p", folder, "-e", "stderr"], is_there, codes):
        yield


@contextmanager
def run_proxy(
    command: list[str | Path], is_there: Callable[[], requests.Response], codes: Container[int]
) -> Iterator[None]:
    """Run a proxy until the end of the block, which begins when it answers."""
    process = subprocess.Popen(command)
    try:
        for _ in range(100):
            try:
                assert is_there().status_code in codes
                break
            except requests.ConnectionError:
                time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait(20)


def configure_caddy(folder: Path, port: int, inner: str, prefix: str) -> Path:
    """Write Caddy's example without TLS, for this port, address and path."""
    site = CADDYFILE.read_text(encoding="utf-8").partition("packages.example {\n")[2]
    site = site.rpartition("}")[0].replace("127.0.0.1:8080", inner.removeprefix("http://"))
    if prefix:  # as the example's comment has it
        site = f"handle {prefix}/* {{\n{site}}}\n"
    config = folder / "Caddyfile"
    config.write_text(f"{{\nadmin off\n}}\nhttp://127.0.0.1:{port} {{\n{site}}}\n", "utf-8")
    return config


@pytest.fixture(
    params=[(proxy, path) for proxy in ("nginx", "caddy") for path in ("", "/pkgs")],
    ids=lambda param: f"{param[0]} at {param[1] or '/'}",
)
def behind_proxy(
    request: pytest.FixtureRequest,
    place: Place,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[tuple[Place, str]]:
    """The registry and its public URL."""
    proxy, path = request.param
    if shutil.which(proxy) is None:
        pytest.skip(f"{proxy} is not installed")
    port = find_port()
    public = f"http://127.0.0.1:{port}{path}"
    place.settings = replace(place.settings, public_url=public)
    with serve(place):
        if proxy == "nginx":
            config = configure(tmp_path, port, place.url, path)
            command = ["nginx", "-c", config, "-p", tmp_path, "-e", "stderr"]
        else:
            monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "caddy"))
            config = configure_caddy(tmp_path, port, place.url, path)
            command = ["caddy", "run", "--adapter", "caddyfile", "--config", config]
        with run_proxy(command, lambda: requests.get(f"{public}/healthz", timeout=5), (200,)):
            yield place, public


def test_every_client_publishes_and_installs(
    behind_proxy: tuple[Place, str], tmp_path: Path
) -> None:
    place, url = behind_proxy
    files = tmp_path / "files"
    legacy = ["--repository-url", f"{url}/main/legacy/", "-u", "__token__", "-p", place.token]
    run("twine", "upload", make_wheel(files, "by_twine"), make_sdist(files, "by_twine"), *legacy)
    upload = ["uv", "publish", "--publish-url", f"{url}/main/legacy/"]
    run(*upload, make_wheel(files, "by_uv"), UV_PUBLISH_TOKEN=place.token)
    (tmp_path / "downloads").mkdir()
    anaconda = CommandLine(tmp_path / "downloads")
    anaconda("config", "--set", "url", f"{url}/api")
    anaconda("login", "--username", "owner", "--password", place.token)
    uploaded = make_conda(files, "by_anaconda")
    anaconda("upload", uploaded)

    index = ["--index-url", f"{url}/main/simple/"]
    run("pip", "download", "--isolated", "--no-deps", "-d", tmp_path / "pip", *index, "by-uv")
    assert (tmp_path / "pip" / "by_uv-1.0.0-py3-none-any.whl").is_file()
    target = tmp_path / "uv"
    words = ["--python", sys.executable, "--target", target, "--no-config", *index, "by-twine"]
    run("uv", "pip", "install", *words)
    assert (target / "by_twine").is_dir()
    output = anaconda("download", "owner/by_anaconda")
    found = list((tmp_path / "downloads").rglob(uploaded.name))
    assert [path.read_bytes() for path in found] == [uploaded.read_bytes()], output

    place.publish(make_python(files))
    for channel in (f"{url}/main", f"{url}/t/{place.token}/main"):
        prefix = install_specs(channel, ["by_uv"], tmp_path / channel.rpartition("/t/")[1][:1])
        assert list((prefix / "conda-meta").glob("by_uv-*.json"))


def test_an_upload_without_permission_is_refused_through_it(
    behind_proxy: tuple[Place, str],
) -> None:
    _, url = behind_proxy
    answer = requests.post(
        f"{url}/main/legacy/",
        data={":action": "file_upload"},
        files={"content": ("a-1.0.tar.gz", b"x" * (4 << 20))},
        auth=("__token__", "twofold-wrong"),
        timeout=60,
    )
    assert answer.status_code == 401
    for page in ("", "/main", "/main/simple/", "/.well-known/pytp?discover=/main/legacy/"):
        text = requests.get(f"{url}{page}", timeout=60).text
        assert "127.0.0.1" not in text or url in text, page
