"""Where a project's version is written, whatever its backend, and how a release changes it."""

from __future__ import annotations

import configparser
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomlkit
from packaging.utils import canonicalize_name

from twofold.check.other_backend import DeclaredProject
from twofold.errors import ProjectErrors, TwofoldError
from twofold_build.atomic import write_atomically
from twofold_build.pyproject import read_project
from twofold_build.toml import loads

#: Reads what a project of another backend declares, without running code.
DeclaredReader = Callable[[Path], DeclaredProject]


@dataclass(frozen=True)
class FileChange:
    """A file before and after; equal if the new version is written there already."""

    path: Path
    before: bytes
    after: bytes

    def apply(self) -> None:
        """Write the new content."""
        _write(self.path, self.after)

    def revert(self) -> None:
        """Restore the old content."""
        _write(self.path, self.before)


def _write(path: Path, data: bytes) -> None:
    write_atomically(path, data, path.stat().st_mode & 0o7777)


@dataclass(frozen=True)
class StatedVersion:
    """`path` is the file that defines the version, if known; `by_tag`: it is a git tag."""

    name: str
    version: str
    by_tag: bool = False
    path: Path | None = None
    tag_prefix: str = "v"


def read_stated_version(
    root: Path, document: dict[str, Any], read_declared: DeclaredReader | None
) -> StatedVersion:
    """The project's version as its files state it.

    Raises ProjectErrors for mistakes in the project, TwofoldError if nothing states a version.
    """
    return _read_own(root, document) or _read_other(root, document, read_declared)


def read_document(path: Path) -> dict[str, Any]:
    """Read pyproject.toml; empty if there is none."""
    try:
        return loads(path.read_text("utf-8")) if path.is_file() else {}
    except (ValueError, RecursionError):
        return {"project": {}, "build-system": {"build-backend": "twofold_build"}}  # reported below


def _read_own(root: Path, document: dict[str, Any]) -> StatedVersion | None:
    """The version of a project with a static one, or of our own backend; None for others."""
    table = document.get("project")
    system = document.get("build-system", {})
    backend = system.get("build-backend") if isinstance(system, dict) else ""
    if not isinstance(table, dict) or ("version" not in table and backend != "twofold_build"):
        return None
    project = read_project(root, resolve=False)
    settings = project.settings
    by_tag = "version" in project.dynamic and settings.version_from == "git"
    try:
        project = read_project(root)
    except ProjectErrors:
        if not by_tag:
            raise
        # There is no tag yet: this release creates the first.
    path = root / (settings.version_path if "version" in project.dynamic else "pyproject.toml")
    return StatedVersion(
        project.name,
        project.version,
        by_tag,
        path if path != root else None,
        settings.version_tag or "v",
    )


#: What reads a version from the tags of a version control system.
_BY_TAG = re.compile(
    r"setuptools[-_.]scm|hatch[-_.]vcs|versioningit|dunamai|dynamic[-_.]versioning|vcs[-_.]versioning"
)


def _read_other(
    root: Path, document: dict[str, Any], read_declared: DeclaredReader | None
) -> StatedVersion:
    """The version of a project that another backend builds, as far as it is written down."""
    if read_declared is None:
        raise TwofoldError("the version of this project is unknown", "write version in [project]")
    declared = read_declared(root)
    name = str(declared.project.get("name", root.resolve().name))
    version = declared.project.get("version")
    system = document.get("build-system", {})
    requires = " ".join(map(str, system.get("requires", []))) if isinstance(system, dict) else ""
    scm = document.get("tool", {}).get("pdm", {}).get("version", {})
    if (
        (isinstance(version, dict) and version.get("from") == "git")
        or (not isinstance(version, str) and _BY_TAG.search(requires))
        or (isinstance(scm, dict) and scm.get("source") == "scm")
    ):
        return StatedVersion(name, "", by_tag=True)
    path, pattern = _find_definition(root, document)
    if path is None and isinstance(version, dict):
        path = root / str(version.get("path", ""))
        pattern = _make_pattern(path)
    literal = _read_literal(path, pattern) if path else ""
    if isinstance(version, str):  # the file is asked only for its own literal
        return StatedVersion(name, version, path=path if literal == version else None)
    return StatedVersion(name, literal, path=path)


