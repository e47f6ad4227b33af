"""Create a project that builds at once: check the request, write a folder, move it into place."""

from __future__ import annotations

import keyword
import os
import re
import shutil
import sys
import tempfile
import unicodedata
from pathlib import Path

from twofold.errors import Problem, ProjectErrors, TwofoldError
from twofold.formats.portable_names import is_device_name
from twofold.new.files import NewProject, render_files
from twofold_build import names


def start_project(project: NewProject) -> list[Path]:
    """Write the project into `project.folder` and return the files made, sorted.

    Everything is written into a folder beside and moved into place at the end: after a kill
    there is the whole project or none. Raises ProjectErrors with everything that is wrong.
    """
    problems = [*_find_name_problems(project), *_find_other_problems(project)]
    if problems:
        raise ProjectErrors(problems)
    files = render_files(project)
    _move_into_place(project.folder, files)
    return [project.folder / path for path in sorted(files)]


def _find_name_problems(project: NewProject) -> list[Problem]:
    name, module = project.name, project.module
    if not names.is_name(name):
        letters = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
        plain = re.sub(r"[^A-Za-z0-9._-]+", "-", letters).strip("-_.")
        return [
            Problem(
                f"'{name}' is not a valid project name (PEP 508)",
                (f"did you mean '{plain}'? " if names.is_name(plain) else "")
                + "letters, digits, '-', '_' and '.', beginning and ending with a letter or digit",
            )
        ]
    other = f"choose another, such as 'my_{module}' or '{module}_tools'"
    if keyword.iskeyword(module):
        return [Problem(f"'{module}' is a Python keyword and cannot be imported", other)]
    if not module.isidentifier():
        return [
            Problem(
                f"'{module}' cannot be imported: it begins with a digit",
                f"choose another, such as 'my_{module}'",
            )
        ]
    if module in {*sys.stdlib_module_names, "test"}:  # its own tests, which the list leaves out
        return [
            Problem(
                f"'{module}' is a module of Python's standard library, which it would hide", other
            )
        ]
    if is_device_name(module):
        return [Problem(f"'{module}' is the name of a device on Windows", other)]
    if module in ("tests", "src", "dist", "build", "docs"):
        return [Problem(f"'{module}' clashes with a conventional folder name", other)]
    return []


def _find_other_problems(project: NewProject) -> list[Problem]:
    problems = []
    for dependency in project.dependencies:
        reason = names.find_requirement_problem(dependency)
        if reason:
            problems.append(
                Problem(
                    f"'{dependency}' is not a requirement: {reason}",
                    'write it like numpy or "numpy>=1.24" (PEP 508)',
                    "--dep",
                )
            )
        elif names.normalize_name(re.split(r"[^A-Za-z0-9._-]", dependency.strip())[0]) == (
            names.normalize_name(project.name)
        ):
            problems.append(Problem("a project cannot depend on itself", "leave it out", "--dep"))
    _, reason = names.canonicalize_license(project.license)
    if reason:
        problems.append(
            Problem(
                f"'{project.license}' is not an SPDX licence expression",
                names.suggest_license(project.license),
                "--license",
            )
        )
    if project.folder.exists() and (not project.folder.is_dir() or any(project.folder.iterdir())):
        problems.append(
            Problem(
                f"{project.folder} exists already"
                + (" and is not empty" if project.folder.is_dir() else " and is a file"),
                "choose another folder with --path, or migrate the project with 'twofold init'",
            )
        )
    return problems


def _move_into_place(folder: Path, files: dict[str, str]) -> None:
    """Write the files under a hidden name and move them: all of them or none."""
    is_there = folder.is_dir()
    beside = folder if is_there else folder.absolute().parent
    beside.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".part", dir=beside))
    try:
        for path, text in files.items():
            target = draft / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8", newline="\n")
        if is_there:
            _move_each(draft, folder)
            return
        draft.chmod(0o777 & ~_read_umask())
        try:
            draft.replace(folder)
        except OSError as error:
            raise TwofoldError(
                f"{folder} was created in the meantime: {error.strerror}",
                "choose another with --path",
            ) from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _move_each(draft: Path, folder: Path) -> None:
    """Move files into an empty folder, which may be the current one.

    pyproject.toml comes last: with it the folder is a project.
    """
    moved = []
    try:
        for path in sorted(draft.iterdir(), key=lambda path: path.name == "pyproject.toml"):
            moved.append(path.replace(folder / path.name))  # noqa: PERF401 (for the way back)
    except BaseException:
        for path in moved:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        raise


def _read_umask() -> int:
    """Read the process's umask, which requires setting it."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
