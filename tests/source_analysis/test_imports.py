"""Static reading of imports and definitions, and the way from an import to its distribution."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from twofold.errors import BadFile
from twofold.source_analysis import (
    InstalledDistributions,
    defined_names,
    find_distribution,
    find_dunder_all,
    find_import_names,
    is_stdlib,
    module_imports,
    parse_module,
    public_names,
)

MODULE = '''\
"""A module."""
from __future__ import annotations
import logging, numpy as np
import os.path
from typing import TYPE_CHECKING, TypeVar
from . import sibling
from ..other import thing as renamed
try:
    import tomllib
except ImportError:
    import tomli as tomllib
if TYPE_CHECKING:
    from pandas import DataFrame
else:
    DataFrame = None
logger = logging.getLogger(__name__)
T = TypeVar("T")
PI = 3.14
first, (second, *_rest) = 1, (2, 3)
annotated: int
valued: int = 1
gone = 1
del gone
for index in range(3):
    pass
def function1():
    import requests
    from yaml import safe_load
class Class1:
    import attr
def _private(): ...
if __name__ == "__main__":
    def main(): ...
'''


@pytest.fixture
def module(tmp_path: Path) -> Path:
    path = tmp_path / "module1.py"
    path.write_text(MODULE, encoding="utf-8")
    return path


def test_every_import_is_found_with_its_place(module: Path) -> None:
    found = {(i.level, i.module, i.names): i for i in module_imports(module)}
    assert [i.top for i in found.values() if i.top] == [
        "__future__", "logging", "numpy", "os", "typing", "tomllib", "tomli", "pandas",
        "requests", "yaml", "attr",
    ]  # fmt: skip
    assert found[1, "", ("sibling",)].line == 6
    assert found[2, "other", ("thing",)].top == ""
    assert found[0, "tomli", ()].is_optional and found[0, "tomllib", ()].is_optional
    assert found[0, "pandas", ("DataFrame",)].is_typing_only
    assert found[0, "requests", ()].is_deferred and not found[0, "attr", ()].is_deferred
    assert not found[0, "numpy", ()].is_optional


def test_public_names_are_the_modules_own_definitions(module: Path) -> None:
    names = ("PI", "first", "second", "valued", "function1", "Class1")
    assert public_names(module) == names


def test_defined_names_hold_imports_and_lines(module: Path) -> None:
    names = defined_names(module)
    assert names["np"] == 3 and names["renamed"] == 7 and names["index"] == 24
    assert {"gone", "annotated", "main"}.isdisjoint(names)
    assert "DataFrame" in defined_names(module, runtime_only=False)


@pytest.mark.parametrize(
    ("text", "names", "complete"),
    [
        ("__all__ = ['b', 'a']", ("b", "a"), True),
        ("__all__ = ('a',) + ('b',)", ("a", "b"), True),
        ("__all__: list[str] = ['a']\n__all__ += ['b']", ("a", "b"), True),
        ("__all__ = ['a']\n__all__.extend(['b', 'a'])\n__all__.append('c')", ("a", "b", "c"), True),
        ("__all__ = ['a', 'b']\n__all__.remove('a')", ("b",), True),
        ("__all__ = ['a']\n__all__ += other.__all__", ("a",), False),
        ("__all__ = [name for name in dir()]", (), False),
        ("__all__ = []", (), True),
    ],
)
def test_dunder_all_is_read_as_type_checkers_read_it(
    tmp_path: Path, text: str, names: tuple[str, ...], complete: bool
) -> None:
    (tmp_path / "m.py").write_text(text, encoding="utf-8")
    found = find_dunder_all(tmp_path / "m.py")
    assert found is not None
    assert (found.names, found.is_complete, found.line) == (names, complete, 1)


def test_a_module_without_dunder_all_has_none(module: Path) -> None:
    assert find_dunder_all(module) is None


def test_a_coding_line_is_obeyed(tmp_path: Path) -> None:
    (tmp_path / "m.py").write_bytes("# coding: latin-1\ncaf\xe9 = 1\n".encode("latin-1"))
    assert public_names(tmp_path / "m.py") == ("café",)


@pytest.mark.parametrize("data", [b"def f(:\n", b"\x00", b"x = '\xff'\n", b"(" * 5000])
def test_a_file_that_is_no_python_is_reported_with_its_place(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "m.py").write_bytes(data)
    with pytest.raises(BadFile) as caught:
        parse_module(tmp_path / "m.py")
    assert "m.py" in caught.value.problems[0].where


def test_the_standard_library_is_that_of_every_python() -> None:
    assert all(
        map(is_stdlib, ["os.path", "distutils.core", "tomllib", "annotationlib", "__main__"])
    )
    assert not any(map(is_stdlib, ["numpy", "setuptools", "tomli"]))


def test_well_known_imports_lead_to_their_distributions() -> None:
    known = {
        "yaml": "PyYAML",
        "PIL.Image": "pillow",
        "sklearn.svm": "scikit-learn",
        "google.cloud.storage.blob": "google-cloud-storage",
        "numpy.linalg": "numpy",
        "my_own": "my_own",
    }
    assert {module: find_distribution(module) for module in known} == known
    assert find_import_names("PyYAML") == ("yaml",)
    assert find_import_names("My.Own") == ("my_own",)


def test_an_environments_own_metadata_is_used_first(tmp_path: Path) -> None:
    site = tmp_path / "lib" / "python3.12" / "site-packages"
    for name, listed in (
        ("space-one", "space/one/__init__.py,,\n"),
        ("space-two", "space/two.py,,\nspace_two-2.dist-info/RECORD,,\n"),
        ("my-yaml", "yaml/__init__.py,,\nyaml/fast.cpython-312-x86_64-linux-gnu.so,,\n"),
    ):
        folder = site / f"{name.replace('-', '_')}-2.dist-info"
        folder.mkdir(parents=True)
        folder.joinpath("METADATA").write_text(f"Name: {name}\nVersion: 2\n", encoding="utf-8")
        folder.joinpath("RECORD").write_text(listed, encoding="utf-8")
        # From Python 3.12 on importlib.metadata leaves out files that are not there.
        for line in listed.splitlines():
            module = site / line.split(",")[0]
            module.parent.mkdir(parents=True, exist_ok=True)
            module.touch()
    environment = InstalledDistributions.from_prefix(tmp_path)
    assert find_distribution("space.one", environment) == "space-one"
    assert find_distribution("space.two.name", environment) == "space-two"
    assert find_distribution("yaml.fast", environment) == "my-yaml"
    assert environment.version_of("Space_One") == "2"
    assert environment.import_names("My.Yaml") == ("yaml",)
    assert environment.import_names("space-one") == ("space.one",)


def test_the_running_interpreters_own_packages_are_found() -> None:
    environment = InstalledDistributions.from_interpreter()
    assert environment.provider_of("_pytest.main") == "pytest"
    assert environment.version_of("pytest") == pytest.__version__


def test_reading_runs_nothing_of_the_users(tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text("open('ran', 'w')\nimport m2\nx = 1\n", encoding="utf-8")
    code = (
        "from pathlib import Path; from twofold.source_analysis import *; "
        "print(public_names(Path('m.py')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "('x',)"
    assert not (tmp_path / "ran").exists()
