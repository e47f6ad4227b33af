"""Render recipes with conda-build: run by the Python of its environment, see real_recipes.py.

    python render_with_conda_build.py VARIANTS [--strict]

Reads a recipe's folder a line, and prints its packages, or the text of conda-build's error, as a
line of JSON. Nothing is solved, so compilers and pins are as the recipe asks for them. `--strict`
reads each recipe as a build does at its end, where nothing may be undefined.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from subprocess import CalledProcessError

from conda.exceptions import CondaError
from conda_build import api
from conda_build.config import Config

#: What conda-build raises for a recipe: errors of its own, of Python's, and exits.
PROBLEMS = (
    CondaError, ArithmeticError, AssertionError, AttributeError, LookupError, NameError, OSError,
    RuntimeError, SystemExit, TypeError, ValueError, CalledProcessError,
)  # fmt: skip


def main() -> None:
    os.environ["CPU_COUNT"] = "$CPU_COUNT"  # as a script has it
    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        noise = io.StringIO()
        with contextlib.redirect_stdout(noise):
            try:
                found = render(line.strip(), next(iter(sys.argv[1:]), ""))
            except PROBLEMS as error:
                found = f"{type(error).__name__}: {error} {noise.getvalue()[-300:]}"
        print(json.dumps(found, default=str), file=answers, flush=True)


def render(folder: str, variants: str) -> list[dict]:
    config = Config(
        exclusive_config_files=[variants] if variants else [],
        set_build_id=False,
        verbose=False,
        quiet=True,
        platform="linux",
        arch="64",
    )
    found = api.render(folder, config=config, finalize=False, bypass_env_check=True)
    if "--strict" in sys.argv:
        for metadata, _, _ in found:
            if not metadata.skip():
                metadata.final = False
                metadata.parse_until_resolved(True, bypass_env_check=True)
    made = [describe(metadata) for metadata, _, _ in found if not metadata.skip()]
    return json.loads(name_folders(json.dumps(made, default=str), folder, found))


def name_folders(text: str, folder: str, found: list) -> str:
    """Write the folders of a build by their names, as in a script."""
    for metadata, _, _ in found:
        config = metadata.config
        names = {
            f"{config.host_prefix}/bin/python": "$PYTHON",
            config.build_python: "$PYTHON",
            config.host_prefix: "$PREFIX",
            # A recipe without a host is built in one environment.
            config.build_prefix: "$BUILD_PREFIX" if metadata.is_cross else "$PREFIX",
            config.work_dir: "$SRC_DIR",
        }
        for path in sorted(names, key=len, reverse=True):
            text = text.replace(path, names[path])
    return text.replace(folder, "$RECIPE_DIR")


def describe(metadata: object) -> dict:
    meta = metadata.meta
    test = metadata.get_section("test") or {}
    return {
        "package": {"name": metadata.name(), "version": str(metadata.version())},
        "source": meta.get("source") or [],
        "build": {**(meta.get("build") or {}), "number": metadata.build_number()},
        "requirements": {
            key: metadata.get_value(f"requirements/{key}", [])
            for key in ("build", "host", "run", "run_constrained")
        },
        "test": test,
        "about": meta.get("about") or {},
    }


main()
