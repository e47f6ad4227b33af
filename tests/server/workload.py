"""A registry under a mixture of changes, and what must hold of it after its server was killed.

Three workers upload, delete, yank, label and promote, each its own releases. What was acknowledged
must be there after a kill; what was under way may be done or not done, wholly, in both worlds.
"""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import msgpack
import requests
import zstandard

from tests.factories.packages import make_wheel

JSON = {"Accept": "application/vnd.pypi.simple.v1+json"}
PROJECTS = [f"p{n}" for n in range(6)]
MAX_RELEASES = 8  # releases of a worker that stand at a time

#: Places a release is shown at: the path of an index and channel.
MAIN, TESTED, STABLE = "main", "main/label/tested", "stable"


@dataclass(frozen=True)
class State:
    """What is shown of a release."""

    there: bool = False
    yanked: bool = False
    tested: bool = False
    carried: bool = False

    def shown_at(self, place: str) -> bool:
        return {MAIN: self.there, TESTED: self.there and self.tested, STABLE: self.carried}[place]

    def listed_at(self, place: str) -> bool:
        """On the conda side, where what is yanked is not listed; `stable` has its own record."""
        return self.shown_at(place) and (place == STABLE or not self.yanked)


@dataclass
class Release:
    project: str
    version: str
    wheel: Path
    possible: set[State] = field(default_factory=lambda: {State()})

    @property
    def state(self) -> State:
        (only,) = self.possible
        return only


@dataclass
class Worker:
    """Makes changes until the server is gone, and knows what they may have come to."""

    number: int
    folder: Path
    chance: random.Random
    releases: list[Release] = field(default_factory=list)
    touched: list[Release] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    cut: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    made: int = 0

    def work(self, url: str, token: str) -> None:
        self.touched = []
        try:
            with requests.Session() as session:
                session.auth = ("__token__", token)
                while self.change(session, url):
                    pass
        except AssertionError as error:
            self.wrong.append(str(error))

    def change(self, session: requests.Session, url: str) -> bool:
        """One change; False when the server did not answer."""
        word, release, after, (method, path, options) = self.choose()
        self.touched.append(release)
        release.possible = {release.state, after}
        try:
            answer = session.request(method, f"{url}{path}", timeout=60, **options)
        except requests.RequestException:
            self.cut[word] += 1
            return False
        assert answer.status_code < 300, (word, answer.status_code, answer.text)
        release.possible = {after}
        self.done[word] += 1
        return True

    def choose(self) -> tuple[str, Release, State, tuple[str, str, dict[str, Any]]]:
        standing = [release for release in self.releases if release.state.there]
        word = self.chance.choice(["upload", "upload", "delete", "yank", "label", "promote"])
        if word != "upload" and standing:
            release = self.chance.choice(standing)
            if len(standing) > MAX_RELEASES:
                word = "delete"
            return self._of(word, release)
        self.made += 1
        project = self.chance.choice(PROJECTS)
        version = f"{self.made}.{self.number}"
        code = f"x = {self.made}\n" * self.chance.randrange(10, 3000)
        wheel = make_wheel(self.folder, project, version, code=code)
        release = Release(project, version, wheel)
        self.releases.append(release)
        form = {
            "data": {":action": "file_upload", "protocol_version": "1"},
            "files": {"content": (wheel.name, wheel.read_bytes())},
        }
        return "upload", release, State(there=True), ("POST", "/main/legacy/", form)

    def _of(
        self, word: str, release: Release
    ) -> tuple[str, Release, State, tuple[str, str, dict[str, Any]]]:
        state, base = release.state, "/api/manage/channels"
        place = f"{base}/main/projects/{release.project}/releases/{release.version}"
        wanted = {"project": release.project, "version": release.version}
        if word == "promote" and (state.yanked or state.carried):
            word = "delete"
        if word == "delete":
            after = State(carried=state.carried)
            return word, release, after, ("DELETE", place, {})
        if word == "yank":
            method = "DELETE" if state.yanked else "PUT"
            options = {} if state.yanked else {"json": {"reason": "broken"}}
            after = replace(state, yanked=not state.yanked)
            return word, release, after, (method, f"{place}/yank", options)
        if word == "label":
            after = replace(state, tested=True)
            return (
                word,
                release,
                after,
                ("POST", f"{base}/main/labels/tested/files", {"json": wanted}),
            )
        after = replace(state, carried=True)
        body = {"source": "main", **wanted}
        return word, release, after, ("POST", f"{base}/stable/promotions", {"json": body})


