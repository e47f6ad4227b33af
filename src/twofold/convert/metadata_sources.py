"""Where the metadata of a dependency come from, for what its extras add.

A `MetadataSource` is called with a project (normalized name) and a PEP 440 specifier, and returns
the METADATA of one version that fits, or None. Which version it is decides what an extra adds, so
the order is fixed: packages resolved together, the newest wheel in a folder, what is installed, the
newest on the user's index. That index is queried through pip as it is configured: without
dependencies and without installing, so that no wheel is fetched where the index has the metadata
alone (PEP 658). Its responses are cached for a day, per configuration of pip.

Nothing of this is imported for a project whose dependencies have no extras.
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

from twofold.cache_dir import get_cache_dir
from twofold.errors import BadFile, SubprocessFailed, TwofoldError
from twofold.formats.wheel import WheelFile
from twofold.names import normalize_name, parse_wheel_name
from twofold.names.platforms import Target
from twofold.pip_config import list_config_files
from twofold_build.atomic import write_atomically

#: (normalized name, PEP 440 specifier, '' for any) -> METADATA, None where the source has none.
MetadataSource = Callable[[str, str], bytes | None]
#: Seconds for which a cached response of an index is used without another query.
MAX_AGE = 24 * 3600


def from_mapping(metadata: Mapping[str, bytes]) -> MetadataSource:
    """METADATA by normalized name, of packages that were resolved together: they all fit."""
    copied = dict(metadata)
    return lambda name, _: copied.get(name)


def from_site_packages(folders: Sequence[str] | None = None) -> MetadataSource:
    """What is installed in `site-packages` folders, by default where this Python looks."""

    def find_metadata(name: str, specifier: str) -> bytes | None:
        from importlib.metadata import distributions

        for found in distributions(path=list(sys.path if folders is None else folders)):
            text = found.read_text("METADATA") or found.read_text("PKG-INFO")
            if text is None or normalize_name(found.name or "") != name:
                continue
            return text.encode() if _is_in_specifier(found.version, specifier) else None
        return None

    return find_metadata


def from_folders(folders: Iterable[Path]) -> MetadataSource:
    """The newest wheel in one of the folders that fits. Damaged ones are skipped."""

    def find_metadata(name: str, specifier: str) -> bytes | None:
        found: dict[Version, bytes] = {}
        for path in sorted(path for folder in folders for path in folder.glob("*.whl")):
            try:
                named = parse_wheel_name(path.name)
                if normalize_name(named.name) != name or not _is_in_specifier(
                    named.version, specifier
                ):
                    continue
                with WheelFile(path) as wheel:
                    found[Version(named.version)] = wheel.metadata_bytes
            except BadFile:
                continue  # converting or checking that file reports it
        return found[max(found)] if found else None

    return find_metadata


def from_first(*sources: MetadataSource) -> MetadataSource:
    """The first source that has the metadata; each is queried once for a specifier."""
    answers: dict[tuple[str, str], bytes | None] = {}

    def find_metadata(name: str, specifier: str) -> bytes | None:
        key = (name, specifier)
        if key not in answers:
            found = (source(name, specifier) for source in sources)
            answers[key] = next((data for data in found if data is not None), None)
        return answers[key]

    return find_metadata


def for_project(root: str | os.PathLike[str]) -> MetadataSource:
    """What `twofold build` uses: wheels in dist/, the active environment, the user's index.

    The environment is the active one (VIRTUAL_ENV, CONDA_PREFIX), else the project's `.venv`, else
    the one that runs twofold. Raises TwofoldError when only the index
    could have it and is unreachable.
    """
    top = Path(root)

    return from_first(from_folders([top / "dist"]), from_environment(top / ".venv"), from_index())


def from_index(target: Target = Target(), cache: Path | None = None) -> MetadataSource:  # noqa: B008
    """The newest version on the user's index that fits; wheels only. `cache` is a folder.

    A response from the cache that is older than a day is used where the index is unreachable.
    Raises TwofoldError where the cache has none.
    """
    folder = cache or Path(get_cache_dir(), "metadata")

    def find_metadata(name: str, specifier: str) -> bytes | None:
        from twofold.convert.resolution import resolve

        cached = folder / _make_cache_key(name, specifier, target)
        age = time.time() - cached.stat().st_mtime if cached.exists() else None
        if age is not None and 0 <= age < MAX_AGE:
            return cached.read_bytes()
        try:
            (found,) = resolve([f"{name}{specifier}"], target, with_deps=False, retry=False)
        except SubprocessFailed as error:
            if age is not None:
                return cached.read_bytes()
            raise TwofoldError(_find_error_line(error.output)) from error
        write_atomically(cached, found.metadata)
        return found.metadata

    return find_metadata


def from_environment(beside: Path | None = None) -> MetadataSource:
    """What is installed in the active environment, else in the one `beside`, else in our own."""
    prefix = os.environ.get("VIRTUAL_ENV") or os.environ.get("CONDA_PREFIX")
    if not prefix and beside is not None and beside.is_dir():
        prefix = str(beside)
    return from_site_packages(_find_site_packages(prefix) if prefix else None)


def _find_site_packages(prefix: str) -> list[str]:
    patterns = ("lib/python3*/site-packages", "Lib/site-packages")
    return [str(folder) for pattern in patterns for folder in sorted(Path(prefix).glob(pattern))]


def _is_in_specifier(version: str, specifier: str) -> bool:
    """Whether a version is in a specifier; what is installed may be a pre-release."""
    try:
        return SpecifierSet(specifier).contains(Version(version), prereleases=True)
    except InvalidVersion:
        return False


def _find_error_line(output: str) -> str:
    """The last error that pip printed, without its advice."""
    lines = [line for line in output.splitlines() if line.startswith("ERROR: ")]
    return lines[-1].removeprefix("ERROR: ") if lines else "pip could not query the index"


def _make_cache_key(name: str, specifier: str, target: Target) -> str:
    """A file name that shows nothing of the URLs of indexes, which may hold passwords."""
    digest = hashlib.sha256(repr((name, specifier, target)).encode())
    for variable in sorted(v for v in os.environ if v.startswith("PIP_")):
        digest.update(f"{variable}={os.environ[variable]}\n".encode())
    for file in map(Path, list_config_files()):
        if file.is_file():
            digest.update(file.read_bytes())
    return f"{name}-{digest.hexdigest()[:32]}"
