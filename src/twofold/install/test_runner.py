"""Runs programs in a temporary environment: the import test, and a conda package's tests.

The tests under info/test: `run_test.py` is run by the environment's Python, `run_test.sh` by bash,
on Windows `run_test.bat`; `test_time_dependencies.json` names their requirements. A package that
has none there but info/tests/tests.yaml comes from rattler-build (see `recipe_tests`).
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any

from twofold.errors import BadFile
from twofold.formats.conda_reader import open_part
from twofold.formats.tar_safety import find_member_problem
from twofold.install.recipe_tests import ScriptTest, parse_tests
from twofold.names.platforms import find_subdir

#: The time limit of imports and of packaged tests (seconds).
TIME_LIMIT = 300.0


#: Imports each package of an installed distribution and loads each entry point. The scheme of paths
#: is named, for Debian's Python has another one by default, with `local/bin`.
IMPORT_SCRIPT = r"""
import importlib, importlib.metadata as metadata, json, os, sys, sysconfig, traceback
wanted = sys.argv[1].lower().replace("_", "-").replace(".", "-")
def same(dist):
    name = dist.metadata["Name"] or ""
    return name.lower().replace("_", "-").replace(".", "-") == wanted
found = [d for d in metadata.distributions() if same(d)]
steps = []
def attempt(what, do):
    try:
        do()
        steps.append([what, True, ""])
    except BaseException:
        steps.append([what, False, traceback.format_exc()])
files = sys.argv[2:]
for dist in found[:1]:
    files = files or [str(f).replace(os.sep, "/") for f in dist.files or []]
packages = set()
for file in files:
    parts = file.split("/")
    if parts[0] in ("..", "__pycache__") or parts[0].endswith((".dist-info", ".data")):
        continue
    stem = parts[-1].split(".")[0]
    if len(parts) == 1 and parts[0].endswith((".py", ".so", ".pyd")) and stem.isidentifier():
        packages.add((stem,))
    elif parts[-1].startswith("__init__.") and all(p.isidentifier() for p in parts[:-1]):
        packages.add(tuple(parts[:-1]))
tops = sorted(p for p in packages if not any(p[:n] in packages for n in range(1, len(p))))
for top in tops:
    name = ".".join(top)
    attempt("import " + name, lambda: importlib.import_module(name))
def use(point):
    point.load()
    if point.group in ("console_scripts", "gui_scripts"):
        folder = sysconfig.get_path("scripts", "nt" if os.name == "nt" else "posix_prefix")
        names = [point.name, point.name + ".exe", point.name + "-script.py"]
        if not any(os.path.exists(os.path.join(folder, name)) for name in names):
            raise FileNotFoundError("no program " + point.name + " in " + folder)
for dist in found[:1]:
    for point in sorted(dist.entry_points, key=lambda p: (p.group, p.name)):
        attempt("entry point " + point.name, lambda: use(point))
print("\n" + json.dumps(steps))
"""


@dataclass(frozen=True)
class SmokeStep:
    """One step of a smoke test; `detail` is why it failed."""

    what: str
    worked: bool
    detail: str = ""


def run_in_environment(
    command: list[str],
    python: Path,
    prefix: Path | None = None,
    folder: Path | None = None,
    variables: Mapping[str, str] = MappingProxyType({}),
) -> subprocess.CompletedProcess[str]:
    """Run a program with the environment first on PATH, for at most TIME_LIMIT seconds.

    `variables` are set in addition.
    """
    scripts = [str(python.parent)]
    if prefix:
        scripts += [str(prefix / "Library" / "bin"), str(prefix / "Scripts")]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    environment["PATH"] = os.pathsep.join([*scripts, environment.get("PATH", "")])
    if prefix is not None:
        environment |= {"PREFIX": str(prefix), "CONDA_PREFIX": str(prefix)}
    environment |= variables
    try:
        return subprocess.run(
            command,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            timeout=TIME_LIMIT,
            env=environment,
            cwd=folder or python.parent,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(
            command, 1, "", f"it took longer than {TIME_LIMIT:.0f} s"
        )
    except FileNotFoundError:
        return subprocess.CompletedProcess(command, 127, "", f"there is no program {command[0]}")


#: Prints the version, site-packages and standard library of the environment's Python.
_PYTHON_FACTS = """
import os, sys, sysconfig
scheme = "nt" if os.name == "nt" else "posix_prefix"
print("%d.%d" % sys.version_info[:2], sysconfig.get_path("purelib", scheme),
      sysconfig.get_path("stdlib", scheme), sep="\\n")
