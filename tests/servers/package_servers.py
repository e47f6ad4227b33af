"""Servers of the tests' own that follow the wire formats of Anaconda.org, prefix.dev, quetz and
Artifactory and refuse what those refuse; and a proxy that puts faults between two requests."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, unquote, urlsplit

from twofold.publish.responses import RetryPolicy

TOKEN = "tk-0123456789-secret"

#: CEP 27's predicate type.
CONDA_PUBLISH = "https://schemas.conda.org/attestations-publish-1.schema.json"


@dataclass
class Store:
    """What a server holds, and everything that was ever put under a name."""

    files: dict[str, bytes] = field(default_factory=dict)
    history: dict[str, set[str]] = field(default_factory=dict)
    writes: list[str] = field(default_factory=list)
    other: dict[str, Any] = field(default_factory=dict)

    def put(self, name: str, data: bytes) -> None:
        self.files[name] = data
        self.writes.append(name)
        self.history.setdefault(name, set()).add(hashlib.sha256(data).hexdigest())


class FakeServer(BaseHTTPRequestHandler):
    """The parts that all servers share: bodies, answers, silence."""

    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # headers and body in one packet; two would wait for an acknowledgement
    store: ClassVar[Store]
    file_name = ""  # of the last form

    def log_request(self, *_: object) -> None:
        return None

    @property
    def body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            return b"".join(self._chunks())
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline(), 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def form(self) -> dict[str, bytes]:
        """A multipart body: field name -> bytes; the file under `file`, its name under `name`."""
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        message = BytesParser().parsebytes(head + self.body)
        fields: dict[str, bytes] = {}
        for part in message.get_payload():
            assert not isinstance(part, str)
            self.file_name = part.get_filename() or self.file_name
            name = part.get_param("name", header="content-disposition")
            fields[str(name)] = part.get_payload(decode=True)
        return fields

    def send_answer(self, status: int, value: Any = None, data: bytes | None = None) -> None:
        content = json.dumps(value).encode() if data is None else data
        self.send_response(status)
        self.send_header("Content-Type", "application/json" if data is None else "application/x")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def send_stored(self, name: str) -> None:
        data = self.store.files.get(name)
        if data is None:
            self.send_answer(404, {"error": "not found"})
        else:
            self.send_answer(200, data=data)

    @property
    def path_only(self) -> str:
        return unquote(urlsplit(self.path).path)


class PrefixServer(FakeServer):
    """Channel `lab`: POST /api/v1/upload/lab; read at /lab/<subdir>/<file>."""

    def do_POST(self) -> None:
        fields = self.form()
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self.send_answer(401, {"detail": "invalid token"})
        if self.path_only != "/api/v1/upload/lab":
            return self.send_answer(404, {"detail": "no such channel"})
        name, data = self.headers["x-file-name"], fields["file"]
        if hashlib.sha256(data).hexdigest() != self.headers["x-file-sha256"]:
            return self.send_answer(400, {"detail": "sha256 mismatch"})
        if f"/lab/noarch/{name}" in self.store.files:
            return self.send_answer(409, {"detail": "package already exists"})
        if "attestation" in fields:
            if list(fields) != ["file", "attestation"] or not _attests(fields, name):
                return self.send_answer(422, {"detail": "invalid attestation"})
            self.store.other[name] = fields["attestation"]
        self.store.put(f"/lab/noarch/{name}", data)
        return self.send_answer(201, {"ok": True})

    def do_GET(self) -> None:
        self.send_stored(self.path_only)

    do_HEAD = do_GET


def _attests(fields: dict[str, bytes], name: str) -> bool:
    """Whether a bundle's statement is CEP 27's and about this file; the signature is not looked at,
    which takes sigstore's public instance."""
    bundle = json.loads(fields["attestation"])
    statement = json.loads(base64.b64decode(bundle["dsseEnvelope"]["payload"]))
    digest = hashlib.sha256(fields["file"]).hexdigest()
    return (
        bundle["mediaType"].startswith("application/vnd.dev.sigstore.bundle")
        and statement["_type"] == "https://in-toto.io/Statement/v1"
        and statement["predicateType"] == CONDA_PUBLISH
        and statement["subject"] == [{"name": name, "digest": {"sha256": digest}}]
    )


class QuetzServer(FakeServer):
    """Channel `lab`: POST /api/channels/lab/upload/<file>; read at /get/lab/<subdir>/<file>."""

    def do_POST(self) -> None:
        data, query = self.body, parse_qs(urlsplit(self.path).query)
        if self.headers.get("X-API-Key") != TOKEN:
            return self.send_answer(401, {"detail": "Not authenticated"})
        name = self.path_only.removeprefix("/api/channels/lab/upload/")
        if query["sha256"] != [hashlib.sha256(data).hexdigest()]:
            return self.send_answer(400, {"detail": "sha256 mismatch"})
        if f"/get/lab/noarch/{name}" in self.store.files and query["force"] != ["true"]:
            return self.send_answer(409, {"detail": f"File {name} already exists"})
        self.store.put(f"/get/lab/noarch/{name}", data)
        return self.send_answer(201, None)

    def do_GET(self) -> None:
        self.send_stored(self.path_only)

    do_HEAD = do_GET


