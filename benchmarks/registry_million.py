"""A channel of 1,000,000 files in 100,000 projects on PostgreSQL, made by writing the store.

    python benchmarks/registry_million.py [--projects 100000] [--small 1000] [--runs 15]

Each project has five wheels and their conda packages; their objects are not needed here. Measures,
beside a channel of `--small` projects in the same server: the start of `twofold serve`, a
publication (wall and processor time), the search in the channel, the list of projects, the shard
index after a change, and how long a sweep takes. Prints a table.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from registry_load import start_objects, start_postgresql
from registry_servers import make_wheel
from sqlalchemy import text

from twofold.server.app import open_registry
from twofold.server.auth import accounts
from twofold.server.context import Registry
from twofold.server.model import Actor, View
from twofold.server.pages import conda_pages
from twofold.server.registry import maintenance, queries
from twofold.server.registry.browsing.search import (
    SearchQuery,
    list_projects_page,
    search_projects,
    search_with_versions,
)
from twofold.server.registry.browsing.search_index import fill_search_index
from twofold.server.registry.publish import Upload, publish
from twofold.server.settings import Settings
from twofold.server.store import channels
from twofold.server.store.search import listings

VERSIONS = 5

#: SQL of the rows, for a channel of id 1; `:count` projects.
_ROWS = [
    """INSERT INTO projects (id, channel_id, key, name, lookalike, conda_name, created_at)
    SELECT n, 1, 'name' || n, 'name' || n, 'filler' || n, 'name' || n,
      '2026-01-01T00:00:00.000000Z' FROM generate_series(1, :count) AS n""",
    """INSERT INTO files (id, channel_id, project_id, subdir, filename, kind, name, version, build,
      size, sha256, md5, metadata, record, uploaded_at, tags)
    SELECT (n * 5 + v) * 2 + c, 1, n, CASE c WHEN 0 THEN '' ELSE 'noarch' END,
      'name' || n || '-1.' || v || CASE c WHEN 0 THEN '-py3-none-any.whl' ELSE '-py_0.conda' END,
      CASE c WHEN 0 THEN 'wheel' ELSE 'conda' END, 'name' || n, '1.' || v,
      CASE c WHEN 0 THEN '' ELSE 'py_0' END, 100000,
      encode(sha256((n || '-' || v || '-' || c)::bytea), 'hex'), md5(n || '-' || v || '-' || c),
      'Metadata-Version: 2.1', CASE c WHEN 0 THEN NULL ELSE '{"name":"name' || n
        || '","version":"1.' || v || '","build":"py_0","build_number":0,"depends":[]}' END,
      '2026-01-01T00:00:00.000000Z', '["py3-none-any"]'
    FROM generate_series(1, :count) AS n, generate_series(0, 4) AS v, generate_series(0, 1) AS c""",
    """INSERT INTO labels (channel_id, file_id, label) SELECT 1, id, 'main' FROM files""",
    """INSERT INTO blobs (sha256, size, created_at)
    SELECT sha256, size, uploaded_at FROM files""",
    """INSERT INTO shards (channel_id, label, subdir, name, sha256, serial)
    SELECT 1, 'main', 'noarch', 'name' || n, encode(sha256(n::text::bytea), 'hex'), 1
    FROM generate_series(1, :count) AS n""",
    """INSERT INTO shard_bodies (channel_id, sha256, body, created_at)
    SELECT 1, sha256, 'x', '2026-01-01T00:00:00.000000Z' FROM shards""",
    """INSERT INTO pages (channel_id, key, serial, etag, body)
    SELECT 1, 'simple/main/' || form || '/name' || n, 1, md5(n::text), 'x'
    FROM generate_series(1, :count) AS n, (VALUES ('json'), ('html')) AS forms (form)""",
    """SELECT setval('files_id_seq', (SELECT max(id) + 1 FROM files))""",
    """SELECT setval('projects_id_seq', (SELECT max(id) + 1 FROM projects))""",
    """UPDATE channels SET serial = 1, names_serial = 1 WHERE id = 1""",
]


def fill(registry: Registry, count: int) -> None:
    with registry.database.write() as db:
        channels.lock_channel(db, 1)
        for statement in _ROWS:
            db.exec_driver_sql(statement.replace(":count", str(count)))
    with registry.database.write() as db:
        listings.reset(db)
    fill_search_index(registry)
    with registry.database.engine.connect() as db:
        db.execution_options(isolation_level="AUTOCOMMIT").execute(text("ANALYZE"))


def measure_start(words: list[str], folder: Path) -> float:
    command = [sys.executable, "-m", "twofold", "serve", "--port", "0", "--json"]
    command += ["--data", str(folder), *words]
    begun = time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    process.stdout.readline()
    took = time.perf_counter() - begun
    process.terminate()
    process.wait(30)
    return took


def time_each(runs: int, work: object) -> tuple[float, float, float]:
    """(median, largest, processor median) in ms of a function of the run's number."""
    took, spent = [], []
    for number in range(runs):
        begun, worked = time.perf_counter(), time.process_time()
        work(number)  # type: ignore[operator]
        took.append((time.perf_counter() - begun) * 1000)
        spent.append((time.process_time() - worked) * 1000)
    return statistics.median(took), max(took), statistics.median(spent)


