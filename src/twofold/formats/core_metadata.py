"""Parses METADATA and PKG-INFO (core metadata 1.0 to 2.5).

Parsed by hand: importing the `email` package, whose syntax the format borrows, costs more than
the build of a small project.
"""

from __future__ import annotations

from keyword import iskeyword

from twofold.errors import BadFile
from twofold_build.names import (
    canonicalize_license,
    find_requirement_problem,
    find_specifiers_problem,
    find_version_problem,
    is_name,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from packaging.metadata import RawMetadata


_LEGACY_CLAUSE = (
    r"(?P<operator>>=|<=|=>|=<|===?|!=|~=|\^|>|<|=|)\s*['\"]?(?P<version>\d+(?:\.\d+)*)"
    r"(?P<star>\.\*)?(?P<plus>\+)?['\"]?"
)
#: Name and version are part of file names, which hold no more than this.
_MAX_LENGTH = 255


class CoreMetadata:
    """The fields of one METADATA file, in its order; keys are case-insensitive."""

    __slots__ = ("_fields", "description")

    def __init__(self, fields: Mapping[str, list[str]], description: str) -> None:
        self._fields = fields
        self.description = description

    def get(self, key: str) -> str:
        """Return the first value of a field, or ''."""
        return (self._fields.get(key.lower()) or [""])[0]

    def __iter__(self) -> Iterator[str]:
        """Yield the keys, in lower case."""
        return iter(self._fields)

    def all(self, key: str) -> tuple[str, ...]:
        """Return every value of a field, as in the file."""
        return tuple(self._fields.get(key.lower(), ()))

    @property
    def name(self) -> str:
        """Name, as written."""
        return self.get("Name")

    @property
    def version(self) -> str:
        """Version, as written."""
        return self.get("Version")

    @property
    def requires_python(self) -> str | None:
        """Requires-Python, or None; a form from before PEP 440 as what it means."""
        return read_specifiers(self.get("Requires-Python")) or None

    @property
    def requires_dist(self) -> tuple[str, ...]:
        """Every Requires-Dist, as written."""
        return self.all("Requires-Dist")


def read_specifiers(written: str) -> str:
    """Return version specifiers as PEP 440 has them.

    Hundreds of older releases have `>=3.6.*`, `3.6+`, `>=3.6 <4` or a trailing comma, and pip
    installs them. What has no clear meaning is returned as it is.
    """
    if not written or not find_specifiers_problem(written):
        return written
    import re

    clauses = []
    text = written.strip(" '\"()")
    for clause in re.split(r",|(?<=[\w*+])\s+(?=[<>=!~^])", text.rstrip(", ")):
        found = re.fullmatch(_LEGACY_CLAUSE, clause.strip())
        if not found or (found["plus"] and found["operator"] not in ("", ">=")):
            return written
        made = _read_legacy_clause(
            found["operator"], found["version"], found["star"], found["plus"]
        )
        if not made:
            return written
        clauses.append(made)
    return ",".join(clauses)


def _read_legacy_clause(operator: str, version: str, star: str | None, plus: str | None) -> str:
    """Return a clause that PEP 440 knows, '' for one without a clear meaning."""
    operator = {"=>": ">=", "=<": "<=", "=": "=="}.get(operator, operator)
    first, *rest = version.split(".")
    upper = f"{first}.{int(rest[0]) + 1}" if len(rest) == 1 else ""
    if plus or operator == "^":
        return f">={version}" + (f",<{int(first) + 1}" if operator == "^" else "")
    if not star or operator in ("==", "!="):
        return f"{operator}{version}{star or ''}" if operator else ""
    # `.*` after an order: all of 3.6 counts as 3.6.
    after = {">": f">={upper}" if upper else "", "<=": f"<{upper}" if upper else ""}
    return after.get(operator, f"{operator}{version}" if operator else "")


def parse_metadata(data: bytes, where: str = "METADATA") -> CoreMetadata:
    """Parse core metadata with a name and a version. Raises BadFile."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadFile("the metadata are not UTF-8", f"byte {error.start}", where) from error
    head, _, body = text.replace("\r\n", "\n").partition("\n\n")
    folded: dict[str, list[list[str]]] = {}
    value_lines: list[str] = []
    for line in head.split("\n"):
        if line[:1] in (" ", "\t"):
            if not value_lines:
                raise BadFile("the metadata begin with a continuation line", where=where)
            value_lines.append(_unfold(line))
        elif line:
            key, colon, value = line.partition(":")
            if not colon or not key.replace("-", "").isalnum():
                raise BadFile(f"a line of the metadata is not a field: {line[:80]!r}", "", where)
            value_lines = [value.strip()]
            folded.setdefault(key.lower(), []).append(value_lines)
    fields = {key: list(map("\n".join, values)) for key, values in folded.items()}
    for key in ("Name", "Version"):
        found = fields.get(key.lower(), [])
        if len(found) != 1 or not found[0]:
            raise BadFile(
                f"the metadata have {'no' if not found else 'more than one'} {key}", "", where
            )
        if len(found[0]) > _MAX_LENGTH:
            raise BadFile(f"the metadata's {key} has more than {_MAX_LENGTH} letters", "", where)
    description = body or "\n".join(fields.get("description", []))
    return CoreMetadata(fields, description)


def _unfold(line: str) -> str:
    """Unfold a continuation line.

    Old tools fold a whole description, each line after eight spaces or seven and a bar; further
    indentation is part of the text.
    """
    for fold in (" " * 8, " " * 7 + "|"):
        if line.startswith(fold):
            return line[8:].rstrip()
    return line.strip()


def parse_entry_points(data: bytes, group: str) -> list[str]:
    """Return the lines `name = module:function` of one group of entry_points.txt, sorted."""
    found = []
    current = ""
    for line in map(str.strip, data.decode("utf-8", "replace").splitlines()):
        if not line or line[0] in "#;":
            continue
        if line[0] == "[" and line[-1] == "]":
            current = line[1:-1].strip()
        elif current == group and "=" in line:
            name, _, target = line.partition("=")
            # Installers of scripts ignore extras after the target (`m:f [extra]`).
            found.append(f"{name.strip()} = {target.partition('[')[0].strip()}")
    return sorted(found)


def find_specification_mistakes(data: bytes) -> list[str]:
    """Return what the specification does not allow in METADATA or PKG-INFO, as twine and PyPI do.

    Above all fields that are newer than Metadata-Version, which backends of 2024 wrote.
    """
    if _is_plain(data):
        return []
    from packaging.metadata import ExceptionGroup, Metadata

    raw, unparsed = parse_raw_metadata(data)
    mistakes = [f"'{key}' is unknown or malformed" for key in unparsed]
    try:
        Metadata.from_raw(raw)
    except ExceptionGroup as group:
        mistakes += sorted(map(str, group.exceptions))
    return mistakes


#: Field -> the metadata version that has it first; packaging takes each of them as a text.
_SINGLE_FIELDS = {
    **dict.fromkeys(("metadata-version", "name", "version", "summary", "keywords"), "1.0"),
    **dict.fromkeys(("home-page", "author", "author-email", "license"), "1.0"),
    "download-url": "1.1",
    **dict.fromkeys(("maintainer", "maintainer-email", "requires-python"), "1.2"),
    "description-content-type": "2.1",
    "license-expression": "2.4",
}
#: The same of fields that may be repeated.
_FIELDS = {
    "platform": "1.0",
    **dict.fromkeys(("supported-platform", "classifier"), "1.1"),
    **dict.fromkeys(("requires-dist", "project-url"), "1.2"),
    "provides-extra": "2.1",
    "dynamic": "2.2",
    **dict.fromkeys(("import-name", "import-namespace"), "2.5"),
    "license-file": "1.0",  # `parse_raw_metadata` drops it below 2.4
    **_SINGLE_FIELDS,
}
_PLAIN_VERSIONS = ("1.0", "1.1", "1.2", "2.1", "2.2", "2.3", "2.4", "2.5")
_README_OPTIONS = ("charset=UTF-8", "charset=utf-8", "variant=GFM", "variant=CommonMark")


def _is_plain(data: bytes) -> bool:
    """Whether the specification certainly allows all of the metadata.

    What nearly every backend writes is read by hand: `packaging.metadata`, which judges the rest,
    takes longer to import than all other checks of a small file.
    """
    head = data.partition(b"\n\n")[0].removesuffix(b"\n").decode("utf-8", "replace")
    if not all(line.isprintable() and line == line.strip() != "" for line in head.split("\n")):
        return False
    metadata = parse_metadata(data)
    known = metadata.get("Metadata-Version")
    is_single = all(len(metadata.all(key)) == 1 for key in metadata if key in _SINGLE_FIELDS)
    has_known = all(_FIELDS.get(key, "9") <= known for key in metadata)
    if known not in _PLAIN_VERSIONS or not is_single or not has_known:
        return False
    labels = [value.partition(",")[0].strip() for value in metadata.all("Project-URL")]
    readme, *options = (metadata.get("Description-Content-Type") or "text/plain").split("; ")
    licence, python = metadata.get("License-Expression"), metadata.get("Requires-Python")
    return (
        len(set(labels)) == len(labels)
        and all(metadata.get(key) for key in metadata if key in _SINGLE_FIELDS)
        and readme in ("text/markdown", "text/x-rst", "text/plain")
        and len(set(options)) == len(options)
        and all(option in _README_OPTIONS for option in options)
        and not (licence and canonicalize_license(licence)[1])
        and is_name(metadata.name)
        and not find_version_problem(metadata.version)
        and not (python and find_specifiers_problem(python))
        and not any(map(find_requirement_problem, metadata.requires_dist))
        and all(map(is_name, metadata.all("Provides-Extra")))
        and all(_may_be_dynamic(field.lower()) for field in metadata.all("Dynamic"))
        and all(map(_is_plain_path, metadata.all("License-File")))
        and all(map(_is_import_name, metadata.all("Import-Name")))
        and all(map(_is_import_name, metadata.all("Import-Namespace")))
    )


def _is_import_name(value: str) -> bool:
    parts = value.removesuffix("; private").split(".")
    return all(part.isidentifier() and not iskeyword(part) for part in parts)


def _may_be_dynamic(field: str) -> bool:
    return field in _FIELDS and field not in ("metadata-version", "name", "version")


def _is_plain_path(path: str) -> bool:
    parts = path.split("/")
    return all(part not in ("", ".") and ".." not in part for part in parts) and not any(
        mark in path for mark in "*:\\"
    )


def parse_raw_metadata(data: bytes) -> tuple[RawMetadata, dict[str, list[str]]]:
    """Return the fields as `packaging` has them, and those that it cannot read.

    Without License-File below version 2.4: setuptools wrote it long before it was specified.
    """
    from packaging.metadata import parse_email
    from packaging.version import InvalidVersion, Version

    raw, unparsed = parse_email(data)
    try:
        is_old = Version(raw.get("metadata_version", "0")) < Version("2.4")
    except InvalidVersion:
        is_old = False
    if is_old:
        raw.pop("license_files", None)
        unparsed.pop("license-file", None)
    return raw, unparsed