class ArtifactoryServer(FakeServer):
    """Repository /conda/lab; overwrites without a word, as Artifactory does for who may."""

    credentials = f"Bearer {TOKEN}"

    def do_PUT(self) -> None:
        data = self.body
        if self.headers.get("Authorization") != self.credentials:
            return self.send_answer(
                401, {"errors": [{"status": 401, "message": "Bad credentials"}]}
            )
        if self.headers.get("X-Checksum-Sha256") != hashlib.sha256(data).hexdigest():
            return self.send_answer(409, {"errors": [{"status": 409, "message": "Checksum error"}]})
        self.store.put(self.path_only, data)
        return self.send_answer(201, {"path": self.path_only})

    def do_GET(self) -> None:
        self.send_stored(self.path_only)

    do_HEAD = do_GET


class AnacondaServer(FakeServer):
    """Owner `me` of an API with Anaconda.org's calls under /api."""

    def _allowed(self) -> bool:
        if self.headers.get("Authorization") == f"token {TOKEN}":
            return True
        self.send_answer(401, {"error": "You are not authenticated"})
        return False

    def do_GET(self) -> None:
        verb, _, rest = self.path_only.removeprefix("/api/").partition("/")
        known = self.store.other.setdefault("known", set())
        if verb == "user":
            if self._allowed():
                self.send_answer(200, {"login": "me", "user_type": "user"})
        elif verb in ("package", "release"):
            found = f"{verb}/{rest}" in known
            self.send_answer(200 if found else 404, {} if found else {"error": "not found"})
        elif verb == "dist":
            data = self.store.files.get(rest)
            if data is None:
                self.send_answer(404, {"error": "not found"})
            else:
                self.send_answer(
                    200, {"basename": rest, "sha256": hashlib.sha256(data).hexdigest()}
                )
        else:
            self.send_stored(rest)

    def do_DELETE(self) -> None:
        if self._allowed():
            rest = self.path_only.removeprefix("/api/dist/")
            staged = self.store.other.setdefault("staged", {})
            for key in [k for k, v in staged.items() if v["name"] == rest]:
                del staged[key]
            self.send_answer(200, {})

    def do_POST(self) -> None:
        verb, _, rest = self.path_only.removeprefix("/api/").partition("/")
        if verb == "s3":
            return self._receive()
        value = json.loads(self.body or b"null")
        if not self._allowed():
            return None
        known = self.store.other.setdefault("known", set())
        if verb in ("package", "release"):
            if f"{verb}/{rest}" in known:
                return self.send_answer(409, {"error": f"{verb} already exists"})
            known.add(f"{verb}/{rest}")
            return self.send_answer(200, {})
        return self._stage(rest, value) if verb == "stage" else self._commit(value)

    def _stage(self, name: str, value: dict[str, Any]) -> None:
        staged = self.store.other.setdefault("staged", {})
        release = "release/" + "/".join(name.split("/")[:3])
        if release not in self.store.other.get("known", set()):
            return self.send_answer(404, {"error": "no such release"})
        if name in self.store.files or any(v["name"] == name for v in staged.values()):
            return self.send_answer(409, {"error": "Distribution already exists"})
        key = f"dist-{len(self.store.writes)}-{len(staged)}-{time.monotonic_ns()}"
        staged[key] = {"name": name, "sha256": value["sha256"], "channels": value["channels"]}
        post = f"http://{self.headers['Host']}/api/s3/"
        form = {"key": key, "policy": "p"}
        return self.send_answer(200, {"post_url": post, "form_data": form, "dist_id": key})

    def _receive(self) -> None:
        assert "Authorization" not in self.headers
        fields = self.form()
        entry = self.store.other["staged"].get(fields["key"].decode())
        md5 = base64.b64encode(hashlib.md5(fields["file"]).digest()).decode()
        if entry is None or md5 != fields["Content-MD5"].decode():
            return self.send_answer(400, data=b"<Error><Code>InvalidDigest</Code></Error>")
        entry["data"] = fields["file"]
        return self.send_answer(201, None)

    def _commit(self, value: dict[str, Any]) -> None:
        entry = self.store.other.get("staged", {}).get(value["dist_id"])
        if entry is None or "data" not in entry:
            return self.send_answer(404, {"error": "nothing was uploaded"})
        if hashlib.sha256(entry["data"]).hexdigest() != entry["sha256"]:
            return self.send_answer(400, {"error": "sha256 mismatch"})
        del self.store.other["staged"][value["dist_id"]]
        self.store.put(entry["name"], entry["data"])
        self.store.other.setdefault("labels", {})[entry["name"]] = entry["channels"]
        return self.send_answer(200, {"url": f"/download/{entry['name']}"})


