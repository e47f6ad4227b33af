"""The pages for people of a registry with many projects, on SQLite.

    python benchmarks/registry_pages.py [--projects 100000] [--runs 60] [--data DIR]

The store is that of registry_search.py, and a project of 60 releases with a real file each. Each
page is made in this process by the application itself, without a network, after one that warms up:
wall and processor time (ms), median and p99, and its size in bytes as it is sent with zstd.
`--data` keeps the store for the next run.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from registry_search import fill, measure
from registry_servers import make_wheel
from starlette.applications import Starlette

from twofold.server.app import create_app, open_registry
from twofold.server.auth import accounts
from twofold.server.context import Registry
from twofold.server.model import Actor
from twofold.server.registry.publish import Upload, publish
from twofold.server.settings import Settings

#: The project that has files.
RELEASED = "releasedoften"


def get(app: Starlette, address: str) -> tuple[int, bytes]:
    """Return status and body of a page, as a browser asks for it."""
    path, _, query = address.partition("?")
    scope: dict[str, Any] = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [
            (b"host", b"packages.example.org"),
            (b"accept", b"text/html"),
            (b"accept-encoding", b"zstd"),
        ],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    return sent[0]["status"], b"".join(one.get("body", b"") for one in sent[1:])


def publish_releases(registry: Registry, owner: Actor, folder: Path) -> None:
    """Publish a project's releases, as clients do."""
    for number in range(60):
        wheel = make_wheel(RELEASED, f"1.{number}", 20_000)
        path = folder / wheel.filename
        path.write_bytes(wheel.data)
        publish(registry, owner, "main", Upload(path, wheel.filename))


def main() -> None:
    words = argparse.ArgumentParser(description="Measure the pages for people.")
    words.add_argument("--projects", type=int, default=100_000)
    words.add_argument("--runs", type=int, default=60)
    words.add_argument("--data", type=Path)
    args = words.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = args.data or Path(name)
        is_new = not (folder / "registry.sqlite").exists()
        settings = Settings(folder)
        registry = open_registry(settings)
        if is_new:
            owner = accounts.identify(registry, accounts.bootstrap_owner(registry))
            fill(registry, args.projects, 5)
            publish_releases(registry, owner, folder)
        app = create_app(settings, registry)
        with registry.database.engine.connect() as db:
            query = "SELECT key FROM projects ORDER BY id LIMIT 500"
            keys = list(db.exec_driver_sql(query).scalars())
        pages = {
            "channels and newest uploads": lambda _: "/",
            "a channel, first page": lambda _: "/main",
            "a channel, newest first": lambda _: "/main?sort=newest",
            "a channel, page 1,000": lambda _: f"/main?page={args.projects // 100}",
            "search for a frequent word": lambda _: "/-/search?q=python",
            "search for a name": lambda number: f"/-/search?q={keys[number % 500]}",
            "a project of 60 releases": lambda _: f"/main/project/{RELEASED}",
            "a release of it": lambda _: f"/main/project/{RELEASED}/1.7",
        }
        rows = []
        for title, address in pages.items():
            status, body = get(app, address(0))
            assert status == 200, (title, status)
            row = measure(
                registry, title, args.runs, lambda number, at=address: get(app, at(number))
            )
            rows.append({**row, "bytes": len(body)})
            print(json.dumps(rows[-1]), flush=True)
        print(
            f"{args.projects} projects, {os.cpu_count()} processors, load {os.getloadavg()[0]:.0f}"
        )


if __name__ == "__main__":
    main()
