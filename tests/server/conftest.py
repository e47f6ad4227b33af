"""A registry in this process and a real server over it on loopback, fresh for each test."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests

from tests.clients.raw_http import Wire
from tests.factories.packages import make_wheel
from tests.servers.processes import fleet
from tests.servers.stores import S3, PostgreSQL, postgresql, s3
from twofold.server import run
from twofold.server.app import create_app, open_registry
from twofold.server.auth import accounts
from twofold.server.context import Registry
from twofold.server.model import Actor
from twofold.server.registry.publish import Upload, UploadResult, publish
from twofold.server.settings import Settings

if TYPE_CHECKING:
    from tests.servers.upstream import StaticServer

__all__ = ["fleet", "postgresql", "s3"]


@dataclass
class Place:
    """A registry, its owner, and where it is served."""

    registry: Registry
    settings: Settings
    token: str
    owner: Actor
    url: str = ""

    @property
    def channel(self) -> str:
        return f"{self.url}/main"

    def publish(self, path: Path, channel: str = "main", **options: object) -> UploadResult:
        """By the verb itself, with no HTTP between."""
        copy = path.with_name(f"{path.name}.copy")
        copy.write_bytes(path.read_bytes())
        return publish(self.registry, self.owner, channel, Upload(copy, path.name, **options))  # type: ignore[arg-type]

    def upload(self, path: Path, token: str | None = None, **fields: str) -> requests.Response:
        """As twine does it."""
        data = {":action": "file_upload", "protocol_version": "1", **fields}
        with path.open("rb") as file:
            return requests.post(
                f"{self.channel}/legacy/",
                data=data,
                files={"content": (path.name, file)},
                auth=("__token__", self.token if token is None else token),
                timeout=60,
            )

    def get(self, path: str, token: str | None = None, **headers: str) -> requests.Response:
        auth = ("__token__", token) if token else None
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return requests.get(f"{self.url}{path}", headers=named, auth=auth, timeout=60)


def new_place(settings: Settings) -> Place:
    registry = open_registry(settings)
    token = accounts.bootstrap_owner(registry)
    assert token is not None
    return Place(registry, settings, token, accounts.identify(registry, token))


#: What every store must do: these modules run on SQLite with files and on PostgreSQL with S3.
CONTRACT = {
    "test_store",
    "test_kills",
    "test_processes",
    "test_races",
    "test_fast_readers",
}
#: These do too, on PostgreSQL with S3 only among the slow tests.
PAGES = {"test_pypi", "test_conda", "test_namespaces", "test_search", "test_listings"}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "store" in metafunc.fixturenames:
        module = metafunc.module.__name__.rpartition(".")[2]
        names: list[object] = ["sqlite+files"]
        if module in CONTRACT | PAGES:
            marks = [pytest.mark.slow] if module in PAGES else []
            names.append(pytest.param("postgresql+s3", marks=marks))
        metafunc.parametrize("store", names, indirect=True)


@pytest.fixture
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Settings for a fresh store of the kind the test is run on."""
    if request.param == "sqlite+files":
        return Settings(tmp_path / "registry")
    postgresql: PostgreSQL = request.getfixturevalue("postgresql")
    s3: S3 = request.getfixturevalue("s3")
    return Settings(tmp_path / "registry", postgresql.new_database(), s3.new_bucket())


@pytest.fixture
def place(store: Settings) -> Iterator[Place]:
    made = new_place(store)
    yield made
    made.registry.database.close()


@pytest.fixture
def served(place: Place) -> Iterator[Place]:
    with serve(place):
        yield place


@contextmanager
def serve(place: Place) -> Iterator[Place]:
    """Serves a place from a thread of this process."""
    listener = run.bind("127.0.0.1", 0)
    scheme = "https" if place.settings.tls_certificate else "http"
    place.url = f"{scheme}://localhost:{listener.getsockname()[1]}"
    if scheme == "http":
        place.url = place.url.replace("localhost", "127.0.0.1")
    app = create_app(place.settings, place.registry)
    ready = threading.Event()
    server = run.AnnouncingServer(run.make_config(app, place.settings), ready.set)
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    assert ready.wait(120)
    try:
        yield place
    finally:
        server.should_exit = True
        thread.join(60)


@pytest.fixture
def static(tmp_path: Path) -> Iterator[StaticServer]:
    """A folder that `twofold index` makes an index and a channel of, behind a dumb server."""
    from tests.servers.upstream import StaticServer  # imports this module

    made = StaticServer(tmp_path / "static")
    yield made
    made.close()


@pytest.fixture
def behind(tmp_path: Path) -> Iterator[Place]:
    """A second registry, served."""
    from tests.servers.upstream import second_registry

    place = second_registry(tmp_path)
    with serve(place):
        yield place
    place.registry.database.close()


STORES = ["sqlite+files", pytest.param("postgresql+s3", marks=pytest.mark.slow)]


@pytest.fixture(scope="module", params=STORES)
def shared_place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Wire]:
    """One registry for a whole module: it keeps running whatever is sent."""
    folder = tmp_path_factory.mktemp("bad-input")
    store = Settings(folder / "registry")
    if request.param == "postgresql+s3":
        postgresql: PostgreSQL = request.getfixturevalue("postgresql")
        s3: S3 = request.getfixturevalue("s3")
        store = Settings(store.data, postgresql.new_database(), s3.new_bucket())
    place = new_place(store)
    place.publish(make_wheel(folder, "my_package"))
    with serve(place):
        yield Wire(place)
    place.registry.database.close()
