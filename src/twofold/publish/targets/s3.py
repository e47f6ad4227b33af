"""An S3 bucket as static index and channel: `s3://BUCKET/PATH?endpoint=...&region=...`.

Credentials come from AWS's own variables and files. A package is written only if there is none
(`If-None-Match`), and the two pages that clients read first, a project's simple page and a subdir's
repodata.json, are replaced only if unchanged (`If-Match`): concurrent publishers keep each other's
files. They are written last, after the pages derived from them, so that a listed file is complete.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from twofold.artifact import Artifact, Kind, Listing
from twofold.errors import Problem, TwofoldError, Unreachable
from twofold.formats.conda_reader import read_info
from twofold.index import repodata, simple
from twofold.index.current_repodata import assemble_current_repodata
from twofold.names import normalize_name, parse_sdist_name, parse_wheel_name
from twofold.publish.files import ReleaseFile
from twofold.publish.targets.object_store import ObjectExistsError, ObjectStore
from twofold.publish.targets.protocol import (
    ALL_KINDS,
    NO_KINDS,
    AlreadyPublishedError,
    RemoteState,
    UploadRule,
    state_from_fetch,
)
from twofold.publish.targets.settings import TargetSettings
from twofold.publish.transport.request_bodies import Progress

#: The limit of retries after concurrent writes of a page.
ROUNDS = 20


class Bucket:
    """The bucket and prefix of `settings.url`."""

    accepts: frozenset[Kind] = ALL_KINDS
    default_kinds: frozenset[Kind] = ALL_KINDS
    rules: tuple[UploadRule, ...] = ()
    is_readable = True
    attestation_kinds = NO_KINDS

    def __init__(self, settings: TargetSettings) -> None:
        self.settings = settings
        self._store = ObjectStore(settings.url)

    @property
    def account(self) -> str:
        """As whom files are sent."""
        return "with your AWS configuration"

    def preflight(self, _files: Sequence[ReleaseFile], /) -> Problem | None:
        """The bucket does not exist: a lookup of one file cannot distinguish that."""
        return self._store.find_problem()

    def probe(self, file: ReleaseFile) -> RemoteState:
        """Look the file up; without an entry in its page (after a kill) it counts as absent."""
        seen = self.fetch(file)
        if seen.is_ours(file.artifact) and not self._is_indexed(file):
            return RemoteState("absent")
        return seen

    def send(self, file: ReleaseFile, progress: Progress) -> str:
        """Upload the file once; returns its URL."""
        key = _get_key(file.artifact)
        try:
            self._store.put(key, file.artifact.path, mode="create")
        except ObjectExistsError:
            if not self.fetch(file).is_ours(file.artifact):
                raise AlreadyPublishedError(f"{key} is already in {self.settings.name}") from None
        progress(file.artifact.size)
        if file.artifact.kind.is_conda:
            self._update_page(
                f"{file.artifact.subdir}/repodata.json", self._make_package_update(file)
            )
        else:
            self._update_page(_get_page_key(file.artifact), self._make_page_update(file))
        return f"{self.settings.url.partition('?')[0].rstrip('/')}/{key}"

    def fetch(self, file: ReleaseFile) -> RemoteState:
        """Fetch the file back and compute its hash."""
        key = _get_key(file.artifact)
        return state_from_fetch(self._store.compute_sha256(key, file.artifact.size), key)

    def whoami(self) -> str:
        """Return the account of the credentials."""
        return "determined by the AWS credentials"

    def close(self) -> None:
        """There is no connection to close."""

    def _is_indexed(self, file: ReleaseFile) -> bool:
        artifact = file.artifact
        key = (
            f"{artifact.subdir}/repodata.json"
            if artifact.kind.is_conda
            else _get_page_key(artifact)
        )
        found = self._store.read(key)
        return found is not None and artifact.sha256.encode() in found[0]

    def _make_package_update(self, file: ReleaseFile) -> Callable[[dict[str, Any]], bytes]:
        """Make a function that adds the record to repodata and writes the derived pages."""
        artifact = file.artifact
        info = read_info(artifact.path)

        def add(page: dict[str, Any]) -> bytes:
            records = {**page.get("packages", {}), **page.get("packages.conda", {})}
            records[artifact.filename] = repodata.make_record(artifact)
            value = repodata.make_repodata_from_records(artifact.subdir, records)
            data = repodata.serialize(value)
            self._put_shards(artifact, repodata.group_by_name(records))
            texts = {name: repodata.serialize(one).decode() for name, one in records.items()}
            current = assemble_current_repodata(artifact.subdir, texts) or data
            self._store.put(f"{artifact.subdir}/current_repodata.json", current)
            for name, content in (("repodata", data), ("current_repodata", current)):
                key = f"{artifact.subdir}/{name}.json.zst"
                self._store.put(key, repodata.compress(content))
            self._put_exports(artifact, info.get("info/run_exports.json"))
            self._put_channeldata(artifact, records, json.loads(info.get("info/about.json", b"{}")))
            return data

        return add

    def _put_shards(self, artifact: Artifact, records: dict[str, dict[str, Any]]) -> None:
        """Write the package's own shard, then the shard index (CEP 16)."""
        shards = {name: repodata.make_shard(own) for name, own in records.items()}
        hashes = {name: hashlib.sha256(data).digest() for name, data in shards.items()}
        own = f"{hashes[artifact.name].hex()}.msgpack.zst"
        self._store.put(f"{artifact.subdir}/shards/{own}", shards[artifact.name])
        index = repodata.make_shard_index(artifact.subdir, hashes)
        self._store.put(f"{artifact.subdir}/repodata_shards.msgpack.zst", index)

    def _put_exports(self, artifact: Artifact, own: bytes | None) -> None:
        if own is None:
            return
        key = f"{artifact.subdir}/run_exports.json"
        page = self._store.read_page(key)[0]
        known = {**page.get("packages", {}), **page.get("packages.conda", {})}
        exports = {name: entry["run_exports"] for name, entry in known.items()}
        exports[artifact.filename] = json.loads(own)
        data = repodata.serialize(repodata.make_run_exports(artifact.subdir, exports))
        self._store.put(key, data)
        self._store.put(f"{key}.zst", repodata.compress(data))

    def _put_channeldata(
        self, artifact: Artifact, records: dict[str, Any], about: dict[str, Any]
    ) -> None:
        page = self._store.read_page("channeldata.json")[0]
        own = repodata.group_by_name(records)[artifact.name].items()
        entry = repodata.make_channel_entry([(artifact.subdir, n, r) for n, r in own], about)
        packages = {**page.get("packages", {}), artifact.name: entry}
        before = page.get("packages", {}).get(artifact.name, {})
        entry["subdirs"] = sorted({*entry["subdirs"], *before.get("subdirs", [])})
        entries = [
            (name, repodata.serialize(one).decode()) for name, one in sorted(packages.items())
        ]
        data = repodata.assemble_channeldata(entries, [*page.get("subdirs", []), artifact.subdir])
        self._store.put("channeldata.json", data)
        if artifact.subdir != "noarch" and self._store.read("noarch/repodata.json") is None:
            empty = repodata.serialize(repodata.make_repodata_from_records("noarch", {}))
            self._store.put("noarch/repodata.json", empty)  # required in every channel

    def _make_page_update(self, file: ReleaseFile) -> Callable[[dict[str, Any]], bytes]:
        """Make a function that adds the file to its project's page and writes the derived pages."""
        artifact = file.artifact
        name = normalize_name(artifact.name)
        listing = Listing(artifact, f"../../{artifact.filename}", datetime.now(UTC))

        def add(page: dict[str, Any]) -> bytes:
            files = {entry["filename"]: entry for entry in page.get("files", [])}
            files[artifact.filename] = simple.make_file_entry(listing)
            value = _make_project_page(name, files)
            if artifact.kind is Kind.WHEEL:
                self._store.put(f"{artifact.filename}.metadata", artifact.metadata)
            html = simple.render_project_html(value).encode()
            self._store.put(f"simple/{name}/index.html", html, media="text/html")
            root = self._store.read_page("simple/index.json")[0]
            names = {entry["name"] for entry in root.get("projects", [])} | {name}
            listed = simple.make_root_page(names)
            self._store.put("simple/index.json", simple.serialize(listed))
            html = simple.render_root_html(listed).encode()
            self._store.put("simple/index.html", html, media="text/html")
            return simple.serialize(value)

        return add

    def _update_page(self, key: str, add: Callable[[dict[str, Any]], bytes]) -> None:
        """Read a page, add to it, and write it if unchanged; else repeat."""
        for _ in range(ROUNDS):
            page, etag = self._store.read_page(key)
            try:
                data = add(page)
            except (AttributeError, KeyError, TypeError) as error:
                raise TwofoldError(
                    f"{self._store.name}/{key} has another structure than the page of an index",
                    "restore it, or check the path of the bucket",
                ) from error
            try:
                self._store.put(key, data, mode={"e_tag": etag} if etag else "create")
                return
            except ObjectExistsError:
                continue
        raise Unreachable(
            f"{key} is being written by other publishers all the time", "run the command again"
        )


def _get_key(artifact: Artifact) -> str:
    return f"{artifact.subdir}/{artifact.filename}" if artifact.kind.is_conda else artifact.filename


def _get_page_key(artifact: Artifact) -> str:
    return f"simple/{normalize_name(artifact.name)}/index.json"


def _make_project_page(name: str, files: dict[str, Any]) -> dict[str, Any]:
    """A project's page from its entries, ordered as `simple.project_page` orders them."""
    from packaging.version import Version

    def version(filename: str) -> Version:
        parsed = (
            parse_wheel_name(filename) if filename.endswith(".whl") else parse_sdist_name(filename)
        )
        return Version(parsed.version)

    ordered = sorted(files, key=lambda filename: (version(filename), filename))
    page = simple.make_project_page(name, [])
    page["versions"] = list(dict.fromkeys(str(version(filename)) for filename in ordered))
    page["files"] = [files[filename] for filename in ordered]
    return page
