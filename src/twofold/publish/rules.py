"""Rules of targets, one function each; the plan applies them before anything is sent.

PyPI's are those of its upload endpoint as of late 2026; they can change, and other refusals are
reported when the upload fails. A rule's name, with dashes, is its code in the plan.
"""

from __future__ import annotations

import re

from twofold.artifact import Kind
from twofold.check.restructured_text import find_mistake
from twofold.errors import Problem
from twofold.formats.core_metadata import find_specification_mistakes, parse_metadata
from twofold.publish.files import ReleaseFile, find_attestation_problem

#: PyPI's limit for one file, unless it granted the project more: 100 MB.
LARGEST_ON_PYPI = 100 * 1024 * 1024

#: Platform tags that PyPI accepts; a bare linux_x86_64 does not name the required system.
PLATFORMS = re.compile(
    r"any|win32|win_(amd64|arm64|ia64)|macosx_\d+_\d+_\w+|(manylinux|musllinux)\w*|"
    r"linux_(armv6l|armv7l)|ios_\w+|android_\w+|pyodide_\w+|pyemscripten_\w+"
)


#: The hint for a file that is not for PyPI.
OWN_REGISTRY_HINT = "publish it to a registry of your own"


def attestation(file: ReleaseFile) -> Problem | None:
    """Check that each attestation is about its file (PEP 740, CEP 27)."""
    found = (find_attestation_problem(path, file.artifact) for path in file.attestations)
    return next(filter(None, found), None)


def one_attestation(file: ReleaseFile) -> Problem | None:
    """Allow one attestation: prefix.dev's form has one field for it."""
    if len(file.attestations) < 2:
        return None
    names = ", ".join(path.name for path in file.attestations)
    return Problem(
        f"a package can have one attestation, but there are {names}", "remove all but one"
    )


def local_version(file: ReleaseFile) -> Problem | None:
    """Refuse local versions, which are for private indexes (PEP 440)."""
    if "+" in file.artifact.version:
        plain = file.artifact.version.partition("+")[0]
        return Problem(
            f"PyPI does not accept local versions ({file.artifact.version})",
            f"release it as {plain}, or {OWN_REGISTRY_HINT}",
        )
    return None


def private_classifier(file: ReleaseFile) -> Problem | None:
    """Refuse a `Private :: ...` classifier, the convention to keep a package off PyPI."""
    for value in parse_metadata(file.artifact.metadata).all("Classifier"):
        if value.startswith("Private ::"):
            message = f"its classifier '{value}' makes PyPI refuse it"
            return Problem(message, f"{OWN_REGISTRY_HINT}, or remove the classifier")
    return None


def direct_reference(file: ReleaseFile) -> Problem | None:
    """Refuse requirements with a URL, as public indexes do (PEP 440)."""
    direct = [r for r in file.artifact.depends if re.match(r"^[\w.\-\[\], ]+@", r)]
    if direct:
        return Problem(
            f"PyPI refuses requirements with a URL: {direct[0]}",
            f"depend on a released version, or {OWN_REGISTRY_HINT}",
        )
    return None


def platform_tag(file: ReleaseFile) -> Problem | None:
    """Require a platform tag that names the systems a wheel runs on (PEP 600, PEP 656)."""
    for tag in file.artifact.tags:
        platform = tag.split("-", 2)[2]
        if not PLATFORMS.fullmatch(platform):
            hint = (
                f"repair it with auditwheel or build it with cibuildwheel, or {OWN_REGISTRY_HINT}"
            )
            return Problem(f"PyPI does not accept wheels for '{platform}'", hint)
    return None


def too_large(file: ReleaseFile) -> Problem | None:
    """Refuse files over PyPI's limit."""
    size = file.artifact.size
    if size > LARGEST_ON_PYPI:
        return Problem(
            f"it has {size >> 20} MB; PyPI's limit is {LARGEST_ON_PYPI >> 20} MB unless raised",
            "exclude files that users do not need ('twofold build --list' shows them)",
        )
    return None


def description_renders(file: ReleaseFile) -> Problem | None:
    """Refuse a description that PyPI cannot render (reStructuredText above all)."""
    metadata = parse_metadata(file.artifact.metadata)
    media = metadata.get("Description-Content-Type").partition(";")[0].strip()
    if media not in ("", "text/plain", "text/x-rst", "text/markdown"):
        return Problem(
            f"PyPI does not support the description's content type '{media}'",
            "use text/markdown, text/x-rst or text/plain",
        )
    text = _read_description(file).strip()
    if media in ("", "text/x-rst") and text and find_mistake(text) is not None:
        return Problem(
            "PyPI cannot render its description (reStructuredText)",
            "run 'twofold check FILES' to find the line",
        )
    return None


def core_metadata(file: ReleaseFile) -> Problem | None:
    """Refuse metadata that the specification does not allow, as twine and PyPI do."""
    mistakes = find_specification_mistakes(file.artifact.metadata)
    if not mistakes:
        return None
    hint = f"build it with a newer version of its backend, or {OWN_REGISTRY_HINT}"
    return Problem(f"its metadata are not valid: {'; '.join(mistakes)}", hint)


def sdist_name(file: ReleaseFile) -> Problem | None:
    """Require the file name of PEP 625: `<normalized name with _>-<version>.tar.gz`."""
    if file.artifact.kind is not Kind.SDIST:
        return None
    expected = re.sub(r"[-_.]+", "_", file.artifact.name).lower()
    stem = file.name.removesuffix(".tar.gz").rpartition("-")[0]
    if stem != expected:
        wanted = f"{expected}-{file.artifact.version}.tar.gz"
        return Problem(
            f"PyPI requires the file name {wanted} for this sdist (PEP 625)",
            "build it with a newer version of its backend",
        )
    return None


def _read_description(file: ReleaseFile) -> str:
    from packaging.metadata import parse_email

    raw, _ = parse_email(file.artifact.metadata)
    return raw.get("description", "")


#: The rules of PyPI and TestPyPI.
PYPI = (
    core_metadata,
    local_version,
    private_classifier,
    direct_reference,
    platform_tag,
    too_large,
    sdist_name,
    description_renders,
)