def _find_definition(root: Path, document: dict[str, Any]) -> tuple[Path | None, re.Pattern[str]]:
    """The file that a backend is configured to read the version from, and how it is written.

    hatch's and pdm's `path`, setuptools' `attr`, Cargo.toml for maturin.
    """
    tool = document.get("tool", {})
    for name in ("hatch", "pdm"):
        table: Any = tool.get(name, {}).get("version", {})
        if isinstance(table, dict) and isinstance(table.get("path"), str):
            path = root / table["path"]
            form = table.get("pattern")
            if isinstance(form, str) and "(?P<version>" in form:
                return path, re.compile(form, re.M)
            return path, _make_pattern(path)
    value: Any = tool.get("setuptools", {}).get("dynamic", {}).get("version", {})
    dotted = value.get("attr", "") if isinstance(value, dict) else ""
    config = configparser.ConfigParser(interpolation=None)
    if not dotted and (root / "setup.cfg").is_file():
        config.read(root / "setup.cfg", encoding="utf-8")
        text = config.get("metadata", "version", fallback="")
        dotted = text.removeprefix("attr:").strip() if text.startswith("attr:") else ""
    module, _, attribute = str(dotted).rpartition(".")
    stem = module.replace(".", "/")
    for base in ("src/", "", "lib/"):
        for path in (root / f"{base}{stem}.py", root / f"{base}{stem}/__init__.py"):
            if module and path.is_file():
                return path, _make_pattern(path, attribute)
    cargo = root / "Cargo.toml"
    found = cargo if cargo.is_file() and not dotted else None
    return found, _make_pattern(cargo, "version")


#: `__version__ = "1.0"`, with or without an annotation.
DUNDER = re.compile(r"""^(__version__\s*(?::[^=\n]+)?=\s*)(["'])([^"'\n]+)\2""", re.M)
#: The same with any name, for the file that is said to hold the version.
_ASSIGNED = r"""^(\s*{name}\s*(?::[^=\n]+)?=\s*)(["'])v?([^"'\n]+)\2"""
#: `version = 1.0` in setup.cfg, `version="1.0"` in setup.py.
_CFG = re.compile(r"""^(version[^\S\n]*[=:][^\S\n]*)()(\S+)()[^\S\n]*$""", re.M)
_CALL = re.compile(
    r"""(\bversion\s*=\s*|^(?:__version__|VERSION)\s*=\s*)(["'])([^"'\n]+)\2""", re.M
)
_WHOLE = re.compile(r"""\A(\s*)()v?(\d\S*)()\s*\Z""")


def _make_pattern(path: Path, attribute: str = "") -> re.Pattern[str]:
    """How the version is written in the file that defines it."""
    if path.suffix in (".py", ".pyi", ".toml"):
        name = re.escape(attribute) if attribute else r"(?:__version__|__VERSION__|VERSION|version)"
        return re.compile(_ASSIGNED.replace("{name}", name), re.M)
    return _WHOLE


def _read_literal(path: Path, pattern: re.Pattern[str]) -> str:
    """The version in a file; '' if it is not written out."""
    if not path.is_file():
        return ""
    found = pattern.search(path.read_text("utf-8", errors="replace"))
    return found[_get_group(pattern)] if found else ""


def _get_group(pattern: re.Pattern[str]) -> str | int:
    """The group of the version: hatch's patterns name it."""
    return "version" if "version" in pattern.groupindex else 3


def find_definitions(root: Path, stated: StatedVersion, new: str) -> Iterator[FileChange]:
    """The files that hold the version, the one that defines it last.

    While that one has the old version, an interrupted run can find the old one in the others.
    """
    known = {stated.version, new} - {""}
    defined = stated.path or root / "pyproject.toml"
    pairs = [(path, DUNDER) for path in _list_candidates(root)] if stated.version else []
    for name, pattern in (("setup.cfg", _CFG), ("setup.py", _CALL)):
        pairs.append((root / name, pattern))
    pairs += [(path, _WHOLE) for path in (root / "VERSION", root / "VERSION.txt")]
    pairs += [(path, _WHOLE) for path in (root / "version.txt", *root.glob("src/*/VERSION"))]
    found: dict[Path, FileChange] = {}
    for path, pattern in pairs:
        change = _change_text(path, pattern, known, new)
        if change:
            found[path] = change
    if defined.name != "pyproject.toml":
        found.pop(defined, None)
        named, pattern = _find_definition(root, read_document(root / "pyproject.toml"))
        pattern = pattern if named == defined else _make_pattern(defined)
        change = _change_text(defined, pattern, known, new)
    else:
        change = _change_pyproject(defined, known, new)
    yield from found.values()
    if change:
        yield change


