"""The PEP 517 and PEP 660 hooks of twofold's build backend."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from twofold_build.errors import TwofoldError
    from twofold_build.plan import BuildPlan

__version__ = "0.1.0"


def get_requires_for_build_sdist(config_settings: dict[str, Any] | None = None) -> list[str]:
    """Return what an isolated build needs besides this backend: dunamai for git versions."""
    del config_settings
    from twofold_build.errors import TwofoldError
    from twofold_build.pyproject import read_project

    try:
        settings = read_project(os.getcwd(), resolve=False).settings
    except TwofoldError as error:
        raise _to_exit(error) from None
    if settings.version_from != "git" or os.path.exists("PKG-INFO"):
        return []
    from twofold_build.git_version import REQUIREMENT

    return [REQUIREMENT]


def get_requires_for_build_wheel(config_settings: dict[str, Any] | None = None) -> list[str]:
    """Return the same as for an sdist (PEP 517)."""
    return get_requires_for_build_sdist(config_settings)


def get_requires_for_build_editable(config_settings: dict[str, Any] | None = None) -> list[str]:
    """Return the same as for an sdist (PEP 660)."""
    return get_requires_for_build_sdist(config_settings)


def build_sdist(sdist_directory: str, config_settings: dict[str, Any] | None = None) -> str:
    """Build the sdist and return its file's name."""
    del config_settings
    from twofold_build.atomic import remove_leftovers
    from twofold_build.build import write_artifacts
    from twofold_build.sdist import format_sdist_filename, make_sdist_writer

    planned = _make_plan()
    remove_leftovers(sdist_directory)
    write_artifacts(planned, [make_sdist_writer(sdist_directory, planned)], [])
    return format_sdist_filename(planned.project.file_stem)


def build_wheel(
    wheel_directory: str,
    config_settings: dict[str, Any] | None = None,
    metadata_directory: str | None = None,
) -> str:
    """Build the wheel and return its file's name."""
    del config_settings, metadata_directory
    return _write_wheel(_make_plan(), wheel_directory)


def build_editable(
    wheel_directory: str,
    config_settings: dict[str, Any] | None = None,
    metadata_directory: str | None = None,
) -> str:
    """Build a wheel that only points at the source (PEP 660) and return its file's name."""
    del config_settings, metadata_directory
    from twofold_build.editable import make_editable

    planned = _make_plan()
    make_editable(planned)
    return _write_wheel(planned, wheel_directory)


def prepare_metadata_for_build_wheel(
    metadata_directory: str, config_settings: dict[str, Any] | None = None
) -> str:
    """Write the .dist-info folder, without RECORD, and return its name."""
    del config_settings
    planned = _make_plan()
    name = f"{planned.project.file_stem}.dist-info"
    made = {f"{name}/{file}": data for file, data in planned.dist_info_files.items()}
    for file in planned.selection.files:
        for path in file.wheel:
            if path.startswith(f"{name}/"):
                with open(file.source, "rb") as source:
                    made[path] = source.read()
    for path, data in made.items():
        target = os.path.join(metadata_directory, *path.split("/"))
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "wb") as out:
            out.write(data)
    return name


def prepare_metadata_for_build_editable(
    metadata_directory: str, config_settings: dict[str, Any] | None = None
) -> str:
    """Write the .dist-info folder as for a wheel (PEP 660)."""
    return prepare_metadata_for_build_wheel(metadata_directory, config_settings)


def _make_plan() -> BuildPlan:
    from twofold_build.errors import TwofoldError
    from twofold_build.plan import make_plan

    try:
        return make_plan(os.getcwd())
    except TwofoldError as error:
        raise _to_exit(error) from None


def _to_exit(error: TwofoldError) -> SystemExit:
    """Return the exit of a hook with the messages only: no traceback hides the mistakes."""
    return SystemExit("\n".join(f"error: {problem}" for problem in error.problems))


def _write_wheel(planned: BuildPlan, folder: str) -> str:
    from twofold_build.atomic import remove_leftovers
    from twofold_build.build import write_artifacts
    from twofold_build.wheel import format_wheel_filename, make_wheel_writer

    remove_leftovers(folder)
    write_artifacts(planned, [], [make_wheel_writer(folder, planned)])
    return format_wheel_filename(planned.project.file_stem)
