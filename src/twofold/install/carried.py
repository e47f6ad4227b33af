"""The tests a conda package carries under info/test, taken out and run in an environment.

`run_test.py` is run by the environment's Python, `run_test.sh` by bash, on Windows
`run_test.bat`; `test_time_dependencies.json` names what must be installed beside the package.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path, PurePosixPath

from twofold.errors import BadFile
from twofold.formats.conda_reader import open_part
from twofold.formats.tar_safety import find_member_problem
from twofold.install.test_runner import SmokeStep, run_in_environment

#: More than this under info/test is no test (bytes).
MAX_BYTES = 16 << 20

TESTS_PREFIX = "info/test/"


def extract_tests(package: Path, folder: Path) -> Path | None:
    """Put the files under info/test into `folder`; None when the package carries none."""
    total = 0
    with open_part(package, "info") as tar:
        for member in tar:
            if member.kind != "file" or not member.path.startswith(TESTS_PREFIX):
                continue
            problem = find_member_problem(member)
            if problem:
                raise BadFile(problem, "build the package again", package.name)
            data = tar.read(MAX_BYTES)
            total += len(data)
            if total > MAX_BYTES:
                raise BadFile("its tests are larger than 16 MiB", "", package.name)
            target = folder / PurePosixPath(member.path.removeprefix(TESTS_PREFIX))
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
    return folder if folder.is_dir() else None


def read_test_requirements(tests: Path | None) -> list[str]:
    """The MatchSpecs that the tests need beside the package."""
    file = tests / "test_time_dependencies.json" if tests else None
    if file is None or not file.is_file():
        return []
    value = json.loads(file.read_text("utf-8"))
    return [str(spec) for spec in value] if isinstance(value, list) else []


def run_package_tests(python: Path, prefix: Path, tests: Path | None) -> list[SmokeStep]:
    """Run the tests in a conda environment, in their own folder."""
    if tests is None:
        return []
    scripts = {"run_test.py": [str(python)], "run_test.sh": ["bash", "-e"]}
    if sys.platform == "win32":
        scripts = {"run_test.py": [str(python)], "run_test.bat": ["cmd.exe", "/d", "/c"]}
    steps = []
    for script, command in scripts.items():
        if (tests / script).is_file():
            done = run_in_environment([*command, str(tests / script)], python, prefix, tests)
            steps.append(SmokeStep(script, done.returncode == 0, done.stdout + done.stderr))
    return steps
