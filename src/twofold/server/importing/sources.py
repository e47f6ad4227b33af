"""Lists the files of another registry: of its folder, or through its own API.

devpi: JSON of an index and its projects (doc.devpi.net, "JSON API"). pypiserver: PEP 503. quetz: a
conda channel at /get/NAME (`serve_path` in quetz/main.py of 0.10). Artifactory: "File List" of its
REST API (jfrog.com/help), else its pages for pip and conda. Nexus: "List Assets" of its REST API
(help.sonatype.com, Assets API). Each yields `SourceFile`s; the hash that a listing has is what the
bytes must have.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urldefrag, urljoin, urlsplit

from twofold.errors import TwofoldError, Unreachable
from twofold.fetching.client import Endpoint, HttpResponse, fetch_page
from twofold.index.html_tags import iter_start_tags
from twofold.index.simple_parser import ACCEPT

ENDINGS = (".whl", ".tar.gz", ".zip", ".conda", ".tar.bz2")
#: Subdirs of a channel that is not asked which it has.
SUBDIRS = (
    *("noarch", "linux-64", "linux-32", "linux-aarch64", "linux-armv6l", "linux-armv7l"),
    *("linux-ppc64le", "linux-riscv64", "linux-s390x", "osx-64", "osx-arm64"),
    *("win-32", "win-64", "win-arm64", "emscripten-wasm32"),
)
#: The bytes of a list of all files.
MAX_LIST = 512 << 20
#: Where devpi keeps a file: the first 16 hex digits of its SHA-256 are two folders.
_DEVPI_PLACE = re.compile(r"\+f/([0-9a-f]{3})/([0-9a-f]{13})/[^/]+$")


@dataclass(frozen=True)
class SourceFile:
    """A file to import. `place` is a URL or a path; `hashes` are lower-case hex by algorithm.

    `sha256_start` is all that the source knows of a hash, '' mostly. `yanked` is the reason, None
    for a file that is not yanked. `subdir` is conda's, '' where only the file knows it.
    """

    filename: str
    place: str
    hashes: Mapping[str, str] = field(default_factory=dict)
    subdir: str = ""
    yanked: str | None = None
    sha256_start: str = ""


@dataclass(frozen=True)
class Source:
    """Where to import from: a URL with its login, or a folder."""

    kind: str
    address: str
    endpoint: Endpoint | None = None

    def get(self, url: str, accept: str = "application/json") -> HttpResponse | None:
        """Fetch a page of the source; None where there is none. Raises Unreachable."""
        assert self.endpoint is not None
        return fetch_page(self.endpoint, url, accept, max_size=MAX_LIST)

    def get_json(self, url: str) -> Any:
        """Fetch JSON; None where there is none. Raises Unreachable, also for other content."""
        found = self.get(url)
        if found is None:
            return None
        try:
            return json.loads(found.body)
        except ValueError as error:
            raise Unreachable(f"{url} is no JSON: {error}") from error


def list_files(source: Source) -> list[SourceFile]:
    """List the files of a source, each once, in the order of their names.

    Raises TwofoldError for an address that is not of its kind, Unreachable for a server's failure.
    """
    lister = _list_folder if source.endpoint is None else LISTERS[source.kind]
    found: dict[tuple[str, str], SourceFile] = {}
    try:
        for file in lister(source):
            if file.filename.lower().endswith(ENDINGS):
                found.setdefault((file.subdir, file.filename), file)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        text = f"{source.address} does not answer as {source.kind} does: {error!r}"
        raise TwofoldError(text, "check the address, and the kind of the registry") from error
    return [found[key] for key in sorted(found)]


def _list_folder(source: Source) -> Iterator[SourceFile]:
    """Every built file in a folder and those below, with the hashes of a channel's repodata."""
    for folder, folders, names in os.walk(source.address):
        folders.sort()
        hashes = _read_repodata(Path(folder) / "repodata.json")
        subdir = Path(folder).name if hashes else ""
        for name in sorted(names):
            path = Path(folder) / name
            if name.startswith(".") or not path.is_file():
                continue
            place = _DEVPI_PLACE.search(path.as_posix())
            start = "".join(place.groups()) if place else ""
            yield SourceFile(name, str(path), hashes.get(name, {}), subdir, None, start)


def _read_repodata(path: Path) -> dict[str, dict[str, str]]:
    try:
        return dict(_iter_records(json.loads(path.read_bytes())))
    except FileNotFoundError:
        return {}


def _iter_records(repodata: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, str]]]:
    for key in ("packages", "packages.conda"):
        for name, record in repodata.get(key, {}).items():
            yield name, _pick_hashes(record)


def _pick_hashes(values: Mapping[str, Any]) -> dict[str, str]:
    known = ("sha256", "sha1", "md5")
    return {name: str(values[name]).lower() for name in known if values.get(name)}


def _list_devpi(source: Source) -> Iterator[SourceFile]:
    """The files of an index itself, without those of its bases."""
    index = re.sub(r"/\+simple/?$", "", source.address.rstrip("/"))
    found = source.get_json(index)
    if found is None or found.get("type") != "indexconfig":
        raise TwofoldError(
            f"{index} is no index of devpi", "pass the URL of one: http://host/user/index"
        )
    own = f"{urlsplit(index).path}/"
    for project in found["result"]["projects"]:
        releases = source.get_json(f"{index}/{quote(project)}") or {"result": {}}
        for release in releases["result"].values():
            for link in release.get("+links", ()):
                url = urljoin(f"{index}/", link["href"])
                path = urlsplit(url).path
                if link.get("rel") != "releasefile" or not path.startswith(own):
                    continue
                algorithm, _, value = str(link.get("hash_spec") or "").partition("=")
                hashes = _pick_hashes({algorithm: value, **(link.get("hashes") or {})})
                yield SourceFile(unquote(path).rpartition("/")[2], urldefrag(url).url, hashes)


