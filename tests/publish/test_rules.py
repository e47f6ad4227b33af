"""What PyPI is known to refuse is told in the plan, file by file, with its reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.factories.releases import make_sdist, make_wheel
from twofold.formats.reader import read_artifact
from twofold.publish import rules
from twofold.publish.files import ReleaseFile


def refusals(path: Path) -> list[str]:
    file = ReleaseFile(read_artifact(path))
    problems = [problem for rule in rules.PYPI if (problem := rule(file))]
    assert all(problem.hint for problem in problems)
    return [problem.message for problem in problems]


def test_an_ordinary_wheel_and_sdist_are_taken(tmp_path: Path) -> None:
    assert refusals(make_wheel(tmp_path, "my_package", "1.0")) == []
    assert refusals(make_sdist(tmp_path, "my_package", "1.0")) == []


@pytest.mark.parametrize(
    ("version", "extra", "reported"),
    [
        ("1.0+local", "", "local versions"),
        ("1.0", "Classifier: Private :: Do Not Upload\n", "makes PyPI refuse"),
        (
            "1.0",
            "Requires-Dist: other @ https://example.org/o.whl\n",
            "requirements with a URL",
        ),
    ],
)
def test_what_pypi_refuses_in_the_metadata_is_reported(
    tmp_path: Path, version: str, extra: str, reported: str
) -> None:
    (reason,) = refusals(make_wheel(tmp_path, "my_package", version, extra=extra))
    assert reported in reason


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("Version: 2.3", "Version: 2.3\nLicense-Expression: MIT", "license-expression introduced"),
        ("Version: 2.3", "Version: 2.1\nDynamic: Summary", "dynamic introduced"),
        ("Version: 2.3", "Version: 2.4\nImport-Name: x", "import-name"),
        ("A small package", "A small\n        package", "summary"),
        ("Version: 2.3", "Version: 2.3\nSummary: twice", "'summary' is unknown or malformed"),
    ],
)
def test_metadata_that_the_specification_refuses_are_reported(
    tmp_path: Path, old: str, new: str, reason: str
) -> None:
    artifact = read_artifact(make_wheel(tmp_path, "my_package", "1.0"))
    metadata = artifact.metadata.replace(old.encode(), new.encode(), 1)
    file = ReleaseFile(artifact._replace(metadata=metadata))
    assert reason in str(rules.core_metadata(file)).lower()
    old_style = artifact.metadata.replace(b"Version: 2.3", b"Version: 2.1\nLicense-File: LICENSE")
    fine = ReleaseFile(artifact._replace(metadata=old_style))
    assert rules.core_metadata(fine) is None  # as setuptools wrote it for years


def test_a_bare_linux_tag_is_reported(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "my_package", "1.0")
    bytes_ = wheel.read_bytes()
    named = tmp_path / "my_package-1.0-py3-none-linux_x86_64.whl"
    named.write_bytes(bytes_)
    artifact = read_artifact(wheel)._replace(path=named, tags=("py3-none-linux_x86_64",))
    assert "linux_x86_64" in str(rules.platform_tag(ReleaseFile(artifact)))
    fine = artifact._replace(tags=("cp311-cp311-manylinux_2_17_x86_64",))
    assert rules.platform_tag(ReleaseFile(fine)) is None


def test_a_description_that_does_not_render_is_reported(tmp_path: Path) -> None:
    artifact = read_artifact(make_wheel(tmp_path, "my_package", "1.0"))
    broken = b"Metadata-Version: 2.1\nName: x\nVersion: 1\nDescription-Content-Type: text/x-rst\n\n"
    broken += b"Title\n=\n\n.. nothing-of-that-name::\n\n`open\n"
    file = ReleaseFile(artifact._replace(metadata=broken))
    assert "cannot render" in str(rules.description_renders(file))
    odd = broken.replace(b"text/x-rst", b"text/asciidoc")
    file = ReleaseFile(artifact._replace(metadata=odd))
    assert "asciidoc" in str(rules.description_renders(file))


def test_an_sdist_with_an_old_style_name_is_reported(tmp_path: Path) -> None:
    artifact = read_artifact(make_sdist(tmp_path, "my_package", "1.0"))
    old = artifact._replace(path=tmp_path / "my-package-1.0.tar.gz")
    assert "PEP 625" in str(rules.sdist_name(ReleaseFile(old)))


def test_a_file_over_the_limit_is_reported(tmp_path: Path) -> None:
    artifact = read_artifact(make_wheel(tmp_path, "my_package", "1.0"))
    large = artifact._replace(size=rules.LARGEST_ON_PYPI + 1)
    assert "100 MB" in str(rules.too_large(ReleaseFile(large)))
