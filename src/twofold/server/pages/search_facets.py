"""What a project is filtered by in a search: platforms, Python versions, licenses."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import lru_cache

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from twofold.convert.wheel_tags import abis_for_tags, subdirs_for_tags
from twofold.errors import BadFile, TwofoldError
from twofold.formats.core_metadata import CoreMetadata, parse_metadata
from twofold.names import normalize_name, requirement_name
from twofold.server.admission.licenses import list_licenses
from twofold.server.model import StoredFile
from twofold.server.pages.description import README
from twofold.server.pages.release_facts import read_match_spec
from twofold.server.store.search.contents import FileFacts
from twofold.server.store.search.words import make_facet, make_requirement_token

#: The versions of Python that a search can ask for.
PYTHONS = tuple(f"3.{minor}" for minor in range(6, 17))


def find_platforms(files: Iterable[FileFacts]) -> set[str]:
    """Return the subdirs that a project's wheels and packages run on; an sdist counts for none."""
    found: set[str] = set()
    for file in files:
        found.update([file.subdir] if file.kind.is_conda else _subdirs_of(file.tags))
    return found


@lru_cache(maxsize=1024)
def _subdirs_of(tags: tuple[str, ...]) -> tuple[str, ...]:
    if not tags:
        return ()
    try:
        return tuple(target.subdir for target in subdirs_for_tags(tags))
    except TwofoldError:
        return ()  # a wheel for a platform that conda does not have


def find_pythons(files: Iterable[FileFacts]) -> set[str]:
    """Return those of `PYTHONS` that some file of a project is for."""
    found: set[str] = set()
    for file in files:
        if file.kind.is_conda:
            found |= _pythons_of_package(_find_python_spec(file.depends))
        else:
            found |= _pythons_of_wheel(file.requires_python, file.tags)
    return found


@lru_cache(maxsize=4096)
def _pythons_of_wheel(requires_python: str, tags: tuple[str, ...]) -> frozenset[str]:
    fitting = _fitting(requires_python)
    if not tags:
        return fitting
    try:
        abis = abis_for_tags(tags)
    except TwofoldError:
        return frozenset()  # a wheel of another Python
    found: set[str] = set()
    for abi in abis:
        if abi.minor:
            found.add(abi.minor)
        else:
            found.update(one for one in PYTHONS if _minor(one) >= _minor(abi.min_python))
    return fitting & found


def _minor(python: str) -> int:
    return int(python.partition(".")[2] or 0)


@lru_cache(maxsize=4096)
def _fitting(specifiers: str) -> frozenset[str]:
    """Return the versions of which a release fits; all for specifiers that cannot be read."""
    try:
        wanted = SpecifierSet(specifiers)
    except InvalidSpecifier:
        return frozenset(PYTHONS)
    return frozenset(
        one for one in PYTHONS if wanted.contains(f"{one}.0") or wanted.contains(f"{one}.99")
    )


def _find_python_spec(depends: Iterable[str]) -> str:
    for spec in depends:
        name, _, rest = spec.strip().partition(" ")
        if name == "python":
            return rest.split()[0] if rest.split() else ""
    return ""


@lru_cache(maxsize=4096)
def _pythons_of_package(spec: str) -> frozenset[str]:
    found: set[str] = set()
    for side in spec.split("|"):
        clauses = [_to_pep_440(clause) for clause in side.split(",") if clause]
        found |= _fitting(",".join(clauses))
    return frozenset(found)


def _to_pep_440(clause: str) -> str:
    """Return a clause of a match spec as one of PEP 440: '3.12.*', '=3.12' -> '==3.12.*'."""
    if clause.startswith(("<", ">", "!", "~", "==")):
        return clause
    version = clause.removeprefix("=")
    return "" if version in ("", "*") else f"=={version.removesuffix('.*').removesuffix('*')}.*"


class ReleaseText:
    """What a file says of its project: summary, words for a search, licenses."""

    __slots__ = ("licenses", "requires", "short", "summary", "text")

    def __init__(self, file: StoredFile | None) -> None:
        self.summary = self.short = self.text = ""
        self.licenses: list[str] = []
        self.requires: set[str] = set()
        if file is None:
            return
        self.requires = _find_required_names(file)
        if file.kind.is_conda:
            self._read_about(file)
            return
        try:
            self._read_metadata(parse_metadata(file.metadata, file.filename))
        except BadFile:
            return  # recorded by a version that read it otherwise

    def _read_metadata(self, found: CoreMetadata) -> None:
        self.summary = _as_line(found.get("Summary"))
        keywords = " ".join(found.all("Keywords"))
        self.short = f"{self.summary} {keywords}"
        people = " ".join(map(found.get, ("Author", "Maintainer")))
        description = found.description or found.get("Description")
        self.text = f"{' '.join(found.all('Classifier'))} {people} {description}"
        self.licenses = list_licenses(found)

    def _read_about(self, file: StoredFile) -> None:
        about = json.loads(file.about or "{}")
        self.summary = _as_line(_join(about.get("summary")))
        self.short = f"{self.summary} {_join(about.get('keywords'))} {_join(about.get('tags'))}"
        self.text = f"{_join(about.get('description'))} {_join(about.get(README))}"
        index = json.loads(file.metadata)
        license_name = _join(about.get("license") or index.get("license"))
        words = license_name.replace("(", " ").replace(")", " ").split()
        self.licenses = [word for word in words if word.upper() not in ("AND", "OR", "WITH")]

    def make_facets(self) -> set[str]:
        """Return the tokens of its licenses and of what it requires."""
        licenses = {make_facet("l", name) for name in self.licenses[:20]}
        return licenses | {make_requirement_token(name) for name in self.requires}


#: The most names that a project requires which lead back to it.
MAX_REQUIRED = 500


def _find_required_names(file: StoredFile) -> set[str]:
    """Return the normalised names of what a file requires, extras apart."""
    if file.kind.is_conda:
        names = [read_match_spec(spec).key for spec in file.depends[:MAX_REQUIRED]]
    else:
        plain = [one for one in file.depends[:MAX_REQUIRED] if "extra ==" not in one]
        names = [normalize_name(name) for name in map(requirement_name, plain) if name]
    return set(filter(None, names))


#: The longest summary that is kept (characters).
MAX_SUMMARY = 512


def _as_line(text: str) -> str:
    """Return a text on one line, without characters that a database or a page cannot hold."""
    line = " ".join(text.split())[:MAX_SUMMARY]
    return line if line.isprintable() else "".join(filter(str.isprintable, line))


def _join(value: object) -> str:
    """Return text, or a list of texts, as one; '' for anything else."""
    if isinstance(value, list):
        return " ".join(one for one in value if isinstance(one, str))
    return value if isinstance(value, str) else ""
