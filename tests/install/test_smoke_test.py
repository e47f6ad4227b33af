"""`twofold try`: both worlds, imports, entry points and the tests a conda package carries."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.factories.versioned_wheels import make_wheel
from twofold.conda_metadata import CondaPackage
from twofold.errors import BadFile
from twofold.formats.conda_writer import CondaWriter
from twofold.install.recipe_tests import parse_tests
from twofold.install.test_runner import extract_tests
from twofold_build.archive import Content, Entry

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="repacking is for Linux")


def make_conda(folder: Path, code: bytes, tests: dict[str, bytes], *depends: str) -> Path:
    path = folder / "my_package-1.0-py_0.conda"
    package = CondaPackage(
        "my_package", "1.0", depends=["python", *depends], info_files=tests, timestamp=1
    )
    writer = CondaWriter(path, package)
    entry = Entry("site-packages/my_package/__init__.py", data=code)
    writer.add(entry, Content(code, hashlib.sha256(code).digest()))
    writer.close()
    return path


@pytest.fixture
def built(twofold: Callable[..., Any], tmp_path: Path) -> Path:
    """A project with an entry point, built."""
    assert twofold("new", "my_package").code == 0
    project = tmp_path / "my_package"
    text = (project / "pyproject.toml").read_text()
    script = '\n[project.scripts]\nmy-script = "my_package.module1:function1"\n'
    (project / "pyproject.toml").write_text(text + script)
    ran = twofold("build", cwd=project)
    assert ran.code == 0, ran.err
    return project


@linux_only
def test_what_was_built_works_in_both_worlds(twofold: Callable[..., Any], built: Path) -> None:
    ran = twofold("try", "--json", cwd=built)
    assert ran.code == 0, ran.out + ran.err
    pip, conda = ran.json
    tried = ["install", "import my_package", "entry point my-script"]
    assert [step["what"] for step in pip["steps"]] == tried, pip
    assert [step["what"] for step in conda["steps"]] == [*tried, "run_test.py"], conda


def test_an_import_that_fails_is_reported_with_pythons_reason(
    twofold: Callable[..., Any], tmp_path: Path
) -> None:
    wheel = make_wheel(tmp_path, "my_package", "1.0", code="import nothing_of_that_name\n")
    ran = twofold("try", wheel)
    assert ran.code == 1
    assert "pip: FAILS" in ran.out
    assert "No module named 'nothing_of_that_name'" in ran.out


@linux_only
def test_a_dependency_that_conda_has_not_is_reported_with_the_solvers_reason(
    twofold: Callable[..., Any], tmp_path: Path
) -> None:
    package = make_conda(tmp_path, b"x = 1\n", {}, "nothing-of-that-name >=3")
    ran = twofold("try", package)
    assert ran.code == 1
    assert "conda: FAILS" in ran.out
    assert "nothing-of-that-name" in ran.out


@linux_only
@pytest.mark.parametrize("passes", [True, False])
def test_the_tests_a_conda_package_carries_are_run(
    twofold: Callable[..., Any], tmp_path: Path, passes: bool
) -> None:
    test = f"import my_package, helper_file\nassert my_package.x == {1 if passes else 2}\n"
    files = {"test/run_test.py": test.encode(), "test/helper_file.py": b""}
    files["test/run_test.sh"] = b"""\
python -c 'import my_package'
"$PYTHON" -c 'import my_package'
test "$PKG_NAME $PKG_VERSION $PKG_BUILDNUM $PKG_BUILD_STRING" = "my_package 1.0 0 py_0"
test -d "$SP_DIR/my_package" -a -d "$STDLIB_DIR" -a -d "$PREFIX" -a -f "$SRC_DIR/helper_file.py"
test "$SHLIB_EXT" = .so -a "$target_platform" = "$build_platform" -a "$CPU_COUNT" -gt 0
test "$PY_VER" = "$($PYTHON -c 'import sys; print("%d.%d" % sys.version_info[:2])')"
"""
    package = make_conda(tmp_path, b"x = 1\n", files)
    ran = twofold("try", package, "--json")
    steps = {step["what"]: step for step in ran.json[0]["steps"]}
    assert steps["run_test.py"]["worked"] is passes, ran.out
    assert ran.code == (0 if passes else 1)
    if not passes:
        assert "AssertionError" in steps["run_test.py"]["detail"]
    else:
        assert steps["run_test.sh"]["worked"], steps["run_test.sh"]["detail"]


@linux_only
def test_the_tests_of_a_package_by_rattler_build_are_run(
    twofold: Callable[..., Any], tmp_path: Path
) -> None:
    tests = b"""\
