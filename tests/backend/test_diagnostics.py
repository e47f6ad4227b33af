"""Malformed pyproject.toml: every mistake told at once, with line, table, key and a hint."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from twofold_build.errors import ProjectErrors, TwofoldError
from twofold_build.plan import make_plan
from twofold_build.pyproject import read_project

BASE = """\
[build-system]
requires = ["twofold-build"]
build-backend = "twofold_build"

[project]
name = "my-package"
version = "1.0.0"
description = "A sample"
readme = "README.md"
license = "MIT"
license-files = ["LICENSE"]
requires-python = ">=3.11"
authors = [{name = "Ada", email = "ada@example.org"}]
keywords = ["one"]
classifiers = ["Programming Language :: Python :: 3"]
dependencies = ["numpy>=1.24"]

[project.optional-dependencies]
plot = ["matplotlib"]

[project.urls]
Homepage = "https://example.org"

[project.scripts]
my-script = "my_package:main"

[tool.twofold]
modules = ["my_package"]

[tool.twofold.sdist]
include = ["tests/**"]
"""


def folder(path: Path, text: str) -> Path:
    (path / "src" / "my_package").mkdir(parents=True, exist_ok=True)
    (path / "src" / "my_package" / "__init__.py").write_text("", encoding="utf-8")
    (path / "tests").mkdir(exist_ok=True)
    (path / "tests" / "test_it.py").write_text("", encoding="utf-8")
    (path / "README.md").write_text("# A sample\n", encoding="utf-8")
    (path / "LICENSE").write_text("MIT\n", encoding="utf-8")
    (path / "pyproject.toml").write_text(text, encoding="utf-8")
    return path


#: What is replaced, by what, what is said, and of which place.
CASES: list[tuple[str, str, str, str]] = [
    ('name = "my-package"', 'name = "my package"', "not a valid project name", "[project] name"),
    ('name = "my-package"', 'name = "-my"', "not a valid project name", "[project] name"),
    ('name = "my-package"', 'name = ""', "the name is empty", "[project] name"),
    ('name = "my-package"', "name = 7", "must be a string, not a number", "[project] name"),
    ('name = "my-package"\n', "", "'name' is missing", "[project]"),
    ('version = "1.0.0"', 'version = "one"', "not a version (PEP 440)", "[project] version"),
    ('version = "1.0.0"', 'version = "1.0.0.beta.x"', "not a version", "[project] version"),
    ('version = "1.0.0"', "version = 1.0", "must be a string, not a number", "[project] version"),
    ('version = "1.0.0"\n', "", "'version' is missing", "[project]"),
    ('version = "1.0.0"', 'dynamic = ["version"]', "no source is configured", "[project] dynamic"),
    ('version = "1.0.0"', 'version = "1"\ndynamic = ["version"]', "both declared", "dynamic"),
    ('version = "1.0.0"', 'version = "1"\ndynamic = ["name"]', "name cannot be dynamic", "dynamic"),
    ('version = "1.0.0"', 'version = "1"\ndynamic = "version"', "must be a list", "dynamic"),
    ('version = "1.0.0"', 'version = "1"\ndynamic = ["urls2"]', "unknown key 'urls2'", "dynamic"),
    ('description = "A sample"', 'description = "A\\nB"', "must be one line", "description"),
    ('description = "A sample"', "description = true", "not a boolean", "description"),
    ('readme = "README.md"', 'readme = "README.rst"', "does not exist", "[project] readme"),
    (
        'readme = "README.md"',
        'readme = "README.docx"',
        "type of 'README.docx' is unknown",
        "readme",
    ),
    ('readme = "README.md"', 'readme = "../README.md"', "leaves the project", "readme"),
    ('readme = "README.md"', 'readme = "/etc/README.md"', "is absolute", "readme"),
    ('readme = "README.md"', "readme = 3", "must be a file's name or a table", "readme"),
    ('readme = "README.md"', "readme = {}", "either 'file' or 'text'", "readme"),
    ('readme = "README.md"', 'readme = {text = "x"}', "'content-type' is missing", "readme"),
    (
        'readme = "README.md"',
        'readme = {text = "x", content-type = "text/html"}',
        "not a readme type",
        "rea",
    ),
    ('readme = "README.md"', 'readme = {file = 1, content-type = "text/plain"}', "strings", "rea"),
    ('readme = "README.md"', 'readme = {fiel = "x"}', "unknown key 'fiel'", "readme"),
    ('license = "MIT"', 'license = "MITT"', "not an SPDX licence expression", "[project] license"),
    ('license = "MIT"', 'license = "MIT and GPL"', "not an SPDX", "[project] license"),
    ('license = "MIT"', "license = 1", "must be an SPDX expression", "[project] license"),
    ('license = "MIT"', 'license = {text = "x"}', "old licence table", "[project] license"),
    ('license-files = ["LICENSE"]', 'license-files = ["COPYING"]', "matches no file", "license-fi"),
    ('license-files = ["LICENSE"]', 'license-files = "LICENSE"', "must be a list", "license-files"),
    (
        'license-files = ["LICENSE"]',
        'license-files = ["../X"]',
        "leaves the project",
        "license-files",
    ),
    ('license-files = ["LICENSE"]', 'license-files = ["a\\\\b"]', "backslash", "license-files"),
    ('">=3.11"', '"3.9"', "Invalid specifier", "[project] requires-python"),
    ('">=3.11"', '">==3"', "Invalid specifier", "[project] requires-python"),
    ('requires-python = ">=3.11"', "requires-python = 3.11", "must be a string", "requires-python"),
    ('authors = [{name = "Ada", email = "ada@example.org"}]', 'authors = "Ada"', "list", "authors"),
    ('{name = "Ada", email = "ada@example.org"}', '"Ada"', "instead of a table", "authors"),
    ('"ada@example.org"', '"ada at home"', "not an email address", "authors"),
    ('email = "ada@example.org"', 'mail = "a@b"', "unknown key 'mail'", "authors"),
    ('name = "Ada"', "name = 1", "must be strings", "authors"),
    ('keywords = ["one"]', 'keywords = "one"', "must be a list, not a string", "keywords"),
    ('keywords = ["one"]', 'keywords = ["one, two"]', "holds a comma", "keywords"),
    ('keywords = ["one"]', "keywords = [1]", "holds a number instead of a string", "keywords"),
    ('"Programming Language :: Python :: 3"', '"a\\nb"', "one line", "classifiers"),
    ('"numpy>=1.24"', '"numpy>>1.24"', "'numpy>>1.24'", "[project] dependencies"),
    ('"numpy>=1.24"', '"numpy 1.24"', "'numpy 1.24'", "[project] dependencies"),
    ('"numpy>=1.24"', "1", "holds a number", "[project] dependencies"),
    ('dependencies = ["numpy>=1.24"]', 'dependencies = "numpy"', "must be a list", "dependencies"),
    ('dependencies = ["numpy>=1.24"]', 'dependancies = ["numpy"]', "unknown key", "dependancies"),
    (
        'plot = ["matplotlib"]',
        'plot = "matplotlib"',
        "must be a list",
        "optional-dependencies] plot",
    ),
    ('plot = ["matplotlib"]', 'plot = ["mat plot"]', "'mat plot'", "optional-dependencies] plot"),
    (
        'plot = ["matplotlib"]',
        '"p l" = []',
        "not a valid name of an extra",
        "optional-dependencies]",
    ),
    ('plot = ["matplotlib"]', "Plot = []\nplot = []", "appears twice", "optional-dependencies]"),
    ('Homepage = "https://example.org"', "Homepage = 1", "must be a string", "urls] Homepage"),
    ('Homepage = "https://example.org"', '"%s" = "x"' % ("x" * 33), "longer than 32", "urls]"),
    ('Homepage = "https://example.org"', '"a\tB: c" = "x"', "is not a label of a URL", "urls]"),
    ('Homepage = "https://example.org"', '"a, b" = "x"', "is not a label of a URL", "urls]"),
    ('"my_package:main"', '"my_package"', "does not name a function", "scripts] my-script"),
    ('"my_package:main"', '"my-package:main"', "does not name a function", "scripts] my-script"),
    ('my-script = "', '"a/b" = "', "is not a valid name of a script", "scripts]"),
    ('my-script = "', '" a" = "', "not a valid name of an entry point", "scripts]"),
    ("[project.scripts]", "[project.entry-points.console_scripts]", "table of its own", "entry-po"),
    ("[project.scripts]", "[project.entry-points]", "must be a table", "entry-points"),
    ("[project.scripts]", "[project.script]", "unknown key 'script'", "script"),
    ('modules = ["my_package"]', 'modules = ["my-package"]', "not an import name", "modules"),
    ('modules = ["my_package"]', 'modules = ["other"]', "there is no module 'other'", "modules"),
    ('modules = ["my_package"]', 'modules = "my_package"', "must be a list", "modules"),
    ('modules = ["my_package"]', 'packages = ["my_package"]', "unknown key 'packages'", "packages"),
    ('modules = ["my_package"]', 'source = "lib"', "does not exist", "[tool.twofold] source"),
    (
        'modules = ["my_package"]',
        'source = "../src"',
        "leaves the project",
        "[tool.twofold] source",
    ),
    ('modules = ["my_package"]', 'include = "x"', "must be a list of patterns", "include"),
    ('modules = ["my_package"]', 'exclude = ["/x"]', "is absolute", "[tool.twofold] exclude"),
    ('modules = ["my_package"]', 'sbom-files = ["*.cdx"]', "matches no file", "sbom-files"),
    ('modules = ["my_package"]', 'wheel = {data = {script = "x"}}', "unknown key 'script'", "data"),
    ('modules = ["my_package"]', 'wheel = {data = {data = "x"}}', "does not exist", "data"),
    (
        'modules = ["my_package"]',
        'version = {from = "git"}',
        "so this table has no effect",
        "tool.twofold.ver",
    ),
    ('readme = "README.md"', 'readme = "a\\u0000b.md"', "file names cannot have", "readme"),
    ('readme = "README.md"', 'readme = "%s.md"' % ("x" * 300), "cannot be read", "readme"),
    ('modules = ["my_package"]', 'include = ["a\\u0000b"]', "file names cannot have", "include"),
    ('modules = ["my_package"]', 'version = {from = "moon"}', '"module" or "git"', "version] from"),
    ('include = ["tests/**"]', 'include = ["test/**"]', "matches no file", "sdist] include"),
    ('include = ["tests/**"]', 'inclued = ["tests/**"]', "unknown key 'inclued'", "sdist] inclued"),
    ('requires = ["twofold-build"]', 'requires = "x"', "must be a list", "[build-system] requires"),
    ('requires = ["twofold-build"]', 'requires = ["a b"]', "Expected", "[build-system] requires"),
    ('requires = ["twofold-build"]\n', "", "'requires' is missing", "[build-system]"),
    ('build-backend = "twofold_build"', "build-backend = 1", "must be a string", "build-backend"),
    ('build-backend = "', 'build_backend = "', "unknown key 'build_backend'", "build_backend"),
    ("[build-system]", "[build_system]", "unknown key 'build_system'", ""),
    ("[project]\n", "[projct]\n", "unknown key 'projct'", ""),
    ("[project]\n", "[[project]]\n", "must be a table", "[project]"),
    ('name = "my-package"', "name = my-package", "not valid TOML", "pyproject.toml:6"),
    ('name = "my-package"', 'name: "my-package"', "not valid TOML", "pyproject.toml:6"),
    ('name = "my-package"', 'name = "my-package', "not valid TOML", "pyproject.toml:6"),
    ('keywords = ["one"]', "keywords = True", "not valid TOML", "pyproject.toml:14"),
    ('keywords = ["one"]', 'keywords = ["one"', "not valid TOML", "pyproject.toml"),
    ('keywords = ["one"]', 'name = "again"', "not valid TOML", "pyproject.toml"),
]


def test_the_base_project_is_valid(tmp_path: Path) -> None:
    planned = make_plan(folder(tmp_path, BASE))
    assert planned.project.name == "my-package"


@pytest.mark.parametrize(("old", "new", "message", "where"), CASES)
def test_a_mistake_is_reported_with_its_location(
    old: str, new: str, message: str, where: str, tmp_path: Path
) -> None:
    assert old in BASE
    with pytest.raises(ProjectErrors) as caught:
        make_plan(folder(tmp_path, BASE.replace(old, new, 1)))
    matching = [problem for problem in caught.value.problems if message in problem.message]
    assert matching, str(caught.value)
    assert where in matching[0].where
    assert re.match(r"pyproject\.toml(:\d+)?", matching[0].where)


@pytest.mark.parametrize(
    ("there", "hint"),
    [
        ("other/__init__.py", 'there is other: write [tool.twofold] modules = ["other"]'),
        ("other.py", 'there is other.py: write [tool.twofold] modules = ["other"]'),
        ("ns/part/__init__.py", 'there is ns.part: write [tool.twofold] modules = ["ns.part"]'),
        ("src/ns/part/c.py", 'there is src/ns.part: write [tool.twofold] modules = ["ns.part"]'),
        ("src/data/c.py", 'there is src/data: write [tool.twofold] modules = ["data"]'),
        ("src/ns/a/__init__.py", 'there is src/ns.a: write [tool.twofold] modules = ["ns.a"]'),
        (
            "lib/a/__init__.py",
            'there is lib/a: write [tool.twofold] source = "lib" and modules = ["a"]',
        ),
        ("py/my_package.py", 'there is py/my_package.py: write [tool.twofold] source = "py"'),
        ("setup.py", "make my_package/__init__.py, or set [tool.twofold] modules ([] for none)"),
        (
            "my-script.py",
            "make my_package/__init__.py, or set [tool.twofold] modules ([] for none)",
        ),
    ],
)
def test_a_package_of_another_name_is_found_for_the_hint(
    there: str, hint: str, tmp_path: Path
) -> None:
    (tmp_path / there).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / there).write_text("", encoding="utf-8")
    text = '[build-system]\nrequires = ["twofold-build"]\nbuild-backend = "twofold_build"\n'
    (tmp_path / "pyproject.toml").write_text(
        f'{text}[project]\nname = "my-package"\nversion = "1"\n', encoding="utf-8"
    )
    with pytest.raises(ProjectErrors) as caught:
        make_plan(tmp_path)
    assert [problem.hint.replace(os.sep, "/") for problem in caught.value.problems] == [hint]


def test_there_are_at_least_sixty_cases() -> None:
    assert len(CASES) >= 60


@pytest.mark.parametrize(("old", "new", "message", "_"), CASES)
def test_the_line_is_the_one_that_was_changed(
    old: str, new: str, message: str, _: str, tmp_path: Path
) -> None:
    if not new or "is missing" in message or "there is no [project]" in message:
        pytest.skip("what is missing has no line of its own")
    text = BASE.replace(old, new, 1)
    with pytest.raises(ProjectErrors) as caught:
        make_plan(folder(tmp_path, text))
    (problem, *_rest) = [p for p in caught.value.problems if message in p.message]
    line = re.match(r"pyproject\.toml:(\d+)", problem.where)
    assert line, problem.where
    first = text[: BASE.index(old)].count("\n") + 1
    if "TOML" in message:
        assert int(line.group(1)) >= 1
    else:
        assert first <= int(line.group(1)) <= first + new.count("\n") + 1


def test_many_mistakes_are_reported_together_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = BASE
    for old, new in (
        ('name = "my-package"', 'name = "my package"'),
        ('version = "1.0.0"', 'version = "one"'),
        ('license = "MIT"', 'license = "MITT"'),
        ('">=3.11"', '"3.9"'),
        ('"numpy>=1.24"', '"numpy>>1.24"'),
        ("dependencies = [", "dependancies = []\ndependencies = ["),
        ('modules = ["my_package"]', 'moduls = ["my_package"]'),
    ):
        text = text.replace(old, new, 1)
    with pytest.raises(ProjectErrors) as caught:
        make_plan(folder(tmp_path, text))
    problems = caught.value.problems
    assert len(problems) == 7
    lines = [int(match.group(1)) for p in problems if (match := re.search(r":(\d+):", p.where))]
    assert lines == sorted(lines)
    assert len(lines) == 7
    hints = "\n".join(problem.hint for problem in problems)
    for hint in ("'MIT'", '">=3.9"', "'dependencies'", "'modules'"):
        assert f"did you mean {hint}?" in hints


def test_a_file_that_is_not_utf8_is_reported(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_bytes(b'[project]\nname = "\xff"\n')
    with pytest.raises(TwofoldError, match="not UTF-8"):
        read_project(tmp_path)


_LINES = BASE.splitlines()
_VALUES = st.sampled_from(
    ['"x"', '""', "1", "-1.5", "true", "[]", '["x", 1]', "{}", "{x = 1}", "1979-05-27", "[[]]",
     '"a\\u0000b"', "'''x'''", '["*", "**", "[", "a/../b", ""]', '"' + "x" * 300 + '"']
)  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """The base with some lines gone, doubled, given another value, or broken."""
    lines = list(_LINES)
    for _ in range(draw(st.integers(1, 5))):
        at = draw(st.integers(0, len(lines) - 1))
        key = lines[at].partition("=")[0].strip() or "key"
        change = draw(st.sampled_from(["drop", "double", "value", "cut", "junk"]))
        if change == "drop":
            lines[at] = ""
        elif change == "double":
            lines.insert(at, lines[at])
        elif change == "value":
            lines[at] = f"{key} = {draw(_VALUES)}"
        elif change == "cut":
            lines[at] = lines[at][: draw(st.integers(0, len(lines[at])))]
        else:
            lines[at] = draw(st.text(max_size=12))
    return "\n".join(lines)


@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(mutated())
def test_no_mutation_is_a_traceback(tmp_path: Path, text: str) -> None:
    (tmp_path / "mutated").mkdir(exist_ok=True)
    root = folder(tmp_path / "mutated", "")
    (root / "pyproject.toml").write_bytes(text.encode("utf-8", "replace"))
    try:
        make_plan(root)
    except ProjectErrors as error:
        assert all(problem.where.startswith("pyproject.toml") for problem in error.problems)
        assert all(problem.message for problem in error.problems)


@pytest.mark.skipif(os.name == "nt", reason="no file has such a name there")
@pytest.mark.parametrize(
    ("name", "matching"),
    [
        (b"two\nlines.txt", "holds control characters"),
        (b"back\\slash.txt", "holds a backslash"),
        (b"latin-\xff.txt", "is not UTF-8"),
    ],
)
def test_a_file_name_that_not_every_archive_can_hold_is_reported(
    name: bytes, matching: str, tmp_path: Path
) -> None:
    root = folder(tmp_path, BASE)
    try:
        (root / "src" / "my_package" / os.fsdecode(name)).write_text("")
    except OSError:
        pytest.skip("this file system has no such name")
    with pytest.raises(ProjectErrors, match=matching) as caught:
        make_plan(root)
    assert "\n" not in caught.value.problems[0].message
    text = (root / "pyproject.toml").read_text(encoding="utf-8")
    text = text.replace("[tool.twofold]\n", '[tool.twofold]\nexclude = ["src/my_package/*.txt"]\n')
    (root / "pyproject.toml").write_text(text, encoding="utf-8")
    make_plan(root)


@pytest.mark.parametrize(
    ("name", "there", "hint"),
    [
        ("my-tool", "src/my-tool/__init__.py", "rename src/my-tool to src/my_tool"),
        ("my-tool", "src/my-tool.py", "rename src/my-tool.py to src/my_tool.py"),
        ("types-thing", "src/thing-stubs/__init__.pyi", 'modules = ["thing-stubs"]'),
    ],
)
def test_a_module_that_has_nearly_the_projects_name_is_named_in_the_hint(
    name: str, there: str, hint: str, tmp_path: Path
) -> None:
    text = f'[project]\nname = "{name}"\nversion = "1.0"\n'
    (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
    (tmp_path / there).parent.mkdir(parents=True)
    (tmp_path / there).write_text("", encoding="utf-8")
    with pytest.raises(ProjectErrors) as caught:
        make_plan(tmp_path)
    (problem,) = caught.value.problems
    assert hint.replace("/", os.sep) in problem.hint.replace("/", os.sep)


def test_a_version_that_is_imported_from_beside_is_named_in_the_hint(tmp_path: Path) -> None:
    text = BASE.replace('version = "1.0.0"', 'dynamic = ["version"]')
    root = folder(tmp_path, f'{text}\n[tool.twofold.version]\nfrom = "module"\n')
    package = root / "src" / "my_package"
    (package / "__init__.py").write_text("from ._version import __version__\n")
    (package / "_version.py").write_text('__version__ = "2.0"\n')
    with pytest.raises(ProjectErrors) as caught:
        make_plan(root)
    assert 'path = "src/my_package/_version.py"' in caught.value.problems[0].hint
    (package / "__init__.py").write_text("def broken(:\n")
    with pytest.raises(ProjectErrors) as caught:
        make_plan(root)
    assert "not valid Python" in caught.value.problems[0].hint


def test_quotation_marks_of_a_word_processor_are_named(tmp_path: Path) -> None:
    root = folder(tmp_path, BASE.replace('"A sample"', "\u201cA sample\u201d"))
    with pytest.raises(ProjectErrors) as caught:
        make_plan(root)
    (problem,) = caught.value.problems
    assert problem.where == "pyproject.toml:8"
    assert "straight quotation marks" in problem.hint
