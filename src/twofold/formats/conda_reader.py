"""Reads conda packages of both formats as streams: info/ alone or everything.

A `.conda` is a zip of stored members around two tars under zstandard; a `.tar.bz2` is one tar.
info/index.json becomes a record of repodata, which every client must read: one record of another
type, or a match spec that no parser takes, makes a channel or a dependent unreadable for pixi and
rattler (CEP 16, 34 and rattler's PackageRecord).
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, NamedTuple

from twofold.errors import BadFile, Problem
from twofold.formats import limits, strict_json
from twofold.formats.bounded_decompress import ArchiveSection, open_bz2, open_zstd
from twofold.formats.tar_safety import TarStream
from twofold.formats.unpacked_tree import UnpackedTree
from twofold.formats.zip_safety import ZipMember, scan
from twofold.names import parse_conda_name
from twofold.names.platforms import find_subdir

_AGAIN = "build or download the package again"
#: Packages up to this many bytes are read once, into memory: opening a file twice costs more.
_IN_MEMORY_LIMIT = 4 << 20
#: Files under info/ that are read by default, and their largest sizes.
_DEFAULT_FILES = {
    "info/index.json": limits.METADATA,
    "info/about.json": limits.METADATA,
    "info/run_exports.json": limits.METADATA,
}
#: The list of a package's files, since 2017 and before.
_LISTS = frozenset({"info/paths.json", "info/files"})


def read_info(
    path: Path, wanted: dict[str, int] | None = None, content: bytes | None = None
) -> dict[str, bytes]:
    """Read files under info/ (path -> bytes), index.json at least. Raises BadFile.

    `wanted` is path -> most bytes; `content` the package's bytes if they are in memory already. A
    `.tar.bz2` is read only as far as needed when its info/ comes first, as conda-build packs it.
    """
    wanted = _DEFAULT_FILES if wanted is None else wanted
    found: dict[str, bytes] = {}
    seen: set[str] = set()
    tree = UnpackedTree()
    with open_part(path, "info", content) as tar:
        left_info = False
        for member in tar:
            problem = tree.find_problem(member)
            if problem:
                raise BadFile(problem, _AGAIN, path.name)
            if member.path.startswith("info/") and member.kind != "folder":
                if member.path in seen:
                    raise BadFile(f"it holds {member.path} twice", _AGAIN, path.name)
                seen.add(member.path)
            if member.path in wanted and member.kind == "file":
                found[member.path] = tar.read(wanted[member.path])
            left_info = left_info or not member.path.startswith("info/")
            # Old packages have their info/ anywhere in the archive.
            is_done = "info/index.json" in found and (
                not wanted.keys() & _LISTS or found.keys() & _LISTS
            )
            if left_info and is_done and path.name.endswith(".tar.bz2"):
                break
    problems = tree.find_problems_together()
    if problems:
        raise BadFile(problems[0], _AGAIN, path.name)
    if "info/index.json" not in found:
        raise BadFile("not a conda package: info/index.json is missing", _AGAIN, path.name)
    return found


class CondaFacts(NamedTuple):
    """The metadata of a package that an index shows.

    `data` is info/index.json as the file holds it, `index` its value; `hashes` are size in bytes,
    SHA-256 and MD5 (hex) of the file; `about` and `run_exports` are JSON, b'' where missing.
    """

    index: dict[str, Any]  # type: ignore[assignment]  # hides tuple.index, which nobody needs
    data: bytes
    subdir: str
    hashes: tuple[int, str, str]
    about: bytes
    run_exports: bytes


def read_index_facts(path: Path, hashes: tuple[int, str, str] | None = None) -> CondaFacts:
    """Read and check what an index shows of a package, `hashes` if known. Raises BadFile."""
    from twofold.file_hashes import compute_file_hashes, compute_hashes

    content = path.read_bytes() if path.stat().st_size <= _IN_MEMORY_LIMIT else None
    found = read_info(path, content=content)
    data = found["info/index.json"]
    index = parse_index(data, path)
    for name in sorted(found.keys() & {"info/about.json", "info/run_exports.json"}):
        parse_json(found[name], path, name)
    subdir = _find_subdir(index) or path.parent.name
    if not _SUBDIR.fullmatch(subdir):  # it becomes the name of a folder
        hint = "put it into a folder named as its platform (linux-64), or build it again"
        raise BadFile("info/index.json names no platform: it has no subdir", hint, path.name)
    about, exports = found.get("info/about.json", b""), found.get("info/run_exports.json", b"")
    hashes = hashes or (compute_file_hashes(path) if content is None else compute_hashes(content))
    return CondaFacts(index, data, subdir, hashes, about, exports)


def _find_subdir(index: Mapping[str, Any]) -> str:
    """Return the subdir, before 2017 from `platform` and `arch`; '' where neither is there."""
    if index.get("subdir") or index.get("noarch"):
        return str(index.get("subdir") or "noarch")
    if "platform" not in index or "arch" not in index:
        return ""
    system, machine = index["platform"] or "", index["arch"] or ""
    return find_subdir(system, "i686" if machine == "x86" else machine) if machine else "noarch"


def parse_index(data: bytes, path: Path) -> dict[str, Any]:
    """Parse info/index.json, check it and compare it with the file name. Raises BadFile."""
    index = parse_json(data, path, "info/index.json")
    problems = find_index_problems(index)
    named = parse_conda_name(path.name)
    for key in ("name", "version", "build"):
        value = getattr(named, key)
        if not problems and index[key] != value:
            problems.append(f"{key} is '{index[key]}' in info/index.json, '{value}' in the name")
    if problems:
        raise limits.make_bad_file([Problem(p, _AGAIN, path.name) for p in problems])
    return index


def parse_json(data: bytes, path: Path, name: str) -> dict[str, Any]:
    """Parse a JSON object of the package. Raises BadFile."""
    try:
        value = strict_json.parse(data)
    except (ValueError, RecursionError) as error:
        raise BadFile(f"{name} is not JSON: {error}", _AGAIN, path.name) from error
    if not isinstance(value, dict):
        raise BadFile(f"{name} is not a JSON object", _AGAIN, path.name)
    return value


@contextmanager
def open_part(path: Path, part: str, content: bytes | None = None) -> Iterator[TarStream]:
    """Open the tar of one part ('info' or 'pkg') of a `.conda`; the one tar of a `.tar.bz2`.

    `content` holds the package's bytes if they are in memory already.
    """
    with path.open("rb") if content is None else io.BytesIO(content) as stream:
        if path.name.endswith(".tar.bz2"):
            if stream.read(3) != b"BZh":
                raise BadFile("not a .tar.bz2 archive", _AGAIN, path.name)
            stream.seek(0)
            yield TarStream(open_bz2(stream, path.name), path.name)
            return
        member = _find_inner_archive(stream, path, part)
        where = f"{path.name}: {member.name}"
        yield TarStream(
            open_zstd(ArchiveSection(stream, member.start, member.packed), where), where
        )


def _find_inner_archive(stream: IO[bytes], path: Path, part: str) -> ZipMember:
    """Check the outer zip and return the member that holds `part`."""
    listing = scan(stream)
    problems = [Problem(p.message, _AGAIN, path.name) for p in listing.problems]
    members = {member.name: member for member in listing.members}
    stem = path.name.removesuffix(".conda")
    expected = {"metadata.json", f"info-{stem}.tar.zst", f"pkg-{stem}.tar.zst"}
    if not problems and set(members) != expected:
        wrong = ", ".join(sorted(set(members) ^ expected)[:6])
        problems.append(
            Problem(
                f"inner archive names do not match {stem}: {wrong}",
                "build the package again: a conda package must not be renamed",
                path.name,
            )
        )
    if not problems and any(member.method for member in members.values()):
        problems.append(Problem("the inner archives must not be compressed", _AGAIN, path.name))
    if problems:
        raise limits.make_bad_file(problems)
    meta = members["metadata.json"]
    stream.seek(meta.start)
    about = parse_json(stream.read(min(meta.packed, 4096)), path, "metadata.json")
    if about.get("conda_pkg_format_version") != 2:
        raise BadFile("the version of the .conda format is not 2", _AGAIN, path.name)
    return members[f"{part}-{stem}.tar.zst"]


#: The end of the year 9999 in milliseconds.
_MAX_TIMESTAMP = 253_402_300_800_000
_VERSION = re.compile(
    r"(?![^\n]*[0-9]{19})(?:[0-9]+!)?[0-9A-Za-z]+(?:[._][0-9A-Za-z]+)*\.?_{0,2}"
    r"(?:\+[0-9A-Za-z]+(?:[._][0-9A-Za-z]+)*_{0,2})?"
)
_SYSTEM = "linux|osx|win|freebsd|openbsd|netbsd|zos|emscripten|wasi|ios|android|solaris"
_SUBDIR = re.compile(rf"noarch|(?:{_SYSTEM})-[a-z0-9_]{{1,20}}")
#: `channel::name version build[key=value]`, each part but the name optional.
_SPEC = re.compile(
    r"(?:[\w./-]+::)?(?P<name>\*|_?[A-Za-z0-9][A-Za-z0-9_.*+-]*|__[A-Za-z0-9_]+)"
    r"(?P<rest>[^\[\]]*)(?P<brackets>\[.*\])?",
    re.DOTALL,
)
_OPERATORS = frozenset([">=", "<=", "==", "!=", "~=", "=", ">", "<"])
_OPERATOR = re.compile(r"[<>=!~]+")
_REST = re.compile(r"[\w.*+!~<>=|,()^$:\\-]+")


def find_unreadable_keys(record: Mapping[str, Any]) -> list[str]:
    """Return the keys for whose values rattler reads nothing of a whole name (`GatewayError`)."""
    return [
        key
        for key, is_usable in _KEYS.items()
        if (key in record or key in _REQUIRED) and not is_usable(record.get(key))
    ]


def find_index_problems(index: Mapping[str, Any]) -> list[str]:
    """Return what no channel could serve of info/index.json."""
    problems = [f"info/index.json has no usable '{key}'" for key in find_unreadable_keys(index)]
    if problems:
        return problems
    for spec in _list_specs(index):
        problem = find_spec_problem(spec)
        if problem:
            problems.append(f"the match spec {spec[:100]!r} in info/index.json {problem}")
    # Of a package for one ABI of many Pythons, noarch is 'python' in a platform's subdir (CEP 20).
    if index.get("noarch") == "generic" and index.get("subdir") not in (None, "noarch"):
        problems.append(f"noarch is 'generic' and subdir '{index['subdir']}' in info/index.json")
    return problems[:20]


@lru_cache(maxsize=4096)
def find_spec_problem(spec: str) -> str:
    """Return why a match spec (CEP 29) cannot be a requirement of a package, or ''."""
    if not spec.strip():
        return "is empty"
    if not spec.isprintable():
        return "holds control characters"
    if "://" in spec.partition("[")[0]:
        return "names an address: a package depends on names"
    found = _SPEC.fullmatch(spec.strip())
    if found is None:
        return "is not one: write name, version and build"
    rest = re.sub(r"(?<=\d)!(?=\d)", "", found["rest"])  # an epoch is no operator
    if rest and not rest.startswith((" ", "=", "<", ">", "!", "~")):
        return "is not one: write name, version and build"
    if found["brackets"] and not _is_balanced(found["brackets"]):
        return "has brackets that do not match"
    if any(_REST.fullmatch(part) is None for part in rest.split()):
        return "has a version that cannot be read"
    operators = _OPERATOR.findall(rest)
    ends = re.search(r"[<>=!~]\s*(?:[,|)]|$)|[,|(]\s*(?:[,|)]|$)|^\s*[,|]", rest)
    if (
        any(one not in _OPERATORS for one in operators)
        or ends
        or rest.count("(") != rest.count(")")
    ):
        return "has a version that cannot be read"
    return ""


def _is_balanced(brackets: str) -> bool:
    """Whether it is one bracket with `key=value`, which may hold lists in brackets."""
    depth = 0
    quote = ""
    for at, mark in enumerate(brackets):
        if quote:
            quote = "" if mark == quote else quote
        elif mark in "\"'":
            quote = mark
        elif mark == "[":
            depth += 1
        elif mark == "]":
            depth -= 1
            if not depth and at != len(brackets) - 1:
                return False
        if depth > 2:
            return False
    return not depth and not quote and "=" in brackets


def _list_specs(index: Mapping[str, Any]) -> Iterator[str]:
    yield from index.get("depends") or ()
    yield from index.get("constrains") or ()
    for listed in (index.get("extra_depends") or {}).values():
        yield from listed


def _is_text(value: object) -> bool:
    return value is None or (isinstance(value, str) and value.isprintable())


def _is_plain(value: object) -> bool:
    return isinstance(value, str) and value != "" and value.isprintable()


def _is_license(value: object) -> bool:
    """Some builders put a whole license text in: its line ends are harmless."""
    return value is None or (isinstance(value, str) and " ".join(value.split()).isprintable())


def _is_number(value: object) -> bool:
    return type(value) is int and 0 <= value < 1 << 63


def _is_list(value: object) -> bool:
    return value is None or _is_texts(value)


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _is_extras(value: object) -> bool:
    return value is None or (isinstance(value, dict) and all(map(_is_texts, value.values())))


_REQUIRED = frozenset(["name", "version", "build", "build_number"])
#: Key -> whether its value can be served. Clients ignore the keys that are not here.
_KEYS: dict[str, Callable[[Any], bool]] = {
    "name": _is_plain,
    "version": lambda value: isinstance(value, str) and bool(_VERSION.fullmatch(value)),
    "build": lambda value: isinstance(value, str) and value.isprintable(),
    "build_number": _is_number,
    "depends": _is_texts,
    "arch": _is_text,
    "constrains": _is_list,
    "extra_depends": _is_extras,
    "features": _is_text,
    "flags": _is_list,
    "license": _is_license,
    "license_family": _is_text,
    "noarch": lambda value: value in (None, "python", "generic") or isinstance(value, bool),
    "platform": _is_text,
    "purls": _is_list,
    "python_site_packages_path": _is_text,
    "subdir": lambda value: (
        value is None or bool(isinstance(value, str) and _SUBDIR.fullmatch(value))
    ),
    "timestamp": lambda value: value is None or (_is_number(value) and value <= _MAX_TIMESTAMP),
    "track_features": lambda value: _is_text(value) or _is_texts(value),
}