@contextmanager
def run_server(handler: type[FakeServer]) -> Iterator[tuple[str, Store]]:
    """A server of that kind on a free port, with an empty store."""
    store = Store()
    bound = type("Bound", (handler,), {"store": store})
    server = ThreadingHTTPServer(("127.0.0.1", 0), bound)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", store
    finally:
        server.shutdown()
        server.server_close()


#: What a proxy does to the request it is told to spoil.
FAULTS = ("cut-before", "cut-after", "429", "500", "503", "500-after", "late", "wrong-bytes")


#: More requests than any publication of these tests makes.
MANY = 40


def make_hasty_policy(kind: str, number: int, late: float = 0.12) -> RetryPolicy:
    """One attempt and no waiting, so that a fault at request `number` ends a run.

    Where an answer comes too late the limit is `late` (seconds). A busy machine may exceed it by
    itself, which no test may take amiss; beyond all requests there is none.
    """
    read = late if kind == "late" and number <= MANY else 60.0
    return RetryPolicy(attempts=1, read=read, sleep=lambda _: None)


@dataclass
class Fault:
    """`kind` strikes at request number `at` (counted from 1), once, or from then on.

    `victim` is the process that `kill-before` and `kill-after` kill.
    """

    kind: str = ""
    at: int = 0
    lasting: bool = False
    seen: int = 0
    delay: float = 0.25
    victim: int = 0

    def is_due(self) -> bool:
        self.seen += 1
        return bool(self.kind) and (self.seen == self.at or (self.lasting and self.seen > self.at))


class FaultyProxy(BaseHTTPRequestHandler):
    """Passes requests on to `upstream`, and spoils the one that `fault` names."""

    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # headers and body in one packet; two would wait for an acknowledgement
    upstream: ClassVar[str]
    fault: ClassVar[Fault]

    def log_request(self, *_: object) -> None:
        return None

    def _pass(self) -> None:
        struck = self.fault.is_due()
        kind = self.fault.kind if struck else ""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if kind == "kill-before":
            return self._kill()
        if kind == "cut-before":
            return self._cut()
        if kind in ("429", "500", "503"):
            return self._answer(int(kind), {"Retry-After": "0"}, b'{"message": "try later"}')
        status, headers, data = self._ask(body)
        if kind == "kill-after":
            return self._kill()
        if kind == "cut-after":
            return self._cut()
        if kind == "500-after":
            return self._answer(500, {}, b"it broke after it was done")
        if kind == "late":
            time.sleep(self.fault.delay)
            return self._cut()
        if kind == "wrong-bytes":
            data = bytes(b ^ 0x55 for b in data)
        return self._answer(status, headers, data)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _pass

    def _ask(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection(urlsplit(self.upstream).netloc, timeout=20)
        headers = dict(self.headers)
        connection.request(self.command, self.path, body, headers)
        response = connection.getresponse()
        data = response.read()
        kept = {k: v for k, v in response.getheaders() if k.lower() in KEPT}
        connection.close()
        return response.status, kept, data

    def _answer(self, status: int, headers: dict[str, str], data: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _kill(self) -> None:
        while not self.fault.victim:
            time.sleep(0.01)
        os.kill(self.fault.victim, signal.SIGKILL)
        self.fault.victim = 0
        self._cut()

    def _cut(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)


KEPT = {"content-type", "location", "etag"}


@contextmanager
def run_faulty_proxy(upstream: str) -> Iterator[tuple[str, Fault]]:
    """A proxy in front of a server; its fault can be set before each publication."""
    fault = Fault()
    bound = type("Bound", (FaultyProxy,), {"upstream": upstream, "fault": fault})
    server = ThreadingHTTPServer(("127.0.0.1", 0), bound)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", fault
    finally:
        server.shutdown()
        server.server_close()


#: Kind -> its fake server, the form of its target, the files it takes, and where it stores them.
WIRES: dict[str, tuple[type[FakeServer], str, list[str], str]] = {
    "anaconda": (AnacondaServer, "anaconda+{}/api/me", ["wheel", "conda"], "me/{n}/{v}/{b}"),
    "prefix": (PrefixServer, "prefix+{}/lab", ["conda"], "/lab/noarch/{f}"),
    "quetz": (QuetzServer, "quetz+{}/lab", ["conda"], "/get/lab/noarch/{f}"),
    "artifactory": (
        ArtifactoryServer,
        "artifactory+{}/conda/lab",
        ["conda"],
        "/conda/lab/noarch/{f}",
    ),
}
