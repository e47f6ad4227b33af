"""`twofold init` for poetry, flit, hatch, pdm, uv and conda recipes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.new.migrated import migrate, write_project
from twofold.errors import ProjectErrors, TwofoldError
from twofold.new.migrate import MigrationTools, RecipeFacts, plan_migration
from twofold.new.migrate.dependency_lists import convert_conda_version
from twofold.new.migrate.poetry_constraints import convert_poetry_constraint
from twofold.source_analysis import InstalledDistributions

POETRY = """\
# The project, by hand
[build-system]
requires = ["poetry-core"]
build-backend = "poetry.core.masonry.api"

[tool.poetry]
name = "my-package"
version = "1.2.0"
description = "What it is for"
authors = ["Ada Lovelace <ada@example.org>", "Nobody"]
license = "MIT"
readme = ["README.md", "CHANGES.md"]
homepage = "https://example.org"
repository = "https://example.org/source"
keywords = ["a"]
classifiers = ["Typing :: Typed"]
packages = [{include = "my_package", from = "lib"}, {include = "extra", from = "lib"}]
include = ["docs/guide.md"]
exclude = ["lib/my_package/secret.txt"]
# nobody knows why
build = "build.py"

[tool.poetry.dependencies]
python = "^3.9"
numpy = "^1.24"  # arrays
requests = {version = "~2.31", extras = ["socks"], markers = "sys_platform == 'linux'"}
tomli = {version = "*", python = "<3.11"}
matplotlib = {version = ">=3", optional = true}
here = {path = "../here"}
there = {git = "https://example.org/there", rev = "abc"}
both = [{version = "1.*", python = "<3.12"}, {version = "2.*", python = ">=3.12"}]
either = "^1 || ^2"
neither = "1.2 || 1.4"

[tool.poetry.extras]
plot = ["matplotlib"]

[tool.poetry.group.dev.dependencies]
pytest = "^8"  # tests

[tool.poetry.scripts]
go = "my_package.cli:main"

[tool.poetry.plugins."my.plugins"]
one = "my_package.plugin"

[[tool.poetry.source]]
name = "own"
url = "https://example.org/simple"

[tool.ruff]
line-length = 100
"""


def test_poetrys_tables_are_carried_over(tmp_path: Path) -> None:
    files = {"lib/my_package/__init__.py": "", "lib/extra/__init__.py": "", "README.md": "",
             "CHANGES.md": "", "docs/guide.md": "", "pyproject.toml": POETRY}  # fmt: skip
    found = migrate(tmp_path, files)
    assert found.project == {
        "name": "my-package",
        "version": "1.2.0",
        "description": "What it is for",
        "readme": "README.md",
        "requires-python": ">=3.9,<4.0",
        "license": "MIT",
        "authors": [{"name": "Ada Lovelace", "email": "ada@example.org"}, {"name": "Nobody"}],
        "keywords": ["a"],
        "classifiers": ["Typing :: Typed"],
        "dependencies": [
            "numpy>=1.24,<2.0",
            "requests[socks]>=2.31,<2.32; sys_platform == 'linux'",
            "tomli; python_version < '3.11'",
            "here",
            "there @ git+https://example.org/there@abc",
            "both==1.*; python_version < '3.12'",
            "both==2.*; python_version >= '3.12'",
            "either>=1,<3",
            "neither",
        ],
        "urls": {"Homepage": "https://example.org", "Repository": "https://example.org/source"},
        "scripts": {"go": "my_package.cli:main"},
        "entry-points": {"my.plugins": {"one": "my_package.plugin"}},
        "optional-dependencies": {"plot": ["matplotlib>=3"]},
    }
    assert found.settings == {
        "modules": ["extra", "my_package"],
        "source": "lib",
        "exclude": ["lib/my_package/secret.txt"],
        "sdist": {"include": ["docs/guide.md"]},
    }
    assert found.document["dependency-groups"] == {"dev": ["pytest>=8,<9"]}


def test_poetrys_comments_stay_and_what_is_lost_is_listed(tmp_path: Path) -> None:
    found = migrate(tmp_path, {"lib/my_package/__init__.py": "", "pyproject.toml": POETRY})
    assert '"numpy>=1.24,<2.0", # arrays' in found.text and "# tests" in found.text
    assert "# nobody knows why" in found.text and "# The project, by hand" in found.text
    assert found.text.rstrip().endswith("]") and "[tool.ruff]\nline-length = 100\n" in found.text
    dropped = "\n".join(found.dropped)
    for lost in ("build = 'build.py'", "../here", "1.2 || 1.4", "'own'", "CHANGES.md", "'extra'"):
        assert lost in dropped
    assert len(found.dropped) == 8, dropped


FLIT = """\
[build-system]
requires = ["flit_core >=2,<4"]
build-backend = "flit_core.buildapi"

