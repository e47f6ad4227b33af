"""The proof of `/lazy`: popular packages offered by metadata alone, solved, installed, imported.

python -m tests.server.lazy_popular [FOLDER OF WHEELS ...]

The wheels of the folders are served as an index on loopback, which comes before the one that pip
uses here. Proves the whole list and writes the table of results.
"""

from __future__ import annotations

import functools
import hashlib
import platform
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import requests

from tests.clients.installers import find_index
from tests.convert.popular import ROOT, python_channel, read_list
from tests.server.conftest import Place, new_place, serve
from tests.servers.upstream import StaticServer
from tests.servers.upstream_reads import JSON
from twofold.install.conda import install_into_prefix
from twofold.names import normalize_name
from twofold.server.proxy import config, offer_list, offer_rounds
from twofold.server.registry import administration, queries
from twofold.server.settings import Settings
from twofold.server.store import files, offers

if TYPE_CHECKING:
    from collections.abc import Iterator

TABLE = ROOT / "docs" / "explanation" / "offered-packages.md"
HEAD = """\
# A hundred packages offered by metadata alone

The packages of [converted-packages.md](converted-packages.md), put on the list of a channel by
`twofold admin offer --by-metadata` (with five releases each, and all that they require), then one
after the other solved and installed by py-rattler from the channel's `/lazy` and this machine's
Python into an environment of its own, and imported there. `fetched` are the wheels that the
registry fetched from its upstreams for this package: only those of packages that the solver chose,
which is compared each time, and none before the first installation.
`python -m tests.server.lazy_popular` writes this page.

"""


@dataclass(frozen=True)
class LazyProof:
    """One package's way: the packages of its environment, the wheels fetched for it, seconds."""

    name: str
    version: str = ""
    packages: int = 0
    fetched: int = 0
    seconds: float = 0.0
    failure: str = ""


def list_file_hosts(index: str) -> set[str]:
    """Hosts of the files of an index. Raises OSError and ValueError where it does not answer."""
    page = requests.get(f"{index}/idna/", headers={"accept": JSON}, timeout=60).json()
    return {urlsplit(file["url"]).hostname or "" for file in page["files"]} - {""}


def offer(place: Place, indexes: Sequence[config.UpstreamConfig], names: Iterable[str]) -> set[str]:
    """Put the indexes before the channel and offer the projects; return what is missing."""
    for index in indexes:
        config.add(place.registry, "owner", "main", index)
    administration.change_rule(place.registry, "operator", "main", "lazy", "yes")
    administration.change_rule(place.registry, "operator", "main", "offered-releases", "5")
    offer_list.add(place.registry, place.owner, "main", names)
    channel = queries.get_channel(place.registry, place.owner, "main")
    done = offer_rounds.run_round(place.registry, channel)
    assert list_fetched(place) == set()
    return set(done.missing)


def find_conda_name(place: Place, key: str) -> str:
    """The name that the project has at `/lazy`."""
    with place.registry.database.read() as db:
        shards = dict(offers.list_shards(db, 1)).get(key, {})
    for name, _ in shards.values():
        return name
    raise AssertionError(f"{key} is not offered")


def list_fetched(place: Place) -> set[str]:
    """Names of the wheels that the channel holds."""
    with place.registry.database.read() as db:
        return files.list_filenames(db, 1, "")


def install_and_import(place: Place, name: str, module: str, python: Path, work: Path) -> LazyProof:
    """Solve, install and import one package; raises with the reason when one of them fails."""
    before, start = list_fetched(place), time.perf_counter()
    prefix = work / name
    made = install_into_prefix(
        [find_conda_name(place, name)],
        [f"{place.channel}/lazy", python],
        prefix,
        cache=work / "cache",
    )
    seconds = time.perf_counter() - start
    fetched = list_fetched(place) - before
    chosen = {one.name for one in made}
    keys = {normalize_name(wheel.split("-")[0]) for wheel in fetched}
    assert {find_conda_name(place, key) for key in keys} <= chosen, fetched
    command = [prefix / "bin" / "python", "-c", f"import {module}"]
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    own = next(one.version for one in made if one.name == find_conda_name(place, name))
    return LazyProof(name, str(own), len(made), len(fetched), seconds)


@contextmanager
def serve_wheels(folder: Path, sources: Iterable[Path]) -> Iterator[StaticServer]:
    """An index on loopback of the wheels in some folders, with METADATA (PEP 658)."""
    static = StaticServer(folder)
    for wheel in sorted(path for source in sources for path in source.glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            names = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
            metadata = archive.read(names[0])
        link = folder / "files" / wheel.name
        link.parent.mkdir(exist_ok=True)
        link.symlink_to(wheel.resolve())
        link.with_name(f"{wheel.name}.metadata").write_bytes(metadata)
        page = folder / "simple" / normalize_name(wheel.name.split("-")[0]) / "index.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        with wheel.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        with page.open("a", encoding="utf-8") as stream:
            promise = f'data-core-metadata="sha256={hashlib.sha256(metadata).hexdigest()}"'
            address = f"../../files/{wheel.name}#sha256={sha256}"
            stream.write(f'<a href="{address}" {promise}>{wheel.name}</a>\n')
    try:
        yield static
    finally:
        static.close()


def main() -> int:
    proven: list[LazyProof] = []
    with tempfile.TemporaryDirectory(prefix="twofold-lazy-") as folder:
        work, projects, index = Path(folder), read_list(), find_index()
        hosts = tuple(list_file_hosts(index))
        python = python_channel(work / "python")
        sources = [Path(word) for word in sys.argv[1:]]
        with (
            serve_wheels(work / "wheels", sources) as static,
            serve(new_place(Settings(work / "registry"))) as place,
        ):
            local = config.UpstreamConfig(f"{static.url}/simple", "pypi", name="wheels")
            other = config.UpstreamConfig(index, "pypi", files_at=hosts, name="index")
            start = time.perf_counter()
            missing = offer(place, [local, other], projects)
            print(f"offered in {time.perf_counter() - start:.0f} s, missing: {missing}", flush=True)
            prove = functools.partial(install_and_import, place, python=python, work=work)
            for name, module in projects.items():
                try:
                    one = prove(name, module)
                except Exception as error:  # noqa: BLE001  (the table and the exit code report it)
                    message = getattr(error, "stderr", "") or str(error)
                    one = LazyProof(name, failure=message.strip().splitlines()[-1][:120])
                proven.append(one)
                print(one, flush=True)
    TABLE.write_text(HEAD + format_table(proven), encoding="utf-8")
    return 1 if any(one.failure for one in proven) else 0


def format_table(proven: list[LazyProof]) -> str:
    good = sum(not one.failure for one in proven)
    lines = [
        f"{good} of {len(proven)} on CPython {platform.python_version()}, {platform.system()} "
        f"{platform.machine()}, py-rattler {version('py-rattler')}, {datetime.now(UTC):%Y-%m-%d}.",
        "",
        "| package | version | packages | fetched | install s | imported |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {one.name} | {one.version} | {one.packages} | {one.fetched} | {one.seconds:.1f} "
        f"| {one.failure or 'yes'} |"
        for one in proven
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
