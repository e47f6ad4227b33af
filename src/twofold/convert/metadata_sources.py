"""Where the metadata of a dependency are found, for what its extras add.

`MetadataOf` is asked for a project (normalised name) and a PEP 440 specifier, and answers with the
METADATA of one version that fits, or None. Which version answers decides what an extra adds, so
every place has an order that does not change: the set at hand, the newest wheel in a folder, what
is installed, the newest on the user's index (convert/from_index.py).

Nothing of this is imported for a project whose dependencies have no extras.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.metadata import distributions
from pathlib import Path

from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

from twofold.errors import BadFile, TwofoldError
from twofold.formats.wheel import WheelFile
from twofold.names import normalize_name, parse_wheel_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from twofold.convert.resolution import Target

#: (normalised name, PEP 440 specifier, '' for any) -> METADATA, None when the place has none.
MetadataSource = Callable[[str, str], bytes | None]


def from_mapping(metadata: Mapping[str, bytes]) -> MetadataSource:
    """METADATA by normalised name, as of packages that were resolved together: they fit."""
    held = dict(metadata)
    return lambda name, _: held.get(name)


def from_site_packages(folders: Sequence[str] | None = None) -> MetadataSource:
    """What is installed in `site-packages` folders, by default where this Python looks."""

    def metadata_of(name: str, specifier: str) -> bytes | None:
        for found in distributions(path=list(sys.path if folders is None else folders)):
            text = found.read_text("METADATA") or found.read_text("PKG-INFO")
            if text is None or normalize_name(found.name or "") != name:
                continue
            return text.encode() if _is_in_specifier(found.version, specifier) else None
        return None

    return metadata_of


def from_folders(folders: Iterable[Path]) -> MetadataSource:
    """The newest wheel that lies in one of the folders and fits. Damaged ones are passed over."""

    def metadata_of(name: str, specifier: str) -> bytes | None:
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
                continue  # whoever makes something of that file tells of it
        return found[max(found)] if found else None

    return metadata_of


def from_first(*places: MetadataSource) -> MetadataSource:
    """The first place that has it; each question is asked once."""
    answers: dict[tuple[str, str], bytes | None] = {}

    def metadata_of(name: str, specifier: str) -> bytes | None:
        key = (name, specifier)
        if key not in answers:
            found = (place(name, specifier) for place in places)
            answers[key] = next((data for data in found if data is not None), None)
        return answers[key]

    return metadata_of


def for_project(root: str | os.PathLike[str]) -> MetadataSource:
    """What `twofold build` asks: wheels in dist/, the environment in use, the user's index.

    The environment is the active one (VIRTUAL_ENV, CONDA_PREFIX), else the project's `.venv`, else
    the one that runs twofold. Raises TwofoldError when the index has to be asked and cannot be.
    """
    top = Path(root)

    return from_first(from_folders([top / "dist"]), from_environment(top / ".venv"), from_index())


def from_index(target: Target | None = None) -> MetadataSource:
    """The user's index, which is imported and asked only when nothing else answers."""

    def metadata_of(name: str, specifier: str) -> bytes | None:
        from twofold.convert.from_index import query_index
        from twofold.convert.resolution import Target

        return query_index(target or Target())(name, specifier)

    return metadata_of


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


def metadata_not_found(asked: str, name: str, why: str = "") -> TwofoldError:
    """The error of an extra that cannot be expanded; `asked` is the requirement as written."""
    extras = asked.partition(";")[0].strip()
    return TwofoldError(
        f"what '{extras}' adds is told only by the metadata of {name}, which are not at hand"
        + (f": {why}" if why else ""),
        f"install {name} in your environment, or be online; or say it in pyproject.toml: "
        f'[tool.twofold.conda] leave-out = ["{name}"] and its needs in depends',
        f"Requires-Dist: {asked}",
    )
