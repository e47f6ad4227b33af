"""Where a project's version is written: by every backend, in recipes, lock files and citations.

The places that a build reads come from the backend's settings; `__version__`, recipes, lock files
and CITATION.cff repeat the version, and are changed with it where they have the old one.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from twofold.errors import Problem, ProjectErrors
from twofold.names import normalize_name

#: `NAME = "1.0"`, with or without an annotation.
ASSIGNED = r"""^{name}\s*(?::[^=\n]+)?=\s*(["'])(?P<version>[^"'\n]+)\1"""
DUNDER = re.compile(ASSIGNED.format(name="__version__"), re.M)

#: hatchling's default pattern.
HATCH = re.compile(
    r"""(?i)^(?:__version__|VERSION)(?: ?: ?str)? *= *(['"])v?(?P<version>.+?)\1""", re.M
)

#: Requirements of a build that take the version from git tags.
SCM = {
    *("dunamai", "hatch-vcs", "poetry-dynamic-versioning", "setuptools-git-versioning"),
    *("setuptools-scm", "uv-dynamic-versioning", "vcs-versioning", "versioneer", "versioningit"),
}

#: How a recipe has its name and version: set in Jinja, or literal below `package:` or `context:`.
RECIPE_FORMS = (
    r"""{%-?\s*set\s+KEY\s*=\s*(["'])(?P<KEY>[^"']+)\1""",
    r"""^(?:package|context):[^\n]*\n(?:[ \t]+[^ \t\r\n][^\n]*\n|[ \t]*\r?\n)*?"""
    r"""[ \t]+KEY:[ \t]*["']?(?P<KEY>[^"'\s{}$#]+)""",
    r"""^package:[ \t]*\{(?:[^}\n]*,)?[ \t]*KEY:[ \t]*["']?(?P<KEY>[^"'\s{}$#,]+)""",
)
RECIPE = tuple(re.compile(form.replace("KEY", "version"), re.M) for form in RECIPE_FORMS)
RECIPE_NAME = tuple(re.compile(form.replace("KEY", "name"), re.M) for form in RECIPE_FORMS)
CITATION = re.compile(r"""^version:[ \t]*["']?(?P<version>[^"'\s#]+)""", re.M)


@dataclass(frozen=True)
class VersionPlace:
    """The version at `text[start:end]` of a file; `is_own`: it is changed whatever it is."""

    path: Path
    text: str
    start: int
    end: int
    is_own: bool = False

    @property
    def version(self) -> str:
        """What is written there."""
        return self.text[self.start : self.end]


@dataclass
class WrittenVersion:
    """A project's name, and the places its build reads the version from.

    `tag_prefix` is that of the git tags the version comes from; None if it is written.
    """

    name: str = ""
    places: list[VersionPlace] = field(default_factory=list)
    tag_prefix: str | None = None

    @property
    def version(self) -> str:
        """The version as the build reads it; '' if it is written nowhere."""
        return self.places[0].version if self.places else ""


def read_text(path: Path) -> str:
    """The text of a file; bytes that are not UTF-8 and line ends stay what they are."""
    return path.read_bytes().decode("utf-8", errors="surrogateescape")


def parse_toml(path: Path, text: str) -> dict[str, Any]:
    """Parse a file's text; raises ProjectErrors if it is not valid TOML."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        hint = "correct it: 'twofold check' names the line"
        raise ProjectErrors([Problem(f"it is not valid TOML: {error}", hint, path.name)]) from error


def find_version(root: Path) -> WrittenVersion:
    """Find the name and the version of a project of any backend, without running its code."""
    found = WrittenVersion()
    pyproject = root / "pyproject.toml"
    text = read_text(pyproject) if pyproject.is_file() else ""
    document = parse_toml(pyproject, text)
    project, tool = document.get("project", {}), document.get("tool", {})
    poetry = tool.get("poetry", {})
    found.name = str(project.get("name") or poetry.get("name") or "")
    for keys in (("project", "version"), ("tool", "poetry", "version")):
        found.places += _find_toml(pyproject, text, document, keys)
    is_dynamic = bool(document) and not found.places
    if is_dynamic:
        _read_backend_settings(root, found, tool)
    if not found.places and found.tag_prefix is None:
        _read_setuptools_files(root, found)
    cargo = root / "Cargo.toml"
    if not found.places and found.tag_prefix is None and cargo.is_file():  # maturin
        text = read_text(cargo)
        found.places += _find_toml(cargo, text, parse_toml(cargo, text), ("package", "version"))
    if not found.places and found.tag_prefix is None and _is_from_scm(document, root):
        found.tag_prefix = "v"
    own = [recipe for recipe in _list_recipes(root) if recipe.parent == root][:1]
    if not found.places and found.tag_prefix is None and own:  # a recipe without a Python project
        found.places += [place for pattern in RECIPE for place in _search(own, pattern)][:1]
        matches = [pattern.search(read_text(own[0])) for pattern in RECIPE_NAME]
        found.name = found.name or next((match["name"] for match in matches if match), "")
    return found


def _read_backend_settings(root: Path, found: WrittenVersion, tool: dict[str, Any]) -> None:
    """The settings of twofold, hatch, pdm, flit and setuptools about a dynamic version."""
    twofold, pdm = (
        tool.get("twofold", {}).get("version", {}),
        tool.get("pdm", {}).get("version", {}),
    )
    hatch = tool.get("hatch", {}).get("version", {})
    if (root / "hatch.toml").is_file():
        file = root / "hatch.toml"
        hatch = parse_toml(file, read_text(file)).get("version", hatch)
    if twofold.get("from") == "git":
        found.tag_prefix = str(twofold.get("tag-prefix", "v"))
    elif hatch.get("source") == "vcs" or pdm.get("source") == "scm" or "setuptools_scm" in tool:
        found.tag_prefix = "v"
    elif twofold:
        files = [root / twofold["path"]] if "path" in twofold else list_code_files(root)
        found.places += _search(files, DUNDER)[:1]
    elif hatch.get("path"):
        pattern = hatch.get("pattern")
        compiled = re.compile(pattern, re.M) if isinstance(pattern, str) else HATCH
        found.places += _search([root / hatch["path"]], compiled)
    elif pdm.get("path"):
        found.places += _search([root / pdm["path"]], DUNDER)
    dynamic = tool.get("setuptools", {}).get("dynamic", {}).get("version", {})
    if isinstance(dynamic, dict) and not found.places:
        found.places += _find_reference(root, str(dynamic.get("attr", "")), dynamic.get("file", ()))
    _read_flit(root, found, tool.get("flit", {}))


def _read_flit(root: Path, found: WrittenVersion, flit: dict[str, Any]) -> None:
    module = flit.get("module", {}).get("name") or flit.get("metadata", {}).get("module", "")
    found.name = found.name or str(flit.get("metadata", {}).get("dist-name", "") or module)
    if found.places or found.tag_prefix is not None:
        return
    module = module or found.name.replace("-", "_")
    found.places += _search_module(root, module, DUNDER)


def _read_setuptools_files(root: Path, found: WrittenVersion) -> None:
    """setup.py, which takes precedence, and setup.cfg: literal, by a name, `attr:` or `file:`."""
    setup, config = root / "setup.py", root / "setup.cfg"
    if setup.is_file():
        text = read_text(setup)
        name = re.search(r"""\bname\s*=\s*(["'])([\w.-]+)\1""", text)
        found.name = found.name or (name[2] if name else "")
        literal = re.compile(r"""\bversion\s*=\s*(["'])(?P<version>[^"'\n]+)\1\s*[,)]""")
        named = re.search(r"\bversion\s*=\s*([A-Za-z_]\w*)\s*[,)]", text)
        found.places += _search([setup], literal)[:1]
        if named and not found.places:
            found.places += _search([setup], re.compile(ASSIGNED.format(name=named[1]), re.M))[:1]
    if config.is_file():
        text = read_text(config)
        section = re.search(r"^\[metadata\][ \t]*\n((?:(?!\[).*\n?)*)", text, re.M)
        part, offset = (section[1], section.start(1)) if section else ("", 0)
        name = re.search(r"^name[ \t]*[=:][ \t]*([\w.-]+)", part, re.M)
        found.name = found.name or (name[1] if name else "")
        value = re.search(r"^version[ \t]*[=:][ \t]*([^\s#;].*?)[ \t]*$", part, re.M)
        if value and not found.places:
            kind, colon, rest = value[1].partition(":")
            if colon:
                attr, file = (rest.strip(), "") if kind.strip() == "attr" else ("", rest.strip())
                found.places += _find_reference(root, attr, file)
            else:
                span = value.start(1) + offset, value.end(1) + offset
                found.places.append(VersionPlace(config, text, *span))
    if not found.places and (setup.is_file() or config.is_file()):
        found.places += _find_what_setup_reads(root)


def _find_what_setup_reads(root: Path) -> list[VersionPlace]:
    """The `__version__` that a setup.py reads, or the file of a version that it names."""
    if places := _search(list_code_files(root), DUNDER):
        return places[:1]
    setup = root / "setup.py"
    text = read_text(setup) if setup.is_file() else ""
    names = re.findall(r"""["']([\w./-]*version(?:\.txt)?)["']""", text, re.I)
    places = _find_reference(root, "", names)
    return places if places and re.fullmatch(r"v?\d[\w.!+-]*", places[0].version) else []


def _find_reference(root: Path, attr: str, file: str | list[str] | tuple[()]) -> list[VersionPlace]:
    """setuptools' `attr` (module and name in it) and `file` (its whole text)."""
    if attr:
        module, _, name = attr.rpartition(".")
        pattern = re.compile(ASSIGNED.format(name=re.escape(name)), re.M)
        return _search_module(root, module, pattern)
    names = [file] if isinstance(file, str) else list(file)
    for path in (root / name for name in names if name and (root / name).is_file()):
        text = read_text(path)
        start = len(text) - len(text.lstrip())
        return [VersionPlace(path, text, start, start + len(text.strip()))]
    return []


def _search_module(root: Path, module: str, pattern: re.Pattern[str]) -> list[VersionPlace]:
    """Where a module assigns a name: itself, or the one file it imports from."""
    files = _list_module_files(root, module)
    places = _search(files, pattern)
    if not places:
        packages = [file.parent for file in files if file.name == "__init__.py"]
        places = _search((f for p in packages for f in sorted(p.glob("*.py"))), pattern)
        return places if len(places) == 1 else []
    return places[:1]


def _is_from_scm(document: dict[str, Any], root: Path) -> bool:
    requires = document.get("build-system", {}).get("requires", ())
    names = {normalize_name(re.split(r"[^\w.-]", str(one), maxsplit=1)[0]) for one in requires}
    setup = root / "setup.py"
    text = read_text(setup) if setup.is_file() else ""
    return bool(names & SCM) or "use_scm_version" in text or "versioneer" in text


def list_code_files(root: Path) -> list[Path]:
    """The files that usually have a `__version__`."""
    patterns = (
        "src/*/__init__.py",
        "src/*/*version*.py",
        "src/*/*about*.py",
        "*/__init__.py",
        "*/*version*.py",
        "*/*about*.py",
        "*.py",
    )
    found = (path for pattern in patterns for path in sorted(root.glob(pattern)))
    return [path for path in found if path.is_file() and path.name != "setup.py"]


def _list_module_files(root: Path, module: str) -> list[Path]:
    inner = module.replace(".", "/")
    places = (root / "src" / inner, root / inner, root / "lib" / inner, root / "python" / inner)
    return [
        file
        for place in places
        for file in (place / "__init__.py", place.with_name(place.name + ".py"))
        if module and file.is_file()
    ]


def _search(files: Iterable[Path], pattern: re.Pattern[str]) -> list[VersionPlace]:
    """The first match of each file."""
    found = []
    for path in files:
        text = read_text(path) if path.is_file() else ""
        match = pattern.search(text)
        if match:
            group: str | int = "version" if "version" in pattern.groupindex else pattern.groups
            found.append(VersionPlace(path, text, match.start(group), match.end(group)))
    return found


def _find_toml(
    path: Path, text: str, document: dict[str, Any], keys: tuple[str, ...]
) -> list[VersionPlace]:
    """The text of a string value, in whatever form of TOML: the one that changes it if replaced."""
    value = _look_up(document, keys)
    if not isinstance(value, str) or not value:
        return []
    other = f"{value}.other"
    for match in re.finditer(re.escape(value), text):
        start, end = match.span()
        try:
            changed = tomllib.loads(f"{text[:start]}{other}{text[end:]}")
        except tomllib.TOMLDecodeError:  # a number or a key, for example
            continue
        if _look_up(changed, keys) == other:
            return [VersionPlace(path, text, start, end)]
    return []


def _look_up(document: Any, keys: tuple[str, ...]) -> Any:
    for key in keys:
        document = document.get(key) if isinstance(document, dict) else None
    return document


def find_copies(root: Path, found: WrittenVersion, versions: tuple[str, str]) -> list[VersionPlace]:
    """The places that repeat the version, old or already new: code, recipes, citation."""
    read = {(place.path, place.start) for place in found.places}
    copies = [*_search(list_code_files(root), DUNDER), *_search([root / "CITATION.cff"], CITATION)]
    for recipe in _list_recipes(root):
        own = recipe.parent == root  # which `twofold build` builds
        for pattern in RECIPE:
            places = _search([recipe], pattern)
            copies += [replace(place, is_own=own) for place in places]
    return [
        place
        for place in copies
        if (place.path, place.start) not in read and (place.is_own or place.version in versions)
    ]


def _list_recipes(root: Path) -> list[Path]:
    folders = ("", "recipe", "conda", "conda.recipe", "conda-recipe")
    names = ("meta.yaml", "meta.yml", "recipe.yaml", "recipe.yml")
    files = (root / f / name for f in folders for name in names)
    return [file for file in files if file.is_file()]
