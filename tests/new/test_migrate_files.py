"""`twofold init` for the settings that select files: the new wheel holds what the old one held."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.new.migrated import Migrated, make_wheel, migrate, write_project
from twofold.new.migrate import MigrationTools, compare_wheels, plan_migration
from twofold.new.migrate.facts import Facts
from twofold.new.migrate.packed_files import carry_over_files
from twofold.new.migrate.wheel_diff import normalize_value
from twofold.source_analysis import InstalledDistributions
from twofold_build.plan import make_plan

HATCH = "[build-system]\nrequires = ['hatchling']\nbuild-backend = 'hatchling.build'\n"
PDM = "[build-system]\nrequires = ['pdm-backend']\nbuild-backend = 'pdm.backend'\n"
UV = "[build-system]\nrequires = ['uv_build']\nbuild-backend = 'uv_build'\n"
POETRY = "[build-system]\nrequires = ['poetry-core']\nbuild-backend = 'poetry.core.masonry.api'\n"
PROJECT = "[project]\nname = 'my_package'\nversion = '1'\n"
WHEEL = "[tool.hatch.build.targets.wheel]\n"


def list_wheel(root: Path, found: Migrated) -> set[str]:
    """List the files of the wheel that twofold-build would make of the new file."""
    files = make_plan(root, found.text).selection.files
    return {name for file in files for name in file.wheel}


def touch(*names: str) -> dict[str, str]:
    return dict.fromkeys(names, "")


CASES = {
    "hatch include of some files": (
        f"{HATCH}{PROJECT}{WHEEL}include = ['my_package/*.py', 'other']\n",
        touch("my_package/__init__.py", "my_package/data.txt", "other/__init__.py", "other/x.txt"),
        {"my_package/__init__.py", "other/__init__.py", "other/x.txt"},
    ),
    "hatch include with negation": (
        f"{HATCH}{PROJECT}{WHEEL}include = ['/my_package', '!my_package/tests']\n",
        touch("my_package/__init__.py", "my_package/tests/__init__.py"),
        {"my_package/__init__.py"},
    ),
    "hatch exclude with negation": (
        f"{HATCH}{PROJECT}{WHEEL}exclude = ['**/tests/*', '!**/tests/abstract/']\n",
        touch(
            "my_package/__init__.py", "my_package/tests/test_a.py",
            "my_package/tests/abstract/__init__.py", "my_package/sub/tests/test_b.py",
            "my_package/sub/__init__.py",
        ),
        {
            "my_package/__init__.py", "my_package/tests/abstract/__init__.py",
            "my_package/sub/__init__.py",
        },
    ),
    "hatch sources list": (
        f"{HATCH}{PROJECT}{WHEEL}only-include = ['lib/my_package']\nsources = ['lib']\n",
        touch("lib/my_package/__init__.py"),
        {"my_package/__init__.py"},
    ),
    "hatch sources table that strips": (
        f"{HATCH}{PROJECT}[tool.hatch.build.targets.wheel.sources]\n'python/my_package' = "
        f"'my_package'\n{WHEEL}only-include = ['python/my_package']\n",
        touch("python/my_package/__init__.py"),
        {"my_package/__init__.py"},
    ),
    "hatch packages in a deep folder": (
        f"{HATCH}{PROJECT}{WHEEL}packages = ['code/python/my_package']\n",
        touch("code/python/my_package/__init__.py"),
        {"my_package/__init__.py"},
    ),
    "pdm without includes": (
        f"{PDM}{PROJECT}",
        touch("my_package/__init__.py", "single_module.py", "pdm_build.py"),
        {"my_package/__init__.py"},
    ),
    "pdm custom hook": (
        f"{PDM}{PROJECT}[tool.pdm.build]\ncustom-hook = 'my_build.py'\n",
        touch("demo.py", "my_build.py"),
        {"demo.py"},
    ),
    "pdm source-includes inside a package": (
        f"{PDM}{PROJECT}[tool.pdm.build]\nincludes = ['my_package/']\n"
        "source-includes = ['my_package/**/*.json']\n",
        touch("my_package/__init__.py", "my_package/data/a.json", "my_package/b.txt"),
        {"my_package/__init__.py", "my_package/b.txt"},
    ),
    "uv namespace": (
        f"{UV}[project]\nname = 'acme'\nversion = '1'\n[tool.uv.build-backend]\nnamespace = true\n",
        touch("src/acme/mod.py", "src/acme/api/__init__.py", "src/acme/common/__init__.py"),
        {"acme/mod.py", "acme/api/__init__.py", "acme/common/__init__.py"},
    ),
    "poetry include under an excluded folder": (
        f"{POETRY}[tool.poetry]\nname = 'my_package'\nversion = '1'\ndescription = 'x'\n"
        "exclude = ['my_package/compiled', 'my_package/*.pyx']\n"
        "include = [{path = 'my_package/compiled/**/*', format = 'sdist'}, "
        "{path = 'my_package/*.pyx', format = 'sdist'}]\n",
        touch("my_package/__init__.py", "my_package/a.pyx", "my_package/compiled/a.c"),
        {"my_package/__init__.py"},
    ),
    "poetry package in a namespace": (
        f"{POETRY}[tool.poetry]\nname = 'my_package'\nversion = '1'\ndescription = 'x'\n"
        "packages = [{include = 'acme/api'}]\n",
        touch("acme/api/__init__.py", "acme/api/sub/__init__.py", "acme/other.py"),
        {"acme/api/__init__.py", "acme/api/sub/__init__.py"},
    ),
    "hatch only-include of a module in a package": (
        f"{HATCH}{PROJECT}{WHEEL}only-include = ['my_package/a.py', 'extra']\n",
        touch(
            "my_package/__init__.py", "my_package/a.py", "my_package/b/c.py", "extra/__init__.py"
        ),
        {"my_package/a.py", "extra/__init__.py"},
    ),
    "hatch exclude of a folder's name at any depth": (
        f"{HATCH}{PROJECT}[tool.hatch.build]\nexclude = ['tests/', '/my_package/data']\n",
        touch(
            "my_package/__init__.py", "my_package/tests/test_a.py", "tests/test_b.py",
            "my_package/data/a.json", "my_package/sub/data/a.json",
        ),
        {"my_package/__init__.py", "my_package/sub/data/a.json"},
    ),
    "uv excludes below any folder": (
        f"{UV}{PROJECT}[tool.uv.build-backend]\nsource-exclude = ['dev', 'my_package/a.c']\n"
        "wheel-exclude = ['/src/my_package/x/**', '**/*.bin', '/my_package/keep.txt']\n",
        touch(
            "src/my_package/__init__.py", "src/my_package/dev/a.py", "src/my_package/a.c",
            "src/my_package/x/a.txt", "src/my_package/a.bin", "src/my_package/keep.txt",
        ),
        {"my_package/__init__.py", "my_package/keep.txt"},
    ),
    "pdm includes a part of a namespace": (
        f"{PDM}{PROJECT}[tool.pdm.build]\nincludes = ['acme/x', 'lib/y']\n",
        touch("acme/x/__init__.py", "acme/z/__init__.py", "lib/y/__init__.py"),
        {"acme/x/__init__.py", "lib/y/__init__.py"},
    ),
    "pdm includes a part of a package": (
        f"{PDM}{PROJECT}[tool.pdm.build]\nincludes = ['my_package/sub']\n",
        touch("my_package/__init__.py", "my_package/sub/__init__.py", "my_package/sub/a.txt"),
        {"my_package/sub/__init__.py", "my_package/sub/a.txt"},
    ),
    "pdm stubs": (
        f"{PDM}[project]\nname = 'types-demo'\nversion = '1'\n",
        touch("src/demo-stubs/__init__.pyi"),
        {"demo-stubs/__init__.pyi"},
    ),
    "pdm wheel-data for the libraries": (
        f"{PDM}{PROJECT}[tool.pdm.build.wheel-data]\nplatlib = ['native/*.txt']\n"
        "purelib = [{path = 'pure/*.py', relative-to = 'pure'}]\n",
        touch("my_package/__init__.py", "native/n.txt", "pure/pp.py"),
        {
            "my_package/__init__.py", "my_package-1.data/platlib/n.txt",
            "my_package-1.data/purelib/pp.py",
        },
    ),
    "setuptools with empty lists": (
        f"{PROJECT}[tool.setuptools]\npackages = []\npy-modules = []\n", touch("notes.py"), set()
    ),
    "setuptools namespace of plain modules": (
        PROJECT,
        touch("src/my_package/__init__.py", "src/ns/inner/x.py", "src/ns/full/__init__.py"),
        {"my_package/__init__.py", "ns/inner/x.py", "ns/full/__init__.py"},
    ),
    "setuptools headers": (
        "",
        {
            "setup.py": "from setuptools import setup\nsetup(name='my_package', version='1', "
            "packages=['my_package'], headers=['inc/a.h'])\n",
            **touch("my_package/__init__.py", "inc/a.h"),
        },
        {"my_package/__init__.py", "my_package-1.data/headers/a.h"},
    ),
    "hatch sources table that renames": (
        f"{HATCH}{PROJECT}{WHEEL}only-include = ['python/impl']\n"
        "[tool.hatch.build.targets.wheel.sources]\n'python/impl' = 'demo_pkg'\n",
        touch("python/impl/__init__.py"),
        {"demo_pkg/__init__.py"},
    ),
    "hatch sources table that moves the project's own package": (
        f"{HATCH}{PROJECT}{WHEEL}only-include = ['src/my_package']\nsbom-files = ['a.spdx.json']\n"
        "[tool.hatch.build.targets.wheel.sources]\n'src/my_package' = 'acme/plugins/my_package'\n",
        touch("src/my_package/__init__.py", "a.spdx.json"),
        {"acme/plugins/my_package/__init__.py", "my_package-1.dist-info/sboms/a.spdx.json"},
    ),
    "hatch places": (
        f"{HATCH}{PROJECT}[tool.hatch.build.targets.wheel.force-include]\n'a.txt' = "
        "'my_package/b.txt'\n[tool.hatch.build.targets.wheel.shared-data]\n'a.txt' = "
        "'share/x/a.txt'\n[tool.hatch.build.targets.wheel.shared-scripts]\n'go.sh' = 'go'\n",
        touch("my_package/__init__.py", "a.txt", "go.sh"),
        {
            "my_package/__init__.py", "my_package/b.txt", "my_package-1.data/data/share/x/a.txt",
            "my_package-1.data/scripts/go",
        },
    ),
    "pdm wheel-data": (
        f"{PDM}{PROJECT}[tool.pdm.build.wheel-data]\nscripts = ['scripts/**/*']\n"
        "data = [{path = 'assets/**/*', relative-to = 'assets'}]\n",
        touch("my_package/__init__.py", "scripts/deep/go.sh", "assets/share/x/a.txt"),
        {
            "my_package/__init__.py", "my_package-1.data/scripts/go.sh",
            "my_package-1.data/data/share/x/a.txt",
        },
    ),
    "setuptools package_dir and data_files": (
        PROJECT,
        {
            "setup.py": "from setuptools import setup\nsetup(packages=['my_package'],"
            " package_dir={'my_package': 'lib'}, data_files=[('share/x', ['a.txt'])])\n",
            **touch("lib/__init__.py", "a.txt"),
        },
        {"my_package/__init__.py", "my_package-1.data/data/share/x/a.txt"},
    ),
    "setuptools find_packages": (
        PROJECT,
        {
            "setup.py": "from setuptools import setup, find_packages\n"
            "setup(packages=find_packages())\n",
            **touch(
                "my_package/__init__.py", "my_package/sub/__init__.py",
                "my_package/plain/a.py", "my_package/plain/deep/__init__.py",
            ),
        },
        {"my_package/__init__.py", "my_package/sub/__init__.py"},
    ),
    "setuptools find without namespaces": (
        f"{PROJECT}[tool.setuptools.packages.find]\nnamespaces = false\n",
        touch("my_package/__init__.py", "my_package/plain/a.py"),
        {"my_package/__init__.py"},
    ),
    "setuptools find with namespaces": (
        f"{PROJECT}[tool.setuptools.packages.find]\ninclude = ['my_package*']\n",
        touch("my_package/__init__.py", "my_package/plain/a.py"),
        {"my_package/__init__.py", "my_package/plain/a.py"},
    ),
    "setuptools find that excludes the namespaces above a package": (
        f"{PROJECT}[tool.setuptools.packages.find]\nexclude = ['acme', 'acme.shared', 'tests*']\n",
        touch(
            "acme/__init__.py", "acme/shared/__init__.py", "acme/shared/mine/__init__.py",
            "acme/shared/mine/deep/__init__.py", "tests/__init__.py",
        ),
        {"acme/shared/mine/__init__.py", "acme/shared/mine/deep/__init__.py"},
    ),
    "setuptools list of packages": (
        f"{PROJECT}[tool.setuptools]\npackages = ['my_package']\n",
        touch("my_package/__init__.py", "my_package/sub/__init__.py"),
        {"my_package/__init__.py"},
    ),
    "poetry packages of several folders, one moved, and a script file": (
        f"{POETRY}[tool.poetry]\nname = 'my_package'\nversion = '1'\ndescription = 'x'\n"
        "packages = [{include = 'my_package', from = 'a'}, {include = 'other', from = 'b'}, "
        "{include = 'inner', from = 'a', to = 'vendor'}, {include = 'seen', format = 'sdist'}]\n"
        "[tool.poetry.scripts]\nrun = {reference = 'bin/run.sh', type = 'file'}\n",
        touch(
            "a/my_package/__init__.py", "b/other/__init__.py", "a/inner/__init__.py",
            "seen/__init__.py", "bin/run.sh",
        ),
        {
            "my_package/__init__.py", "other/__init__.py", "vendor/inner/__init__.py",
            "my_package-1.data/scripts/run.sh",
        },
    ),
    "hatch packages of several folders": (
        f"{HATCH}{PROJECT}{WHEEL}packages = ['a/my_package', 'b/other', 'third']\n",
        touch("a/my_package/__init__.py", "b/other/__init__.py", "third/__init__.py"),
        {"my_package/__init__.py", "other/__init__.py", "third/__init__.py"},
    ),
    "setuptools package_dir of several folders and scripts": (
        PROJECT,
        {
            "setup.py": "from setuptools import setup\nsetup(packages=['my_package', 'other'],"
            " package_dir={'my_package': 'a/my_package', 'other': 'b/other'},"
            " scripts=['bin/go'])\n",
            **touch("a/my_package/__init__.py", "b/other/__init__.py", "bin/stop"),
            "bin/go": "#!/bin/sh\n",
        },
        {"my_package/__init__.py", "other/__init__.py", "my_package-1.data/scripts/go"},
    ),
    "hatch artifacts with negation": (
        f"{HATCH}{PROJECT}[tool.hatch.build]\nartifacts = ['my_package/gen/*.json', "
        "'!my_package/gen/own.json']\n",
        {
            ".gitignore": "gen/\n",
            **touch("my_package/__init__.py", "my_package/gen/a.json", "my_package/gen/own.json"),
        },
        {"my_package/__init__.py", "my_package/gen/a.json"},
    ),
    "hatch wheel of data alone": (
        f"{HATCH}{PROJECT}{WHEEL}bypass-selection = true\n"
        "[tool.hatch.build.targets.wheel.shared-data]\n'etc/x.json' = 'etc/x/x.json'\n",
        touch("etc/x.json", "other/a.py"),
        {"my_package-1.data/data/etc/x/x.json"},
    ),
    "pdm excludes of what the sdist includes": (
        f"{PDM}{PROJECT}[tool.pdm.build]\npackage-dir = 'lib'\nincludes = ['lib/my_package']\n"
        "excludes = ['lib/my_package/tests', '**/*.c']\n"
        "source-includes = ['lib/my_package/tests']\n",
        touch(
            "lib/my_package/__init__.py", "lib/my_package/a.c", "lib/my_package/tests/test_a.py",
            "lib/my_package/tests/a.c",
        ),
        {"my_package/__init__.py"},
    ),
    "setuptools script-files": (
        f"{PROJECT}[tool.setuptools]\npackages = ['my_package']\nscript-files = ['bin/go']\n",
        {"bin/go": "#!/bin/sh\n", **touch("my_package/__init__.py", "bin/stop")},
        {"my_package/__init__.py", "my_package-1.data/scripts/go"},
    ),
    "poetry packages by globs and as files, one folder with `from`": (
        f"{POETRY}[tool.poetry]\nname = 'my_package'\nversion = '1'\ndescription = 'x'\n"
        "packages = [{include = 'my_package/**/*.py'}, {include = 'tool.py'}, "
        "{include = '*.py', from = 'more'}]\n",
        touch(
            "my_package/__init__.py", "my_package/sub/a.py", "my_package/sub/a.txt",
            "my_package/data/b.txt", "tool.py", "more/x.py", "more/y.py",
        ),
        {"my_package/__init__.py", "my_package/sub/a.py", "tool.py", "x.py", "y.py"},
    ),
    "poetry files by a glob, with `to`": (
        f"{POETRY}[tool.poetry]\nname = 'my_package'\nversion = '1'\ndescription = 'x'\n"
        "packages = [{include = 'my_package'}, {include = 'data/**/*.json', to = 'my_package'}]\n",
        touch("my_package/__init__.py", "data/a/b.json", "data/c.txt"),
        {"my_package/__init__.py", "my_package/data/a/b.json"},
    ),
    "flit excludes of the sdist inside the module": (
        "[build-system]\nrequires = ['flit_core']\nbuild-backend = 'flit_core.buildapi'\n"
        f"{PROJECT}description = 'x'\n[tool.flit.sdist]\nexclude = ['my_package/tests/', 'doc']\n",
        touch("my_package/__init__.py", "my_package/tests/__init__.py", "doc/a.md"),
        {"my_package/__init__.py", "my_package/tests/__init__.py"},
    ),
    "hatch excludes of the sdist inside the package": (
        f"{HATCH}{PROJECT}[tool.hatch.build.targets.sdist]\n"
        "exclude = ['my_package/tests', '/docs']\n",
        touch("my_package/__init__.py", "my_package/tests/__init__.py", "docs/a.txt"),
        {"my_package/__init__.py", "my_package/tests/__init__.py"},
    ),
    "setuptools files that MANIFEST.in prunes": (
        f"{PROJECT}[tool.setuptools]\npackages = ['my_package', 'my_package.tests']\n",
        {
            "MANIFEST.in": "prune my_package/tests\nexclude my_package/x.txt\n",
            **touch("my_package/__init__.py", "my_package/tests/__init__.py", "my_package/x.txt"),
        },
        {"my_package/__init__.py", "my_package/tests/__init__.py"},
    ),
    "setuptools find in several folders": (
        f"{PROJECT}[tool.setuptools.packages.find]\nwhere = ['src', 'lib']\n"
        "include = ['my_*', 'extra*']\n",
        touch("src/my_package/__init__.py", "src/other/__init__.py", "lib/extra/__init__.py"),
        {"my_package/__init__.py", "extra/__init__.py"},
    ),
    "pdm includes by a glob": (
        f"{PDM}{PROJECT}[tool.pdm.build]\nincludes = ['my_package/**/*.py']\n",
        touch("my_package/__init__.py", "my_package/sub/a.py", "my_package/b.txt"),
        {"my_package/__init__.py", "my_package/sub/a.py"},
    ),
    "uv wheel-exclude from the root": (
        f"{UV}{PROJECT}[tool.uv.build-backend]\n"
        "wheel-exclude = ['/src/my_package/tests', 'big.bin']\n",
        touch(
            "src/my_package/__init__.py", "src/my_package/tests/__init__.py",
            "src/my_package/big.bin",
        ),
        {"my_package/__init__.py", "my_package/tests/__init__.py"},
    ),
    "hatch sources that add a folder, places from the root": (
        f"{HATCH}{PROJECT}{WHEEL}packages = ['my_package']\n"
        "[tool.hatch.build.targets.wheel.sources]\n'' = 'vendor'\n"
        "[tool.hatch.build.targets.wheel.force-include]\n'VERSION' = '/vendor/VERSION'\n"
        "[tool.hatch.build.targets.wheel.shared-scripts]\n'tools' = '/'\n",
        {"tools/go.sh": "#!/bin/sh\n", **touch("my_package/__init__.py", "VERSION")},
        {
            "vendor/my_package/__init__.py", "vendor/vendor/VERSION",
            "my_package-1.data/scripts/vendor/go.sh",
        },
    ),
    "hatch sources that move placed files": (
        f"{HATCH}{PROJECT}{WHEEL}packages = ['src/my_package']\n"
        "[tool.hatch.build.targets.wheel.force-include]\n"
        "'VERSION' = 'src/my_package/VERSION'\n'tools' = 'src'\n'a' = 'srcs/a'\n",
        touch("src/my_package/__init__.py", "VERSION", "tools/go.py", "a/b.txt"),
        {
            "my_package/__init__.py", "my_package/VERSION", "go.py", "srcs/a/b.txt",
        },
    ),
    "setuptools data-files with a glob": (
        f"{PROJECT}[tool.setuptools]\npackages = ['my_package']\n"
        "[tool.setuptools.data-files]\n'share/x' = ['data/*.txt', 'data/b.json']\n",
        touch("my_package/__init__.py", "data/a.txt", "data/b.json", "data/c.bin"),
        {
            "my_package/__init__.py", "my_package-1.data/data/share/x/a.txt",
            "my_package-1.data/data/share/x/b.json",
        },
    ),
    "poetry license folder": (
        f"{POETRY}[tool.poetry]\nname = 'my_package'\nversion = '1'\ndescription = 'x'\n"
        "license = 'MIT'\n",
        touch("my_package/__init__.py", "LICENSES/MIT.txt", "LICENSE"),
        {
            "my_package/__init__.py", "my_package-1.dist-info/licenses/LICENSE",
            "my_package-1.dist-info/licenses/LICENSES/MIT.txt",
        },
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_wheel_holds_the_same_files_without_the_old_wheel(tmp_path: Path, name: str) -> None:
    text, files, wanted = CASES[name]
    found = migrate(tmp_path, {"pyproject.toml": text, **files})
    assert list_wheel(tmp_path / "my_package", found) == wanted, found.text


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_the_wheel_of_the_old_backend_holds_the_same_files(
    tmp_path: Path, twofold: Callable[..., object], name: str
) -> None:
    text, files, _ = CASES[name]
    root = write_project(tmp_path, {"pyproject.toml": text, **files})
    ran = twofold("init", root, "--verify", "--json")
    assert ran.code == 0, ran.err
    assert ran.json["files"] == {"gone": [], "added": []}, ran.json["text"]
    files_differ = [one for one in ran.json["differences"] if one["kind"] in ("file", "content")]
    assert files_differ == []


def test_a_folder_that_the_old_wheel_has_under_another_name_is_not_excluded(tmp_path: Path) -> None:
    old = {"a/__init__.py", "a/b/mod.py"}
    new = {"a/__init__.py": "src/a/__init__.py", "a/b/mod.py": "src/a/_b/mod.py"}
    beside = {"a/_b/mod.py": "src/a/_b/mod.py", "a/more/x.py": "src/a/more/x.py"}
    facts = Facts()
    carry_over_files(facts, tmp_path, old, {**new, **beside})
    assert facts.settings == {"wheel": {"exclude": ["src/a/more/**"]}}


DROPPED = {
    "hatch force-include of a file that is not there": (
        f"{HATCH}{PROJECT}[tool.hatch.build.targets.wheel.force-include]\n'a.txt' = 'b/a.txt'\n",
        touch("my_package/__init__.py"),
        "force-include",
    ),
    "setuptools data_files at an absolute place": (
        PROJECT,
        {
            "setup.py": "from setuptools import setup\n"
            "setup(packages=['my_package'], data_files=[('/etc/x', ['a.txt'])])\n",
            **touch("my_package/__init__.py", "a.txt"),
        },
        "data_files = [('/etc/x', ['a.txt'])]",
    ),
    "hatch include beside packages": (
        f"{HATCH}{PROJECT}{WHEEL}include = ['my_package', 'README.md']\n",
        touch("my_package/__init__.py", "README.md"),
        "README.md outside every package",
    ),
    "pdm write_to": (
        f"{PDM}[project]\nname = 'my_package'\ndynamic = ['version']\n[tool.pdm.version]\n"
        "source = 'scm'\nwrite_to = 'my_package/_version.py'\n",
        touch("my_package/__init__.py"),
        "write_to = 'my_package/_version.py'",
    ),
    "hatch requirements with a path of today's machine": (
        f"{HATCH}{PROJECT}dependencies = ['foo @ {{root:uri}}/foo', 'bar']\n"
        "[tool.hatch.metadata]\nallow-direct-references = true\n",
        touch("my_package/__init__.py"),
        "foo @ {root:uri}/foo",
    ),
    "poetry exclude by a table": (
        f"{POETRY}[tool.poetry]\nname = 'my_package'\nversion = '1'\ndescription = 'x'\n"
        "exclude = [{path = 'my_package/*.c', format = 'wheel'}]\n",
        touch("my_package/__init__.py", "my_package/a.c"),
        "excludes nothing by a table",
    ),
    "poetry extras of a script": (
        f"{POETRY}[tool.poetry]\nname = 'my_package'\nversion = '1'\ndescription = 'x'\n"
        "[tool.poetry.scripts]\ngo = {reference = 'my_package:go', type = 'console', "
        "extras = ['cli']}\n",
        {"my_package/__init__.py": "def go(): pass\n"},
        "scripts.go requires the extras ['cli']",
    ),
    "setuptools version in a file that is missing": (
        "[project]\nname = 'my_package'\ndynamic = ['version']\n[tool.setuptools.dynamic]\n"
        "version = {file = 'VERSION'}\n",
        touch("my_package/__init__.py"),
        "'VERSION', which does not exist",
    ),
    "pdm includes of a file": (
        f"{PDM}{PROJECT}[tool.pdm.build]\nincludes = ['my_package/', 'data_out.json']\n",
        touch("my_package/__init__.py", "data_out.json"),
        "includes: 'data_out.json'",
    ),
}


@pytest.mark.parametrize("name", DROPPED)
def test_what_cannot_be_carried_over_is_named(tmp_path: Path, name: str) -> None:
    text, files, wanted = DROPPED[name]
    found = migrate(tmp_path, {"pyproject.toml": text, **files})
    assert any(wanted in one for one in found.dropped), found.dropped


def test_hatchs_own_file_is_read_and_takes_precedence(tmp_path: Path) -> None:
    files = {
        "pyproject.toml": f"{HATCH}[project]\nname = 'demo'\ndynamic = ['version']\n{WHEEL}"
        "packages = ['old/demo_pkg']\n",
        "hatch.toml": "[version]\npath = 'lib/demo_pkg/__init__.py'\n"
        "[build.targets.wheel]\npackages = ['lib/demo_pkg']\n[envs.default]\n",
        "lib/demo_pkg/__init__.py": "__version__ = '1'\n",
    }
    found = migrate(tmp_path, files)
    assert list_wheel(tmp_path / "my_package", found) == {"demo_pkg/__init__.py"}
    assert any("hatch.toml" in remark for remark in found.plan.remarks)


@pytest.mark.parametrize(
    "text",
    ["build = 1\n", "[build]\ntargets = 1\n", "[build.targets.wheel]\npackages = 'x'\n", "x"],
)
def test_a_mistake_in_hatchs_own_file_is_reported(
    tmp_path: Path, twofold: Callable[..., object], text: str
) -> None:
    files = {"pyproject.toml": f"{HATCH}{PROJECT}", "hatch.toml": text, "my_package.py": ""}
    root = write_project(tmp_path, files)
    ran = twofold("init", root, "--static")
    assert ran.code == 1 and "hatch.toml" in ran.err and "Traceback" not in ran.err


def test_poetrys_packages_of_the_sdist_alone_may_be_globs_and_files(tmp_path: Path) -> None:
    settings = (
        f"{POETRY}[tool.poetry]\nname = 'my_package'\nversion = '1'\ndescription = 'x'\n"
        "packages = [{include = 'my_package'}, {include = 'b/**/*.py', from = 'a', "
        "format = 'sdist'}, {include = 'c.py', format = ['sdist']}]\n"
    )
    files = touch("my_package/__init__.py", "a/b/x.py", "a/b/c/y.py", "a/b/z.txt", "c.py")
    found = migrate(tmp_path, {"pyproject.toml": settings, **files})
    plan = make_plan(tmp_path / "my_package", found.text)
    packed = {file.path for file in plan.selection.files}
    assert packed & files.keys() == files.keys() - {"a/b/z.txt"}


def test_tables_of_poetry_without_a_path_are_reported(tmp_path: Path) -> None:
    text = (
        f"{POETRY}[tool.poetry]\nname = 'my_package'\nversion = '1'\ndescription = 'x'\n"
        "packages = [{from = 'lib'}]\n"
    )
    found = migrate(tmp_path, {"pyproject.toml": text, "my_package.py": ""})
    assert any("it names no package" in one for one in found.dropped)


def compare(folder: Path, files: dict[str, str], wheel_files: tuple[str, ...]) -> Migrated:
    """Migrate files, beside a wheel of the old backend that holds these files."""
    wheel = folder / "my_package-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name in (*wheel_files, "my_package-1.dist-info/RECORD"):
            archive.writestr(name, "")
        archive.writestr("my_package-1.dist-info/METADATA", "Name: my_package\nVersion: 1\n")
    tools = MigrationTools(lambda: wheel, environment=InstalledDistributions())
    return Migrated(plan_migration(write_project(folder, files), tools))


def test_packages_that_the_old_wheel_lacks_are_excluded(tmp_path: Path) -> None:
    files = touch("my_package/__init__.py", "my_package/plain/a.py", "my_package/x.txt", "hook.py")
    old = ("my_package/__init__.py",)
    found = compare(tmp_path, {**files, "pyproject.toml": f"{HATCH}{PROJECT}"}, old)
    assert found.settings == {"wheel": {"exclude": ["my_package/plain/**"]}}
    assert found.plan.packed is not None
    assert (found.plan.packed.gone, found.plan.packed.added) == ((), ("my_package/x.txt",))


def test_files_that_only_the_old_wheel_has_are_listed_with_the_settings_that_may_be_why(
    tmp_path: Path,
) -> None:
    text = f"{PDM}{PROJECT}[tool.pdm.build]\nincludes = ['my_package/', 'data_out.json']\n"
    files = {**touch("my_package/__init__.py", "data_out.json"), "pyproject.toml": text}
    found = compare(tmp_path, files, ("my_package/__init__.py", "data_out.json", "made.json"))
    assert found.plan.packed is not None and found.plan.packed.gone == ("made.json",)
    assert any("data_out.json" in one for one in found.dropped)


@pytest.mark.parametrize(
    ("old", "paths"),
    [
        (["data_out.json"], {"data_out.json": "data_out.json"}),
        (["extra/a.txt", "extra/deep/b.txt"], {"extra": "extra"}),
        (["extra/a.txt"], {"extra/a.txt": "extra/a.txt"}),
    ],
)
def test_files_that_the_old_wheel_has_beside_the_packages_are_placed(
    old: list[str], paths: dict[str, str], tmp_path: Path
) -> None:
    files = touch(
        "my_package/__init__.py", "data_out.json", "extra/a.txt", "extra/deep/b.txt", "other.py"
    )
    files["pyproject.toml"] = f"{PDM}{PROJECT}[tool.pdm.build]\nincludes = ['my_package/', 'x']\n"
    found = compare(tmp_path, files, ("my_package/__init__.py", *old))
    assert found.settings["wheel"]["paths"] == paths
    assert found.plan.packed is not None and found.plan.packed.gone == ()
    assert list_wheel(tmp_path / "my_package", found) == {"my_package/__init__.py", *old}


def test_what_a_comparison_shows_is_named_only_without_one(tmp_path: Path) -> None:
    text = f"{HATCH}{PROJECT}{WHEEL}ignore-vcs = true\nonly-packages = true\n"
    files = {"pyproject.toml": text, **touch("my_package/__init__.py", "my_package/plain/a.py")}
    assert compare(tmp_path, files, ("my_package/__init__.py",)).dropped == []
    assert [
        one.partition(": ")[2].partition(" =")[0] for one in migrate(tmp_path, files).dropped
    ] == [
        "ignore-vcs",
        "only-packages",
    ]


def test_files_that_git_ignores_and_the_old_wheel_has_are_included(tmp_path: Path) -> None:
    made = ("src/my_package/gen.json", "src/my_package/_c.so", "src/my_package/x.log")
    files = {**touch("src/my_package/__init__.py", *made), ".gitignore": "*.json\n*.so\n*.log\n"}
    (tmp_path / "my_package/.git").mkdir(parents=True)
    text = f"{UV}{PROJECT}[tool.uv.build-backend]\nwheel-exclude = ['*.log']\n"
    old = ("my_package/__init__.py", "my_package/gen.json", "my_package/_c.so")
    found = compare(tmp_path, {**files, "pyproject.toml": text}, old)
    assert found.settings["include"] == ["src/my_package/gen.json"]
    assert list_wheel(tmp_path / "my_package", found) == set(old[:2])


def test_files_whose_places_a_program_computes_are_placed_as_in_the_old_wheel(
    tmp_path: Path,
) -> None:
    setup = (
        "from glob import glob\nfrom setuptools import setup\nsetup(name='my_package', version='1',"
        " packages=['my_package'], data_files=[('etc', glob('c/*'))], scripts=glob('bin/*'))\n"
    )
    files = {"setup.py": setup, **touch("my_package/__init__.py", "c/a.conf", "bin/go", "x/go")}
    files["x/go"] = "another"
    data = ("my_package-1.data/data/etc/a.conf", "my_package-1.data/scripts/go")
    found = compare(tmp_path, files, ("my_package/__init__.py", *data))
    assert found.settings["wheel"]["data"] == {
        "data": {"c/a.conf": "etc/a.conf"}, "scripts": {"bin/go": "go"}
    }  # fmt: skip
    assert found.dropped == []
    static = migrate(tmp_path, files)
    assert [one.partition(" = ")[0] for one in static.dropped] == [
        "setup.py:3: data_files", "setup.py:3: scripts"
    ]  # fmt: skip


def test_a_package_below_namespaces_that_the_old_wheel_lacks_is_placed(tmp_path: Path) -> None:
    files = touch("acme/__init__.py", "acme/mine/__init__.py", "acme/mine/a.py")
    files["setup.py"] = (
        "from setuptools import setup\nsetup(name='my_package', version='1', packages=p())\n"
    )
    found = compare(tmp_path, files, ("acme/mine/__init__.py", "acme/mine/a.py"))
    assert found.settings["wheel"]["paths"] == {"acme/mine": "acme/mine"}
    assert found.plan.packed is not None
    assert (found.plan.packed.gone, found.plan.packed.added) == ((), ())


@pytest.mark.parametrize(
    ("addition", "named"),
    [
        ("[packaging]\na = 1\n[packaging.b]\nc = 2\n", "packaging = "),
        ("[[extra]]\na = 1\n", "extra = "),
        ("homepage = 'https://example.org'\n", "homepage = 'https://example.org'"),
        ("[project.made-up]\na = 1\n", "made-up = {'a': 1}"),
    ],
)
def test_what_no_standard_has_is_left_out_and_named(
    addition: str, named: str, tmp_path: Path
) -> None:
    text = f"{HATCH}{PROJECT}{addition}"
    found = migrate(tmp_path, {"pyproject.toml": text, "my_package.py": ""})
    assert set(found.document) == {"build-system", "project"}
    assert set(found.project) == {"name", "version"}
    assert any(named in one for one in found.dropped) and found.plan.problems == ()


def test_a_setting_is_not_called_dropped_where_the_wheels_agree(tmp_path: Path) -> None:
    text = f"{PDM}{PROJECT}[tool.pdm.build]\nincludes = ['my_package/', 'README.md']\n"
    files = {**touch("my_package/__init__.py", "README.md"), "pyproject.toml": text}
    found = compare(tmp_path, files, ("my_package/__init__.py",))
    assert found.dropped == []


@pytest.mark.parametrize(
    ("files", "wheel_files", "modules"),
    [
        ({**touch("demo.py"), "pyproject.toml": f"{PDM}{PROJECT}"}, ("demo.py",), ["demo"]),
        (
            {**touch("src/my_package-stubs/__init__.pyi"), "pyproject.toml":
             f"{PDM}[project]\nname = 'other'\nversion = '1'\n"},
            ("my_package-stubs/__init__.pyi",),
            ["my_package-stubs"],
        ),
        (
            {**touch("acme/mod.py", "acme/api/__init__.py"), "setup.py":
             "from setuptools import setup\nsetup(name='my_package', version='1', packages=p())\n"},
            ("acme/mod.py", "acme/api/__init__.py"),
            ["acme"],
        ),
    ],
    ids=["module", "stubs", "namespace"],
)  # fmt: skip
def test_the_modules_are_those_of_the_old_wheel(
    tmp_path: Path, files: dict[str, str], wheel_files: tuple[str, ...], modules: list[str]
) -> None:
    found = compare(tmp_path, files, wheel_files)
    assert found.settings["modules"] == modules and found.plan.problems == ()
    assert found.plan.packed is not None and not found.plan.packed.gone


def test_the_license_files_of_the_old_wheel_are_named(tmp_path: Path) -> None:
    files = {**touch("my_package.py", "legal/NOTICE.txt"), "pyproject.toml": f"{HATCH}{PROJECT}"}
    old = ("my_package.py", "my_package-1.dist-info/licenses/legal/NOTICE.txt")
    assert compare(tmp_path, files, old).project["license-files"] == ["legal/NOTICE.txt"]


@pytest.mark.slow
def test_a_project_of_poetry_without_a_build_system_is_built_by_poetry(
    tmp_path: Path, twofold: Callable[..., object]
) -> None:
    text = "[tool.poetry]\nname = 'my_package'\nversion = '1'\ndescription = 'x'\nauthors = []\n"
    files = {"pyproject.toml": text, **touch("my_package/__init__.py", "beside.py")}
    root = write_project(tmp_path, files)
    ran = twofold("build", root)
    assert ran.code == 1 and "convert the project: twofold init" in ran.err
    ran = twofold("init", root, "--json")
    assert ran.code == 0 and ran.json["files"] == {"gone": [], "added": []}, ran.err


def test_an_old_backend_that_fails_is_remarked_on_where_nothing_is_computed(
    tmp_path: Path, twofold: Callable[..., object]
) -> None:
    text = "[build-system]\nrequires = []\nbuild-backend = 'none'\nbackend-path = ['.']\n" + PROJECT
    root = write_project(
        tmp_path, {"pyproject.toml": text, "my_package.py": "", "none.py": "1/0\n"}
    )
    ran = twofold("init", root)
    assert ran.code == 0, ran.err
    assert "the old backend built no wheel, so the packed files are not compared" in ran.err
    (root / "pyproject.toml").write_text(text, encoding="utf-8")
    ran = twofold("init", root, "--verify")
    assert ran.code == 1 and "the backend 'none' failed" in ran.err


def test_an_old_wheel_without_modules_becomes_a_project_without_modules(tmp_path: Path) -> None:
    files = {**touch("tests/x.py", "tool.py"), "pyproject.toml": f"{PDM}{PROJECT}"}
    found = compare(tmp_path, files, ())
    assert found.settings == {"modules": []} and found.plan.problems == ()


OR = "(os_name == 'a' or os_name == 'b')"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (f"extra == 'd' and {OR}", f"{OR} and extra == 'd'", True),
        ("os_name == 'nt' and extra == 'd'", "(extra == 'd') and os_name == 'nt'", True),
        ("os_name == 'nt' or extra == 'd'", "os_name == 'nt' and extra == 'd'", False),
        (f"{OR[1:-1]} and extra == 'd'", f"{OR} and extra == 'd'", False),
    ],
)
def test_markers_are_compared_by_their_meaning(one: str, other: str, same: bool) -> None:
    sides = [normalize_value("Requires-Dist", f"x; {marker}") for marker in (one, other)]
    assert (sides[0] == sides[1]) is same


def test_a_licences_text_in_a_header_is_the_same_as_its_file(tmp_path: Path) -> None:
    text = "Do what you like,\nbut do not complain.\n"
    wheels = []
    for name, header in (("old", text.replace("\n", "\n        ")), ("new", "")):
        wheel = tmp_path / name / "x-1-py3-none-any.whl"
        wheel.parent.mkdir()
        with zipfile.ZipFile(wheel, "w") as archive:
            licence = f"License: {header.strip()}\n" if header else ""
            archive.writestr("x-1.dist-info/METADATA", f"Name: x\nVersion: 1\n{licence}")
            archive.writestr("x-1.dist-info/licenses/LICENSE", text)
        wheels.append(wheel)
    (found,) = compare_wheels(*wheels)
    assert (found.kind, found.same) == ("License", "a License-File has the text (PEP 639)")


def test_a_name_in_two_headers_is_the_same_as_in_one(tmp_path: Path) -> None:
    wheels = []
    for name, header in (("old", "Author: Ada\n"), ("new", "")):
        wheel = tmp_path / name / "x-1-py3-none-any.whl"
        wheel.parent.mkdir()
        with zipfile.ZipFile(wheel, "w") as archive:
            text = f"Name: x\nVersion: 1\n{header}Author-email: Ada <ada@example.org>\n"
            archive.writestr("x-1.dist-info/METADATA", text)
        wheels.append(wheel)
    assert [one.same for one in compare_wheels(*wheels)] == ["Author-Email has both"]


def test_a_requirement_of_several_extras_is_the_same_as_one_for_each(tmp_path: Path) -> None:
    """poetry-core joins them in one marker."""
    extras = "Provides-Extra: a\nProvides-Extra: b\n"
    joined = f"{extras}Requires-Dist: x (>=1) ; extra == 'a' or extra == 'b'\n"
    alone = f"{extras}Requires-Dist: x>=1; extra == 'a'\nRequires-Dist: x>=1; extra == 'b'\n"
    for folder in ("old", "new"):
        (tmp_path / folder).mkdir()
    found = compare_wheels(
        make_wheel(tmp_path / "old", joined), make_wheel(tmp_path / "new", alone)
    )
    assert found and all(one.same for one in found)
