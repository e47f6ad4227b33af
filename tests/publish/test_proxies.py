"""Proxies of the environment: which one, for which hosts, and whose fault a failure is."""

from __future__ import annotations

import os
import socket
import struct
from pathlib import Path

import pytest

from tests.servers.raw_server import OK, run_raw_server, send
from twofold.errors import TwofoldError
from twofold.publish.credentials import read_netrc_login
from twofold.publish.http import HttpClient
from twofold.publish.responses import RetryPolicy
from twofold.publish.targets.settings import TargetSettings
from twofold.publish.transport.proxies import find_proxy, is_excluded

PASSWORD = "pass-1f7e"


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


def get(url: str) -> str:
    """The status and body of an answer, or the message of the error, without secrets."""
    client = HttpClient(RetryPolicy(attempts=1, connect=1, read=1))
    try:
        answer = client.get(url)
        return f"{answer.status} {answer.body.decode()}"
    except TwofoldError as error:
        assert error.hint
        assert PASSWORD not in str(error)
        return str(error)
    finally:
        client.close()


@pytest.mark.parametrize(
    ("entries", "host", "port", "excluded"),
    [
        ("example.org", "example.org", 443, True),
        ("example.org", "pkgs.example.org", 443, True),
        ("example.org", "badexample.org", 443, False),
        (".example.org", "pkgs.example.org", 443, True),
        (".example.org", "example.org", 443, True),
        ("*.example.org", "pkgs.example.org", 443, True),
        ("EXAMPLE.org", "example.ORG.", 443, True),
        ("a, b.org ,c", "b.org", 80, True),
        ("a b.org", "b.org", 80, True),
        ("example.org:8443", "example.org", 8443, True),
        ("example.org:8443", "example.org", 443, False),
        ("*", "anything", 1, True),
        ("", "anything", 1, False),
        (",", "anything", 1, False),
        (".", "anything", 1, False),
        ("10.0.0.0/8", "10.1.2.3", 80, True),
        ("10.0.0.0/8", "11.1.2.3", 80, False),
        ("10.1.2.3/8", "10.9.9.9", 80, True),
        ("10.0.0.0/8:8080", "10.1.2.3", 8080, True),
        ("10.0.0.0/8:8080", "10.1.2.3", 80, False),
        ("10.0.0.1", "10.0.0.1", 80, True),
        ("10.0.0.1:81", "10.0.0.1", 80, False),
        ("10.0.0", "10.0.0.1", 80, False),
        ("::1", "::1", 80, True),
        ("[::1]", "::1", 80, True),
        ("[::1]:8080", "::1", 8080, True),
        ("[::1]:8080", "::1", 80, False),
        ("fd00::/8", "fd12::5", 80, True),
        ("[fd00::]/8", "fd12::5", 80, True),
        ("0:0:0:0:0:0:0:1", "::1", 80, True),
        ("127.0.0.1", "::ffff:127.0.0.1", 80, True),
        ("fe80::1", "fe80::1%eth0", 80, True),
        ("10.0.0.0/99", "10.0.0.1", 80, False),
        ("10.0.0.0/8", "10.example.org", 80, False),
    ],
)
def test_which_hosts_no_proxy_excludes(
    entries: str, host: str, port: int, excluded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", entries)
    assert is_excluded(host, port) is excluded


@pytest.mark.parametrize(
    ("variables", "url", "proxy"),
    [
        ({"HTTP_PROXY": "http://a:1"}, "http://host/", "http://a:1"),
        ({"HTTP_PROXY": "http://a:1"}, "https://host/", ""),
        ({"HTTPS_PROXY": "a:1"}, "https://host/", "http://a:1"),
        ({"HTTPS_PROXY": "http://A"}, "https://host/", "http://a:80"),
        ({"ALL_PROXY": "http://a:1", "http_proxy": "http://b:2"}, "http://host/", "http://b:2"),
        ({"ALL_PROXY": "socks5h://a"}, "https://host/", "socks5h://a:1080"),
        ({"HTTP_PROXY": "http://a:1", "http_proxy": "http://b:2"}, "http://host/", "http://b:2"),
        ({"HTTP_PROXY": "http://a:1", "http_proxy": ""}, "http://host/", ""),
        ({"HTTP_PROXY": "http://a:1", "REQUEST_METHOD": "GET"}, "http://host/", ""),
        ({"HTTP_PROXY": "http://a:1", "no_proxy": "host", "NO_PROXY": ""}, "http://host/", ""),
        ({"HTTPS_PROXY": "http://[::1]:3128"}, "https://host/", "http://[::1]:3128"),
    ],
)
def test_which_proxy_is_used(
    variables: dict[str, str], url: str, proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    found = find_proxy(url)
    assert (found.url if found else "") == proxy


@pytest.mark.parametrize(
    "value",
    [
        f"http://user:{PASSWORD} x@[bad",
        f"http://user:{PASSWORD}@host:notaport",
        f"http://user:{PASSWORD}@host:99999",
        f"http://user:{PASSWORD}@:80",
        f"http://user:{PASSWORD}#x@host:80",
        f"http://user:x/{PASSWORD}@host:80",
        f"http://user:x@{PASSWORD}@host:80",
        "http://",
        "host name:80",
    ],
)
def test_an_invalid_proxy_is_named_by_its_variable(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", value)
    assert get("https://host.invalid/").startswith("HTTPS_PROXY is not the URL of a proxy")


def test_a_proxy_of_another_kind_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", f"ftp://user:{PASSWORD}@host:21")
    assert "ALL_PROXY names a proxy of an unknown kind: ftp://host:21" in get("http://a.invalid/")


def test_a_failure_of_the_proxy_is_not_the_targets(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    for scheme in ("http", "https", "socks5"):
        proxy = f"{scheme}://user:{PASSWORD}@127.0.0.1:{port}"
        monkeypatch.setenv("ALL_PROXY", proxy)
        for url in ("http://host.invalid/", "https://host.invalid/"):
            shown = f"{scheme}://127.0.0.1:{port} (ALL_PROXY)"
            assert f"the proxy {shown} cannot be reached" in get(url)
            assert "NO_PROXY" in get(url)


@pytest.mark.parametrize(
    ("status", "message"),
    [
        ("407 Proxy Authentication Required", "requires a login (407"),
        ("403 Forbidden", "refused the connection to the server (403 Forbidden)"),
    ],
)
def test_what_a_proxy_answers_to_a_tunnel_is_its_own(
    status: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with run_raw_server(send(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())) as server:
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:{PASSWORD}@{server}")
        found = get("https://host.invalid/")
    assert found.startswith(f"the proxy http://{server} (HTTPS_PROXY) {message}")


def test_a_socks_proxy_connects_by_name_and_with_its_login(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[bytes] = []

    def speak_socks(connection: socket.socket) -> None:
        connection.recv(64)
        connection.sendall(b"\x05\x02")  # user and password
        seen.append(connection.recv(512))
        connection.sendall(b"\x01\x00")
        seen.append(connection.recv(512))
        connection.sendall(
            b"\x05\x00\x00\x01" + socket.inet_aton("127.0.0.1") + struct.pack("!H", 1)
        )
        send(OK)(connection)

    with run_raw_server(speak_socks) as server:
        monkeypatch.setenv("HTTP_PROXY", f"socks5h://user:{PASSWORD}@{server}")
        assert get("http://host.invalid/f") == "200 ok"
    assert seen[0] == b"\x01\x04user" + bytes([len(PASSWORD)]) + PASSWORD.encode()
    assert b"host.invalid" in seen[1]


@pytest.mark.parametrize("entry", ["Packages.Example.ORG", "packages.example.org"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_netrc_is_read_whatever_its_capitals_and_with_a_mark(
    entry: str, encoding: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "netrc"
    file.write_text(f"machine {entry}\nlogin mé\npassword {PASSWORD}\n", encoding)
    monkeypatch.setenv("NETRC", str(file))
    found = read_netrc_login(TargetSettings("a", "https://PACKAGES.example.org/main"))
    assert found is not None and (found.user, found.secret.reveal()) == ("mé", PASSWORD)


def test_a_netrc_in_another_encoding_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "netrc"
    file.write_text(f"machine host login me password {PASSWORD}\n", "utf-16")
    monkeypatch.setenv("NETRC", str(file))
    with pytest.raises(TwofoldError, match="not encoded in UTF-8"):
        read_netrc_login(TargetSettings("a", "https://host/main"))
