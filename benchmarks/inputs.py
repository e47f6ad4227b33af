"""The projects that builds are timed on, made anew from nothing but pip and a fixed seed.

(a) 10 modules, 16 kB; (b) sympy 1.13.3 whole, 1,517 modules; (c) 101 files with 105 MB of
package data: tables of numbers as text and as binary, which compress about as such files do;
(d) trio 0.35.0, 144 modules; (e) textual 8.2.8, 247 modules.
"""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import zipfile
from array import array
from pathlib import Path

BACKENDS = {
    "twofold": ("twofold-build", "twofold_build"),
    "uv": ("uv_build", "uv_build"),
    "flit": ("flit_core>=3.4", "flit_core.buildapi"),
    "hatch": ("hatchling", "hatchling.build"),
    "setuptools": ("setuptools", "setuptools.build_meta"),
}
#: What is fetched: the version of the wheel, and what it depends on (markers and extras left out).
SYMPY, TRIO, TEXTUAL = "1.13.3", "0.35.0", "8.2.8"
DEPENDENCIES = {
    "trio": "attrs sortedcontainers idna outcome sniffio cffi exceptiongroup",
    "textual": "markdown-it-py mdit-py-plugins platformdirs pygments rich tree-sitter "
    "tree-sitter-python typing-extensions",
}
#: Packages whose own code says their version.
VERSIONS = {"trio": TRIO, "textual": TEXTUAL}


def make(folder: Path) -> dict[str, Path]:
    """Input's letter -> its package folder, below `folder`; what is there already is kept."""
    made = {}
    for letter, name, write in (
        ("a", "small_input", _make_small),
        # Whole: a part of sympy lacks modules that others import (TF105).
        ("b", "sympy", lambda package, folder: _unpack(package, folder, SYMPY)),
        ("c", "data_input", _make_data),
        ("d", "trio", lambda package, folder: _unpack(package, folder, TRIO)),
        ("e", "textual", lambda package, folder: _unpack(package, folder, TEXTUAL)),
    ):
        package = folder / f"input-{letter}" / name
        if not package.exists():
            draft = package.with_name(f"{name}.draft")
            shutil.rmtree(draft, ignore_errors=True)
            draft.mkdir(parents=True)
            write(draft, folder)
            draft.rename(package)
        made[letter] = package
    return made


def project(package: Path, backend: str, target: Path) -> Path:
    """A project around a package, for one backend; the same layout and metadata for all."""
    requirement, module = BACKENDS[backend]
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(package, target / "src" / package.name)
    (target / "README.md").write_text(f"# {package.name}\n", encoding="utf-8")
    (target / "pyproject.toml").write_text(
        f"""\
[build-system]
requires = ["{requirement}"]
build-backend = "{module}"

[project]
name = "{package.name}"
version = "{VERSIONS.get(package.name, "1.0.0")}"
description = "An input of the benchmark"
readme = "README.md"
requires-python = ">=3.11"
dependencies = {DEPENDENCIES.get(package.name, "mpmath>=1.1.0").split()}
{_SETUPTOOLS if backend == "setuptools" else ""}""",
        encoding="utf-8",
    )
    return target


_SETUPTOOLS = """
[tool.setuptools]
include-package-data = true

[tool.setuptools.packages.find]
where = ["src"]

[tool.setuptools.package-data]
"*" = ["*"]
"""


def _make_small(package: Path, _: Path) -> None:
    """10 modules of about 1.6 kB."""
    for number in range(10):
        name = "__init__" if number == 0 else f"module{number}"
        lines = [f'"""Module {number}."""\n']
        lines += [
            f"def function{function}(value: int = {number}) -> int:\n"
            f'    """Add {function}."""\n    return value + {function}\n'
            for function in range(20)
        ]
        (package / f"{name}.py").write_text("\n\n".join(lines), encoding="utf-8")


def _unpack(package: Path, folder: Path, version: str) -> None:
    """The package of a project's wheel; its draft lies in a folder of the same name."""
    name = package.name.removesuffix(".draft")
    wheels = folder / "wheels"
    if not list(wheels.glob(f"{name}-{version}-*.whl")):
        wanted = f"{name}=={version}"
        subprocess.run(
            [sys.executable, "-m", "pip", "download", "--no-deps", "-d", wheels, wanted], check=True
        )
    with zipfile.ZipFile(next(wheels.glob(f"{name}-{version}-*.whl"))) as archive:
        for member in [one for one in archive.namelist() if one.startswith(f"{name}/")]:
            target = package / member.partition("/")[2]
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(archive.read(member))


def _make_data(package: Path, _: Path) -> None:
    """100 files of 1.05 MB: half of them text, half binary, from a fixed seed."""
    chance = random.Random(20261122)
    (package / "__init__.py").write_text('"""Data."""\n', encoding="utf-8")
    for number in range(50):
        (package / f"table{number:02}.csv").write_bytes(_make_text(chance))
        (package / f"array{number:02}.bin").write_bytes(_make_binary(chance))


def _make_text(chance: random.Random) -> bytes:
    rows = []
    size = 0
    value = 0.0
    while size < 1_050_000:
        value += chance.gauss(0, 1)
        row = f"{len(rows)},{value:.4f},{chance.randrange(1000)},{chance.choice('abcdef')}\n"
        rows.append(row)
        size += len(row)
    return "".join(rows).encode()


def _make_binary(chance: random.Random) -> bytes:
    value = 0
    walk = array("i")
    for _ in range(262_500):
        value += chance.randrange(-500, 500)
        walk.append(value)
    if sys.byteorder == "big":
        walk.byteswap()
    return walk.tobytes()