def _list_simple(source: Source) -> Iterator[SourceFile]:
    """The files of every project of a simple index (PEP 503, PEP 691)."""
    root = source.address.rstrip("/") + "/"
    page = source.get(root, ACCEPT)
    links = list(_read_links(page)) if page else []
    if not links and not root.endswith("/simple/"):
        root += "simple/"
        page = source.get(root, ACCEPT)
    if page is None:
        raise TwofoldError(f"{root} is no simple index", "pass the URL that pip would be given")
    for _, url, _, _ in _read_links(page, is_root=True):
        if not url.startswith(root):
            continue
        project = source.get(url, ACCEPT)
        for filename, place, hashes, yanked in _read_links(project) if project else ():
            yield SourceFile(filename, place, hashes, yanked=yanked)


Link = tuple[str, str, dict[str, str], str | None]


def _read_links(page: HttpResponse, is_root: bool = False) -> Iterator[Link]:
    """(File name, URL, hashes, why it is yanked or None) of each link of a page."""
    if page.media.endswith("json"):
        value = json.loads(page.body)
        if is_root:
            names = [project["name"] for project in value["projects"]]
            yield from (("", urljoin(page.address, f"{quote(n)}/"), {}, None) for n in names)
            return
        for file in value.get("files", ()):
            yanked = file.get("yanked")
            reason = yanked if isinstance(yanked, str) else "" if yanked else None
            url = urldefrag(urljoin(page.address, file["url"])).url
            yield file["filename"], url, _pick_hashes(file.get("hashes", {})), reason
        return
    for tag, attributes in iter_start_tags(page.body.decode("utf-8", "replace")):
        if tag != "a" or not attributes.get("href"):
            continue
        url, fragment = urldefrag(urljoin(page.address, str(attributes["href"])))
        filename = unquote(urlsplit(url).path).rpartition("/")[2]
        yanked = (attributes["data-yanked"] or "") if "data-yanked" in attributes else None
        yield filename, url, _pick_hashes(dict(parse_qsl(fragment))), yanked


def _list_conda(source: Source) -> Iterator[SourceFile]:
    """The packages of a channel's subdirs, by their repodata.json."""
    channel = re.sub(r"/channels/([^/]+)$", r"/get/\1", source.address.rstrip("/"))
    yield from _list_channel(source, channel)


def _list_channel(source: Source, channel: str) -> Iterator[SourceFile]:
    is_channel = False
    for subdir in SUBDIRS:
        repodata = source.get_json(f"{channel}/{subdir}/repodata.json")
        if repodata is None:
            continue
        is_channel = True
        for name, hashes in _iter_records(repodata):
            yield SourceFile(name, f"{channel}/{subdir}/{quote(name)}", hashes, subdir)
    if not is_channel:
        raise TwofoldError(f"{channel} is no conda channel", "pass the URL that conda is given")


def _list_artifactory(source: Source) -> Iterator[SourceFile]:
    """A repository's file list; without it (another edition, no permission) pip's or conda's."""
    found = re.fullmatch(r"(.*?)(?:/api/(?:pypi|conda))?/([^/]+?)(?:/simple)?/?", source.address)
    assert found is not None
    base, name = found.groups()
    try:
        listed = source.get_json(f"{base}/api/storage/{name}?list&deep=1&listFolders=0")
    except Unreachable:
        listed = None
    if listed is not None:
        for file in listed["files"]:
            path = file["uri"].lstrip("/")
            hashes = _pick_hashes({"sha256": file.get("sha2"), "sha1": file.get("sha1")})
            yield _make_stored(f"{base}/{name}/{quote(path)}", path, hashes)
        return
    try:
        yield from _list_channel(source, f"{base}/api/conda/{name}")
    except (TwofoldError, Unreachable):
        at = Source("simple", f"{base}/api/pypi/{name}/simple", source.endpoint)
        yield from _list_simple(at)


def _list_nexus(source: Source) -> Iterator[SourceFile]:
    """A repository's assets, page by page."""
    found = re.fullmatch(r"(.*)/repository/([^/]+?)(?:/simple)?/?", source.address)
    if found is None:
        raise TwofoldError(
            f"{source.address} is no repository of Nexus",
            "pass the URL of one: https://host/repository/NAME",
        )
    base, name = found.groups()
    token: str | None = ""
    while token is not None:
        more = f"&continuationToken={quote(token)}" if token else ""
        page = source.get_json(f"{base}/service/rest/v1/assets?repository={quote(name)}{more}")
        if page is None:
            raise TwofoldError(f"{base} has no repository '{name}'", "check its name")
        for asset in page["items"]:
            path = asset["path"].lstrip("/")
            yield _make_stored(asset["downloadUrl"], path, _pick_hashes(asset["checksum"]))
        token = page.get("continuationToken")


def _make_stored(url: str, path: str, hashes: dict[str, str]) -> SourceFile:
    """A file of a repository that stores both worlds by path: conda's has its subdir above it."""
    folder, _, filename = path.rpartition("/")
    subdir = folder.rpartition("/")[2]
    return SourceFile(filename, url, hashes, subdir if subdir in SUBDIRS else "")


#: Kind of registry -> what lists its files over HTTP.
LISTERS: dict[str, Callable[[Source], Iterator[SourceFile]]] = {
    "devpi": _list_devpi,
    "pypiserver": _list_simple,
    "simple": _list_simple,
    "quetz": _list_conda,
    "conda": _list_conda,
    "artifactory": _list_artifactory,
    "nexus": _list_nexus,
}
