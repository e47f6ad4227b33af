"""Upstreams named over HTTP: the call's success over the wire, what it changes, its refusals.

An address inside the network is never named over HTTP. The one here is known to a proxy alone,
which the operator set in the server's environment; it tunnels to a TLS server on loopback.
"""

from __future__ import annotations

import http.server
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.clients.management import Api, member
from tests.factories.packages import make_wheel
from tests.server.conftest import Place, serve
from tests.servers.upstream import StaticServer
from twofold.server.model import Action

HOST = "upstream.example.test"
URL = f"https://{HOST}/simple"
JSON = "application/vnd.pypi.simple.v1+json"
HERE = "/channels/main/upstreams"


class _Tunnel(http.server.BaseHTTPRequestHandler):
    """A proxy that knows where one host is."""

    def do_CONNECT(self) -> None:
        server: Any = self.server
        server.requested.append(self.path)
        if self.path != f"{HOST}:443":
            self.send_error(502)
            return
        with socket.create_connection(server.leads_to, timeout=120) as there:
            self.send_response(200)
            self.end_headers()
            back = threading.Thread(target=_pass_on, args=(there, self.connection), daemon=True)
            back.start()
            _pass_on(self.connection, there)
            back.join(30)

    def log_message(self, format: str, *args: object) -> None:
        pass


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    try:
        while block := source.recv(1 << 16):
            target.sendall(block)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return  # the other side has hung up


@pytest.fixture
def upstream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StaticServer]:
    """An index over TLS, behind the proxy of the environment; `asked` of it is as in `Static`."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    static = StaticServer(tmp_path / "static")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST).configure_cert(context)
    static.server.socket = context.wrap_socket(static.server.socket, server_side=True)
    tunnel: Any = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Tunnel)
    tunnel.daemon_threads = True
    tunnel.requested, tunnel.leads_to = [], static.server.server_address
    thread = threading.Thread(target=tunnel.serve_forever, daemon=True)
    thread.start()
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{tunnel.server_address[1]}")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    yield static
    tunnel.shutdown()
    tunnel.server_close()
    thread.join(60)
    static.close()


def test_an_upstream_set_over_http_is_fetched_from_listed_replaced_and_removed(
    place: Place, upstream: StaticServer, tmp_path: Path
) -> None:
    spam, secret = make_wheel(tmp_path, "spam"), make_wheel(tmp_path, "acme_secret")
    upstream.publish(spam, secret)
    with serve(place):
        api = Api(place)
        reported = api("PUT", f"{HERE}/pypi", url=f"{URL}/", private_prefixes=["ACME-*"])
        assert reported == {
            "kind": "pypi",
            "name": "default",
            "url": URL,
            "private_prefixes": ["acme"],
            "only": [],
            "max_age": None,
        }
        assert api("GET", HERE) == [reported]
        page = place.get("/main/simple/spam/", accept=JSON).json()
        assert [file["filename"] for file in page["files"]] == [spam.name]
        assert page["namespace"] is None
        address = f"/main/simple/spam/{page['files'][0]['url']}"
        assert place.get(address).content == spam.read_bytes()
        assert place.get("/main/noarch/spam-1.0.0-py_0.conda").status_code == 200
        assert place.get("/main/simple/acme-secret/").status_code == 404
        assert upstream.requested
        assert not any("acme" in path for path in upstream.requested)

        replaced = api("PUT", f"{HERE}/pypi", url="https://other.example.test/simple")
        assert api("GET", HERE) == [replaced]
        assert api.send("DELETE", f"{HERE}/pypi").ok
        assert api("GET", HERE) == []
        assert place.get(address).content == spam.read_bytes()  # what was fetched stays
        actions = [line["action"] for line in api("GET", "/log")]
        assert actions.count("upstream") == 2
        assert actions[-1] == "remove-upstream"


def test_what_is_no_upstream_is_refused_with_a_reason(place: Place, upstream: StaticServer) -> None:
    with serve(place):
        api = Api(place)
        for url, status, code in (
            (f"ftp://{HOST}/simple", 400, "malformed-request"),
            (f"http://{HOST}/simple", 400, "malformed-request"),
            ("https://127.0.0.1:9/simple", 403, "internal-address"),
            ("https://[::ffff:10.0.0.1]/simple", 403, "internal-address"),
            (f"https://{HOST}:99999999/simple", 400, "forbidden-address"),
        ):
            answer = api.send("PUT", f"{HERE}/pypi", url=url)
            assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
            assert answer.json()["detail"]
        assert api.send("PUT", f"{HERE}/maven", url=URL).status_code in (400, 404)
        assert api.send("PUT", "/channels/none/upstreams/pypi", url=URL).status_code == 404
        admin = Api(place, member(place, "ann", Action.ADMIN))
        for method, fields in (("PUT", {"url": URL}), ("DELETE", {})):
            answer = admin.send(method, f"{HERE}/pypi", **fields)
            assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
        assert api("GET", HERE) == []
    assert upstream.requested == []