"""
#: The size limit of all files under info/test (bytes).
MAX_BYTES = 16 << 20

TESTS_PREFIX = "info/test/"
#: rattler-build's tests, in the package and where they are extracted.
_TESTS_YAML = ("info/tests/tests.yaml", ".info-tests.yaml")


def extract_tests(package: Path, folder: Path) -> Path | None:
    """Extract the files under info/test into `folder`, else tests.yaml; None if there are none."""
    total = 0
    described = b""
    with open_part(package, "info") as tar:
        for member in tar:
            if member.kind == "file" and member.path == _TESTS_YAML[0]:
                described = tar.read(MAX_BYTES)
            if member.kind != "file" or not member.path.startswith(TESTS_PREFIX):
                continue
            problem = find_member_problem(member)
            if problem:
                raise BadFile(problem, "build the package again", package.name)
            data = tar.read(MAX_BYTES)
            total += len(data)
            if total > MAX_BYTES:
                hint = "remove large files from the tests"
                raise BadFile("its tests are larger than 16 MiB", hint, package.name)
            target = folder / PurePosixPath(member.path.removeprefix(TESTS_PREFIX))
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
    if described and not folder.is_dir() and parse_tests(described, package.name):
        folder.mkdir(parents=True)
        (folder / _TESTS_YAML[1]).write_bytes(described)
    return folder if folder.is_dir() else None


def _read_tests_yaml(tests: Path | None) -> list[ScriptTest]:
    file = tests / _TESTS_YAML[1] if tests else None
    if file is None or not file.is_file():
        return []
    return parse_tests(file.read_bytes(), file.name)


def read_test_requirements(tests: Path | None) -> list[str]:
    """Read the MatchSpecs that the tests require."""
    described = [spec for test in _read_tests_yaml(tests) for spec in test.requires]
    if described:
        return list(dict.fromkeys(described))
    file = tests / "test_time_dependencies.json" if tests else None
    if file is None or not file.is_file():
        return []
    value = json.loads(file.read_text("utf-8"))
    return [str(spec) for spec in value] if isinstance(value, list) else []


def find_installed_record(prefix: Path, name: str) -> dict[str, Any]:
    """Read the record of an installed conda package in conda-meta; {} if there is none."""
    for path in sorted(prefix.glob(f"conda-meta/{name}-*.json")):
        record: dict[str, Any] = json.loads(path.read_text("utf-8"))
        if record.get("name") == name:
            return record
    return {}


def make_test_variables(
    record: Mapping[str, Any], python: Path, prefix: Path, tests: Path
) -> dict[str, str]:
    """Make the variables that conda-build sets for a package's tests.

    `record` is the package's in conda-meta. A recipe's `{{ PYTHON }}` has become `$PYTHON` in them.
    """
    done = run_in_environment([str(python), "-I", "-c", _PYTHON_FACTS], python)
    lines = done.stdout.splitlines() if done.returncode == 0 else []
    version, site_packages, stdlib = lines if len(lines) == 3 else ("", "", "")
    build = str(record.get("build", ""))
    subdir = str(record.get("subdir", "noarch"))
    running = find_subdir(sys.platform, platform.machine())
    target = running if subdir == "noarch" else subdir
    endings = {"win": ".dll", "osx": ".dylib"}
    values = {
        "ARCH": target.partition("-")[2],
        "CONDA_BUILD": "1",
        "CONDA_BUILD_STATE": "TEST",
        "CONDA_DEFAULT_ENV": str(prefix),
        "CONDA_PY": version.replace(".", ""),
        "CPU_COUNT": str(os.cpu_count() or 1),
        "PKG_BUILDNUM": str(record.get("build_number", 0)),
        "PKG_BUILD_STRING": build,
        "PKG_HASH": build.partition("h")[2].partition("_")[0],
        "PKG_NAME": str(record.get("name", "")),
        "PKG_VERSION": str(record.get("version", "")),
        "PY3K": "1",
        "PYTHON": str(python),
        "PYTHONNOUSERSITE": "1",
        "PY_VER": version,
        "RECIPE_DIR": str(tests),
        "SHLIB_EXT": endings.get(target.partition("-")[0], ".so"),
        "SP_DIR": site_packages,
        "SRC_DIR": str(tests),
        "STDLIB_DIR": stdlib,
        "SUBDIR": target,
        "build_platform": running,
        "target_platform": target,
    }
    if target.startswith("win-"):
        library = prefix / "Library"
        folders = {"PREFIX": library, "BIN": library / "bin", "INC": library / "include"}
        values |= {f"LIBRARY_{name}": str(folder) for name, folder in folders.items()}
        values |= {"LIBRARY_LIB": str(library / "lib"), "SCRIPTS": str(prefix / "Scripts")}
    return values


def run_package_tests(python: Path, prefix: Path, tests: Path | None, name: str) -> list[SmokeStep]:
    """Run the packaged tests of a package in a conda environment, in their own folder."""
    if tests is None:
        return []
    record = find_installed_record(prefix, name)
    variables = make_test_variables(record, python, prefix, tests)
    scripts = {"run_test.py": [str(python)], "run_test.sh": ["bash", "-e"]}
    if sys.platform == "win32":
        scripts = {"run_test.py": [str(python)], "run_test.bat": ["cmd.exe", "/d", "/c"]}
    steps = []
    for script, command in scripts.items():
        if (tests / script).is_file():
            words = [*command, str(tests / script)]
            done = run_in_environment(words, python, prefix, tests, variables)
            steps.append(SmokeStep(script, done.returncode == 0, done.stdout + done.stderr))
    for number, test in enumerate(_read_tests_yaml(tests)):
        words = test.write(tests / f"script-{number}")
        words[0] = str(python) if test.interpreter == "python" else words[0]
        place = prefix / test.cwd if test.cwd else tests / f"script-{number}"
        own = {**variables, "SRC_DIR": str(place), **test.env}
        done = run_in_environment(words, python, prefix, place, own)
        output = done.stdout + done.stderr
        if done.returncode and not output.strip():  # as of `test -f FILE`
            output = f"exit code {done.returncode}, and no output, of:\n{test.content}"
        steps.append(SmokeStep(test.name, done.returncode == 0, output))
    return steps
