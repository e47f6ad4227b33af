"""The search and the lists of a registry with many projects, on SQLite and on PostgreSQL.

    python benchmarks/registry_search.py [--projects 100000] [--runs 400] [--database sqlite]

The projects have names of one to three words, summaries, keywords and texts drawn from some
20,000 words by Zipf's law, so that there are words of nearly all projects and words of one. Each
query is measured in this process, wall and processor time (ms): median, p99 and largest. Queries:
words of every frequency, two words, parts of names, filters, letters, and what nobody has.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from registry_load import start_postgresql
from sqlalchemy import text

from twofold.server.app import open_registry
from twofold.server.auth import accounts
from twofold.server.context import Registry
from twofold.server.model import ANONYMOUS, Actor
from twofold.server.registry.browsing.search import (
    Order,
    SearchQuery,
    list_newest_uploads,
    list_projects_page,
    search_projects,
    search_with_versions,
)
from twofold.server.settings import Settings
from twofold.server.store import channels
from twofold.server.store.search.text_index import get_text_index
from twofold.server.store.search.words import Document

_SOUNDS = "ba be co da di fo ga hi jo ka le li mo mu na ni po qu ra ri sa so ta te tu va we xy"
_KNOWN = ["python", "data", "api", "client", "library", "tools", "web", "async", "json", "test"]


def make_words(chance: random.Random, count: int) -> list[str]:
    made = dict.fromkeys(_KNOWN)
    while len(made) < count:
        made["".join(chance.choices(_SOUNDS.split(), k=chance.choice([2, 3, 3, 4])))] = None
    return list(made)


def fill(registry: Registry, count: int, releases: int) -> list[str]:
    """Writes the projects' rows and tokens as uploads would; returns the words, frequent first."""
    chance = random.Random(1)
    words = make_words(chance, 20_000)
    weights = [1 / (place + 2) for place in range(len(words))]
    total = list(weights)
    for place in range(1, len(total)):
        total[place] += total[place - 1]

    def draw(most: int) -> list[str]:
        return chance.choices(words, cum_weights=total, k=most)

    at = "2026-01-01T00:00:00.000000Z"
    names: dict[str, None] = {}
    while len(names) < count:
        names["-".join(chance.choices(words, k=chance.choice([1, 2, 2, 3])))] = None
    for start in range(0, count, 2000):
        with registry.database.write() as db:
            channels.lock_channel(db, 1)
            index = get_text_index(db)
            rows, contents = [], []
            for number, name in enumerate(list(names)[start : start + 2000], start + 1):
                summary = " ".join(draw(8))
                facets = {"c:1", "f:pip", chance.choice(["p:noarch", "p:linux64"]), "l:mit"}
                facets |= {f"y:3{minor}" for minor in range(chance.choice([8, 10, 12]), 15)}
                document = Document((name,), summary, " ".join(draw(150)), frozenset(facets))
                index.put(db, number, document.tokens)
                day = (
                    f"2026-{chance.randrange(1, 12):02d}-{chance.randrange(1, 28):02d}T00:00:00.0Z"
                )
                rows.append({"id": number, "key": name, "at": at, "day": day, "summary": summary})
                for version in ("1.0", "1.1", "2.0", "2.1", "3.0")[:releases]:
                    for kind, subdir, end in (
                        ("wheel", "", "-py3-none-any.whl"),
                        ("conda", "noarch", "-py_0.conda"),
                    ):
                        filename = f"{name}-{version}{end}"
                        one = {"id": number, "kind": kind, "subdir": subdir, "file": filename}
                        contents.append({**one, "name": name, "version": version, "at": day})
            for statement in _PROJECTS:
                db.execute(text(statement), rows)
            if contents:
                db.execute(text(_FILES), contents)
    with registry.database.engine.connect() as db:
        if db.dialect.name == "postgresql":
            db.execution_options(isolation_level="AUTOCOMMIT").execute(text("VACUUM ANALYZE"))
    return words


_PROJECTS = [
    """INSERT INTO projects (id, channel_id, key, name, lookalike, summary, created_at)
    VALUES (:id, 1, :key, :key, :key, :summary, :at)""",
    """INSERT INTO project_listings (project_id, channel_id, key, name, summary, pip_version,
      conda_version, newest, uploaded_at, worlds, platforms, pythons)
    VALUES (:id, 1, :key, :key, :summary, '3.0', '3.0', '3.0', :day, 'pip conda', 'noarch', '3.12')
    """,
]
_FILES = """INSERT INTO files (channel_id, project_id, subdir, filename, kind, name, version,
  size, sha256, md5, metadata, uploaded_at)
VALUES (1, :id, :subdir, :file, :kind, :name, :version, 1, '', '', '', :at)"""


