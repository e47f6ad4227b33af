"""Build a project: with our own backend in this process, with any other through its hooks."""

from __future__ import annotations

import os
import time

from twofold.building.options import BuildRequest, BuildResult
from twofold_build.atomic import remove_leftovers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def build_project(root: str | os.PathLike[str], request: BuildRequest | None = None) -> BuildResult:
    """Build what `request` asks for and note it in dist/.twofold-build.json.

    Raises ProjectErrors for mistakes in the project, ToolFailed when another backend fails, OSError
    for a full disk and the like; then nothing stands half-written under a final name. What a
    killed build left is removed first.
    """
    started = time.perf_counter()
    request = request or BuildRequest()
    folder = os.path.abspath(root)
    out = os.path.abspath(request.out) if request.out is not None else folder
    remove_leftovers(os.path.join(out, "dist"))
    remove_leftovers(os.path.join(out, "conda-bld"), deep=True)
    try:
        result = _build(folder, out, request)
    except OSError as error:
        error.filename = error.filename or out  # a full disk is told without a place
        raise
    result.seconds = time.perf_counter() - started
    return result


def _build(folder: str, out: str, request: BuildRequest) -> BuildResult:
    if has_native_backend(folder):
        from twofold.building.native import build_native

        result = build_native(folder, out, request)
    else:
        from twofold.building.pep517 import build_with_backend

        result = build_with_backend(folder, out, request)
    from twofold.building.manifest import write_manifest

    write_manifest(out, result.artifacts)
    return result


def has_native_backend(root: str) -> bool:
    """Whether this process may build the project: its backend is this very twofold_build.

    A file that cannot be read as TOML is ours too: its mistakes are told best by `read_project`.
    """
    from twofold_build.toml import loads

    path = os.path.join(root, "pyproject.toml")
    if not os.path.exists(path):
        return not os.path.exists(os.path.join(root, "setup.py"))
    try:
        with open(path, encoding="utf-8") as file:
            document = loads(file.read())
    except (ValueError, RecursionError):  # among them TOMLDecodeError and UnicodeDecodeError
        return True
    if "build-system" not in document and "project" not in document:
        # Nothing here says what it is, unless setuptools' own files do.
        files = ("setup.py", "setup.cfg")
        return not any(os.path.exists(os.path.join(root, name)) for name in files)
    system = document.get("build-system", {})
    return not isinstance(system, dict) or is_our_backend(system, root)


def is_our_backend(system: dict[str, Any], root: str) -> bool:
    """Judge [build-system]: named, not another copy of it, and not another version."""
    if system.get("build-backend") != "twofold_build":
        return False
    paths = system.get("backend-path", [])
    if paths and isinstance(paths, list):
        import twofold_build

        here = os.path.realpath(os.path.dirname(os.path.dirname(twofold_build.__file__)))
        return any(os.path.realpath(os.path.join(root, str(path))) == here for path in paths)
    requires = system.get("requires", [])
    return not isinstance(requires, list) or all(
        _admits_our_version(str(item)) for item in requires
    )


def _admits_our_version(requirement: str) -> bool:
    from twofold_build import __version__, names

    if not names.normalize_name(requirement).startswith("twofold-build"):
        return True
    if requirement.strip() in ("twofold-build", f"twofold-build=={__version__}"):
        return True
    plain = _admits(requirement.strip().removeprefix("twofold-build"), __version__)
    if plain is not None:
        return plain
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        return Requirement(requirement).specifier.contains(__version__, prereleases=True)
    except InvalidRequirement:
        return True  # told with the project's other mistakes


def _admits(clauses: str, version: str) -> bool | None:
    """What `>=1.0` and `>=1.0,<2` say of a version; None leaves the rest to packaging.

    `packaging` costs as much as the rest of a small build, and this is what projects write.
    """
    ours = _parse_release(version)
    answers = []
    for clause in clauses.split(","):
        mark = ">=" if clause.strip().startswith(">=") else "<"
        bound = _parse_release(clause.strip().removeprefix(mark))
        if not clause.strip().startswith(mark) or ours is None or bound is None:
            return None
        answers.append(ours >= bound if mark == ">=" else ours < bound)
    return all(answers)


def _parse_release(version: str) -> tuple[int, ...] | None:
    """A version of numbers alone, without the zeros at its end."""
    parts = version.strip().split(".")
    if not all(part.isascii() and part.isdigit() for part in parts):
        return None
    while len(parts) > 1 and not int(parts[-1]):
        parts.pop()
    return tuple(map(int, parts))
