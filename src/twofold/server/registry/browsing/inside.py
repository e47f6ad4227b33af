"""Looks into files: their members, texts and metadata, and what two releases differ in.

Every result is bounded in bytes, and so is the work: a file that is too large is not opened, few
are opened at a time, and lists of members are kept, since the bytes of a file never change.
"""

from __future__ import annotations

import json
import re
import shutil
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

from twofold.errors import Refused
from twofold.names import normalize_name
from twofold.server.context import Registry, not_found
from twofold.server.model import Actor, Channel, Project, StoredFile
from twofold.server.registry import queries
from twofold.server.registry.browsing.members import Content, Member, list_members, read_members

#: The largest file that is opened (bytes, packed).
MAX_FILE = 256 << 20

#: The most bytes of a member that are shown as text.
MAX_TEXT = 256 << 10

#: Files that are open at a time in a process, and how long others wait for them (seconds).
MAX_OPEN, PATIENCE = 2, 20.0

#: Lists of members that are kept in memory, and their members together.
MAX_KEPT, MAX_KEPT_MEMBERS = 64, 200_000

#: What describes a file, by its place: METADATA, index.json, recipes.
_METADATA = re.compile(
    r"[^/]+\.dist-info/(?:METADATA|WHEEL|entry_points\.txt)|[^/]+/(?:PKG-INFO|pyproject\.toml)"
    r"|info/(?:index|about|run_exports)\.json|info/recipe/(?:meta\.yaml|recipe\.yaml)"
)

_open_files = threading.BoundedSemaphore(MAX_OPEN)


@dataclass(frozen=True, slots=True)
class OpenFile:
    """A file that the caller may read, with its channel and project."""

    channel: Channel
    project: Project
    file: StoredFile


def find_file(registry: Registry, actor: Actor, channel: str, name: str, basename: str) -> OpenFile:
    """Return a file of a project by its basename. Raises Refused as a download of it does."""
    found = queries.get_channel(registry, actor, channel)
    project = queries.get_project(registry, actor, channel, name)
    subdir, _, filename = basename.rpartition("/")
    file = queries.get_file_by_name(registry, actor, channel, subdir, filename).file
    if file.project_id != project.id:
        raise not_found(f"file '{basename[:100]}' of project '{normalize_name(name)[:100]}'")
    if file.size > MAX_FILE:
        text = f"{file.basename} has {file.size} bytes: files up to {MAX_FILE >> 20} MiB are opened"
        raise Refused("too-large-to-open", text, "download it", 413)
    return OpenFile(found, project, file)


@contextmanager
def opened(registry: Registry, file: StoredFile) -> Iterator[Path]:
    """Give a file as a path with its own name, for reading. Raises Refused (503) when busy."""
    if not _open_files.acquire(timeout=PATIENCE):
        raise Refused("busy", "Other files are being opened", "try again in a moment", 503)
    try:
        registry.spool.mkdir(parents=True, exist_ok=True)
        folder = Path(mkdtemp(prefix="inside-", dir=registry.spool))
        try:
            path = folder / file.filename
            registry.blobs.link(file.sha256, path)
            yield path
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        _open_files.release()


class _KeptLists:
    """Lists of members by the hash of their file; those used last stay."""

    def __init__(self) -> None:
        self._lists: OrderedDict[str, list[Member]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, sha256: str) -> list[Member] | None:
        with self._lock:
            found = self._lists.get(sha256)
            if found is not None:
                self._lists.move_to_end(sha256)
            return found

    def put(self, sha256: str, members: list[Member]) -> None:
        with self._lock:
            self._lists[sha256] = members
            while self._lists and (
                len(self._lists) > MAX_KEPT
                or sum(map(len, self._lists.values())) > MAX_KEPT_MEMBERS
            ):
                self._lists.popitem(last=False)


_kept_lists = _KeptLists()


def list_file_members(registry: Registry, file: StoredFile) -> list[Member]:
    """List the files and links inside a file, sorted by path. Raises BadFile, Refused."""
    members = _kept_lists.get(file.sha256)
    if members is None:
        with opened(registry, file) as path:
            members = list_members(path)
        _kept_lists.put(file.sha256, members)
    return members


def find_metadata_members(members: list[Member]) -> list[str]:
    """Return the paths of what describes a file itself, in both worlds."""
    return [one.path for one in members if _METADATA.fullmatch(one.path)]


@dataclass(frozen=True, slots=True)
class MemberText:
    """A member as text; `text` is None for binary content. `size` in bytes."""

    path: str
    text: str | None
    size: int
    is_cut: bool


def read_member(registry: Registry, file: StoredFile, path: str) -> MemberText:
    """Return a member's text, JSON with indentation. Raises Refused (404) and BadFile."""
    with opened(registry, file) as place:
        found = read_members(place, [path], MAX_TEXT).get(path)
    if found is None:
        raise not_found(f"'{path[:200]}' in {file.basename}")
    text = decode_text(found)
    if text is not None and path.endswith(".json") and not found.is_cut:
        text = _indent_json(text)
    return MemberText(path, text and show_controls(text), found.size, found.is_cut)


def decode_text(content: Content) -> str | None:
    """Return UTF-8 text, also one that is cut within a character; None for anything else."""
    data = content.data
    if b"\0" in data:
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        is_cut_there = content.is_cut and error.start >= len(data) - 3
        return data[: error.start].decode("utf-8-sig") if is_cut_there else None


def _indent_json(text: str) -> str:
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text


#: Control characters, and those that hide or turn around what stands beside them.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")


def show_controls(text: str) -> str:
    """Return a text with characters that hide or turn others around written out: <U+202E>."""
    plain = text.replace("\r\n", "\n")
    return _CONTROLS.sub(lambda found: f"<U+{ord(found[0]):04X}>", plain)
