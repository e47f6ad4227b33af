"""Projects of other backends: judged by the modules that their own settings name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.check.conftest import GOOD, write
from tests.conftest import CommandResult
from twofold.check import Finding, check_project
from twofold.new.migrate import read_declared_project

#: A module that no finding of its own, and one that cannot be compiled.
FINE, WRONG = "x = 1\n", "def f(:\n"


def findings(root: Path) -> list[Finding]:
    return check_project(root, read_declared=read_declared_project)


def errors(root: Path) -> list[tuple[str, str]]:
    return [(finding.code, finding.place[0]) for finding in findings(root) if finding.is_error]


def with_backend(backend: str, tables: str = "") -> str:
    return GOOD["pyproject.toml"].replace('"twofold_build"', f'"{backend}"') + tables


#: Where the backend's settings put the module -> its files and settings.
PROJECTS = {
    "setuptools, package-dir": (
        "lib/other/mod.py",
        with_backend(
            "setuptools.build_meta",
            '[tool.setuptools]\npackages = ["other"]\npackage-dir = {"" = "lib"}\n',
        ),
    ),
    "setuptools, find": (
        "code/other/mod.py",
        with_backend(
            "setuptools.build_meta", '[tool.setuptools.packages.find]\nwhere = ["code"]\n'
        ),
    ),
    "flit": (
        "other/mod.py",
        with_backend("flit_core.buildapi", '[tool.flit.module]\nname = "other"\n'),
    ),
    "hatchling": (
        "lib/other/mod.py",
        with_backend(
            "hatchling.build", '[tool.hatch.build.targets.wheel]\npackages = ["lib/other"]\n'
        ),
    ),
    "pdm": (
        "lib/other/mod.py",
        with_backend("pdm.backend", '[tool.pdm.build]\npackage-dir = "lib"\n'),
    ),
    "uv": (
        "lib/other/mod.py",
        with_backend(
            "uv_build", '[tool.uv.build-backend]\nmodule-name = "other"\nmodule-root = "lib"\n'
        ),
    ),
    "poetry, old": (
        "lib/other/mod.py",
        '[build-system]\nrequires = ["poetry-core"]\nbuild-backend = "poetry.core.masonry.api"\n'
        '[tool.poetry]\nname = "pkg"\nversion = "1.0"\ndescription = "A sample"\nauthors = []\n'
        'packages = [{include = "other", from = "lib"}]\n',
    ),
}


@pytest.mark.parametrize("case", PROJECTS)
def test_the_modules_are_those_that_the_backends_settings_name(case: str, tmp_path: Path) -> None:
    path, pyproject = PROJECTS[case]
    files = {**GOOD, "pyproject.toml": pyproject, path: WRONG, "src/pkg/__init__.py": None}
    files[path.replace("mod.py", "__init__.py")] = FINE
    assert errors(write(tmp_path, files)) == [("TF101", path)]


@pytest.mark.parametrize(
    "files",
    [
        {
            "setup.py": "from setuptools import setup\n"
            "setup(name='pkg', version='1.0', packages=['other'], package_dir={'': 'lib'})\n"
        },
        {
            "setup.cfg": "[metadata]\nname = pkg\nversion = 1.0\n[options]\npackages = find:\n"
            "package_dir =\n    = lib\n[options.packages.find]\nwhere = lib\n",
            "setup.py": "from setuptools import setup\nsetup()\n",
        },
    ],
    ids=["setup.py", "setup.cfg"],
)
def test_a_project_without_pyproject_is_judged_by_its_setup(
    files: dict[str, str], tmp_path: Path
) -> None:
    root = write(tmp_path, {**files, "lib/other/__init__.py": FINE, "lib/other/mod.py": WRONG})
    assert errors(root) == [("TF101", "lib/other/mod.py")]


def test_a_subpackage_that_setuptools_does_not_list_is_missed(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "setup.py": "from setuptools import setup\n"
            "setup(name='pkg', version='1.0', packages=['pkg'])\n",
            "pkg/__init__.py": "from .inner import f\n",
            "pkg/inner/__init__.py": "f = 1\n",
        },
    )
    assert errors(root) == [("TF105", "pkg/__init__.py")]
    whole = (root / "setup.py").read_text().replace("['pkg']", "['pkg', 'pkg.inner']")
    write(root, {"setup.py": whole})
    assert errors(root) == []


def test_what_setup_cfg_declares_counts_as_a_dependency(tmp_path: Path) -> None:
    cfg = (
        "[metadata]\nname = pkg\nversion = 1.0\n[options]\npackages = pkg\n"
        "install_requires =\n    packaging\n[options.entry_points]\nconsole_scripts =\n"
        "    run = pkg:mian\n"
    )
    source = "import packaging\nimport pandas\ndef main(): ...\n"
    root = write(tmp_path, {"setup.cfg": cfg, "pkg/__init__.py": source})
    assert sorted(errors(root)) == [("TF102", "setup.cfg"), ("TF111", "pkg/__init__.py")]


def test_dependencies_that_are_computed_are_not_missed(tmp_path: Path) -> None:
    setup = (
        "from setuptools import setup\n"
        "setup(name='pkg', version='1.0', packages=['pkg'], install_requires=needs())\n"
    )
    assert errors(write(tmp_path, {"setup.py": setup, "pkg/__init__.py": "import numpy\n"})) == []


def test_a_name_and_a_version_that_are_computed_are_not_missed(tmp_path: Path) -> None:
    setup = "from setuptools import setup\nsetup(name=n(), version=v(), packages=['pkg'])\n"
    files = {"setup.py": setup, "MANIFEST.in": "include *.md\n", "pkg/__init__.py": WRONG}
    assert errors(write(tmp_path, files)) == [("TF101", "pkg/__init__.py")]


@pytest.mark.parametrize(
    "files",
    [
        {"setup.py": "from setuptools import setup\nargs = dict(name=n())\nsetup(**args)\n"},
        {
            "setup.py": "from setuptools import setup\n"
            "setup(name='pkg', version='1', long_description=r(), python_requires=p(), license=l())"
        },
        {
            "pyproject.toml": '[build-system]\nrequires = ["hatchling"]\n'
            'build-backend = "hatchling.build"\n[project]\nname = "pkg"\nversion = "1"\n'
            'dynamic = ["readme", "requires-python", "classifiers"]\n'
        },
    ],
    ids=["all", "each", "hooks"],
)
def test_metadata_that_are_computed_are_not_missed(files: dict[str, str], tmp_path: Path) -> None:
    found = findings(write(tmp_path, {**files, "pkg/__init__.py": FINE}))
    assert {f.code for f in found} & {"TF024", "TF025", "TF030"} == set()


def test_a_licence_classifier_beside_an_expression_warns_for_each_backend(tmp_path: Path) -> None:
    beside = 'classifiers = ["License :: OSI Approved :: MIT License"]\n'
    for backend in ("hatchling.build", "setuptools.build_meta"):
        text = with_backend(backend).replace('license = "MIT"\n', f'license = "MIT"\n{beside}')
        root = write(tmp_path, {**GOOD, "pyproject.toml": text})
        assert [f.code for f in findings(root)] == ["TF031"]
        for other in ("", 'license = {text = "MIT"}\n'):
            old = text.replace('license = "MIT"\n', other)
            assert "TF031" not in {f.code for f in findings(write(root, {"pyproject.toml": old}))}
    setup = f"from setuptools import setup\nsetup(name='pkg', version='1', license='MIT', {beside})"
    root = write(tmp_path / "old", {"setup.py": setup, "pkg/__init__.py": FINE})
    assert "TF031" not in {f.code for f in findings(root)}


def test_a_bad_requirement_in_setup_cfg_is_found_there(tmp_path: Path) -> None:
    cfg = (
        "[metadata]\nname = pkg\nversion = 1.0\n[options]\npackages = pkg\n"
        "install_requires = numpy>>1.24\n"
    )
    root = write(tmp_path, {"setup.cfg": cfg, "pkg/__init__.py": "import numpy\n"})
    assert ("TF005", "setup.cfg") in errors(root)


def test_computed_modules_are_reported_in_one_line_with_the_way_to_judge_them(
    tmp_path: Path, twofold: Callable[..., CommandResult]
) -> None:
    setup = "from setuptools import setup\nsetup(name='pkg', version='1.0', packages=found())\n"
    root = write(tmp_path, {"setup.py": setup, "pkg/__init__.py": FINE})
    ran = twofold("check", root)
    assert ran.code == 0
    (line,) = [line for line in ran.out.splitlines() if "TF204" in line]
    assert line.startswith("setup.py:2: warning")
    assert "  hint: build the project, and judge what was built: twofold check dist/*" in ran.out


def test_a_folder_without_any_project_is_still_reported(
    tmp_path: Path, twofold: Callable[..., CommandResult]
) -> None:
    ran = twofold("check", write(tmp_path, {"pkg/__init__.py": FINE}))
    assert ran.code == 1
    assert "there is no pyproject.toml" in ran.err


@pytest.mark.parametrize(
    ("source", "others"),
    [
        ("from . import plots\n", {"plots": "x = 1\n", "pkgext": "import numpy\n"}),
        ("def f():\n    from . import core\n", {"core": "x = 1\n", "ext": "import numpy\n"}),
        (
            "def __getattr__(name):\n    return import_module(f'.{name}', __name__)\n",
            {"ext": "import numpy\n"},
        ),
        (
            "try:\n    from . import ext\nexcept ImportError:\n    ext = None\n",
            {"ext": "import numpy\n"},
        ),
    ],
)
def test_what_an_optional_module_needs_is_only_a_warning(
    source: str, others: dict[str, str], project: Callable[..., Path]
) -> None:
    files = {f"src/pkg/{name}.py": text for name, text in others.items()}
    root = project({"src/pkg/__init__.py": source, **files})
    assert [f.severity for f in findings(root) if f.code == "TF111"] == ["warning"]


def test_a_plugin_does_not_depend_on_its_host(project: Callable[..., Path]) -> None:
    files = {
        "src/pkg/__init__.py": "from .core import x\n",
        "src/pkg/core.py": "x = 1\n",
        "src/pkg/plugin.py": "import pytest\n",
    }
    points = {"dependencies = []": '[project.entry-points.pytest11]\npkg = "pkg.plugin"'}
    assert errors(project(files, points)) == []


def test_a_plugin_needs_no_host_in_a_package_that_imports_nothing(
    project: Callable[..., Path],
) -> None:
    points = {"dependencies = []": '[project.entry-points.pytest11]\npkg = "pkg.plugin"'}
    root = project({"src/pkg/plugin.py": "import pytest\n"}, points)
    assert [(f.code, f.severity) for f in findings(root) if f.code == "TF111"] == [
        ("TF111", "warning")
    ]


def test_what_writes_the_documentation_is_no_start_of_the_package(
    project: Callable[..., Path],
) -> None:
    root = project({"src/pkg/docs/__init__.py": "", "src/pkg/docs/html.py": "import sphinx\n"})
    assert errors(root) == []


def test_a_name_may_be_set_in_a_module_by_another(project: Callable[..., Path]) -> None:
    files = {
        "src/pkg/__init__.py": "from . import high, user\n",
        "src/pkg/low.py": "class T: ...\n",
        "src/pkg/high.py": "from . import low\nlow.NOTHING = low.T()\n",
        "src/pkg/user.py": "from .low import NOTHING\nfrom .low import SOMETHING\n",
    }
    assert [f.message for f in findings(project(files)) if f.is_error] == [
        "pkg.low has no 'SOMETHING'"
    ]


def test_a_cycle_is_an_error_in_its_own_group_alone(project: Callable[..., Path]) -> None:
    # As in mypy: `types` first works, `expand` first does not; and what needs it has a cycle too.
    files = {
        "src/pkg/types.py": "class T: ...\nfrom .expand import E\n",
        "src/pkg/expand.py": "from .types import T\nclass E: ...\n",
        "src/pkg/apply.py": "from .expand import E\nfrom . import join\n",
        "src/pkg/join.py": "from .expand import E\nfrom . import apply\n",
    }
    cycles = [f for f in findings(project(files)) if f.code == "TF106"]
    assert [f.severity for f in cycles] == ["warning"]


def test_a_backend_of_the_projects_own_around_setuptools_is_setuptools(tmp_path: Path) -> None:
    write(tmp_path, {
        "pyproject.toml": '[build-system]\nrequires = ["setuptools"]\n'
        'build-backend = "own"\nbackend-path = ["packaging"]\n',
        "packaging/own.py": "from setuptools.build_meta import *\n",
        "setup.py": "from setuptools import setup\nsetup(name='pkg', version='1', "
        "package_dir={'': 'lib'}, packages=['pkg'])\n",
        "lib/pkg/__init__.py": "from pkg._c import x\nfrom pkg import y\n",
        "lib/pkg/y.py": "import pkg\n",
    })  # fmt: skip
    stated = read_declared_project(tmp_path)
    assert stated.settings["source"] == "lib" and stated.project["name"] == "pkg"
    assert "TF111" not in [f.code for f in findings(tmp_path)]


def test_an_import_where_something_failed_is_optional(project: Callable[..., Path]) -> None:
    source = "try:\n    set\nexcept NameError:\n    from sets import Set as set\n"
    assert errors(project({"src/pkg/__init__.py": source})) == []


def test_a_vendored_module_is_no_missing_dependency(project: Callable[..., Path]) -> None:
    files = {"src/pkg/__init__.py": "import numpy\n", "src/pkg/_vendor/numpy.py": FINE}
    assert errors(project(files)) == []


def test_a_vendored_part_of_another_project_is_judged_mildly(
    project: Callable[..., Path],
) -> None:
    source = "__version__ = '3.0'\n__all__ = ['f']\nfrom .gone import x\n"
    root = project({"src/pkg/_vendor/other/__init__.py": source})
    assert {(f.code, f.severity) for f in findings(root)} == {
        ("TF104", "warning"),
        ("TF105", "warning"),
    }


def test_a_module_that_is_made_anew_may_have_any_name(project: Callable[..., Path]) -> None:
    source = "__all__ = ['f']\nold, new = local.recreate_module(  # later\n    __name__, names)\n"
    assert [code for code, _ in errors(project({"src/pkg/__init__.py": source}))] == []


def test_a_key_in_the_tests_of_an_sdist_warns_and_a_token_there_is_an_error(
    project: Callable[..., Path],
) -> None:
    key = (
        "-----BEGIN RSA PRIVATE KEY-----\n" + "MIIEowIBAAKCAQEAx4UbaDzY5xjW6hc9jwN0mX33XpTDVWqKl\n"
    )
    include = {
        "[project]": "[tool.twofold.sdist]\ninclude = ['*tests/**', 'a/**', 'dummy*/*']\n[project]"
    }
    texts = {"src/pkg/tests/__init__.py": "", "a/test_ssh.py": f'KEY = """{key}"""\n'}
    names = "tests/certs/server.key unit-tests/a/b.key a/t/x.key a/examples/x.key dummyserver/x.key"
    keys = dict.fromkeys(names.split(), key * 3)
    made_up = {
        "tests/.env": "FOO=env\nSPAM=1\nHAM=火腿\n",
        "tests/a/.netrc": "machine a.org login me\n password example-word\n",
    }
    root = project({**texts, **keys, **made_up}, include)
    assert sorted((f.code, f.severity, f.place[0]) for f in findings(root)) == [
        ("TF201", "warning", path) for path in sorted(["a/test_ssh.py", *keys, *made_up])
    ]
    settings = (root / "pyproject.toml").read_text(encoding="utf-8")
    real = {
        "tests/token.txt": "ghp_" + "a1B2c3D4e5" * 4,
        "tests/.env": "DB_PASSWORD=hunter\n",
        "tests/a/.netrc": "machine a.org login me password hunter2\n",
        "tests/b/.netrc": "password: hunter2\n",
        "tests/c/.env": "KEY=9f86d081884c7d65\n",
    }
    keys_allowed = '\n[tool.twofold.check]\nallow = ["**/*.key", "a/*"]\n'
    write(root, {"pyproject.toml": settings + keys_allowed, **real})
    assert sorted(errors(root)) == sorted(("TF201", path) for path in real)


@pytest.mark.parametrize(
    ("backend", "table", "name"),
    [
        ("setuptools.build_meta", "setuptools.dynamic]\nversion.file = '", "__version__.txt"),
        ("setuptools.build_meta", "setuptools.dynamic]\nversion.file = '", "pkg/VERSION"),
        ("setuptools.build_meta", "setuptools.dynamic]\nversion.attr = 'pkg.gone.V", "pkg.gone"),
        ("hatchling.build", "hatch.version]\npath = '", "pkg/about.py"),
        ("hatchling.build", "hatch.version]\nsource = 'code'\npath = '", "gone.py"),
        ("pdm.backend", "pdm.version]\nsource = 'file'\npath = '", "pkg/version.py"),
    ],
)
def test_a_version_file_that_is_missing_is_a_finding(
    backend: str, table: str, name: str, tmp_path: Path
) -> None:
    line = f"[tool.{table}{'' if name in table else name}'\n"
    toml = with_backend(backend, line).replace('version = "1.0.0"', 'dynamic = ["version"]')
    (found,) = findings(write(tmp_path, {**GOOD, "pyproject.toml": toml}))
    assert not found.is_error, "setuptools builds 0.0.0"
    assert f"'{name}'" in found.message and found.hint and found.code == "TF004"
    assert found.where.startswith("pyproject.toml")


def test_a_project_of_poetry_without_a_backend_is_led_to_init(
    tmp_path: Path, twofold: Callable[..., CommandResult]
) -> None:
    text = '[tool.poetry]\nname = "pkg"\nversion = "1.0"\ndescription = ""\nauthors = []\n'
    ran = twofold("build", write(tmp_path, {"pyproject.toml": text, "pkg.py": FINE}))
    assert ran.code == 1
    assert "there is no [project] table" in ran.err and "twofold init" in ran.err
