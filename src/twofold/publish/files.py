"""Which files make up a release: those named on the command line, or those of the last build."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twofold.artifact import Artifact
from twofold.errors import Problem, TwofoldError
from twofold.formats.reader import read_artifact

#: How names end that are attestations, beside whichever file.
ENDINGS = (".attestation", ".attestation.json", ".sigstore", ".sigstore.json")

#: CEP 27: what a conda attestation states.
CONDA_PUBLISH = "https://schemas.conda.org/attestations-publish-1.schema.json"

#: in-toto's statement, of any minor version.
STATEMENT = "https://in-toto.io/Statement/v1"

#: A bundle has some kilobytes; what is larger is something else (bytes).
LARGEST = 1 << 20

ATTEST_AGAIN = "attest the file as it is now, or remove the attestation"


def is_attestation(path: Path) -> bool:
    return path.name.endswith(ENDINGS)


def find_attestations(path: Path, *, is_conda: bool) -> tuple[Path, ...]:
    """The attestations of a built file, by their names."""
    names = {f"{path.name}{ending}" for ending in ENDINGS}
    names.add(path.with_suffix(".attestation.json").name)

    def belongs(name: str) -> bool:
        as_wheels = name.startswith(f"{path.name}.") and name.endswith(".attestation")
        return as_wheels or (is_conda and name in names)

    return tuple(sorted(one for one in path.parent.iterdir() if belongs(one.name)))


def find_attestation_problem(path: Path, artifact: Artifact) -> Problem | None:
    """Why an attestation cannot go with this file; None where nothing speaks against it."""
    try:
        if path.stat().st_size > LARGEST:
            return _mismatch(path, f"it is larger than {LARGEST >> 20} MiB")
        value = json.loads(path.read_text("utf-8"))
    except ValueError:  # JSON, or UTF-8
        return _mismatch(path, "it is no JSON")
    try:
        statement = _read_statement(value, is_conda=artifact.kind.is_conda)
        subjects = [(one["name"], one["digest"]["sha256"]) for one in statement["subject"]]
        stated, predicate = statement["_type"], statement["predicateType"]
    except (KeyError, TypeError, ValueError, binascii.Error):
        wanted = "a sigstore bundle (CEP 27)" if artifact.kind.is_conda else "a PEP 740 object"
        return _mismatch(path, f"it is not {wanted} with a statement in it")
    if stated != STATEMENT:
        return _mismatch(path, "its statement is not in-toto's, version 1")
    if artifact.kind.is_conda and predicate != CONDA_PUBLISH:
        return _mismatch(path, f"its predicateType is {predicate}, and CEP 27's is {CONDA_PUBLISH}")
    if len(subjects) != 1 or subjects[0][0] != artifact.filename:
        named = ", ".join(str(name) for name, _ in subjects) or "nothing"
        return _mismatch(path, f"it is about {named}, not about {artifact.filename} alone")
    if str(subjects[0][1]).lower() != artifact.sha256:
        told = f"sha256 {subjects[0][1]}, ours is {artifact.sha256}"
        return _mismatch(path, f"it was made of other bytes: {told}")
    return None


def _read_statement(value: Any, *, is_conda: bool) -> Any:
    """The in-toto statement inside a sigstore bundle or a PEP 740 object."""
    payload = value["dsseEnvelope"]["payload"] if is_conda else value["envelope"]["statement"]
    return json.loads(base64.b64decode(payload, validate=True))


def _mismatch(path: Path, why: str) -> Problem:
    return Problem(f"the attestation {path.name} does not fit: {why}", ATTEST_AGAIN)


#: What `twofold build` leaves behind: which files it made last, with their hashes.
BUILD_MANIFEST = Path("dist", ".twofold-build.json")


@dataclass(frozen=True)
class ReleaseFile:
    """A file to publish and the attestations that lie beside it (PEP 740, CEP 27)."""

    artifact: Artifact
    attestations: tuple[Path, ...] = ()

    @property
    def name(self) -> str:
        return self.artifact.filename


def find_release_files(named: Sequence[Path], project: Path) -> list[ReleaseFile]:
    """The files named, or those of the project's last build; PyPI's kinds before conda's.

    Conda packages come after the wheel they were made from, so that whoever sees a release on
    the conda side can get it on the other side as well. Raises TwofoldError for files that are
    missing, changed since the build, or not what their name says (BadFile).
    """
    paths = _check_named(named) if named else read_last_build(project)
    found = [_add_attestations(read_artifact(path)) for path in paths]
    return sorted(found, key=lambda file: (_sort_rank(file.artifact), file.name))


def _add_attestations(artifact: Artifact) -> ReleaseFile:
    beside = find_attestations(artifact.path, is_conda=artifact.kind.is_conda)
    return ReleaseFile(artifact, beside)


def _sort_rank(artifact: Artifact) -> int:
    return ["wheel", "sdist", "conda", "tar.bz2"].index(artifact.kind.value)


def _check_named(given: Sequence[Path]) -> list[Path]:
    """The files, each once; attestations named among them (`dist/*`) belong to their files."""
    paths = [p for p in dict.fromkeys(given) if not is_attestation(p)]
    missing = [p for p in paths if not p.is_file()]
    if missing:
        raise TwofoldError(
            f"no such file: {', '.join(map(str, missing))}",
            "name built files (dist/*), or none to publish what the last build made",
        )
    if not paths:
        raise TwofoldError("there is nothing to publish", "name built files, or run twofold build")
    return paths


def read_last_build(project: Path) -> list[Path]:
    """What the last `twofold build` of a project made, every file still as it was built."""
    record = project / BUILD_MANIFEST
    if not record.is_file():
        raise TwofoldError(
            f"{project} has not been built ({BUILD_MANIFEST.as_posix()} is not there)",
            "run twofold build first, or name the files, as in dist/*",
        )
    entries = _read_entries(record)
    paths = []
    for entry in entries:
        path = project / entry["path"]
        if not path.is_file():
            raise TwofoldError(
                f"{entry['path']} was built and is not there any more", "run twofold build again"
            )
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        if digest != entry["sha256"]:
            raise TwofoldError(
                f"{entry['path']} has changed since it was built "
                f"(sha256 {digest[:16]}…, built as {entry['sha256'][:16]}…)",
                "run twofold build again, or name the file to publish it as it is",
            )
        paths.append(path)
    return paths


def _read_entries(record: Path) -> list[dict[str, Any]]:
    try:
        value = json.loads(record.read_text("utf-8"))
        entries = [dict(entry) for entry in value["artifacts"]]
        if value["version"] == 1 and entries and all({"path", "sha256"} <= set(e) for e in entries):
            return entries
    except (ValueError, KeyError, TypeError):
        pass
    raise TwofoldError(f"{record} cannot be read", "run twofold build again", str(record))
