"""Which backend a project has: our own, in this process, or another one.

On the way of every build, and before uv is started: so each import counts here.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def has_native_backend(root: str) -> bool:
    """Whether this process may build the project: its backend is this very twofold_build.

    A file that cannot be read as TOML is ours too: `read_project` reports its mistakes best.
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
        # Only setuptools' own files can say which backend it is.
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
    plain = admits_version(requirement.strip().removeprefix("twofold-build"), __version__)
    if plain is not None:
        return plain
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        return Requirement(requirement).specifier.contains(__version__, prereleases=True)
    except InvalidRequirement:
        return True  # reported with the project's other mistakes


def admits_version(clauses: str, version: str) -> bool | None:
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
