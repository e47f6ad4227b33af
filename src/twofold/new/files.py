"""Render the files of a new project."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from importlib.resources import files as resources
from pathlib import Path

from twofold_build import names

#: SPDX identifier -> its text in licences/, where the two differ.
_TEXTS = {
    "GPL-2.0-only": "GPL-2.0",
    "GPL-2.0-or-later": "GPL-2.0",
    "GPL-3.0-only": "GPL-3.0",
    "GPL-3.0-or-later": "GPL-3.0",
    "LGPL-3.0-only": "LGPL-3.0",
    "LGPL-3.0-or-later": "LGPL-3.0",
}


@dataclass(frozen=True)
class NewProject:
    """The project to create. `name` as the author writes it; `dependencies` are PEP 508."""

    name: str
    folder: Path
    layout: str = "src"
    dependencies: tuple[str, ...] = ()
    license: str = "MIT"
    year: int = field(default=2026)

    @property
    def module(self) -> str:
        """The name it is imported by."""
        return names.escape_for_filename(self.name)


def render_files(project: NewProject) -> dict[str, str]:
    """Return path below the project's folder -> text."""
    package = f"src/{project.module}" if project.layout == "src" else project.module
    return {
        "pyproject.toml": _render_pyproject(project),
        "README.md": _render_readme(project),
        "LICENSE": read_license_text(project),
        ".gitignore": _GITIGNORE,
        f"{package}/__init__.py": _render_init(project),
        f"{package}/module1.py": _MODULE1_NUMPY if _uses_numpy(project) else _MODULE1,
        f"{package}/module2.py": _MODULE2,
        f"{package}/py.typed": "",
        f"tests/test_{project.module}.py": _render_tests(project),
    }


def read_license_text(project: NewProject) -> str:
    """Return the licence's text, or the identifier and a remark if the text is not shipped."""
    expression, _ = names.canonicalize_license(project.license)
    file = resources("twofold.new") / "licences" / f"{_TEXTS.get(expression, expression)}.txt"
    if file.is_file():
        text = file.read_text(encoding="utf-8")
        holder = f"the {project.name} authors"
        return text.replace("{year}", str(project.year)).replace("{holder}", holder)
    return (
        f"SPDX-License-Identifier: {expression}\n\n"
        f"Copyright (c) {project.year} the {project.name} authors\n\n"
        "The text of this licence is not shipped with twofold. Put it here: the identifier is\n"
        "listed at spdx.org/licenses.\n"
    )


def _uses_numpy(project: NewProject) -> bool:
    return any(
        re.match(r"numpy(?![A-Za-z0-9._-])", dep.strip(), re.I) for dep in project.dependencies
    )


def _render_pyproject(project: NewProject) -> str:
    expression, _ = names.canonicalize_license(project.license)
    dependencies = "[]"
    if project.dependencies:
        lines = "".join(f"    {_quote(dependency)},\n" for dependency in project.dependencies)
        dependencies = f"[\n{lines}]"
    return f"""\
[build-system]
requires = ["twofold-build>=0.1"]
build-backend = "twofold_build"

[project]
name = {_quote(project.name)}
version = "1.0.0"
description = "What {project.name} is for, in one line"
readme = "README.md"
license = {_quote(expression)}
license-files = ["LICENSE"]
requires-python = ">=3.11"
dependencies = {dependencies}

[dependency-groups]
test = ["pytest"]

[tool.twofold.sdist]
include = ["tests/**"]

[tool.pytest.ini_options]
testpaths = ["tests"]
pythonpath = ["{"src" if project.layout == "src" else "."}"]
"""


def _quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _render_readme(project: NewProject) -> str:
    return f"""\
# {project.name}

What {project.name} is for, in one line.

```python
import {project.module}

{project.module}.function1([1, 2, 3])
{project.module}.Class2("you").greet()
```

## Working on it

```
python -m pytest          # run the tests
twofold build             # the sdist, the wheel and the conda package
twofold publish --to URL  # upload them
```
"""


def _render_init(project: NewProject) -> str:
    return f'''\
"""What {project.name} is for, in one line."""

from .module1 import Class1, function1
from .module2 import Class2, function2

__all__ = ["Class1", "Class2", "function1", "function2"]
'''


def _render_tests(project: NewProject) -> str:
    return f"""\
import {project.module}


def test_function1_gives_the_mean() -> None:
    assert {project.module}.function1() == 2.0
    assert {project.module}.function1([1, 2, 6]) == 3.0


def test_class1_keeps_what_it_is_given() -> None:
    first = {project.module}.Class1([1, 2, 6])
    assert first.mean() == 3.0


def test_function2_greets() -> None:
    assert {project.module}.function2("you") == "Hello, you!"


def test_class2_greets_by_name() -> None:
    assert {project.module}.Class2("you").greet() == "Hello, you!"
"""


_GITIGNORE = """\
__pycache__/
*.py[cod]
.venv/
dist/
conda-bld/
*.egg-info/
.pytest_cache/
.mypy_cache/
.ruff_cache/
"""

_MODULE1 = '''\
"""Numbers: a first module to write your own over."""

from collections.abc import Sequence


def function1(numbers: Sequence[float] = (1, 2, 3)) -> float:
    """The mean of some numbers."""
    return sum(numbers) / len(numbers)


class Class1:
    """Some numbers, kept together."""

    def __init__(self, numbers: Sequence[float]) -> None:
        self.numbers = list(numbers)

    def mean(self) -> float:
        return function1(self.numbers)
'''

_MODULE1_NUMPY = '''\
"""Numbers: a first module to write your own over."""

from collections.abc import Sequence

import numpy


def function1(numbers: Sequence[float] = (1, 2, 3)) -> float:
    """The mean of some numbers."""
    return float(numpy.mean(numbers))


class Class1:
    """Some numbers, kept together."""

    def __init__(self, numbers: Sequence[float]) -> None:
        self.numbers = numpy.asarray(numbers, dtype=float)

    def mean(self) -> float:
        return float(self.numbers.mean())
'''

_MODULE2 = '''\
"""Words: a second module to write your own over."""


def function2(name: str = "world") -> str:
    """A greeting."""
    return f"Hello, {name}!"


class Class2:
    """Somebody to greet."""

    def __init__(self, name: str) -> None:
        self.name = name

    def greet(self) -> str:
        return function2(self.name)
'''
