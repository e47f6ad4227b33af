"""Compare two wheels of one project, built with the old and the new backend."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from email import message_from_string
from email.utils import getaddresses
from pathlib import Path

from twofold.names import normalize_name
from twofold.new.migrate.facts import find_license_expression

#: Written by the tool that packs, not by the project.
_TOOL_FILES = (
    "RECORD",
    "WHEEL",
    "METADATA",
    "top_level.txt",
    "zip-safe",
    "namespace_packages.txt",
)


_SELF = re.compile(r"([A-Za-z0-9._-]+)\[([^\]]+)\]$")
#: Headers that follow from the form of the metadata.
_TOOL_HEADERS = (
    "Metadata-Version",
    "License-File",
    "Dynamic",
    "Import-Name",
    "Import-Namespace",
)
#: Headers whose usual spelling str.title() does not give.
_CASES = {"project-url": "Project-URL"}


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference. `kind` is 'file', 'content' or a header of METADATA; `old` and `new` are ''
    where that side has none. `same` explains why both are equivalent, '' if they are not.
    """

    kind: str
    old: str
    new: str
    same: str = ""

    def __str__(self) -> str:
        side = "only old: " if not self.new else "only new: " if not self.old else ""
        shown = side + " -> ".join(_shorten(text) for text in (self.old, self.new) if text)
        return f"{self.kind}: {shown}" + (f" ({self.same})" if self.same else "")


def compare_wheels(old: Path, new: Path) -> list[Difference]:
    """Compare files, content and METADATA by field; sorted. Empty if the wheels are equal."""
    before, after = _WheelContents(old), _WheelContents(new)
    found = [Difference("file", name, "") for name in sorted(before.files - after.files)]
    found += [Difference("file", "", name) for name in sorted(after.files - before.files)]
    for name in sorted(before.files & after.files):
        if before.read(name).strip() != after.read(name).strip():
            found.append(Difference("content", name, name))
    headers = dict.fromkeys([*before.headers, *after.headers])
    for header in headers:
        gone = before.headers.get(header, [])
        come = after.headers.get(header, [])
        found += _compare_header(header, gone, come)
    explained = (
        _explain_license(one, after) or _explain_same(one, before.headers, after.headers)
        for one in found
    )
    return [replace(one, same=same) for one, same in zip(found, explained, strict=True)]


def _explain_license(one: Difference, new: _WheelContents) -> str:
    """Explain a licence's whole text in a header, which is in a file of the new wheel."""
    if one.kind != "License" or not one.old:
        return ""
    files = (name for name in new.files if name.startswith("dist-info/licenses/"))
    texts = (new.read(name).decode("utf-8", "replace") for name in files)
    is_packed = any("".join(text.split()) == "".join(one.old.split()) for text in texts)
    return "a License-File has the text (PEP 639)" if is_packed else ""


def _explain_same(one: Difference, old: Headers, new: Headers) -> str:
    """Explain why two METADATA values are equivalent, or return ''."""
    expression = next(iter(new.get("License-Expression", [])), "")
    if one.kind in ("Home-Page", "Download-Url", "Project-URL"):
        if _list_urls(old) == _list_urls(new):
            return "Project-URL replaces it (PEP 753)"
    elif one.kind in ("Author", "Author-Email", "Maintainer", "Maintainer-Email"):
        role = one.kind.partition("-")[0]
        if _list_people(old, role) == _list_people(new, role):
            return f"{role}-Email has both"
    elif one.kind in ("License", "License-Expression") or one.old.startswith("License ::"):
        text = next(iter(old.get("License", [])), "")
        if expression and (
            not one.old
            or one.old.startswith("License ::")
            or find_license_expression(text) == expression
        ):
            return "License-Expression replaces it (PEP 639)"
    elif one.kind == "Requires-Dist":
        if _expand_self_extras(old) == _expand_self_extras(new):
            return "an extra that names the project itself is written out"
    elif one.kind == "Description-Content-Type" and not one.old:
        return "from the readme's ending"
    elif one.kind == "Platform":
        return "the wheel's tag has it" if one.old.lower() in ("any", "unknown") else ""
    return ""


def _expand_self_extras(headers: Headers) -> set[str]:
    """Replace `name[extra]` of the project itself in Requires-Dist by that extra's content."""
    name = normalize_name(headers["Name"][0])
    extras: dict[str, list[str]] = {}
    for line in headers.get("Requires-Dist", []):
        rest, named = _split_extra(line)
        for extra in named:
            extras.setdefault(extra, []).append(rest)

    def every(extra: str, seen: frozenset[str]) -> Iterator[str]:
        for line in extras.get(extra, ()) if extra not in seen else ():
            own = _SELF.match(line)
            if own and normalize_name(own[1]) == name:
                for inner in own[2].split(","):
                    yield from every(inner.strip(), seen | {extra})
            else:
                yield line

    return {f"{extra}: {line}" for extra in extras for line in every(extra, frozenset())}


def _split_extra(line: str) -> tuple[str, list[str]]:
    """Split `x; python_version < '3' and extra == 'a'`: (`x; python_version < '3'`, [`a`]).

    poetry-core writes one line for several extras: `(extra == 'a' or extra == 'b')`.
    """
    rest = line.partition("extra ==")[0].rstrip(" (").removesuffix(" and").rstrip(" ;")
    return rest, re.findall(r"extra == '([^']*)'", line) or [""]


def _list_urls(headers: Headers) -> set[str]:
    listed = {value.partition(", ")[2] for value in headers.get("Project-URL", [])}
    single = {value for key in ("Home-Page", "Download-Url") for value in headers.get(key, [])}
    return {address.rstrip("/") for address in listed | single}