def _change_text(
    path: Path, pattern: re.Pattern[str], known: set[str], new: str
) -> FileChange | None:
    """Change a version in a file if it is the old one (or the new one already)."""
    if not path.is_file():
        return None
    before = path.read_bytes()
    text = before.decode("utf-8", errors="surrogateescape")
    group = _get_group(pattern)
    spans = [match.span(group) for match in pattern.finditer(text) if match[group] in known]
    if not spans:
        return None
    for start, end in reversed(spans):
        text = text[:start] + new + text[end:]
    return FileChange(path, before, text.encode("utf-8", errors="surrogateescape"))


def _change_pyproject(path: Path, known: set[str], new: str) -> FileChange | None:
    """Change `[project] version`, and poetry's own table."""
    if not path.is_file():
        return None
    before = path.read_bytes()
    document: Any = tomlkit.parse(before.decode("utf-8"))
    found = False
    for keys in (("project",), ("tool", "poetry")):
        table = document
        for key in keys:
            table = table.get(key, {})
        if table.get("version") in known:
            found = True
            if table["version"] != new:
                table["version"] = new
    if not found:
        return None
    after = tomlkit.dumps(document).encode("utf-8")
    return FileChange(path, before, after)


def change_followers(root: Path, stated: StatedVersion, new: str) -> Iterator[FileChange]:
    """Change the project's own entry in lock files, and CITATION.cff."""
    known = {stated.version, new} - {""}
    name = canonicalize_name(stated.name)
    for file, pattern in (
        ("uv.lock", rf"""^(name = "{re.escape(name)}"\nversion = )(["'])([^"'\n]+)\2"""),
        ("Cargo.lock", rf"""^(name = "{re.escape(name)}"\nversion = )(["'])([^"'\n]+)\2"""),
        ("pixi.lock", rf"""^(- pypi: \./?\n  name: {re.escape(name)}\n  version: )()(\S+)()$"""),
        ("CITATION.cff", r"""^(version:[^\S\n]*)(["']?)([^"'\s]+)\2[^\S\n]*$"""),
    ):
        change = _change_text(root / file, re.compile(pattern, re.M), known, new)
        if change:
            yield change


#: A version in a recipe: Jinja's `set`, a key of a section, a key of `package: {...}`.
_SET = re.compile(r"""(\s*\{%-?\s*set\s+version\s*=\s*)(["'])([^"']*)""")
_KEY = re.compile(r"""(\s+version:\s*)(["']?)([^"'\s{}$#]+)""")
_INLINE = re.compile(r"""(package:\s*\{(?:[^}]*,)?\s*version:\s*)(["']?)([^"'\s{}$#,]+)""")


def change_recipes(root: Path, new: str) -> list[FileChange]:
    """Change the version of the recipe that `twofold build` would build.

    Only where it is written out; computed ones (`{{ version }}`) follow it.
    """
    found = []
    for path in (root / name for name in ("meta.yaml", "meta.yml", "recipe.yaml")):
        if not path.is_file():
            continue
        before = path.read_bytes()
        lines = before.decode("utf-8", errors="surrogateescape").splitlines(keepends=True)
        section = ""
        for number, line in enumerate(lines):
            if line[:1].isalpha():
                section = line.partition(":")[0]
            in_section = section in ("package", "recipe", "context")
            match = _SET.match(line) or _INLINE.match(line) or (in_section and _KEY.match(line))
            if match:
                # `1.10` without quotes would be a number
                quote = "" if match[2] or match[3].count(".") > 1 else '"'
                lines[number] = f"{match[1]}{match[2]}{quote}{new}{quote}{line[match.end() :]}"
        after = "".join(lines).encode("utf-8", errors="surrogateescape")
        if after != before or new.encode() in before:
            found.append(FileChange(path, before, after))
    return found


def _list_candidates(root: Path) -> Iterator[Path]:
    for pattern in ("src/*/__init__.py", "src/*/*version*.py", "*/__init__.py", "*/*version*.py"):
        yield from sorted(path for path in root.glob(pattern) if path.is_file())
    yield from sorted(root.glob("*.py"))
