"""The files of a release: those named on the command line, or those of the last build."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twofold.artifact import Artifact, Kind
from twofold.errors import Problem, TwofoldError
from twofold.formats.reader import read_artifact

#: File endings of attestations.
ENDINGS = (".attestation", ".attestation.json", ".sigstore", ".sigstore.json")

#: The predicate type of a conda attestation (CEP 27).
CONDA_PUBLISH = "https://schemas.conda.org/attestations-publish-1.schema.json"

#: in-toto's statement, of any minor version.
STATEMENT = "https://in-toto.io/Statement/v1"

#: The size limit (bytes): a bundle has some kilobytes.
LARGEST = 1 << 20

ATTEST_AGAIN = "attest the current file, or remove the attestation"


def is_attestation(path: Path) -> bool:
    """Whether a file is an attestation, by its name."""
    return path.name.endswith(ENDINGS)


def find_attestations(path: Path, *, is_conda: bool) -> tuple[Path, ...]:
    """Find the attestations of a built file by their names.

    Beside wheels and sdists: PEP 740's objects, `<file>.publish.attestation`. Beside conda
    packages: sigstore bundles (CEP 27), named as the tools that create them do:

        <file>.sigstore.json          conda-sigstore, sigstore, cosign as their guides name it
        <file>.sigstore               sigstore before version 3
        <stem>.attestation.json       rattler-build --generate-attestation
        <file>.*.attestation          as beside wheels

    Signatures and identities are verified by the registry and by users.
    """
    names = {f"{path.name}{ending}" for ending in ENDINGS}
    names.add(path.with_suffix(".attestation.json").name)

    def belongs(name: str) -> bool:
        as_wheels = name.startswith(f"{path.name}.") and name.endswith(".attestation")
        return as_wheels or (is_conda and name in names)

    return tuple(sorted(one for one in path.parent.iterdir() if belongs(one.name)))


def find_attestation_problem(path: Path, artifact: Artifact) -> Problem | None:
    """Why an attestation does not match this file; None if it does."""
    try:
        if path.stat().st_size > LARGEST:
            return _mismatch(path, f"it is larger than {LARGEST >> 20} MiB")
        value = json.loads(path.read_text("utf-8"))
    except ValueError:  # JSON, or UTF-8
        return _mismatch(path, "it is not valid JSON")
    try:
        statement = _read_statement(value, is_conda=artifact.kind.is_conda)
        subjects = [(one["name"], one["digest"]["sha256"]) for one in statement["subject"]]
        stated, predicate = statement["_type"], statement["predicateType"]
    except (KeyError, TypeError, ValueError, binascii.Error):
        wanted = "a sigstore bundle (CEP 27)" if artifact.kind.is_conda else "a PEP 740 object"
        return _mismatch(path, f"it is not {wanted} with a statement in it")
    if stated != STATEMENT:
        return _mismatch(path, "its statement is not an in-toto statement, version 1")
    if artifact.kind.is_conda and predicate != CONDA_PUBLISH:
        required = f"CEP 27 requires {CONDA_PUBLISH}"
        return _mismatch(path, f"its predicateType is {predicate}, but {required}")
    if len(subjects) != 1 or subjects[0][0] != artifact.filename:
        named = ", ".join(str(name) for name, _ in subjects) or "nothing"
        return _mismatch(path, f"it is about {named}, not about {artifact.filename} alone")
    if str(subjects[0][1]).lower() != artifact.sha256:
        difference = f"sha256 {subjects[0][1]}, ours is {artifact.sha256}"
        return _mismatch(path, f"it is for other contents: {difference}")
    return None


def _read_statement(value: Any, *, is_conda: bool) -> Any:
    """The in-toto statement inside a sigstore bundle or a PEP 740 object."""
    payload = value["dsseEnvelope"]["payload"] if is_conda else value["envelope"]["statement"]
    return json.loads(base64.b64decode(payload, validate=True))


def _mismatch(path: Path, why: str) -> Problem:
    return Problem(f"the attestation {path.name} does not match: {why}", ATTEST_AGAIN)


#: The manifest of the last `twofold build`: its files with their hashes.
BUILD_MANIFEST = Path("dist", ".twofold-build.json")


@dataclass(frozen=True)
class ReleaseFile:
    """A file to publish and the attestations beside it (PEP 740, CEP 27)."""

    artifact: Artifact
    attestations: tuple[Path, ...] = ()

    @property
    def name(self) -> str:
        """The file name."""
        return self.artifact.filename


def find_release_files(named: Sequence[Path], project: Path) -> list[ReleaseFile]:
    """Read the named files, or those of the project's last build; PyPI's kinds before conda's.

    Conda packages come after the wheel they were made from: a release that is visible to conda
    is then visible to pip too. Raises TwofoldError for files that are missing, changed since the
    build, or do not match their name (BadFile).
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
    """The files without duplicates; attestations among them (`dist/*`) go with their files."""
    paths = [p for p in {p.resolve(): p for p in given}.values() if not is_attestation(p)]
    folders = [path for path in paths if path.is_dir()]
    if folders:
        raise TwofoldError(f"'{folders[0]}' is a folder", f"name the files in it: {folders[0]}/*")
    missing = [p for p in paths if not p.is_file()]
    if missing:
        raise TwofoldError(
            f"no such file: {', '.join(map(str, missing))}",
            "run 'twofold build', and name the files it made (dist/*), or none for all of them",
        )
    if not paths:
        raise TwofoldError(
            "there are no files to publish", "name built files, or run 'twofold build'"
        )
    return paths


