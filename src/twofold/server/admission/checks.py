"""Admission checks of a file: one function per reason for refusal. Each raises Refused.

The metadata come from the file (`formats.reader.read_artifact`, which rejects malformed archives);
the form fields are only compared with them. docs/reference lists the attacks and the rules.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path

from packaging.version import InvalidVersion, Version

from twofold.artifact import Artifact, Kind
from twofold.check import artifact_findings
from twofold.errors import BadFile, Refused
from twofold.formats import limits
from twofold.formats.portable_names import is_device_name
from twofold.names import escape_for_filename, normalize_name
from twofold.server.model import StoredFile
from twofold_build.names import canonicalize_version

#: The longest file name that all supported file systems can store (bytes).
MAX_NAME_LENGTH = 255

#: The most reasons reported for one file, and the characters of each: some quote a whole field.
MAX_REASONS, MAX_REASON = 5, 1_000
#: The rule that only PyPI enforces.
LOCAL_VERSION = "TF023"

#: Limits of requirements: characters of one, characters of all, and nesting of marker parentheses.
#: The longest seen have some 1,500 and 100,000 characters; parsers and solvers fail on many more.
#: `formats.reader` has refused what is too long to be parsed.
MAX_REQUIREMENTS = 3_000
MAX_REQUIREMENT_LENGTH, MAX_MARKER_DEPTH = 4_000, 30

#: The most comparisons in the markers of a file, each counted for every extra beside it as well: a
#: conversion makes all of them on some 300 combinations of Pythons and platforms. Parentheses count
#: as comparisons, for they take as long to parse.
MAX_COMPARISONS = 10_000

#: The most fields of METADATA, repeated ones counted each, and its most lines before the
#: description. The longest seen has some 1,200 fields; old tools fold a description into lines.
MAX_METADATA_FIELDS, MAX_METADATA_LINES = 4_000, 50_000

#: What a file may bring into the database, where no quota counts it: so many bytes, and so many
#: times its size. Texts are packed to a tenth, seldom to less.
MAX_KEPT, MAX_KEPT_RATIO = 64 << 10, 20

_JOINED, _EXTRA = re.compile(r"\b(?:and|or)\b"), re.compile(r"\bextra\b")
_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+!~-]*")

#: PyPI's names (PEP 508), or with the leading underscore of some conda names.
_PROJECT_NAME = re.compile(r"(?=.{1,128}\Z)_?[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")


@dataclass(frozen=True)
class FormClaims:
    """The form fields sent with a file; each may be missing."""

    name: str = ""
    version: str = ""
    filetype: str = ""
    subdir: str = ""
    digests: Mapping[str, str] = field(default_factory=dict)  # sha256, md5, blake2_256 -> hex


def check_file_name(filename: str) -> None:
    """Check that a file name is one path segment of safe characters. Raises Refused."""
    if not _FILE_NAME.fullmatch(filename) or ".." in filename or is_device_name(filename):
        raise Refused(
            "invalid-file-name",
            f"Invalid file name {filename[:100]!a}",
            "letters, digits and . _ - + ! only, as build tools name files",
        )
    if len(filename.encode()) > MAX_NAME_LENGTH:
        raise Refused("invalid-file-name", f"File name longer than {MAX_NAME_LENGTH} bytes")


def check_project_name(name: str) -> None:
    """Check the name of a project created before its files. Raises Refused."""
    if not _PROJECT_NAME.fullmatch(name):
        raise Refused(
            "invalid-name",
            f"{name[:80]!a} cannot be the name of a project",
            "letters, digits and . _ - between them, at most 128",
        )


def check_digests(claims: FormClaims, path: Path, artifact: Artifact | None = None) -> None:
    """Check every digest in the form against the file, or what was read of it. Raises Refused."""
    known = {"sha256": artifact.sha256, "md5": artifact.md5} if artifact is not None else {}
    for algorithm, claimed in claims.digests.items():
        actual = known.get(algorithm) or _hash_file(algorithm, path)
        if not hmac.compare_digest(claimed.lower().encode(), actual.encode()):
            raise Refused(
                "digest-mismatch",
                f"The {algorithm} digest of {path.name} is {actual}, not {claimed[:80]}",
                "the file was damaged on its way; upload it again",
            )


def _hash_file(algorithm: str, path: Path) -> str:
    """Return the sha256, md5 or blake2_256 digest of a file, as hex."""
    if algorithm == "blake2_256":
        digest: hashlib._Hash | hashlib.blake2b = hashlib.blake2b(digest_size=32)
    else:
        digest = hashlib.new(algorithm, usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def check_sdist_name(artifact: Artifact) -> None:
    """Check that an sdist is named by PEP 625, so that a release has one only."""
    if artifact.kind is not Kind.SDIST:
        return
    wanted = f"{escape_for_filename(artifact.name)}-{canonicalize_version(artifact.version)}.tar.gz"
    if artifact.filename != wanted:
        raise Refused(
            "sdist-name",
            f"The sdist must be named {wanted}, not {artifact.filename}",
            "build it with a current backend, which follows PEP 625",
        )


def check_requirement_limits(artifact: Artifact) -> None:
    """Check that requirements are short enough for parsers and resolvers. Raises Refused."""
    if sum(map(len, artifact.depends)) > limits.REQUIREMENTS:
        raise Refused(
            "too-much-required",
            f"The requirements are longer than {limits.REQUIREMENTS} characters",
        )
    if len(artifact.depends) > MAX_REQUIREMENTS:
        raise Refused(
            "too-much-required",
            f"There are {len(artifact.depends)} requirements, and {MAX_REQUIREMENTS} are allowed",
            "put them into several projects",
        )
    if (
        not artifact.kind.is_conda
        and sum(map(_count_comparisons, artifact.depends)) > MAX_COMPARISONS
    ):
        raise Refused(
            "too-much-required",
            f"The markers of the requirements compare more than {MAX_COMPARISONS} times",
            "shorten the markers, or put the requirements into several projects",
        )
    for text in artifact.depends:
        if len(text) > MAX_REQUIREMENT_LENGTH or _marker_depth(text) > MAX_MARKER_DEPTH:
            raise Refused(
                "too-much-required",
                f"The requirement {text[:60]!a}... is too long or nested too deeply",
                f"at most {MAX_REQUIREMENT_LENGTH} characters, {MAX_MARKER_DEPTH} deep",
            )


def check_metadata_limits(artifact: Artifact) -> None:
    """Check that no field of METADATA is repeated or goes on without end. Raises Refused.

    Rules, pages and databases take each of them one by one, and 40,000 compress to a kilobyte.
    """
    if artifact.kind.is_conda:
        return
    head = artifact.metadata.replace(b"\r\n", b"\n").partition(b"\n\n")[0]
    lines = head.split(b"\n")
    fields = sum(not line.startswith((b" ", b"\t")) for line in lines)
    for count, what, most in (
        (fields, "fields", MAX_METADATA_FIELDS),
        (len(lines), "lines before the description", MAX_METADATA_LINES),
    ):
        if count > most:
            raise Refused(
                "too-much-metadata",
                f"METADATA has {count} {what}, and {most} are allowed",
                "put them into several projects, and long texts into the description",
            )


def check_kept_size(artifact: Artifact, *texts: str | None) -> None:
    """Check that what is kept of a file beside its bytes is in proportion. Raises Refused.

    `texts` are kept with its metadata.
    """
    kept = len(artifact.metadata) + sum(len(text.encode()) for text in texts if text)
    most = MAX_KEPT + MAX_KEPT_RATIO * artifact.size
    if kept > most:
        raise Refused(
            "too-much-metadata",
            f"The metadata have {kept} bytes; {most} are allowed in a file of {artifact.size}",
            "shorten the description",
        )


def _count_comparisons(text: str) -> int:
    marker = text.partition(";")[2]
    if not marker:
        return 0
    joined = len(_JOINED.findall(marker)) + marker.count("(")
    return (1 + joined) * (1 + len(_EXTRA.findall(marker)))


def _marker_depth(text: str) -> int:
    steps = ((character == "(") - (character == ")") for character in text)
    return max(accumulate(steps), default=0)


def check_content(path: Path, artifact: Artifact | None = None) -> None:
    """Check a file by the structure and metadata rules of `twofold check`. Raises Refused.

    Local versions (`2.0+cpu`) are accepted: only PyPI refuses them. `artifact` is the file's, where
    it was read before.
    """
    findings = artifact_findings(path, artifact)
    errors = [found for found in findings if found.is_error and found.code != LOCAL_VERSION]
    if errors:
        reasons = "; ".join(
            f"{error.message[:MAX_REASON]} [{error.code}]" for error in errors[:MAX_REASONS]
        )
        raise Refused("invalid-file", f"Invalid file {path.name}: {reasons}", errors[0].hint)


def make_refusal(path: Path, error: BadFile) -> Refused:
    """Return the refusal of a file that cannot be read, with its reasons."""
    found = error.problems[:MAX_REASONS]
    reasons = "; ".join(problem.message[:MAX_REASON] for problem in found)
    return Refused("invalid-file", f"Invalid file {path.name}: {reasons}", error.hint)


def check_confusable_name(key: str, alike: Sequence[str]) -> None:
    """Check that a new name is not confusable with others (ultranormalized). Raises Refused."""
    others = [other for other in alike if other != key]
    if others:
        raise Refused(
            "confusable-name",
            f"The name '{key}' is confusable with '{others[0]}', which exists already",
            "choose a name that cannot be mistaken for another one",
        )


def find_prefix(key: str, prefixes: Iterable[str]) -> str | None:
    """Return the longest private prefix (PEP 752) that matches a name."""
    fitting = [prefix for prefix in prefixes if key == prefix or key.startswith(f"{prefix}-")]
    return max(fitting, key=len, default=None)


def check_project_status(name: str, status: str) -> None:
    """Check that a project's status (PEP 792) allows new files. Raises Refused."""
    if status in ("archived", "quarantined"):
        raise Refused(
            f"project-{status}",
            f"The project '{name}' is {status} and takes no new files",
            "an administrator of the channel can set its status",
            403,
        )


