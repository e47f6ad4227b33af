"""What a package made without a recipe carries for those who look for recipe and tests."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from conda_package_streaming.package_streaming import stream_conda_info
from rattler_build import Package
from rattler_build.package import PythonTest

from tests.factories.artifacts import write_conda
from twofold.conda_metadata import CondaPackage
from twofold.formats.conda_info import find_import_names


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["a/__init__.py", "a/b/__init__.py", "a/c.py"], ("a",)),
        (["one.py", "two.py"], ("one", "two")),
        (["fast.cpython-312-x86_64-linux-gnu.so", "_slow.abi3.so"], ("fast",)),
        (["_only/__init__.py"], ("_only",)),
        (["a/__init__.py", "tests/__init__.py", "setup.py", "docs/conf.py"], ("a",)),
        (["tests/__init__.py"], ("tests",)),
        (["space/one/__init__.py", "space/two/__init__.py"], ("space.one", "space.two")),
        (["space/one/__init__.py", "space/one/deep/__init__.py"], ("space.one",)),
        (["space/mod.py"], ("space.mod",)),
        (["a/__init__.py", "data/x.py", "no-name/__init__.py"], ("a",)),
        (["a-1.0.dist-info/METADATA", "a.pth", "data.txt"], ()),
        (["__init__.py"], ()),
    ],
)
def test_import_names_are_the_tops_that_are_the_projects_own(
    paths: list[str], names: tuple[str, ...]
) -> None:
    assert find_import_names(paths) == names


def carried(path: Path) -> dict[str, bytes]:
    found = {}
    for archive, member in stream_conda_info(path):
        opened = archive.extractfile(member)
        assert opened is not None
        found[member.name] = opened.read()
    return found


@pytest.mark.parametrize("ending", [".conda", ".tar.bz2"])
def test_a_package_embeds_a_recipe_and_its_tests(tmp_path: Path, ending: str) -> None:
    package = CondaPackage(
        "my_package",
        "1.10",
        depends=["python >=3.9", "numpy >=1.26,<3dev0"],
        about={"summary": 'says: "hello" # {{ not Jinja }}', "license": "MIT"},
        entry_points=["my-tool = my_package:f"],
    )
    path = write_conda(tmp_path, package, {"site-packages/my_package/__init__.py": b""}, ending)
    files = carried(path)
    assert yaml.safe_load(files["info/recipe/meta.yaml"]) == {
        "package": {"name": "my_package", "version": "1.10"},
        "build": {
            "number": 0,
            "string": "py_0",
            "noarch": "python",
            "entry_points": ["my-tool = my_package:f"],
        },
        "requirements": {"run": ["python >=3.9", "numpy >=1.26,<3dev0"]},
        "test": {"imports": ["my_package"]},
        "about": {"summary": 'says: "hello" # {{ not Jinja }}', "license": "MIT"},
    }
    script = files["info/test/run_test.py"].decode()
    assert script.splitlines()[:2] == ["print(\"import: 'my_package'\")", "import my_package"]
    (test,) = Package.from_file(path).tests
    assert isinstance(test, PythonTest)
    assert (test.imports, test.pip_check) == (["my_package"], False)


def test_a_platform_package_is_tested_too_and_one_without_files_is_not(tmp_path: Path) -> None:
    fast = CondaPackage("fast", "1", build="py312_0", subdir="linux-64", noarch=None)
    files = {"lib/python3.12/site-packages/fast.cpython-312-x86_64-linux-gnu.so": b""}
    assert b"import fast" in carried(write_conda(tmp_path, fast, files))["info/test/run_test.py"]
    empty = CondaPackage("empty", "1", noarch="generic")
    found = carried(write_conda(tmp_path, empty, {"share/x": b""}))
    assert "info/recipe/meta.yaml" in found
    assert not [name for name in found if name.startswith("info/test")]


def test_a_package_with_a_recipe_carries_that_and_no_other_test(tmp_path: Path) -> None:
    own = CondaPackage("x", "1", info_files={"recipe/meta.yaml": b"package: {name: x}\n"})
    found = carried(write_conda(tmp_path, own, {"site-packages/x.py": b""}))
    assert found["info/recipe/meta.yaml"] == b"package: {name: x}\n"
    assert not [name for name in found if name.startswith("info/test")]
