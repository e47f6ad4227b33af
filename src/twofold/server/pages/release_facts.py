"""What a release says of itself, from its METADATA (core metadata) or its info/index.json.

Everything is text of others: the templates escape it, and links are kept only to http and https.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from packaging.metadata import parse_email
from packaging.requirements import InvalidRequirement, Requirement

from twofold.names import normalize_name
from twofold.server.model import StoredFile

#: The most entries of a list that a page shows: metadata may hold hundreds of thousands.
MAX_ENTRIES = 500

#: The longest licence text that is a name; longer ones are the licence itself (characters).
MAX_LICENSE = 120

#: Groups of entry points that are commands.
_SCRIPTS = ("console_scripts", "gui_scripts")

_EXTRA = re.compile(r"""\bextra == ["']([^"']+)["']""")
_ONLY_EXTRA = re.compile(r"""(?:^| and )extra == ["'][^"']+["']""")
#: Where the name of a match spec ends.
_NAME_END = re.compile(r"([=<>!~\s]|$)")
_ADDRESS = re.compile(r"([^<>]*)<[^<>]*>\s*")


@dataclass(frozen=True, slots=True)
class Dependency:
    """One thing a release requires: `key` is its normalised name, '' where it cannot be linked.

    `constraint` is the rest of the requirement or match spec, `condition` its marker.
    """

    name: str
    key: str
    constraint: str = ""
    condition: str = ""


@dataclass(frozen=True, slots=True)
class ReleaseFacts:
    """The facts of a release, each '' or empty where the file says nothing.

    `links` are pairs of label and URL, `extras` pairs of name and what it adds.
    """

    summary: str = ""
    license: str = ""
    license_files: tuple[str, ...] = ()
    requires_python: str = ""
    authors: str = ""
    maintainers: str = ""
    links: tuple[tuple[str, str], ...] = ()
    keywords: tuple[str, ...] = ()
    classifiers: tuple[str, ...] = ()
    import_names: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    entry_points: tuple[tuple[str, tuple[str, ...]], ...] = ()
    requires: tuple[Dependency, ...] = ()
    extras: tuple[tuple[str, tuple[Dependency, ...]], ...] = ()


@lru_cache(maxsize=64)
def read_python_facts(metadata: bytes, about: str = "") -> ReleaseFacts:
    """Read the facts of a wheel or an sdist; a field that cannot be read counts as missing.

    `about` are the names that the registry found in a wheel (`package_info`), '' without them.
    """
    inside: Mapping[str, Any] = json.loads(about or "{}")
    raw: dict[str, Any] = dict(parse_email(metadata)[0])
    requires, extras = _read_requirements(
        raw.get("requires_dist", []), raw.get("provides_extra", [])
    )
    return ReleaseFacts(
        summary=str(raw.get("summary") or ""),
        license=str(raw.get("license_expression") or _name_license(raw)),
        license_files=tuple(raw.get("license_files", [])[:MAX_ENTRIES]),
        requires_python=str(raw.get("requires_python") or ""),
        authors=_join_people(raw.get("author"), raw.get("author_email")),
        maintainers=_join_people(raw.get("maintainer"), raw.get("maintainer_email")),
        links=_collect_links(raw),
        keywords=_split_keywords(raw.get("keywords", [])),
        classifiers=tuple(sorted(raw.get("classifiers", [])[:MAX_ENTRIES])),
        import_names=_collect_import_names(raw) or _texts(inside.get("import_names")),
        commands=_collect_commands(inside),
        entry_points=tuple(
            (group, _texts(names))
            for group, names in sorted(inside.get("entry_points", {}).items())
            if group not in _SCRIPTS
        ),
        requires=requires,
        extras=extras,
    )


def _name_license(raw: Mapping[str, Any]) -> str:
    """Return the licence's name: of the field, or of the classifiers where that is a whole text."""
    text = str(raw.get("license") or "").strip()
    if text and len(text) <= MAX_LICENSE and "\n" not in text:
        return text
    names = [one.rpartition(" :: ")[2] for one in raw.get("classifiers", []) if "License ::" in one]
    return ", ".join(names[:5]) or text.partition("\n")[0][:MAX_LICENSE]


def _join_people(name: object, addresses: object) -> str:
    """Return the names of people; their addresses are for their mail, not for a page."""
    found = [str(name)] if name else []
    for part in str(addresses or "").split(","):
        named = _ADDRESS.fullmatch(part)
        text = named[1].strip().strip('" ') if named else ""
        if text and text not in found:
            found.append(text)
    return ", ".join(found)[:500]