def check_quota(size: int, used: int, quota: int | None) -> None:
    """Check that `size` more bytes fit into the quota. Raises Refused."""
    if quota is not None and used + size > quota:
        raise Refused(
            "quota",
            f"The channel has used {used} of its {quota} bytes; {size} more do not fit",
            "delete what is not needed, or ask for a larger quota",
            413,
        )


def check_form_matches(claims: FormClaims, artifact: Artifact) -> None:
    """Check name, version, type and subdir in the form against the file. Raises Refused."""
    if claims.name and normalize_name(claims.name) != normalize_name(artifact.name):
        raise Refused(
            "name-mismatch", f"The form declares '{claims.name}', the file '{artifact.name}'"
        )
    if claims.version and not _is_same_version(claims.version, artifact.version):
        raise Refused(
            "version-mismatch",
            f"The form declares version '{claims.version}', the file '{artifact.version}'",
        )
    expected = {"bdist_wheel": Kind.WHEEL, "sdist": Kind.SDIST}
    if claims.filetype and expected.get(claims.filetype) is not artifact.kind:
        raise Refused(
            "filetype-mismatch",
            f"The form declares filetype '{claims.filetype}', the file is a {artifact.kind}",
        )
    if claims.subdir and claims.subdir != artifact.subdir:
        raise Refused(
            "subdir-mismatch",
            f"The package is for '{artifact.subdir}', not for '{claims.subdir}'",
        )


def _is_same_version(one: str, other: str) -> bool:
    try:
        return one == other or Version(one) == Version(other)
    except InvalidVersion:
        return False


def check_name_free(artifact: Artifact, taken: StoredFile | None) -> bool:
    """Return True for an unused name, False when the same file exists already.

    Raises Refused when the name was ever used for different content.
    """
    if taken is None:
        return True
    check_name_unused(taken)
    if taken.sha256 != artifact.sha256:
        raise Refused(
            "file-exists",
            f"File already exists ({taken.filename!r}, with sha256 {taken.sha256[:16]}...)",
            "release a new version, or raise the build number",
        )
    return False


def check_name_unused(taken: StoredFile) -> None:
    """Check that the existing file was not deleted: its name stays used. Raises Refused."""
    if taken.deleted_at is not None:
        raise Refused(
            "file-name-used",
            f"File already exists ({taken.filename!r} was deleted; a used name stays used)",
            "release a new version, or raise the build number",
        )
