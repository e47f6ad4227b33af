"""Certificates: whom a server's may come from, the client's own, and what speaks no TLS."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from tests.servers.raw_server import OK, run_raw_server, send, send_over_tls
from twofold.errors import TwofoldError
from twofold.publish.config import read_targets
from twofold.publish.external_config import read_pypirc_target
from twofold.publish.http import HttpClient
from twofold.publish.responses import RetryPolicy
from twofold.publish.targets.settings import TlsSettings
from twofold.publish.transport.certificates import BUNDLE_VARIABLES, CLIENT_VARIABLES

VARIABLES = (*BUNDLE_VARIABLES, *CLIENT_VARIABLES, "SSL_CERT_FILE", "SSL_CERT_DIR", "TWINE_CERT")


@dataclass
class Authority:
    """An authority with its files, and a starter of servers with its certificates."""

    ca: trustme.CA
    folder: Path
    serve: Callable[[ssl.SSLContext], str]

    def make_context(self, name: str = "127.0.0.1", age: int = 0) -> ssl.SSLContext:
        """The server's side; `age` are the days since its certificate ended."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        end = datetime.now(UTC) + timedelta(days=1 - 2 * age)
        self.ca.issue_cert(name, not_before=end - timedelta(days=3), not_after=end).configure_cert(
            context
        )
        return context


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Authority]:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "other.pem"))
    with ExitStack() as stack:

        def serve(context: ssl.SSLContext) -> str:
            return "https://" + stack.enter_context(run_raw_server(send_over_tls(context)))

        yield Authority(ca, tmp_path, serve)


def get(url: str, tls: TlsSettings | None = None) -> str:
    """The body of an answer, or the message of the error."""
    client = HttpClient(RetryPolicy(attempts=1, connect=1, read=1), tls or TlsSettings())
    try:
        return client.get(url).body.decode()
    except TwofoldError as error:
        assert error.hint
        return str(error)
    finally:
        client.close()


@pytest.mark.parametrize("name", [*BUNDLE_VARIABLES, "SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_the_bundle_of_each_variable_is_trusted(
    name: str, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = authority.serve(authority.make_context())
    assert "is not trusted: unable to get local issuer certificate" in get(url)
    folder = authority.folder / "certificates"
    folder.mkdir()
    authority.ca.cert_pem.write_to_path(str(folder / "own.pem"))  # under no name of OpenSSL's
    (folder / "README").write_text("no certificate")
    value = (
        f"{authority.folder / 'none'}:{folder}" if name == "SSL_CERT_DIR" else folder / "own.pem"
    )
    monkeypatch.setenv(name, str(value))
    assert get(url) == "ok"
    monkeypatch.setenv(name, str(authority.folder / "missing"))
    assert f"missing ({name}) does not exist" in get(url)
    monkeypatch.setenv(name, str(folder / "README"))
    assert f"README ({name}) contains no certificate" in get(url)


def test_the_targets_own_bundle_comes_before_the_environment(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = authority.serve(authority.make_context())
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.folder / "other.pem"))
    assert "is not trusted" in get(url)
    for place in (authority.folder / "ca.pem", authority.folder):
        assert get(url, TlsSettings(str(place))) == "ok"


@pytest.mark.parametrize(
    ("name", "age", "message"),
    [
        ("other.example", 0, "certificate is not valid for '127.0.0.1'"),
        ("127.0.0.1", 2, "certificate has expired"),
    ],
)
def test_why_a_certificate_is_refused_is_said(
    name: str, age: int, message: str, authority: Authority
) -> None:
    url = authority.serve(authority.make_context(name, age))
    assert message in get(url, TlsSettings(str(authority.folder / "ca.pem")))


@pytest.mark.usefixtures("authority")
@pytest.mark.parametrize("data", [OK, b"SSH-2.0-OpenSSH_9.2\r\n", b"220 mail ESMTP\r\n"])
def test_what_speaks_no_tls_is_not_called_untrusted(data: bytes) -> None:
    with run_raw_server(send(data)) as server:
        message = get(f"https://{server}/")
        assert f"{server} does not speak TLS" in message
        assert "hint: write http://" in message


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_client_certificate_is_shown_to_a_server_that_asks_for_one(
    newest: ssl.TLSVersion, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = authority.make_context()
    context.maximum_version = newest
    context.verify_mode = ssl.CERT_REQUIRED
    authority.ca.configure_trust(context)
    url, ca = authority.serve(context), str(authority.folder / "ca.pem")
    client = authority.folder / "client.pem"
    authority.ca.issue_cert("me@example.org").private_key_and_cert_chain_pem.write_to_path(
        str(client)
    )
    assert "client certificate" in get(url, TlsSettings(ca))
    assert get(url, TlsSettings(ca, str(client))) == "ok"
    for name in CLIENT_VARIABLES:
        monkeypatch.setenv(name, str(client))
        assert get(url, TlsSettings(ca)) == "ok"
        monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "does not exist"),
        ("no certificate", "is no PEM file with a certificate and its key"),
        ("without its key", "is no PEM file with a certificate and its key"),
    ],
)
def test_a_client_certificate_that_cannot_be_used_is_named(
    content: str | None, message: str, authority: Authority
) -> None:
    file = authority.folder / "client.pem"
    if content == "without its key":
        authority.ca.cert_pem.write_to_path(str(file))
    elif content:
        file.write_text(content)
    found = get("https://127.0.0.1:9", TlsSettings(client_cert=str(file)))
    assert f"{file} (`client-cert` of the target)" in found
    assert message in found


def test_both_files_name_the_client_certificate(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(
        '[targets.lab]\nurl = "https://host/main"\nclient-cert = "~/me.pem"\n', "utf-8-sig"
    )
    assert read_targets(config)["lab"].tls == TlsSettings("", str(Path.home() / "me.pem"))
    Path("~/.pypirc").expanduser().write_text(
        "[distutils]\nindex-servers = lab\n[lab]\nrepository = https://host/legacy/\n"
        "username = me\nclient_cert = /me.pem\n"
    )
    found = read_pypirc_target("lab")
    assert found is not None and found.tls.client_cert == "/me.pem"
