"""Clients of a registry whose certificate is of an authority of one's own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import requests
import trustme

from tests.factories.packages import make_wheel
from tests.server.conftest import Place, serve
from tests.server.test_behind_nginx import configure, find_port, run_nginx

pytestmark = pytest.mark.slow

#: What machines set for all programs; requests prefers it to what pip and twine are given.
BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR", "PIP_CERT")


@pytest.fixture
def authority(tmp_path: Path) -> tuple[Path, Path, Path]:
    """The files of an authority, a certificate for localhost, and its key."""
    made = trustme.CA()
    own = made.issue_cert("localhost", "127.0.0.1")
    files = tmp_path / "ca.pem", tmp_path / "cert.pem", tmp_path / "key.pem"
    made.cert_pem.write_to_path(files[0])
    for chain in own.cert_chain_pems:
        chain.write_to_path(files[1], append=True)
    own.private_key_pem.write_to_path(files[2])
    return files


@pytest.fixture
def over_tls(place: Place, authority: tuple[Path, Path, Path]) -> Iterator[Place]:
    _, cert, key = authority
    place.settings = replace(place.settings, tls_certificate=cert, tls_key=key)
    with serve(place):
        yield place


def clean_environment(**more: str) -> dict[str, str]:
    left = {name: value for name, value in os.environ.items() if name not in BUNDLES}
    return {**left, "PIP_CONFIG_FILE": os.devnull, "UV_NO_CONFIG": "1", **more}


def run(*words: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
    command = list(map(str, words))
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=clean_environment(**more),
    )


def check_clients(url: str, token: str, ca: Path, folder: Path) -> None:
    wheel = make_wheel(folder / "wheels", "my_package")
    login = ["-u", "__token__", "-p", token, "--repository-url", f"{url}/main/legacy/"]
    done = run("twine", "upload", "--cert", ca, *login, wheel)
    assert done.returncode == 0, done.stdout
    index = ["--index-url", f"{url}/main/simple/", "my_package"]
    pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-cache-dir", "--retries", "0"]
    done = run(*pip, "--cert", ca, "-d", folder / "by-pip", *index)
    assert done.returncode == 0, done.stderr
    uv = ["uv", "pip", "install", "--no-cache", "--target", folder / "by-uv"]
    done = run(*uv, *index, SSL_CERT_FILE=str(ca))
    assert done.returncode == 0, done.stderr
    again = run(
        "twofold",
        "publish",
        "--yes",
        "--to",
        f"{url}/main",
        wheel,
        SSL_CERT_FILE=str(ca),
        TWOFOLD_TOKEN=token,
    )
    assert again.returncode == 0, again.stderr


def test_clients_are_given_the_authority(
    over_tls: Place, authority: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    check_clients(over_tls.url, over_tls.token, authority[0], tmp_path)


def test_a_bundle_of_the_machine_is_preferred_to_pips_option(
    over_tls: Place, authority: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    """Which troubleshooting.md says, since pip's message does not."""
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(other)
    over_tls.publish(make_wheel(tmp_path, "my_package"))
    index = ["--index-url", f"{over_tls.url}/main/simple/", "-d", tmp_path / "x", "my_package"]
    pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-cache-dir", "--retries", "0"]
    done = run(*pip, "--cert", authority[0], *index, REQUESTS_CA_BUNDLE=str(other))
    assert done.returncode != 0, "pip takes its own option now: mend troubleshooting.md"
    assert run(*pip, "--cert", authority[0], *index).returncode == 0


@pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed")
def test_clients_are_given_the_authority_of_nginx(
    place: Place, authority: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    ca, cert, key = authority
    port = find_port()
    public = f"https://localhost:{port}"
    place.settings = replace(place.settings, public_url=public)
    with serve(place):
        config = configure(tmp_path, port, place.url, "")
        server = config.read_text("utf-8")
        tls = f"listen 127.0.0.1:{port} ssl; ssl_certificate {cert}; ssl_certificate_key {key};"
        config.write_text(server.replace(f"listen 127.0.0.1:{port};", tls), "utf-8")
        with run_nginx(
            config, tmp_path, lambda: requests.get(f"{public}/healthz", verify=ca, timeout=5)
        ):
            check_clients(public, place.token, ca, tmp_path)
            page = requests.get(f"{public}/main", verify=ca, timeout=20).text
            assert f"{public}/main/simple/" in page
            assert re.search(r"http://localhost|http://127", page) is None