def _list_people(headers: Headers, role: str) -> set[tuple[str, str]]:
    """List (name, email) of each; a lone name and a lone email belong together."""
    names = headers.get(role, [])
    found = set(getaddresses(headers.get(f"{role}-Email", [])))
    if len(names) == 1 and len(found) == 1 and not next(iter(found))[0]:
        return {(names[0], next(iter(found))[1])}
    known = {name for name, _ in found}  # uv_build writes a name in both fields
    return found | {(name, "") for name in names if name not in known}


def _compare_header(header: str, old: Iterable[str], new: Iterable[str]) -> list[Difference]:
    gone = [value for value in old if value not in list(new)]
    come = [value for value in new if value not in list(old)]
    if len(gone) == len(come) == 1:
        return [Difference(header, gone[0], come[0])]
    return [Difference(header, value, "") for value in gone] + [
        Difference(header, "", value) for value in come
    ]


Headers = Mapping[str, list[str]]


class _WheelContents:
    """A wheel's files under names independent of the backend, and its headers."""

    def __init__(self, path: Path) -> None:
        self.archive = zipfile.ZipFile(path)
        self.names: dict[str, str] = {}
        for name in self.archive.namelist():
            plain = find_plain_name(name)
            is_empty = plain == "dist-info/entry_points.txt" and b"=" not in self.archive.read(name)
            if plain and not is_empty:
                self.names[plain] = name
        self.files = set(self.names)
        self.headers = self._read_headers()

    def read(self, plain: str) -> bytes:
        data = self.archive.read(self.names[plain]).replace(b"\r\n", b"\n")
        if plain == "dist-info/entry_points.txt":
            lines = [b"".join(line.split()) for line in data.splitlines() if line.strip()]
            return b"\n".join(_sort_sections(lines))
        return data

    def _read_headers(self) -> dict[str, list[str]]:
        info = next(n for n in self.archive.namelist() if n.endswith(".dist-info/METADATA"))
        message = message_from_string(self.archive.read(info).decode("utf-8"))
        found: dict[str, list[str]] = {}
        for key, value in message.items():
            header = _CASES.get(key.lower(), key.title())
            if str(value).strip() and header not in _TOOL_HEADERS:
                found.setdefault(header, []).append(normalize_value(header, str(value)))
        body = message.get_payload()
        if isinstance(body, str) and body.strip():
            found["Description"] = [" ".join(body.split())]
        elif "Description" in found:
            found["Description"] = [" ".join(found["Description"][0].split())]
        return found


def find_plain_name(name: str) -> str:
    """Return a file's name in a wheel as every backend has it; '' for what the tool writes."""
    folder, _, rest = name.partition("/")
    stem, _, kind = folder.rpartition(".")
    if name.endswith("/") or (kind == "dist-info" and name.rpartition("/")[2] in _TOOL_FILES):
        return ""
    if kind == "dist-info" and _is_license_file(rest):
        # Licences are in dist-info/licenses/ since PEP 639, in dist-info/ before.
        return f"dist-info/licenses/{rest.removeprefix('licenses/')}"
    return f"{kind}/{rest}" if kind in ("dist-info", "data") and stem else name


def _is_license_file(rest: str) -> bool:
    name = rest.rpartition("/")[2].lower()
    return rest.startswith("licenses/") or name.startswith(("licen", "copying", "notice", "author"))


def _sort_sections(lines: list[bytes]) -> list[bytes]:
    """Sort the sections and lines of an ini file."""
    sections: dict[bytes, list[bytes]] = {}
    name = b""
    for line in lines:
        if line.startswith(b"["):
            name = line
        else:
            sections.setdefault(name, []).append(line)
    return [line for name in sorted(sections) for line in (name, *sorted(sections[name]))]


def normalize_value(header: str, value: str) -> str:
    """Normalise a header's value: parse requirements, sort lists, unify URLs."""
    value = " ".join(value.split())
    if header == "Requires-Dist":
        from packaging.requirements import InvalidRequirement, Requirement
        from packaging.utils import canonicalize_name

        try:
            parsed = Requirement(value)
        except InvalidRequirement:
            return value
        parsed.name = canonicalize_name(parsed.name)
        text = str(parsed).replace('"', "'")
        plain, separator, marker = text.partition(";")
        return f"{plain}{separator}{_sort_marker(marker) if separator else ''}"
    if header == "Requires-Python":
        return ",".join(sorted("".join(part.split()) for part in value.split(",")))
    if header == "Keywords":
        parts = value.split(",") if "," in value else value.split()
        return ",".join(sorted(part.strip() for part in parts))
    if header == "Project-URL":
        label, _, address = value.partition(",")
        return f"{label.strip()}, {address.strip()}"
    if header == "Description-Content-Type":
        return value.partition(";")[0]
    if header == "Provides-Extra":
        return value.lower().replace("_", "-").replace(".", "-")
    return value


def _sort_marker(marker: str) -> str:
    """Sort the parts of a marker that all must hold, the extra last."""
    if " or " not in marker:
        marker = marker.replace("(", "").replace(")", "")
    parts = [""]
    depth = 0
    for word in marker.split():
        depth += word.count("(") - word.count(")")
        if depth == 0 and word == "or":
            return marker
        if depth == 0 and word == "and":
            parts.append("")
        else:
            parts[-1] += f" {word}"
    listed = sorted((part.strip() for part in parts), key=lambda p: (p.startswith("extra"), p))
    return f" {' and '.join(listed)}"


def _shorten(text: str) -> str:
    return text if len(text) <= 150 else f"{text[:147]}..."