[tool.flit.metadata]
module = "my_package"
dist-name = "my-dist"
author = "Ada"
author-email = "ada@example.org"
home-page = "https://example.org"
requires = ["numpy >=1.24"]
dev-requires = ["pytest"]
requires-python = ">=3.9"
description-file = "README.rst"
classifiers = ["License :: OSI Approved :: MIT License"]
odd = 1

[tool.flit.metadata.urls]
Documentation = "https://example.org/docs"

[tool.flit.metadata.requires-extra]
doc = ["sphinx"]

[tool.flit.scripts]
go = "my_package:main"

[tool.flit.entrypoints."my.plugins"]
one = "my_package:plugin"

[tool.flit.sdist]
include = ["doc/"]
exclude = ["doc/*.html"]
"""


def test_flits_old_tables_are_carried_over(tmp_path: Path) -> None:
    found = migrate(
        tmp_path,
        {
            "pyproject.toml": FLIT,
            "README.rst": "",
            "doc/a.rst": "",
            "my_package.py": '"""What it is for.\n\nMore."""\n__version__ = "3.0"\n',
        },
    )
    assert found.project == {
        "name": "my-dist",
        "dynamic": ["version"],
        "description": "What it is for.",
        "readme": "README.rst",
        "requires-python": ">=3.9",
        "license": "MIT",
        "authors": [{"name": "Ada", "email": "ada@example.org"}],
        "dependencies": ["numpy >=1.24"],
        "urls": {"Homepage": "https://example.org", "Documentation": "https://example.org/docs"},
        "scripts": {"go": "my_package:main"},
        "entry-points": {"my.plugins": {"one": "my_package:plugin"}},
        "optional-dependencies": {"doc": ["sphinx"], "dev": ["pytest"]},
    }
    assert found.settings == {
        "modules": ["my_package"],
        "version": {"from": "module", "path": "my_package.py"},
        "sdist": {"include": ["doc/**"], "exclude": ["doc/*.html"]},
    }
    assert found.dropped == ["pyproject.toml [tool.flit.metadata]: odd = 1"]


def test_a_computed_docstring_of_flits_module_is_reported(tmp_path: Path) -> None:
    code = 'from . import inner\n__doc__ = inner.__doc__\n__version__ = "3.0"\n'
    (tmp_path / "README.rst").touch()
    found = migrate(tmp_path, {"pyproject.toml": FLIT, "my_package/__init__.py": code})
    lost = "my_package/__init__.py: description (computed by a program, which was not run)"
    assert lost in found.dropped


ODD = """\
[project]
name = "my_package"  # the name
dynamic = ["version"]

[dependency-groups]
test = ["pytest"]  # tests

[project.urls]
Source = "https://example.org"  # where

[tool.hatch]
version.source = "vcs"  # the tag
envs.default.python = "3.12"  # newest
build.targets.sdist.include = ["docs", "gone.txt"]

[tool.twofold.conda]
name = "mine"  # conda's

