"""Judges that nobody here wrote. Each returns what it has against a file: nothing, at best."""

from __future__ import annotations

import contextlib
import io
import tomllib
from pathlib import Path

from packaging.metadata import ExceptionGroup, Metadata

#: Judge -> what it complains of; judges without complaints are left out.
CheckerFindings = dict[str, set[str]]


def run_all_checkers(wheel: Path, sdist: Path, project: Path | None = None) -> CheckerFindings:
    """Let all of them judge a wheel, its sdist and the pyproject.toml they were built from."""
    found = {
        "twine check --strict": run_twine(wheel) | run_twine(sdist),
        "check-wheel-contents": run_check_wheel_contents(wheel),
        "packaging.metadata": check_metadata(wheel),
        "installer": check_record(wheel),
        "validate-pyproject": check_pyproject(project) if project else set(),
    }
    return {name: complaints for name, complaints in found.items() if complaints}


def run_twine(file: Path) -> set[str]:
    """`twine check --strict`: will the index show the readme?"""
    from twine.commands.check import check

    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        failed = check([str(file)], strict=True)
    return {"refused"} if failed else set()


def run_check_wheel_contents(wheel: Path) -> set[str]:
    """check-wheel-contents without any configuration: the codes of the checks that fail."""
    from check_wheel_contents.checker import NO_CONFIG, WheelChecker
    from check_wheel_contents.contents import WheelContents

    checker = WheelChecker()
    checker.configure_options(configpath=NO_CONFIG)
    contents = WheelContents.from_wheel(str(wheel))
    return {failed.check.name for failed in checker.check_contents(contents)}


def check_metadata(wheel: Path) -> set[str]:
    """packaging.metadata with validation: the fields it refuses."""
    from installer.sources import WheelFile

    with WheelFile.open(wheel) as source:
        text = source.read_dist_info("METADATA")
    try:
        Metadata.from_email(text.encode(), validate=True)
    except ExceptionGroup as group:
        return {getattr(error, "field", str(error)) for error in group.exceptions}
    return set()


def check_record(wheel: Path) -> set[str]:
    """installer's check of RECORD against every file."""
    from installer.sources import WheelFile
    from installer.sources import _WheelFileValidationError as Invalid

    with WheelFile.open(wheel) as source:
        try:
            source.validate_record(validate_contents=True)
        except Invalid as error:
            return set(error.issues)
    return set()


def check_pyproject(project: Path) -> set[str]:
    """validate-pyproject with the schemas it brings: the name of the value it refuses."""
    from validate_pyproject.api import Validator
    from validate_pyproject.errors import ValidationError

    path = project / "pyproject.toml"
    if not path.exists():
        return set()
    try:
        Validator()(tomllib.loads(path.read_text("utf-8")))
    except ValidationError as error:
        return {error.name}
    return set()
