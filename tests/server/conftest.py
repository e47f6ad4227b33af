"""A registry in this process and a real server over it on loopback, fresh for each test."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from twofold.server import serving
from twofold.server.app import create_app, open_registry
from twofold.server.model import Actor
from twofold.server.registry import Registry, people
from twofold.server.registry.publishing import Published, Upload, publish
from twofold.server.settings import Settings


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

    def publish(self, path: Path, channel: str = "main", **options: object) -> Published:
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
    token = people.first_start(registry)
    assert token is not None
    return Place(registry, settings, token, people.identify(registry, token))


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = new_place(Settings(tmp_path / "registry"))
    yield made
    made.registry.database.close()


@pytest.fixture
def served(place: Place) -> Iterator[Place]:
    with serve(place):
        yield place


class serve:
    """Serves a place from a thread of this process."""

    def __init__(self, place: Place) -> None:
        self.place = place

    def __enter__(self) -> Place:
        listener = serving.bind("127.0.0.1", 0)
        self.place.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        app = create_app(self.place.settings, self.place.registry)
        ready = threading.Event()
        self.server = serving.Server(serving.config_of(app), ready.set)
        self.thread = threading.Thread(target=self.server.run, args=([listener],), daemon=True)
        self.thread.start()
        assert ready.wait(20)
        return self.place

    def __exit__(self, *_: object) -> None:
        self.server.should_exit = True
        self.thread.join(20)
        time.sleep(0)