def measure(registry: Registry, owner: Actor, folder: Path, runs: int) -> dict[str, object]:
    def add(number: int) -> None:
        wheel = make_wheel(f"added{number}", "1.0", 10_000)
        path = folder / "upload"
        path.write_bytes(wheel.data)
        publish(registry, owner, "main", Upload(path, wheel.filename))

    view = View(owner, "main")
    found: dict[str, object] = {}
    add(10**6)
    found["publish"] = time_each(runs, add)
    words = ["name12", "e99", "added", "nothing-at-all", "77"]
    found["search"] = time_each(
        runs,
        lambda n: search_with_versions(registry, owner, SearchQuery(words[n % len(words)])),
    )
    found["channel search"] = time_each(
        runs,
        lambda n: search_projects(
            registry, owner, SearchQuery(words[n % len(words)], channel="main")
        ),
    )
    found["channel page"] = time_each(runs, lambda _: list_projects_page(registry, owner, "main"))
    found["shard index"] = time_each(
        3,
        lambda _: conda_pages.get_repodata(registry, view, "noarch", "repodata_shards.msgpack.zst"),
    )
    found["list of projects"] = time_each(
        2, lambda _: queries.get_simple_index(registry, view, "html")
    )
    later = replace(registry, clock=registry.clock)
    begun = time.perf_counter()
    maintenance.collect_garbage(later)
    found["sweep, s"] = time.perf_counter() - begun
    return found


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--projects", type=int, default=100_000)
    options.add_argument("--small", type=int, default=1000)
    options.add_argument("--runs", type=int, default=15)
    given = options.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-million-")))
        create = stack.enter_context(start_postgresql(folder))
        endpoint = stack.enter_context(start_objects())
        for count in (given.small, given.projects):
            objects = f"s3://b{count}/p?endpoint={endpoint}&region=us-east-1"
            database = create(f"d{count}")
            settings = Settings(folder / f"data{count}", database, objects)
            registry = open_registry(settings)
            token = accounts.bootstrap_owner(registry)
            owner = accounts.identify(registry, token)
            begun = time.perf_counter()
            fill(registry, count)
            print(f"{count * 2 * VERSIONS} files: made in {time.perf_counter() - begun:.0f} s")
            words = ["--database", database, "--objects", objects]
            starts = [measure_start(words, settings.data) for _ in range(3)]
            print(f"load {os.getloadavg()[0]:.1f}; start {statistics.median(starts):.2f} s")
            found = measure(registry, owner, folder, given.runs)
            print(json.dumps(found, indent=1), flush=True)
            registry.database.close()


if __name__ == "__main__":
    main()