def read_backend_seconds(registry: Registry) -> float:
    """Processor time (s) of PostgreSQL's process behind the one connection that is in use."""
    if registry.database.is_sqlite:
        return 0.0
    with registry.database.read() as db:
        pid = db.execute(text("SELECT pg_backend_pid()")).scalar_one()
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(
    registry: Registry, name: str, runs: int, work: Callable[[int], object]
) -> dict[str, object]:
    took, spent = [], []
    before = read_backend_seconds(registry)
    for number in range(runs):
        begun, worked = time.perf_counter(), time.process_time()
        work(number)
        took.append((time.perf_counter() - begun) * 1000)
        spent.append((time.process_time() - worked) * 1000)
    took.sort()
    spent.sort()
    place = min(runs - 1, int(runs * 0.99))
    return {
        "what": name,
        "median": round(statistics.median(took), 2),
        "p99": round(took[place], 1),
        "largest": round(took[-1], 1),
        "processor": round(statistics.median(spent), 2),
        "processor p99": round(spent[place], 1),
        "database's processor, mean": round(
            (read_backend_seconds(registry) - before) / runs * 1000, 2
        ),
    }


def make_queries(words: list[str]) -> list[SearchQuery]:
    chance = random.Random(2)
    rare, often = words[5000:], words[:100]
    texts = [
        *_KNOWN,
        *chance.sample(often, 20),
        *chance.sample(rare, 20),
        *(f"{chance.choice(often)} {chance.choice(often)}" for _ in range(20)),
        *(f"{chance.choice(often)} {chance.choice(rare)}" for _ in range(20)),
        *(f"{chance.choice(words[100:1000])}-{chance.choice(rare)}" for _ in range(10)),
        *(chance.choice(words)[:3] for _ in range(10)),
        *(chance.choice(words)[1:4] for _ in range(10)),
        *"abt",
        "py",
        "zzzznothing",
        "python data api client library tools web async",
        "*" * 10_000,
        "",
    ]
    filters = [{"platform": "linux-64"}, {"world": "conda"}, {"python": "3.9"}, {"license": "mit"}]
    queries = [SearchQuery(one) for one in texts]
    queries += [SearchQuery(chance.choice(texts), **chance.choice(filters)) for _ in range(40)]
    return queries


def measure_all(registry: Registry, owner: Actor, words: list[str], runs: int) -> None:
    queries = make_queries(words)
    slowest: dict[str, float] = {}

    def ask(number: int) -> None:
        query = queries[number % len(queries)]
        begun = time.perf_counter()
        search_projects(registry, ANONYMOUS, query)
        took = (time.perf_counter() - begun) * 1000
        slowest[repr(query)[:90]] = max(took, slowest.get(repr(query)[:90], 0))

    results = [
        measure(registry, "search", max(runs, len(queries)), ask),
        measure(
            registry,
            "/api/search",
            runs // 4,
            lambda n: search_with_versions(registry, owner, queries[n % len(queries)]),
        ),
        measure(
            registry, "channel, page 1", runs, lambda _: list_projects_page(registry, owner, "main")
        ),
        measure(
            registry,
            "channel, newest first",
            runs,
            lambda _: list_projects_page(registry, owner, "main", Order.NEWEST),
        ),
        measure(
            registry,
            "channel, page 1000",
            runs // 4,
            lambda _: list_projects_page(registry, owner, "main", number=1000),
        ),
        measure(registry, "newest uploads", runs, lambda _: list_newest_uploads(registry, owner)),
    ]
    for one in results:
        print(json.dumps(one), flush=True)
    worst = sorted(slowest.items(), key=lambda item: -item[1])[:5]
    print(f"slowest: {[(name, round(took, 1)) for name, took in worst]}", flush=True)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--projects", type=int, default=100_000)
    options.add_argument("--releases", type=int, default=5, help="each has two files")
    options.add_argument("--runs", type=int, default=400)
    options.add_argument("--database", choices=["sqlite", "postgresql"], action="append")
    given = options.parse_args()
    for kind in given.database or ["sqlite", "postgresql"]:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-search-")))
            database = ""
            if kind == "postgresql":
                database = stack.enter_context(start_postgresql(folder))("search")
            registry = open_registry(Settings(folder / "data", database))
            owner = accounts.identify(registry, accounts.bootstrap_owner(registry))
            begun = time.perf_counter()
            words = fill(registry, given.projects, given.releases)
            took, load = time.perf_counter() - begun, os.getloadavg()[0]
            print(f"{kind}, {given.projects} projects: made in {took:.0f} s; load {load:.1f}")
            measure_all(registry, owner, words, given.runs)
            registry.database.close()


if __name__ == "__main__":
    main()
