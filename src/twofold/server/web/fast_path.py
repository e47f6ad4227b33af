"""Fast path: counts and logs every request, and serves the most common reads directly.

A project's page, a file, a package, a conda page: for readers of a channel without an upstream,
anonymous or with a token, these need no routing and no thread. All other requests go through the
application, which gives the same responses, only slower.
"""

from __future__ import annotations

import json
import logging
import re
import time
from datetime import datetime

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from twofold.errors import TwofoldError
from twofold.server.context import Registry
from twofold.server.model import Actor
from twofold.server.web.credentials import LOGIN
from twofold.server.web.fast_responses import (
    MAX_REPEATED,
    FastResponder,
    Headers,
    KeptResponse,
    ReadRequest,
    parse_request,
)
from twofold.server.web.file_responses import REPEATABLE
from twofold.server.web.origin import PublicUrl
from twofold.server.web.status import Metrics

log = logging.getLogger("twofold.server")

#: Maximum length of a logged path (characters): no client can fill the log with one request.
MAX_LOGGED_PATH = 500

#: A token in a path: conda's `/t/TOKEN`, and twofold's anywhere.
_TOKEN = re.compile(r"(?<=/t/)[^/]*|twofold-[A-Za-z0-9]+")


class FastPath:
    """The outermost ASGI application. `log_reads` logs reads too, not only changes and failures."""

    def __init__(
        self,
        app: ASGIApp,
        registry: Registry,
        metrics: Metrics,
        log_reads: bool = False,
        public_url: PublicUrl | None = None,
    ) -> None:
        self.app = app
        self.registry = registry
        self.metrics = metrics
        self.log_reads = log_reads
        self.public_url = public_url
        self._responder: FastResponder | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request and record it in the metrics and the log."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if self.public_url is not None:
            scope = self.public_url.apply(scope)
        started = time.perf_counter()
        request = parse_request(scope) if scope["method"] in ("GET", "HEAD") else None
        response = None
        if request is not None:
            if self._responder is None:  # only now is there an event loop
                self._responder = FastResponder(self.registry)
            response = await self._responder.respond(request)
        if response is None:
            await self._forward(scope, receive, send, started, request)
            return
        status, headers, body = response
        await send({"type": "http.response.start", "status": status, "headers": headers})
        body = b"" if scope["method"] == "HEAD" else body
        await send({"type": "http.response.body", "body": body})
        self._record(scope, status, started, len(body))

    async def _forward(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        started: float,
        request: ReadRequest | None,
    ) -> None:
        status, sent = 500, 0
        recorder = ResponseRecorder(scope, request)

        async def watched(message: Message) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status = message["status"]
            else:
                sent += len(message.get("body", b""))
            recorder.record(message)
            await send(message)

        self.metrics.in_progress += 1
        try:
            await self.app(scope, receive, watched)
        finally:
            self.metrics.in_progress -= 1
            self._record(scope, status, started, sent)
        if self._responder is not None:
            await recorder.keep(self._responder)

    def _record(self, scope: Scope, status: int, started: float, sent: int) -> None:
        seconds, method = time.perf_counter() - started, scope["method"]
        self.metrics.observe(method, status, seconds, sent)
        if self.log_reads or status >= 500 or method not in ("GET", "HEAD"):
            entry = {
                "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                "client": scope["client"][0] if scope.get("client") else None,
                "method": method,
                "path": _TOKEN.sub("***", scope["path"])[:MAX_LOGGED_PATH],
                "status": status,
                "ms": round(seconds * 1000, 1),
                "sent": sent,
            }
            log.info(json.dumps(entry))


class ResponseRecorder:
    """Records what the normal route found, where the fast path can use it for later requests."""

    def __init__(self, scope: Scope, request: ReadRequest | None) -> None:
        self.scope = scope
        self.request = request
        self._marks: list[datetime | None] = []
        self._headers: Headers = []
        self._body: list[bytes] | None = None
        self._size = 0
        is_get = scope["method"] == "GET"
        if is_get and request and request.channel_read:
            scope[REPEATABLE] = self._marks

    def record(self, message: Message) -> None:
        """Take a message of a response that the view has marked as repeatable."""
        if message["type"] == "http.response.start":
            if self._marks and message["status"] == 200:
                self._headers, self._body = list(message["headers"]), []
        elif self._body is not None:
            self._body.append(message.get("body", b""))
            self._size += len(self._body[-1])
            if self._size > MAX_REPEATED:
                self._body = None

    async def keep(self, responder: FastResponder) -> None:
        """Keep the response, and the caller whose password was right."""
        request = self.request
        if request is None or request.version is None:
            return
        actor = self.scope.get(LOGIN)
        if isinstance(actor, Actor):
            responder.reader.remember(request.version, request.credentials, actor)
        channel = request.channel_read
        if self._body is not None and channel is not None:
            response = KeptResponse(self._headers, b"".join(self._body), self._marks[0])
            try:
                await responder.reader.keep_response(channel, request.key, response, self._size)
            except TwofoldError:
                return  # the database is unreachable: the next request says so
