"""What targets are known to refuse, one function a rule: told in the plan, before anything is sent.

PyPI's are those of its upload endpoint as of late 2026 (facts about a service: they can change,
and what is not told here is told by the refusal itself).
"""

from __future__ import annotations

import io
import re
from email.parser import BytesHeaderParser
from email.policy import compat32

from twofold.artifact import Kind
from twofold.publish.files import ReleaseFile

#: PyPI's limit for one file, unless the project asked for more: 100 MB.
LARGEST_ON_PYPI = 100 * 1024 * 1024

#: Platform tags that PyPI takes; a bare linux_x86_64 promises nothing about the system.
PLATFORMS = re.compile(
    r"any|win32|win_(amd64|arm64|ia64)|macosx_\d+_\d+_\w+|(manylinux|musllinux)\w*|"
    r"linux_(armv6l|armv7l)|ios_\w+|android_\w+|pyodide_\w+|pyemscripten_\w+"
)


def local_version(file: ReleaseFile) -> str | None:
    """PEP 440: local versions are for one's own index."""
    if "+" in file.artifact.version:
        return f"PyPI takes no local versions ({file.artifact.version})"
    return None


def private_classifier(file: ReleaseFile) -> str | None:
    """`Private :: ...` is the agreed way to keep a package from PyPI."""
    for value in _all(file, "Classifier"):
        if value.startswith("Private ::"):
            return f"its classifier '{value}' asks PyPI to refuse it"
    return None


def direct_reference(file: ReleaseFile) -> str | None:
    """PEP 440: public indexes refuse requirements with a URL."""
    direct = [r for r in file.artifact.depends if re.match(r"^[\w.\-\[\], ]+@", r)]
    if direct:
        return f"PyPI refuses requirements with an address: {direct[0]}"
    return None


def platform_tag(file: ReleaseFile) -> str | None:
    """Binary wheels need a tag that says on which systems they run (PEP 600, PEP 656)."""
    for tag in file.artifact.tags:
        platform = tag.split("-", 2)[2]
        if not PLATFORMS.fullmatch(platform):
            return (
                f"PyPI takes no wheels for '{platform}': repair it with auditwheel or cibuildwheel"
            )
    return None


def too_large(file: ReleaseFile) -> str | None:
    size = file.artifact.size
    if size > LARGEST_ON_PYPI:
        return (
            f"it has {size >> 20} MB, and PyPI's limit is {LARGEST_ON_PYPI >> 20} MB unless raised"
        )
    return None


def description_renders(file: ReleaseFile) -> str | None:
    """PyPI refuses a description that its renderer cannot read (reStructuredText above all)."""
    from readme_renderer import rst

    headers = BytesHeaderParser(policy=compat32).parsebytes(file.artifact.metadata)
    media = str(headers.get("Description-Content-Type") or "").partition(";")[0].strip()
    if media not in ("", "text/plain", "text/x-rst", "text/markdown"):
        return f"PyPI does not know the description's type '{media}'"
    text = _description(file).strip()
    if media in ("", "text/x-rst") and text and rst.render(text, stream=io.StringIO()) is None:
        return "PyPI cannot render its description (reStructuredText): run twofold check"
    return None


def sdist_name(file: ReleaseFile) -> str | None:
    """PEP 625: `<normalised name with _>-<version>.tar.gz`."""
    if file.artifact.kind is not Kind.SDIST:
        return None
    expected = re.sub(r"[-_.]+", "_", file.artifact.name).lower()
    stem = file.name.removesuffix(".tar.gz").rpartition("-")[0]
    if stem != expected:
        wanted = f"{expected}-{file.artifact.version}.tar.gz"
        return f"PyPI wants this sdist to be called {wanted} (PEP 625)"
    return None


def _all(file: ReleaseFile, field: str) -> list[str]:
    headers = BytesHeaderParser(policy=compat32).parsebytes(file.artifact.metadata)
    return [str(value) for value in headers.get_all(field, [])]


def _description(file: ReleaseFile) -> str:
    from packaging.metadata import parse_email

    raw, _ = parse_email(file.artifact.metadata)
    return raw.get("description", "")


#: PyPI and TestPyPI.
PYPI = (
    local_version,
    private_classifier,
    direct_reference,
    platform_tag,
    too_large,
    sdist_name,
    description_renders,
)