[project.scripts]
go = "my_package:go"
"""


def test_tables_in_any_order_and_dotted_keys_are_read(tmp_path: Path) -> None:
    files = {"my_package/__init__.py": "", "docs/a.md": "", "pyproject.toml": ODD}
    found = migrate(tmp_path, files)
    assert found.project == {
        "name": "my_package",
        "dynamic": ["version"],
        "urls": {"Source": "https://example.org"},
        "scripts": {"go": "my_package:go"},
    }
    assert found.settings == {
        "conda": {"name": "mine"},
        "version": {"from": "git"},
        "sdist": {"include": ["docs/**"]},
    }
    assert found.document["tool"]["hatch"] == {"envs": {"default": {"python": "3.12"}}}
    for comment in ("the name", "tests", "where", "the tag", "newest", "conda's"):
        assert comment in found.text
    assert found.dropped == ["the files to include: '**/gone.txt' (it matches no file here)"]


PROJECT = '[project]\nname = "my_package"\nversion = "1"\n'


@pytest.mark.parametrize(
    ("tables", "wanted", "lost"),
    [
        (
            '[tool.hatch.build.targets.wheel]\npackages = ["code/my_package"]\nexclude = ["*.c"]\n'
            '[tool.hatch.build.targets.sdist]\ninclude = ["/docs"]\n'
            '[tool.hatch.build.hooks.custom]\npath = "b.py"\n[tool.hatch.envs.test]\nx = 1\n',
            {
                "source": "code",
                "sdist": {"include": ["docs/**"]},
                "wheel": {"exclude": ["**/*.c"]},
            },
            1,
        ),
        (
            '[tool.pdm.build]\npackage-dir = "code"\nsource-includes = ["docs"]\n'
            'excludes = ["code/x.txt"]\nis-purelib = true\ncustom-hook = "b.py"\n',
            {
                "source": "code",
                "exclude": ["code/x.txt"],
                "sdist": {"include": ["docs/**"]},
            },
            1,
        ),
        (
            '[tool.uv.build-backend]\nmodule-root = "code"\nsource-include = ["docs/**"]\n'
            'data = {scripts = "bin"}\n[tool.uv.sources]\na = {path = "x"}\n',
            {
                "source": "code",
                "sdist": {"include": ["docs/**"]},
                "wheel": {"data": {"scripts": "bin"}},
            },
            0,
        ),
    ],
    ids=["hatch", "pdm", "uv"],
)
def test_other_backends_files_are_carried_over(
    tmp_path: Path, tables: str, wanted: dict[str, object], lost: int
) -> None:
    files = {"code/my_package/__init__.py": "", "docs/a.md": "", "pyproject.toml": PROJECT + tables}
    found = migrate(tmp_path, files)
    assert found.settings == wanted
    assert len(found.dropped) == lost
    assert ("[tool.hatch.envs.test]" in tables) == ("[tool.hatch.envs.test]" in found.text)
    assert ("[tool.uv.sources]" in tables) == ("[tool.uv.sources]" in found.text)


@pytest.mark.parametrize(
    ("backend", "is_lost"),
    [
        *((name, True) for name in ("scikit_build_core.build", "mesonpy", "maturin", "own")),
        *((name, False) for name in ("hatchling.build", "pdm.pep517.api", "setuptools.build_meta")),
    ],
)
def test_a_backend_whose_settings_are_not_read_is_reported(
    tmp_path: Path, backend: str, is_lost: bool
) -> None:
    text = f"[build-system]\nrequires = []\nbuild-backend = '{backend}'\n{PROJECT}"
    found = migrate(tmp_path, {"pyproject.toml": text, "my_package/__init__.py": ""})
    assert [f"build-backend = {backend}" in one for one in found.dropped] == [True] * is_lost


@pytest.mark.parametrize(
    ("hook", "hint"),
    [("vcs", "importlib.metadata"), ("mypyc", "pure Python"), ("custom", "by hand")],
)
def test_a_hook_of_hatchling_is_reported_with_what_to_do(
    tmp_path: Path, hook: str, hint: str
) -> None:
    text = f"{PROJECT}[tool.hatch.build.hooks.{hook}]\nx = 1\n"
    found = migrate(tmp_path, {"pyproject.toml": text, "my_package/__init__.py": ""})
    (lost,) = found.plan.dropped
    assert hint in lost.hint and hook in lost.where


@pytest.mark.parametrize(
    ("tables", "wanted"),
    [
        ('[tool.hatch.version]\npath = "my_package/about.py"\n', "module"),
        ('[tool.hatch.version]\nsource = "vcs"\n', "git"),
        ('[tool.pdm.version]\nsource = "file"\npath = "my_package/about.py"\n', "module"),
        ('[tool.pdm.version]\nsource = "scm"\n', "git"),
        ("[tool.setuptools_scm]\n", "git"),
        ('[tool.setuptools.dynamic]\nversion = {attr = "my_package.__version__"}\n', "module"),
    ],
)
def test_a_dynamic_version_stays_where_it_is(tmp_path: Path, tables: str, wanted: str) -> None:
    project = '[project]\nname = "my_package"\ndynamic = ["version"]\n'
    files = {"my_package/about.py": "__version__ = '1'\n", "pyproject.toml": project + tables,
             "my_package/__init__.py": "__version__ = '1'\n"}  # fmt: skip
    found = migrate(tmp_path, files)
    assert found.project["dynamic"] == ["version"]
    assert found.settings["version"]["from"] == wanted and not found.dropped


def test_a_recipe_provides_what_no_other_file_has(tmp_path: Path) -> None:
    recipe = RecipeFacts(
        name="my_package",
        version="1.0.0",
        run=["python >=3.10", "numpy >=1.24", "pyyaml", "__unix"],
        entry_points=["go = my_package.cli:main"],
        about={"summary": "What it is for", "license": "MIT", "home": "https://example.org"},
        maintainers=["ada"],
    )
    root = write_project(tmp_path, {"my_package/__init__.py": "", "meta.yaml": "package: {}\n"})
    found = plan_migration(root, MigrationTools(None, lambda _: recipe, InstalledDistributions()))
    for line in ('version = "1.0.0"', 'requires-python = ">=3.10"', '"numpy>=1.24"', '"pyyaml"',
                 'license = "MIT"', 'go = "my_package.cli:main"'):  # fmt: skip
        assert line in found.text
    assert [one.what for one in found.dropped] == ["recipe-maintainers: ada"]


def test_a_recipe_that_differs_is_reported(tmp_path: Path) -> None:
    recipe = RecipeFacts(name="my-package-conda", version="2", run=["numpy"])
    files = {"my_package.py": "", "pyproject.toml": f"{PROJECT}dependencies = ['numpy>=1']\n",
             "meta.yaml": ""}  # fmt: skip
    found = plan_migration(
        write_project(tmp_path, files),
        MigrationTools(None, lambda _: recipe, InstalledDistributions()),
    )
    assert '[tool.twofold.conda]\nname = "my-package-conda"' in found.text
    assert [str(one) for one in found.dropped] == [
        "meta.yaml: version = 2 (pyproject.toml [project] has another value)",
        "meta.yaml: dependencies = ['numpy'] (pyproject.toml [project] has another value)",
    ]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("^1.2.3", ">=1.2.3,<2.0.0"),
        ("^0.2.3", ">=0.2.3,<0.3.0"),
        ("^0.0.3", ">=0.0.3,<0.0.4"),
        ("~1.2", ">=1.2,<1.3"),
        ("~1", ">=1,<2"),
        (">=1 <2", ">=1,<2"),
        ("1.*", "==1.*"),
        ("*", ""),
    ],
)
def test_poetrys_constraints_become_pep_440(text: str, wanted: str) -> None:
    assert convert_poetry_constraint(text) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("1.2", "==1.2"), ("=1.2", "==1.2.*"), ("1.2.*", "==1.2.*"), (">=1,<2", ">=1,<2"), ("*", "")],
)
def test_condas_versions_become_pep_440(text: str, wanted: str) -> None:
    assert convert_conda_version(text) == wanted


TYPES = st.sampled_from(
    ['"text"', "1", "true", "[]", "[1]", "{}", "{a = 1}", '["x"]', "1979-05-27"]
)


@settings(
    deadline=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.data())
def test_no_value_of_a_wrong_type_ends_in_a_traceback(tmp_path: Path, data: st.DataObject) -> None:
    base = data.draw(
        st.sampled_from([POETRY, FLIT, PROJECT + "[tool.setuptools]\npackages = []\n"])
    )
    lines = base.splitlines()
    places = [i for i, line in enumerate(lines) if " = " in line and line[0].isalpha()]
    at = data.draw(st.sampled_from(places))
    lines[at] = f"{lines[at].partition(' = ')[0]} = {data.draw(TYPES)}"
    files = {"my_package/__init__.py": "", "pyproject.toml": "\n".join(lines) + "\n"}
    try:
        migrate(tmp_path, files)
    except TwofoldError as error:
        assert all(problem.where for problem in error.problems)


def test_all_wrong_types_are_reported_together(tmp_path: Path) -> None:
    text = '[project]\nname = 1\ndependencies = "x"\n[tool.poetry]\nscripts = [1]\n'
    with pytest.raises(ProjectErrors) as caught:
        migrate(tmp_path, {"x.py": "", "pyproject.toml": text})
    assert [problem.message for problem in caught.value.problems] == [
        "project.name must be a string, not a number or a date",
        "project.dependencies must be a list, not a string",
        "tool.poetry.scripts must be a table, not a list",
    ]
    assert [problem.where for problem in caught.value.problems] == [
        "pyproject.toml:2: [project] name",
        "pyproject.toml:3: [project] dependencies",
        "pyproject.toml:5: [tool.poetry] scripts",
    ]


@pytest.mark.parametrize(
    ("constraint", "specifiers"),
    [
        (">=3.9,<3.9.7 || >3.9.7,<4.0", ">=3.9,<4.0,!=3.9.7"),
        ("^2.7 || ^3.5", ">=2.7,<4.0,!=3.0.*,!=3.1.*,!=3.2.*,!=3.3.*,!=3.4.*"),
        ("~2.7 | ^3.6", ">=2.7,<4.0,!=3.0.*,!=3.1.*,!=3.2.*,!=3.3.*,!=3.4.*,!=3.5.*"),
        (">=3.6,<3.8 || >=3.10", ">=3.6,!=3.8.*,!=3.9.*"),
        ("^1.0 || ^2.0", ">=1.0,<3.0"),
        ("^2.0 || ^1.0", ">=1.0,<3.0"),
        ("^1.0 || ^3.0", ">=1.0,<4.0,!=2.*"),
        ("^1.0,!=1.5 || >=1.4", ">=1.0"),
        ("* || ^1", ""),
    ],
)
def test_alternatives_of_a_constraint_become_exclusions(constraint: str, specifiers: str) -> None:
    assert convert_poetry_constraint(constraint, is_python=True) == specifiers


def test_alternatives_that_pep_440_cannot_express_are_refused() -> None:
    for constraint in ("1.2 || 1.4", "<=1 || >=3"):
        with pytest.raises(TwofoldError):
            convert_poetry_constraint(constraint)


def test_an_extra_of_poetry_without_requirements_stays(tmp_path: Path) -> None:
    text = "[tool.poetry]\nname='my_package'\nversion='1'\n[tool.poetry.extras]\nnone=[]\n"
    found = migrate(tmp_path, {"pyproject.toml": text, "my_package.py": ""})
    assert found.project["optional-dependencies"] == {"none": []}


def test_dynamic_texts_of_setuptools_are_read_from_their_files(tmp_path: Path) -> None:
    text = (
        "[project]\nname='my_package'\nversion='1'\ndynamic=['description','scripts']\n"
        "[tool.setuptools.dynamic]\ndescription={file='d.txt'}\nentry-points={file='e.ini'}\n"
    )
    files = {"d.txt": "One line\n", "e.ini": "[console_scripts]\na = my_package:b\n"}
    files |= {"pyproject.toml": text, "my_package/__init__.py": "def b(): ..."}
    found = migrate(tmp_path, files)
    assert found.project["description"] == "One line"
    assert found.project["scripts"] == {"a": "my_package:b"}
    assert found.dropped == []


def test_a_computed_version_that_is_not_run_is_the_modules_own(tmp_path: Path) -> None:
    text = (
        "[build-system]\nrequires=['pdm-backend']\nbuild-backend='pdm.backend'\n"
        "[project]\nname='my_package'\ndynamic=['version']\n"
        "[tool.pdm.version]\nsource='call'\ngetter='my_package:get'\n"
    )
    code = "__version__ = '1.4'\n"
    found = migrate(tmp_path, {"pyproject.toml": text, "my_package/__init__.py": code})
    assert found.settings["version"] == {"from": "module", "path": "my_package/__init__.py"}
    assert any("computed by a program" in one for one in found.dropped)


def test_poetrys_dependencies_beside_the_standards_say_only_where_to_look(tmp_path: Path) -> None:
    text = (
        "[project]\nname='my_package'\nversion='1'\ndependencies=['idna>=3']\n"
        "[tool.poetry]\nrequires-poetry='>=2'\n[tool.poetry.dependencies]\nidna={source='own'}\n"
    )
    found = migrate(tmp_path, {"pyproject.toml": text, "my_package/__init__.py": ""})
    assert found.project["dependencies"] == ["idna>=3"]
    assert found.dropped == ["pyproject.toml [tool.poetry.dependencies]: idna: source = 'own'"]
