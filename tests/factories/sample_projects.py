"""Builds sample projects through the hooks; reads what came out with the standard library."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

PROJECTS = Path(__file__).parents[1] / "projects"

#: The samples of this room; others' are judged by their own tests.
SAMPLES = [
    "data_files",
    "dynamic_version",
    "flat_layout",
    "full_metadata",
    "gitignored",
    "import_name",
    "long_paths",
    "namespace",
    "several_modules",
    "single_module",
    "stubs_only",
]

#: What judges and frontends see besides: a version from git, what `twofold new` starts, and this
#: repository's own two projects.
EVERY = [*SAMPLES, "git_version", "new", "twofold", "twofold_build"]


@dataclass(frozen=True)
class BuiltFiles:
    """The sdist and the wheel of a project."""

    sdist: Path
    wheel: Path

    @property
    def sdist_files(self) -> dict[str, bytes]:
        """Path below the top folder -> content."""
        with tarfile.open(self.sdist) as archive:
            found = {}
            for member in archive.getmembers():
                data = archive.extractfile(member)
                assert data is not None
                found[member.name.partition("/")[2]] = data.read()
            return found

    @property
    def wheel_files(self) -> dict[str, bytes]:
        with zipfile.ZipFile(self.wheel) as archive:
            assert archive.testzip() is None
            return {info.filename: archive.read(info) for info in archive.infolist()}

    @property
    def metadata(self) -> str:
        files = self.wheel_files
        return next(files[p] for p in files if p.endswith(".dist-info/METADATA")).decode()


def call_hook(hook: str, project: Path, out: Path, **environment: str) -> str:
    """Call one hook in a process of its own, as a frontend does."""
    out.mkdir(parents=True, exist_ok=True)
    code = f"import sys, twofold_build; print(twofold_build.{hook}(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", code, str(out)],
        cwd=project,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def git(folder: Path, *arguments: str) -> None:
    """Run git with an author of its own and no one's configuration."""
    surroundings = {
        **os.environ,
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        **{f"GIT_{who}_NAME": "A" for who in ("AUTHOR", "COMMITTER")},
        **{f"GIT_{who}_EMAIL": "a@example.org" for who in ("AUTHOR", "COMMITTER")},
    }
    subprocess.run(
        ["git", *arguments], cwd=folder, env=surroundings, check=True, capture_output=True
    )


def copy_sample(name: str, target: Path) -> Path:
    """A fresh copy of a sample, with its .gitignore files under their own name."""
    shutil.copytree(PROJECTS / name, target, symlinks=True)
    for path in target.rglob("dot-gitignore"):
        path.rename(path.with_name(".gitignore"))
    if (target / ".gitignore").exists():
        git(target, "init", "-q")
    return target
