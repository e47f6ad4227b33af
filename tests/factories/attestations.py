"""Attestations as signing tools write them beside files: right in all but the signature."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from tests.factories.releases import hash_file
from tests.servers.package_servers import CONDA_PUBLISH

SLSA = "https://slsa.dev/provenance/v1"


def make_statement(file: Path, predicate: str, **changed: Any) -> dict[str, Any]:
    """An in-toto statement about a file; `changed` replaces parts of it."""
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": file.name, "digest": {"sha256": hash_file(file)}}],
        "predicateType": predicate,
        "predicate": {},
    } | changed


def make_bundle(file: Path, **changed: Any) -> str:
    """A sigstore bundle of a conda package (CEP 27)."""
    payload = json.dumps(make_statement(file, CONDA_PUBLISH, **changed)).encode()
    value = {
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {"tlogEntries": [], "certificate": {"rawBytes": "TUlJ"}},
        "dsseEnvelope": {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": "application/vnd.in-toto+json",
            "signatures": [{"sig": "c2ln"}],
        },
    }
    return json.dumps(value)


def make_pep_740_attestation(file: Path, **changed: Any) -> str:
    """An attestation object of a wheel or sdist."""
    payload = json.dumps(make_statement(file, SLSA, **changed)).encode()
    value = {
        "version": 1,
        "verification_material": {"certificate": "TUlJ", "transparency_entries": []},
        "envelope": {"statement": base64.b64encode(payload).decode(), "signature": "c2ln"},
    }
    return json.dumps(value)