@dataclass(frozen=True)
class ListedFile:
    """A file as a page of the PyPI side shows it."""

    url: str
    sha256: str
    yanked: bool


def check_pages(url: str, workers: list[Worker]) -> None:
    """Every page agrees with every other one and with the changes that were acknowledged."""
    pages = {place: simple_pages(f"{url}/{place}") for place in (MAIN, TESTED, STABLE)}
    for worker in workers:
        for release in worker.releases:
            release.possible = {read_state(release, pages)} & release.possible
            assert release.possible, f"{release.wheel.name} is in a state it cannot be in"
        for release in worker.touched:
            assert_downloadable(release, pages)
    for place in pages:
        expected = {
            f"{release.project}-{release.version}-py_0.conda"
            for worker in workers
            for release in worker.releases
            if release.state.listed_at(place)
        }
        assert conda_names(f"{url}/{place}") == expected, place


def simple_pages(base: str) -> dict[str, ListedFile]:
    """File name -> how it is shown; both forms of every page list the same files."""
    found: dict[str, ListedFile] = {}
    for project in PROJECTS:
        page = f"{base}/simple/{project}/"
        answer = requests.get(page, headers=JSON, timeout=120)
        if answer.status_code == 404:
            continue
        files = answer.json()["files"]
        html = requests.get(page, timeout=120).text
        assert html.count("<a ") == len(files)
        for file in files:
            assert file["filename"] in html
            sha256 = file["hashes"]["sha256"]
            found[file["filename"]] = ListedFile(
                urljoin(page, file["url"]), sha256, file.get("yanked", False) is not False
            )
    return found


def read_state(release: Release, pages: dict[str, dict[str, ListedFile]]) -> State:
    name = release.wheel.name
    at_main = pages[MAIN].get(name)
    return State(
        there=at_main is not None,
        yanked=at_main is not None and at_main.yanked,
        tested=name in pages[TESTED],
        carried=name in pages[STABLE],
    )


def assert_downloadable(release: Release, pages: dict[str, dict[str, ListedFile]]) -> None:
    """What is shown can be had, whole."""
    for shown in pages.values():
        seen = shown.get(release.wheel.name)
        if seen is not None:
            body = requests.get(seen.url, timeout=120).content
            assert hashlib.sha256(body).hexdigest() == seen.sha256
            assert body == release.wheel.read_bytes()


def conda_names(base: str) -> set[str]:
    """The packages of repodata.json, which the shards list too."""
    answer = requests.get(f"{base}/noarch/repodata.json", timeout=120)
    if answer.status_code == 404:
        return set()
    listed = answer.json()["packages.conda"]
    index = msgpack.unpackb(_unpacked(f"{base}/noarch/repodata_shards.msgpack.zst"))
    sharded: set[str] = set()
    for sha256 in index["shards"].values():
        body = _unpacked(f"{base}/noarch/shards/{sha256.hex()}.msgpack.zst")
        sharded |= set(msgpack.unpackb(body)["packages.conda"])
    assert sharded == set(listed)
    return sharded


def _unpacked(url: str) -> bytes:
    answer = requests.get(url, timeout=120)
    assert answer.status_code == 200, url
    return zstandard.ZstdDecompressor().decompressobj().decompress(answer.content)