def _collect_links(raw: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    links = [("Home page", raw.get("home_page")), *raw.get("project_urls", {}).items()]
    links.append(("Download", raw.get("download_url")))
    return _keep_web_links(links)


def _keep_web_links(links: Iterable[tuple[str, Any]]) -> tuple[tuple[str, str], ...]:
    found: dict[str, str] = {}
    for name, link in links:
        if isinstance(link, str) and link.lower().startswith(("https://", "http://")):
            found.setdefault(link[:2000], _name_link(str(name), link))
    return tuple((name, link) for link, name in list(found.items())[:50])


def _name_link(label: str, link: str) -> str:
    """Return the text of a link: its label, or its host where nobody could see the label."""
    is_seen = any(character.isprintable() and not character.isspace() for character in label)
    return (
        label[:100] if is_seen else link.partition("://")[2].partition("/")[0][:100] or link[:100]
    )


def _split_keywords(keywords: Sequence[str]) -> tuple[str, ...]:
    words = [word.strip() for part in keywords for word in part.split(",")]
    if len(words) == 1:
        words = words[0].split()
    return tuple(dict.fromkeys(word for word in words if word))[:50]


def _collect_commands(inside: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the commands that an installer makes."""
    groups = inside.get("entry_points", {})
    return tuple(name for group in _SCRIPTS for name in _texts(groups.get(group)))


def _collect_import_names(raw: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the import names that METADATA lists (PEP 794), without those marked private."""
    names = [*raw.get("import_names", []), *raw.get("import_namespaces", [])]
    plain = [name.partition(";")[0].strip() for name in names if "private" not in name]
    return tuple(dict.fromkeys(filter(None, plain)))[:MAX_ENTRIES]


def _read_requirements(
    requires: Sequence[str], extras: Sequence[str]
) -> tuple[tuple[Dependency, ...], tuple[tuple[str, tuple[Dependency, ...]], ...]]:
    plain: list[Dependency] = []
    grouped: dict[str, list[Dependency]] = {normalize_name(name): [] for name in extras}
    for text in requires[:MAX_ENTRIES]:
        dependency, wanted = _read_requirement(text)
        if not wanted:
            plain.append(dependency)
        for extra in wanted:
            grouped.setdefault(normalize_name(extra), []).append(dependency)
    return tuple(plain), tuple((name, tuple(found)) for name, found in sorted(grouped.items()))


def _read_requirement(text: str) -> tuple[Dependency, list[str]]:
    """Return a requirement and the extras it belongs to."""
    try:
        read = Requirement(text)
    except InvalidRequirement:
        return Dependency(text[:200], ""), []
    marker = str(read.marker or "")
    extras = list(dict.fromkeys(_EXTRA.findall(marker)))
    if len(extras) == 1 and " or " not in _EXTRA.split(marker)[0][-4:]:
        marker = _strip_extra(marker)
    asked = f"[{','.join(sorted(read.extras))}]" if read.extras else ""
    constraint = ", ".join(sorted(str(read.specifier).split(","), key=_rank_bound))
    if read.url:
        return Dependency(read.name + asked, "", f"@ {read.url}"[:300], marker), extras
    return Dependency(read.name + asked, normalize_name(read.name), constraint, marker), extras


def _rank_bound(clause: str) -> tuple[bool, str]:
    """Sort lower bounds of a specifier before upper ones, as people write them."""
    return not clause.startswith((">", "=", "~")), clause


def _strip_extra(marker: str) -> str:
    """Return a marker without the extra whose group it is in."""
    rest = _ONLY_EXTRA.sub("", marker).removeprefix(" and ").strip()
    if rest.startswith("(") and rest.endswith(")") and rest.count("(") == 1:
        rest = rest[1:-1]
    return rest


@lru_cache(maxsize=64)
def read_conda_facts(index: bytes, about: str) -> ReleaseFacts:
    """Read the facts of a conda package from its index.json and about.json ('' without one)."""
    record: Mapping[str, Any] = json.loads(index)
    says: Mapping[str, Any] = json.loads(about or "{}")
    depends = [read_match_spec(spec) for spec in _texts(record.get("depends"))]
    python = next((one.constraint for one in depends if one.name == "python"), "")
    links = [
        ("Home page", says.get("home")),
        ("Documentation", says.get("doc_url")),
        ("Source", says.get("dev_url")),
        ("Download", says.get("source_url")),
    ]
    return ReleaseFacts(
        summary=" ".join(" ".join(_texts(says.get("summary"))).split()),
        license=str(says.get("license") or record.get("license") or "")[:MAX_LICENSE],
        license_files=_texts(says.get("license_file")),
        requires_python=python,
        authors=", ".join(_texts(says.get("author")))[:500],
        links=_keep_web_links((name, link) for name, value in links for link in _texts(value)),
        keywords=_split_keywords(_texts(says.get("keywords")) or _texts(says.get("tags"))),
        requires=tuple(depends),
    )


def _texts(value: object) -> tuple[str, ...]:
    """Return a text, or the texts of a list."""
    every = value if isinstance(value, list) else [value]
    return tuple(one for one in every[:MAX_ENTRIES] if isinstance(one, str) and one)


def read_match_spec(spec: str) -> Dependency:
    """Read a match spec of a package's record."""
    head, _, inside = spec.strip().partition("[")
    name, operator, rest = _NAME_END.split(head, maxsplit=1)
    plain = name.rpartition("::")[2].strip()
    constraint = " ".join(f"{operator}{rest}".split())
    return Dependency(plain, normalize_name(plain), constraint, inside.rstrip("]"))


@dataclass(frozen=True, slots=True)
class CondaBuild:
    """A conda package of a release, as its record says it; lists of match specs as texts."""

    file: StoredFile
    depends: tuple[Dependency, ...]
    constrains: tuple[str, ...]
    run_exports: tuple[tuple[str, tuple[str, ...]], ...]
    features: str


def read_build(file: StoredFile) -> CondaBuild:
    """Read the record of a stored conda package."""
    record: Mapping[str, Any] = json.loads(file.record or "{}")
    exported: Any = json.loads(file.run_exports or "{}")
    if isinstance(exported, list):
        exported = {"weak": exported}
    groups = [(str(kind), _texts(specs)) for kind, specs in sorted(exported.items())]
    return CondaBuild(
        file,
        tuple(map(read_match_spec, _texts(record.get("depends")))),
        _texts(record.get("constrains")),
        tuple((kind, specs) for kind, specs in groups if specs),
        str(record.get("track_features") or ""),
    )


def find_common(builds: Sequence[CondaBuild]) -> tuple[Dependency, ...]:
    """Return what every build depends on, in the order of the first one."""
    if not builds:
        return ()
    others = [set(build.depends) for build in builds[1:]]
    return tuple(one for one in builds[0].depends if all(one in other for other in others))
