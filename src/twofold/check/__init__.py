"""One function a rule, over projects and over built files.

    check_project(root)               everything about a project, mistakes of pyproject.toml too
    check_before_build(root, project) the rules whose errors stop a build; cached, made to be quick
    check_file(path)                  everything about a wheel, an sdist or a conda package
    check_files(paths)                the same for several, and the wheel against its sdist
    artifact_findings(path)           the part of check_file that a registry runs at each upload

The rules are listed in `rules`, with a page each in docs/reference/checks/. Nothing of the
user's is imported or run, and no archive is unpacked to disk.
"""

from __future__ import annotations

from twofold.check.finding import Edit, Finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from twofold.artifact import Artifact
    from twofold.check.other_backend import DeclaredProject
    from twofold_build.archive import Content
    from twofold_build.files import FileSelection
    from twofold_build.model import Project

#: The public names (docs/reference/library.md); the others are for twofold's own rooms.
__all__ = ["Edit", "Finding", "check_file", "check_files", "check_project"]


def check_project(
    root: Path,
    ignore: Iterable[str] = (),
    readers: Mapping[str, Callable[[dict[str, Any]], object]] | None = None,
    read_declared: Callable[[Path], DeclaredProject] | None = None,
) -> list[Finding]:
    """Every finding of a project, errors first, each in the order of files and lines.

    `ignore` are codes left out beside those of [tool.twofold.check] ignore. `readers` read the
    tables of [tool.twofold] that belong to other rooms ('conda') and raise ProjectErrors;
    `read_declared` reads what a project of another backend says of itself, and where.
    Mistakes of pyproject.toml are findings; only a folder without a project raises TwofoldError.
    """
    from twofold.check.projects import find_problems

    return find_problems(root, frozenset(ignore), readers or {}, read_declared)


def find_build_errors(
    root: Path | str,
    project: Project,
    pack: FileSelection | None = None,
    contents: Mapping[str, Content] | None = None,
) -> list[Finding]:
    """The errors that must stop a build of a project that has been read; [] lets it go on.

    `pack` is what `twofold_build.files.select_files` found, if it is known already: then nothing is
    walked twice. `contents` are files that have been read already, by their path in the
    project; the others are read here, large data excepted. What is learnt of each is kept by its
    content's hash in the user's cache (TWOFOLD_CACHE_DIR): a second build only reads and hashes.
    """
    from twofold.check.before_build import find_errors

    del root  # project.root says the same; every door of this room takes the folder first
    return find_errors(project, pack, contents or {})


def find_artifact_errors(
    root: str | os.PathLike[str], paths: Sequence[str | os.PathLike[str]]
) -> list[Finding]:
    """The errors in what another backend built of the project in `root`; [] lets them pass.

    `[tool.twofold.check]` of its pyproject.toml leaves out rules and allows files by name.
    """
    from twofold.check.before_build import find_built_errors

    return find_built_errors(root, paths)


def find_source_problems(wheel: Path, conda_requirements: Sequence[str]) -> list[Finding]:
    """The errors in a wheel built from a recipe's source, for notes: they stop nothing.

    `conda_requirements` are the match specs that the recipe lets the package depend on: an import
    that one of them provides is not missing.
    """
    from twofold.check.artifacts import find_source_errors

    return find_source_errors(wheel, conda_requirements)


def check_file(path: Path, ignore: Iterable[str] = ()) -> list[Finding]:
    """Every finding of a built file, the code inside it included.

    A file that cannot be read as what it claims to be gives one finding, never an exception.
    """
    from twofold.check.artifacts import check_artifact

    return check_artifact(path, frozenset(ignore))


def check_files(
    paths: Sequence[Path], ignore: Iterable[str] = (), allow: Sequence[str] = ()
) -> list[Finding]:
    """Every finding of several built files, and of each wheel against the sdist beside it.

    `allow` are globs of the files in them that may hold what looks like a secret. What was found
    in the same files before is read from the user's cache.
    """
    from twofold.check.checked_files import load_findings, make_key, may_keep, save_findings

    key = make_key(paths, allow)
    found = load_findings(key) if key else None
    if found is None:
        from twofold.check.artifacts import check_artifacts

        found = check_artifacts(paths, frozenset(), allow)
        if key and may_keep():
            save_findings(key, found)
    ignored = frozenset(ignore)
    return [finding for finding in found if finding.code not in ignored]


def artifact_findings(path: Path, read: Artifact | None = None) -> list[Finding]:
    """What is wrong with a built file's structure and metadata; its code is not parsed, and
    its readme not rendered.

    For a registry's gates: quick, and any error is a reason to refuse. `read` is the file's
    artifact where it was read before.
    """
    from twofold.check.artifacts import check_structure

    return check_structure(path, read)
