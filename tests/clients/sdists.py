"""Sdists of PyPI, from the index of pip's settings; no backend is run for their metadata."""

from __future__ import annotations

import hashlib
import os
import tarfile
import urllib.request
from pathlib import Path

from tests.factories.archives import extract_all
from twofold.recipe.write.from_project import find_published_sdist


def fetch_sdist(requirement: str, folder: Path) -> Path:
    """Download the sdist of `name==version` into a folder, made for it if need be."""
    name, _, version = requirement.partition("==")
    source = find_published_sdist(name, version, os.environ)
    with urllib.request.urlopen(source.url, timeout=180) as answer:
        data: bytes = answer.read()
    assert hashlib.sha256(data).hexdigest() == source.sha256
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / source.url.partition("#")[0].rpartition("/")[2]
    path.write_bytes(data)
    return path


def unpack_sdist(requirement: str, folder: Path) -> Path:
    """Fetch and unpack an sdist below a folder, and return the project's folder."""
    with tarfile.open(fetch_sdist(requirement, folder)) as archive:
        extract_all(archive, folder / "tree")
    (root,) = (folder / "tree").iterdir()
    return root
