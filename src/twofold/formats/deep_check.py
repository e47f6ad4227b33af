"""Checks every member of a built file against RECORD or info/paths.json.

`reader.read_artifact` checks the structure of an archive. Here every byte is unpacked (never to
disk) and compared, strictly, for a registry's admission checks and `twofold check`:

    find_problems(path, is_read) -> list[Problem]        any file
    find_wheel_problems, find_conda_problems             one kind

They return what is wrong and raise only OSError. A 100 kB wheel takes two milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from unicodedata import normalize

from twofold.artifact import Kind
from twofold.errors import BadFile, Problem
from twofold.formats import limits
from twofold.formats.portable_names import find_unportable
from twofold.formats.reader import detect_kind, read_artifact
from twofold.formats.unpacked_tree import UnpackedTree
from twofold.formats.wheel import UNHASHED, RecordEntry, WheelFile, parse_record
from twofold.names import parse_wheel_name
from twofold.source_analysis.expressions import expression
from twofold_build.archive import new_sha256

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hashlib import _Hash

    from twofold.formats.tar_safety import TarStream

#: The most problems reported per file.
_MAX_PROBLEMS = 20
#: Lines of entry_points.txt; 100,000 sections held the parser, and with it a server, for seconds.
_MAX_ENTRY_POINT_LINES = 10_000
_SCRIPT_GROUPS = ("console_scripts", "gui_scripts")
_SCHEMES = ("purelib", "platlib", "headers", "scripts", "data")
_SCRIPT = expression(r"[.-]*+\w[\w.-]*+")
#: Extras behind a target, which installers of scripts ignore.
_EXTRAS = expression(r"\[[A-Za-z0-9_.,\s-]*\]\s*\Z")
_TARGET = expression(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*(?::[^\W\d]\w*(?:\.[^\W\d]\w*)*)?")


def find_problems(path: Path, is_read: bool = False) -> list[Problem]:
    """Find everything wrong with a built file, its structure and its content.

    `is_read`: `read_artifact` read the file before; it hashes all of it.
    """
    try:
        kind = detect_kind(path.name)
        if not is_read:
            read_artifact(path)
        if kind is Kind.SDIST:
            return []  # `read_artifact` unpacks all of it
        return find_wheel_problems(path) if kind is Kind.WHEEL else find_conda_problems(path)
    except BadFile as error:
        return list(error.problems)


def find_wheel_problems(path: Path) -> list[Problem]:
    """Check the zip strictly, RECORD against the members, entry points, tags, Windows names."""
    try:
        with WheelFile(path, strict=True) as wheel:
            lines, found = parse_record(wheel.record_bytes)
            files = [name for name, member in wheel.members.items() if not member.is_folder]
            unhashed = {f"{wheel.dist_info}/{name}" for name in UNHASHED}
            found += _compare_lists(set(files) - unhashed, set(lines) - unhashed, "RECORD")
            for name in files:
                if name in lines and name not in unhashed:
                    found += _find_hash_problem(wheel, lines[name])
            found += _find_entry_point_problems(wheel)
            found += find_clashes(wheel.dist_info, files)
            plain = map(limits.drop_current_folders, files)
            found += _find_tag_problems(wheel)
            found += [Problem(one.message) for one in find_unportable(plain)]
            return _locate(path, found)
    except BadFile as error:
        return list(error.problems)


def find_conda_problems(path: Path) -> list[Problem]:
    """Check every member's path and link, and info/paths.json against the members' bytes."""
    from twofold.formats.conda_reader import open_part, parse_json, read_info

    try:
        most = limits.max_list_size(path.stat().st_size)
        info = read_info(
            path,
            {
                "info/index.json": limits.METADATA,
                "info/paths.json": most,
                "info/files": most,
                "info/link.json": limits.METADATA,
            },
        )
        by = "info/paths.json" if "info/paths.json" in info else "info/files"
        if by not in info:
            return _locate(path, [Problem("info/paths.json is missing")])
        if by == "info/files":  # from before 2017: names without hashes
            names = info[by].decode("utf-8", "replace").splitlines()
            listed: dict[str, dict[str, object]] = {name: {} for name in names if name}
        else:
            listed = _read_listed_paths(parse_json(info[by], path, by))
        with open_part(path, "pkg") as tar:
            found = _check_members(tar, listed, by, one_tar=path.name.endswith(".tar.bz2"))
        found += _find_link_problems(info.get("info/link.json", b"{}"), path)
        return _locate(path, found)
    except BadFile as error:
        return list(error.problems)


def _locate(path: Path, problems: Iterable[Problem]) -> list[Problem]:
    return [Problem(p.message, p.hint, p.where or path.name) for p in problems][:_MAX_PROBLEMS]


def _compare_lists(there: set[str], listed: set[str], by: str) -> list[Problem]:
    hint = "build the file again"
    new = sorted(there - listed)[:_MAX_PROBLEMS]
    found = [Problem(f"{by} does not list {name}", hint) for name in new]
    gone = sorted(listed - there)[:_MAX_PROBLEMS]
    return found + [Problem(f"{by} lists {name}, which is missing", hint) for name in gone]


def _find_hash_problem(wheel: WheelFile, line: RecordEntry) -> list[Problem]:
    if not line.algorithm:
        return [Problem(f"RECORD has no hash of {line.path}", "build the file again")]
    member = wheel.members[line.path]
    digest = _new_hash(line.algorithm)
    try:
        for piece in wheel.archive.pieces(member):
            digest.update(piece)
    except BadFile as error:
        return list(error.problems)
    if digest.digest() != line.digest or line.size not in (-1, member.size):
        hint = "do not use the file"
        return [Problem(f"{line.path} does not match its hash or size in RECORD", hint)]
    return []


def _new_hash(algorithm: str) -> _Hash:
    if algorithm == "sha256":
        return new_sha256()
    import hashlib

    return hashlib.new(algorithm)


def _find_entry_point_problems(wheel: WheelFile) -> list[Problem]:
    data = wheel.read_dist_info_file("entry_points.txt")
    if not data:
        return []
    lines = data.count(b"\n")
    if lines > _MAX_ENTRY_POINT_LINES:
        text = f"entry_points.txt has {lines} lines, and {_MAX_ENTRY_POINT_LINES} are allowed"
        return [Problem(text, "build the wheel again with fewer entry points")]
    from configparser import ConfigParser
    from configparser import Error as ConfigError

    parser = ConfigParser(strict=False, delimiters=("=",), interpolation=None, default_section="")
    try:
        text = data.decode("utf-8")
        parser.read_string(text, "entry_points.txt")
    except (ConfigError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())[:200]
        return [Problem(f"entry_points.txt cannot be read: {reason}", "build the wheel again")]
    scripts = list_script_lines(text)
    return [problem for line in scripts for problem in _find_script_problem(line)]


def list_script_lines(text: str) -> list[str]:
    """Every line of entry_points.txt that an installer makes a script of, doubles included."""
    lines = []
    group = ""
    for line in map(str.strip, text.splitlines()):
        if line.startswith("[") and line.endswith("]"):
            group = line[1:-1].strip()
        elif line and not line.startswith(("#", ";")) and group in _SCRIPT_GROUPS:
            lines.append(line)
    return lines


def _find_script_problem(line: str) -> list[Problem]:
    """Check one script, `name = module:function`, perhaps with extras in brackets."""
    name, _, target = line.partition("=")
    if _SCRIPT.fullmatch(name.strip()) and _TARGET.fullmatch(_EXTRAS.sub("", target).strip()):
        return []
    hint = "write it as name = module:function"
    return [Problem(f"the entry point {line[:200]!r} is not valid for a script", hint)]


def _find_link_problems(data: bytes, path: Path) -> list[Problem]:
    """Check info/link.json, from which clients of a noarch package make its scripts."""
    from twofold.formats.conda_reader import parse_json

    noarch = parse_json(data, path, "info/link.json").get("noarch") or {}
    lines = noarch.get("entry_points") or [] if isinstance(noarch, dict) else None
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        return [Problem("info/link.json does not list every entry point as a text")]
    return [problem for line in lines for problem in _find_script_problem(line)]


def find_clashes(dist_info: str, paths: Iterable[str]) -> list[Problem]:
    """Find members of a wheel that an installer puts at one path, or nowhere that is known.

    Below .data, purelib and platlib are site-packages itself; what is there replaces other files.
    """
    data = f"{dist_info.removesuffix('.dist-info')}.data/"
    found = []
    installed: dict[str, str] = {}
    for path in paths:
        place = path
        if path.startswith(data):
            scheme, _, rest = path[len(data) :].partition("/")
            if scheme not in _SCHEMES or not rest:
                found.append(
                    Problem(
                        f"no installer knows where a file goes: {path}",
                        f"below .data put it into {', '.join(_SCHEMES)} (PEP 427)",
                    )
                )
                continue
            plain = limits.drop_current_folders(path)
            place = (
                plain if scheme not in ("purelib", "platlib") else plain[len(path) - len(rest) :]
            )
        other = installed.setdefault(normalize("NFC", place).casefold(), path)
        if other != path and (path.startswith(data) or other.startswith(data)):
            hint = "remove one of them, and build the wheel again"
            found.append(Problem(f"two members install to one path: {other}, {path}", hint))
    return found


def _find_tag_problems(wheel: WheelFile) -> list[Problem]:
    in_wheel = set(wheel.wheel.get("tag", []))
    in_name = set(parse_wheel_name(wheel.path.name).tags)
    expanded = {tag for line in in_wheel if line.count("-") == 2 for tag in _expand(line)}
    if in_wheel and expanded != in_name:
        return [
            Problem(
                f"the tags in WHEEL ({', '.join(sorted(in_wheel))}) differ from the file name's",
                "build the wheel again: a wheel must not be renamed",
            )
        ]
    return []


def _expand(line: str) -> tuple[str, ...]:
    from twofold.names import expand_tags

    return expand_tags(line)


def _read_listed_paths(value: dict[str, object]) -> dict[str, dict[str, object]]:
    paths = value.get("paths")
    if not isinstance(paths, list) or not all(
        isinstance(path, dict) and isinstance(path.get("_path"), str) for path in paths
    ):
        raise BadFile("info/paths.json does not list paths")
    listed = {path["_path"]: path for path in paths}
    if len(listed) != len(paths):
        raise BadFile("info/paths.json lists a path twice")
    return listed


def _check_members(
    tar: TarStream, listed: dict[str, dict[str, object]], by: str, *, one_tar: bool
) -> list[Problem]:
    """Compare each member with its entry in the list `by`; an empty entry has no hash.

    `one_tar` if info/ is in the same archive.
    """
    found: list[Problem] = []
    seen: set[str] = set()
    tree = UnpackedTree()
    for member in tar:
        problem = tree.find_problem(member)
        if problem:
            found.append(Problem(problem))
            continue
        if member.kind == "folder":
            continue
        if member.path in seen:
            found.append(Problem(f"the package holds a file twice: {member.path}"))
        seen.add(member.path)
        if member.path.startswith("info/") or member.path == "info":
            if not one_tar:
                found.append(Problem(f"metadata among the files: {member.path}"))
            continue
        line = listed.get(member.path)
        if line is None:
            found.append(Problem(f"{by} does not list {member.path}"))
        elif member.kind == "file" and line and not _is_as_listed(tar, member.size, line):
            found.append(Problem(f"{member.path} does not match its hash in {by}"))
        if len(found) >= _MAX_PROBLEMS:
            return found
    found += map(Problem, tree.find_problems_together())
    gone = sorted(
        path for path in set(listed) - seen if listed[path].get("path_type") != "directory"
    )
    gone = gone[:_MAX_PROBLEMS]
    return found + [Problem(f"{by} lists {path}, which is missing") for path in gone]


def _is_as_listed(tar: TarStream, size: int, line: dict[str, object]) -> bool:
    digest = new_sha256()
    for piece in tar.pieces():
        digest.update(piece)
    # Every known builder hashes a file with a placeholder as it is in the package.
    return line.get("sha256") in (None, digest.hexdigest()) and line.get("size_in_bytes") in (
        None,
        size,
    )
