#!/usr/bin/env python3
"""Build and adopt sdists from PyPI; print the rows of docs/explanation/drawn-projects.md.

    .venv/bin/python scripts/try-projects.py NAME==VERSION ...

Each is fetched from pip's index, built by `twofold build` and adopted by `twofold init --verify`.
"""

import json
import re
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from pathlib import Path


def main() -> int:
    for requirement in sys.argv[1:]:
        with tempfile.TemporaryDirectory() as temporary:
            print(try_project(requirement, Path(temporary)), flush=True)
    return 0


def try_project(requirement: str, folder: Path) -> str:
    """Return the row of one project."""
    name, _, version = requirement.partition("==")
    sys.path[:0] = [str(Path(__file__).parents[1])]
    from tests.clients.sdists import fetch_sdist

    sdist = fetch_sdist(requirement, folder)
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    project = folder / sdist.name.removesuffix(".tar.gz")
    lines = (
        ("build", sdist, "--out", folder / "out"),
        ("init", project, "--verify", "--json", "--dry-run"),
    )
    built, adopted = (
        subprocess.run(
            [sys.executable, "-m", "twofold", *line],
            capture_output=True, text=True, check=False,
        )
        for line in lines
    )  # fmt: skip
    found = json.loads(adopted.stdout) if adopted.returncode == 0 else None
    built_as = describe_build(built.returncode, built.stderr)
    return format_row(name, version, read_backend(project), built_as, found)


def read_backend(project: Path) -> str:
    """Return the backend that builds a project."""
    path = project / "pyproject.toml"
    document = tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    backend = str(document.get("build-system", {}).get("build-backend", "setuptools"))
    return backend.partition(".")[0].replace("mesonpy", "meson-python")


def describe_build(code: int, messages: str) -> str:
    """Return 'built', the rules that refuse it, or that its own backend fails."""
    rules = sorted(set(re.findall(r"\((TF\d+)\)$", messages, re.MULTILINE)))
    return "built" if code == 0 else ", ".join(rules) or "its backend fails"


def format_row(
    name: str, version: str, backend: str, built: str, found: dict[str, list[dict[str, str]]] | None
) -> str:
    """Return a row of the table; `found` is what `twofold init --json` printed, if it did."""
    counts = ["-", "-", "-"]
    if found is not None:
        real = [one for one in found["differences"] if not one["same"]]
        form = len(found["differences"]) - len(real)
        counts = [str(len(real)), str(form), str(len(found["lost"]))]
    return f"| {name} {version} | {backend} | {built} | {' | '.join(counts)} |"


if __name__ == "__main__":
    raise SystemExit(main())
