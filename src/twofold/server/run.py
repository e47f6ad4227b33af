"""Runs the registry: the socket, uvicorn, reason phrases, and the callback when ready."""

from __future__ import annotations

import errno
import json
import logging
import os
import socket
import ssl
import sys
import time
import traceback
from collections.abc import Callable
from functools import partial
from typing import Any, cast

import uvicorn

from twofold.errors import TwofoldError
from twofold.server.app import Application, create_app
from twofold.server.auth import accounts
from twofold.server.connections.http_protocol import HttpProtocol
from twofold.server.connections.limits import ConnectionLimits, parse_proxies, raise_file_limit
from twofold.server.connections.slow_readers import SlowReaders
from twofold.server.connections.tls import TlsProtocol
from twofold.server.registry.deferred_conversion import resume_conversions
from twofold.server.registry.leftovers import delete_leftovers
from twofold.server.registry.webhooks.sender import WebhookSender
from twofold.server.settings import Settings
from twofold.server.web.fast_path import FastPath
from twofold.server.web.origin import parse_public_url

#: Seconds for requests in progress to finish when the server is stopped.
SHUTDOWN_TIMEOUT = 30

#: Seconds after which a thread that computes, such as a conversion, lets another one run. Python's
#: own 5 ms would be added to the first byte of each response meanwhile, often several times.
SWITCH_SECONDS = 0.0005


def bind(host: str, port: int) -> socket.socket:
    """Open a listening socket. Raises TwofoldError when the address is not available."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    if os.name == "posix":  # elsewhere it lets two servers have one port
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(1024)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            hint = "stop the other server, or choose another port: --port 0 picks a free one"
            raise TwofoldError(f"port {port} is in use", hint) from error
        hint = "name an address of this machine: 127.0.0.1, or 0.0.0.0 for every one"
        if error.errno == errno.EACCES:
            hint = "choose a port from 1024 on, with a proxy in front of it"
        raise TwofoldError(f"cannot listen on {host}:{port}: {error.strerror}", hint) from error
    return listener


def serve(settings: Settings, ready: Callable[[str, str | None], None]) -> None:
    """Serve until stopped; call `ready(url, token)` once connections are accepted.

    The token is the owner's on the first start, else None.
    """
    _log_to_stderr()
    sys.setswitchinterval(SWITCH_SECONDS)
    load_certificate(settings)
    listener = bind(settings.host, settings.port)
    try:
        app = create_app(settings)
        app.state.registry.blobs.check_reachable()
        token = accounts.bootstrap_owner(app.state.registry)
        delete_leftovers(app.state.registry)
        resume_conversions(app.state.registry)
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        scheme = "https" if settings.tls_certificate else "http"
        url = f"{scheme}://{host}:{listener.getsockname()[1]}"
        server = AnnouncingServer(make_config(app, settings), lambda: ready(url, token))
        sender = WebhookSender(app.state.registry)
        sender.start()
        server.run([listener])
        sender.stop()
        app.state.registry.download_counter.flush(app.state.registry.database)
        app.state.registry.token_uses.write(app.state.registry.database)
    finally:
        listener.close()


#: Reason of OpenSSL -> what is wrong, where its name says little.
_CERTIFICATE_ERRORS = {
    "KEY_VALUES_MISMATCH": "the key is of another certificate",
    "EE_KEY_TOO_SMALL": "its key is too short, and clients refuse it: make one of 2048 bits",
    "CA_MD_TOO_WEAK": "it is signed with a hash that clients refuse: have it signed with SHA-256",
    None: "a file is not PEM, or the key is not in it",
}


def load_certificate(settings: Settings) -> ssl.SSLContext | None:
    """Return what TLS needs, None without a certificate. Raises TwofoldError."""
    if settings.tls_certificate is None:
        if settings.tls_key is not None:
            raise TwofoldError("a key without its certificate", "give --tls-cert too")
        return None
    hint = "give a certificate with --tls-cert and its key with --tls-key, both PEM"
    for path in (settings.tls_certificate, settings.tls_key):
        if path is not None and not path.is_file():
            raise TwofoldError("the file does not exist", hint, where=str(path))
        if path is not None and not os.access(path, os.R_OK):
            raise TwofoldError("this user cannot read it", "make it the server's", str(path))
    where = str(settings.tls_certificate)

    def refuse_passphrase() -> str:  # else OpenSSL asks for it, on a terminal that no service has
        hint = "write it without one: openssl pkey -in KEY -out PLAIN, of mode 0600"
        raise TwofoldError("the key has a passphrase", hint, str(settings.tls_key or where))

    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(settings.tls_certificate, settings.tls_key, refuse_passphrase)
    except ssl.SSLError as error:
        reason = _CERTIFICATE_ERRORS.get(error.reason, error.reason)
        message = f"not a certificate with its key: {reason}"
        raise TwofoldError(message, hint, where) from error
    return context


def make_config(app: Application, settings: Settings) -> uvicorn.Config:
    """Return uvicorn's configuration, with the fast path in front of the application."""
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    fast_path = FastPath(
        app,
        app.state.registry,
        app.state.metrics,
        settings.log_reads,
        parse_public_url(settings.public_url),
    )
    limits = ConnectionLimits(
        head_timeout=settings.head_timeout,
        per_address=settings.connections_per_address,
        total=raise_file_limit(),
        exempt=parse_proxies(settings.trusted_proxies),
        slow_readers=SlowReaders(settings.send_timeout),
    )
    protocol = partial(HttpProtocol, limits=limits)
    context = load_certificate(settings)

    def over_tls(**options: Any) -> TlsProtocol:
        assert context is not None
        return TlsProtocol(partial(protocol, **options), context, limits)

    return uvicorn.Config(
        fast_path,
        http=cast(Any, protocol if context is None else over_tls),
        forwarded_allow_ips=list(settings.trusted_proxies),
        ws="none",
        lifespan="off",
        access_log=False,
        server_header=False,
        log_config=None,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=SHUTDOWN_TIMEOUT,
        backlog=1024,
    )


def _log_to_stderr() -> None:
    """Log one JSON object per line, uvicorn's messages included; never a secret."""
    for name, level in (("twofold.server", logging.INFO), ("uvicorn.error", logging.WARNING)):
        log = logging.getLogger(name)
        if not log.handlers:
            log.addHandler(StderrHandler())
            log.setLevel(level)
            log.propagate = False


class StderrHandler(logging.Handler):
    """Writes to the current sys.stderr: a handler outlives a stream replaced temporarily."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record as one line."""
        try:
            print(format_record(record), file=sys.stderr, flush=True)
        except (OSError, ValueError):
            self.handleError(record)


def format_record(record: logging.LogRecord) -> str:
    """Format a record as a JSON object, with its traceback."""
    message = record.getMessage()
    if message.startswith("{") and not record.exc_info:
        return message
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created))
    entry = {"at": at, "level": record.levelname.lower(), "message": message.strip()}
    if record.exc_info and record.exc_info[1] is not None:
        entry["traceback"] = "".join(traceback.format_exception(record.exc_info[1]))
    return json.dumps(entry)


class AnnouncingServer(uvicorn.Server):
    """uvicorn's server, which calls `ready` when it has started."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self.ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start serving, then call `ready`."""
        await super().startup(sockets)
        self.ready()