def read_last_build(project: Path) -> list[Path]:
    """Read the files of a project's last `twofold build`; all must be unchanged."""
    record = project / BUILD_MANIFEST
    if not record.is_file():
        raise TwofoldError(
            f"nothing has been built in {project} yet ({BUILD_MANIFEST.as_posix()} is missing)",
            "run 'twofold build', or name the files, such as dist/*",
        )
    entries = _read_entries(record)
    paths = []
    for entry in entries:
        path = project / entry["path"]
        if not path.is_file():
            raise TwofoldError(
                f"{entry['path']} was built and has been removed since", "run 'twofold build' again"
            )
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        if digest != entry["sha256"]:
            raise TwofoldError(
                f"{entry['path']} has changed since it was built "
                f"(sha256 {digest[:16]}…, built as {entry['sha256'][:16]}…)",
                "run 'twofold build' again, or name the file to publish it as it is",
            )
        paths.append(path)
    return paths


def find_unnamed_files(files: Sequence[ReleaseFile]) -> list[Path]:
    """Find wheels and sdists beside these that are of the same releases.

    The manifest names the last build alone: after `build --only wheel` and `build --only sdist` the
    wheel is left out of a publication.
    """
    known = {file.artifact.path.resolve() for file in files}
    found: dict[Path, None] = {}
    for artifact in (file.artifact for file in files if not file.artifact.kind.is_conda):
        stem = artifact.filename.removesuffix(".tar.gz")
        if artifact.kind is Kind.WHEEL:
            stem = "-".join(artifact.filename.split("-")[:2])
        for path in sorted(artifact.path.parent.iterdir()):
            is_same = path.name == f"{stem}.tar.gz" or (
                path.suffix == ".whl" and path.name.startswith(f"{stem}-")
            )
            if is_same and path.resolve() not in known:
                found[path] = None
    return list(found)


def _read_entries(record: Path) -> list[dict[str, Any]]:
    try:
        value = json.loads(record.read_text("utf-8"))
        entries = [dict(entry) for entry in value["artifacts"]]
        if value["version"] == 1 and entries and all({"path", "sha256"} <= set(e) for e in entries):
            return entries
    except (ValueError, KeyError, TypeError):
        pass
    raise TwofoldError(f"{record} cannot be read", "run 'twofold build' again", str(record))
