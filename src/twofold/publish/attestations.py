"""Attestations that lie beside a built file: which they are, and whether they are about it.

Beside wheels and sdists: PEP 740's objects, `<file>.publish.attestation`. Beside conda packages: a
sigstore bundle by CEP 27, under the names that the tools that make them give it:

    <file>.sigstore.json          conda-sigstore, sigstore, cosign as their guides name it
    <file>.sigstore               sigstore before version 3
    <stem>.attestation.json       rattler-build --generate-attestation
    <file>.*.attestation          as beside wheels

Only what a mistake of the publisher's would be is looked at here (another file's attestation, one
made before the last build); signatures and identities are for the registry and for users.
"""

from __future__ import annotations

import base64
import binascii
import json
from pathlib import Path
from typing import Any

from twofold.artifact import Artifact
from twofold.errors import Problem

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