- script:
    content:
    - test "$PKG_NAME $PKG_VERSION $MORE" = "my_package 1.0 set"
    - test "$SRC_DIR" = "$PWD" -a "$PWD" = "$PREFIX/lib"
    cwd: lib
    env: {MORE: set}
- python: {imports: [my_package], pip_check: false}
- script: {interpreter: python, content: "import my_package; assert my_package.x == 2"}
- script: {interpreter: ruby-of-nobody, content: "1"}
- script: ["test -f not-there"]
- package_contents: {files: [nothing]}
"""
    files = {"recipe/recipe.yaml": b"of rattler-build", "tests/tests.yaml": tests}
    ran = twofold("try", make_conda(tmp_path, b"x = 1\n", files), "--json")
    steps = {step["what"]: step for step in ran.json[0]["steps"]}
    assert steps["tests.yaml, test 1"]["worked"], steps["tests.yaml, test 1"]["detail"]
    assert steps["tests.yaml, test 2"]["worked"], steps["tests.yaml, test 2"]["detail"]
    assert "AssertionError" in steps["tests.yaml, test 3"]["detail"]
    assert "there is no program ruby-of-nobody" in steps["tests.yaml, test 4"]["detail"]
    silent = steps["tests.yaml, test 5"]["detail"]
    assert "exit code 1" in silent and "test -f not-there" in silent
    assert ran.code == 1 and "tests.yaml, test 6" not in steps


def test_tests_of_rattler_build_are_read_in_each_form() -> None:
    tests = """\
- script: [a, b]
  requirements: {run: [pytest >=8], build: [make]}
- python: {imports: [x.y, z]}
- r: {libraries: [ggplot2]}
- perl: {uses: ["A::B"]}
- script: {content: "x\\ny", interpreter: cmd, cwd: etc/x}
"""
    found = parse_tests(tests.encode(), "x.conda")
    assert [(one.interpreter, one.content, one.requires) for one in found] == [
        ("cmd" if sys.platform == "win32" else "bash", "a\nb\n", ("pytest >=8", "make")),
        ("python", "import x.y\nimport z", ()),
        ("python", found[2].content, ("pip",)),
        ("rscript", "library('ggplot2')", ()),
        ("perl", "use A::B;", ()),
        ("cmd", "x\ny\nIF %ERRORLEVEL% NEQ 0 exit /B 1\n", ()),
    ]
    assert found[-1].cwd == "etc/x"
    with pytest.raises(BadFile, match="is not YAML"):
        parse_tests(b"- [", "x.conda")


def test_a_package_without_tests_has_none(tmp_path: Path) -> None:
    package = make_conda(tmp_path, b"", {"recipe/meta.yaml": b"a recipe that says no tests"})
    assert extract_tests(package, tmp_path / "tests") is None


@pytest.mark.slow
@linux_only
def test_publish_with_try_installs_from_where_it_was_published(
    twofold: Callable[..., Any], built: Path, registry: Any
) -> None:
    env = {"TWOFOLD_TOKEN": registry.token}
    ran = twofold("publish", "--to", registry.channel, "--try", "--json", cwd=built, env=env)
    assert ran.code == 0, ran.out + ran.err
    assert [(t["world"], t["worked"]) for t in ran.json["tried"]] == [
        ("pip", True),
        ("conda", True),
    ]
