"""`twofold version` finds, raises and sets a version wherever a project writes it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.factories.releases import git
from twofold.errors import TwofoldError
from twofold.publish.release.version import (
    get_current_version,
    plan_version,
    raise_version,
    read_version,
)

CODE = '"""Demo."""\n\n__version__ = "1.0.0"\n'
NAME = '[project]\nname = "demo-pkg"\n'
DYNAMIC = f'{NAME}dynamic = ["version"]\n'


def use(backend: str, *requires: str) -> str:
    """[build-system] of a backend."""
    listed = ", ".join(f'"{one}"' for one in requires)
    return f'[build-system]\nrequires = [{listed}]\nbuild-backend = "{backend}"\n\n'


HATCH = use("hatchling.build", "hatchling")
SETUPTOOLS = use("setuptools.build_meta", "setuptools")
FLIT = use("flit_core.buildapi", "flit_core")
POETRY = use("poetry.core.masonry.api", "poetry-core")
PDM = use("pdm.backend", "pdm-backend")
TWOFOLD = use("twofold_build", "twofold-build")
CONFIG = "[metadata]\nname = demo-pkg\nversion = {}\n\n[options]\npackages = demo_pkg\n"
SETUP = 'from setuptools import setup\n\n{}setup(name="demo-pkg", version={})\n'

#: How a project writes its version -> its files; each has 1.0.0 where its build reads it.
WRITTEN: dict[str, dict[str, str]] = {
    "twofold": {
        "pyproject.toml": f'{TWOFOLD}{NAME}version = "1.0.0"  # ours\n',
        "src/demo_pkg/__init__.py": CODE,
    },
    "twofold, from the module": {
        "pyproject.toml": f'{TWOFOLD}{DYNAMIC}\n[tool.twofold.version]\nfrom = "module"\n',
        "src/demo_pkg/__init__.py": CODE,
    },
    "dotted keys": {"pyproject.toml": 'project.name = "demo-pkg"\nproject.version = "1.0.0"\n'},
    "hatch": {
        "pyproject.toml": f'{HATCH}{DYNAMIC}\n[tool.hatch.version]\npath = "demo_pkg/v.py"\n',
        "demo_pkg/v.py": CODE,
    },
    "hatch, by a pattern": {
        "pyproject.toml": f"{HATCH}{DYNAMIC}\n[tool.hatch.version]\npath = 'v.py'\n"
        "pattern = 'NUMBER: (?P<version>.*)'\n",
        "v.py": "# NUMBER: 1.0.0\n",
    },
    "hatch.toml": {
        "pyproject.toml": f"{HATCH}{DYNAMIC}",
        "hatch.toml": '[version]\npath = "demo_pkg/__init__.py"\n',
        "demo_pkg/__init__.py": "VERSION = 'v1.0.0'\n",
    },
    "flit": {
        "pyproject.toml": f'{FLIT}{NAME}dynamic = ["version", "description"]\n',
        "demo_pkg/__init__.py": CODE,
    },
    "flit, before PEP 621": {
        "pyproject.toml": f'{FLIT}[tool.flit.metadata]\nmodule = "demo_pkg"\nauthor = "Ada"\n',
        "demo_pkg.py": CODE,
    },
    "setuptools attr": {
        "pyproject.toml": f"{SETUPTOOLS}{DYNAMIC}\n[tool.setuptools.dynamic]\n"
        'version = {attr = "demo_pkg.about.NUMBER"}\n',
        "src/demo_pkg/about.py": "NUMBER: str = '1.0.0'\n",
    },
    "setuptools file": {
        "pyproject.toml": f"{SETUPTOOLS}{DYNAMIC}\n[tool.setuptools.dynamic]\n"
        'version = {file = ["VERSION"]}\n',
        "VERSION": "1.0.0\n",
    },
    "setup.cfg": {"setup.cfg": CONFIG.format("1.0.0"), "demo_pkg/__init__.py": ""},
    "setup.cfg attr": {
        "setup.cfg": CONFIG.format("attr: demo_pkg.__version__"),
        "demo_pkg/__init__.py": CODE,
    },
    "setup.cfg file": {"setup.cfg": CONFIG.format("file: VERSION.txt"), "VERSION.txt": "1.0.0"},
    "setup.py": {"setup.py": SETUP.format("", '"1.0.0"'), "demo_pkg/__init__.py": CODE},
    "setup.py, by a name": {"setup.py": SETUP.format("VERSION = '1.0.0'\n", "VERSION")},
    "setup.py, read from the code": {
        "setup.py": SETUP.format("about = read()\n", "about['version']"),
        "demo_pkg/__init__.py": CODE,
    },
    "inline tables": {"pyproject.toml": 'project = {version = "1.0.0", name = "demo-pkg"}\n'},
    "setup.cfg attr, imported": {
        "setup.cfg": CONFIG.format("attr: demo_pkg.__version__"),
        "demo_pkg/__init__.py": "from .meta import __version__\n",
        "demo_pkg/meta.py": CODE,
    },
    "setup.py, read from __about__": {
        "setup.py": SETUP.format("about = read()\n", "about['__version__']"),
        "demo_pkg/__about__.py": CODE,
    },
    "setup.py, read from a file": {
        "setup.py": SETUP.format("text = open('demo_pkg/VERSION').read()\n", "text.strip()"),
        "demo_pkg/VERSION": "1.0.0\n",
    },
    "meta.yaml alone": {"meta.yaml": "package:\n  name: demo-pkg\n  version: '1.0.0'\n"},
    "recipe.yaml alone": {
        "recipe.yaml": "context:\n  version: 1.0.0\npackage:\n  name: demo-pkg\n"
        "  version: ${{ version }}\n"
    },
    "poetry": {
        "pyproject.toml": f'{POETRY}[tool.poetry]\nname = "demo-pkg"\nversion = "1.0.0"\n',
        "demo_pkg/__init__.py": CODE,
    },
    "pdm": {
        "pyproject.toml": f'{PDM}{DYNAMIC}\n[tool.pdm.version]\nsource = "file"\npath = "d/v.py"\n',
        "d/v.py": CODE,
    },
    "flit, by another name": {
        "pyproject.toml": f"{FLIT}{DYNAMIC}",
        "demo_pkg/__init__.py": '"""__version__ = "0.5" here\n"""\nV = u"1.0.0"\n__version__ = V\n',
    },
    "flit, from another module": {
        "pyproject.toml": f"{FLIT}{DYNAMIC}",
        "demo_pkg/__init__.py": "from . import b\nfrom .a import *\n\n__version__ = b.NUMBER\n",
        "demo_pkg/a.py": '__version__ = "2"\n',
        "demo_pkg/b.py": 'NUMBER: str = (\n    """1.0.0"""\n)\n',
    },
    "setuptools, in a folder of its own": {
        "pyproject.toml": f'{SETUPTOOLS}{DYNAMIC}\n[tool.setuptools]\nversion = ""\n'
        'package-dir = {demo_pkg = "code/py"}\ndynamic.version.attr = "demo_pkg.v.V"\n',
        "code/py/v.py": '\ufeffV = __version__ = "1.0.0"\n',
    },
    "setup.cfg on Windows": {"setup.cfg": CONFIG.format("1.0.0").replace("version =", "Version:")},
    "setup.py, with a comment": {
        "setup.py": SETUP.format("check(version='9', x=1)\n", '"1.0.0"  # the version\n')
    },
    "setup.py, from a dictionary": {
        "setup.py": "from setuptools import setup\n\n# version='0.1'\n"
        "ABOUT = {'name': 'demo-pkg', 'version': '1.0.0'}\nsetup(**ABOUT)\n"
    },
    "hatch, by its code": {
        "pyproject.toml": f"{HATCH}{DYNAMIC}\n[tool.hatch.version]\nsource = 'code'\n"
        "path = 'v.py'\nexpression = 'number'\n",
        "v.py": "number = '1.0.0'\n",
    },
    "hatch, by npm's file": {
        "pyproject.toml": f"{HATCH}{DYNAMIC}\n[tool.hatch.version]\nsource = 'nodejs'\n",
        "package.json": '{"dependencies": {"version": "9"}, "version": "1.0.0"}\n',
    },
    "maturin, of a workspace": {
        "pyproject.toml": f"{DYNAMIC}[tool.maturin]\nmanifest-path = 'rust/Cargo.toml'\n",
        "rust/Cargo.toml": "[package]\nname = 'demo_rs'\nversion.workspace = true\n",
        "Cargo.toml": '[workspace.package]\nversion = "1.0.0"\n',
        "Cargo.lock": '[[package]]\nname = "demo_rs"\nversion = "1.0.0"\n',
    },
    "meson": {
        "pyproject.toml": f"{use('mesonpy', 'meson-python')}{DYNAMIC}",
        "meson.build": "project('demo', ['c'], meson_version: '>=1.1',\n  version : '1.0.0')\n",
    },
    "scikit-build-core": {
        "pyproject.toml": f"{DYNAMIC}[tool.scikit-build.metadata.version]\n"
        'provider = "scikit_build_core.metadata.regex"\ninput = "CMakeLists.txt"\n'
        "regex = 'VERSION (?P<value>[0-9.]+)'\n",
        "CMakeLists.txt": "project(demo VERSION 1.0.0)\n",
    },
    "a recipe, by a variable": {
        "recipe.yaml": 'recipe:\n  "name": demo-pkg\n  "version": ${{ number }}\n'
        "context:\n  number: 1.0.0\n"
    },
    "a template, by a variable": {
        "meta.yaml": '{% set RELEASE = "1.0.0" %}\npackage:\n  name: demo-pkg\n'
        "  # of the tag\n  version: {{ RELEASE }}  # [linux]\n"
    },
}

UV_LOCK = """version = 1

[[package]]
name = "attrs"
version = "1.0.0"
source = { registry = "https://index.example.org/simple" }

[[package]]
name = "demo-pkg"
version = "1.0.0"
source = { editable = "." }
dependencies = [{ name = "attrs" }]
"""
PIXI_LOCK = """version: 6
packages:
- pypi: https://files.example.org/attrs-1.0.0-py3-none-any.whl
  name: attrs
  version: 1.0.0
- pypi: ./
  name: demo-pkg
  version: 1.0.0
  sha256: {}
"""


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def test_what_a_killed_change_of_the_version_left_is_removed(tmp_path: Path) -> None:
    root = write(tmp_path / "demo", next(iter(WRITTEN.values())))
    change = plan_version(root, "minor").changes[0]
    left = change.path.parent / f".{change.path.name}.999999999-7f00e1defec0.part"
    left.touch()
    change.apply()
    assert not left.exists()


@pytest.mark.parametrize("files", WRITTEN.values(), ids=WRITTEN)
def test_a_version_is_set_wherever_it_is_written(files: dict[str, str], tmp_path: Path) -> None:
    root = write(tmp_path / "demo", files)
    planned = plan_version(root, "minor")
    assert (planned.name.replace("_", "-"), planned.old, planned.new) == (
        "demo-pkg",
        "1.0.0",
        "1.1.0",
    )
    for change in planned.changes:
        change.apply()
    for name, text in files.items():
        assert (root / name).read_text() == text.replace("1.0.0", "1.1.0")
    assert read_version(root).version == "1.1.0"
    assert plan_version(root, "1.1.0").changes == ()


@pytest.mark.parametrize(
    ("old", "word", "new"),
    [
        ("1.2.3", "patch", "1.2.4"),
        ("1.2.3", "minor", "1.3.0"),
        ("1.2.3", "major", "2.0.0"),
        ("1.2", "patch", "1.2.1"),
        ("1", "minor", "1.1"),
        ("1!2.3.4", "minor", "1!2.4.0"),
        ("1.2.3", "rc", "1.2.4rc1"),
        ("1.2.4rc1", "rc", "1.2.4rc2"),
        ("1.2.4b3", "rc", "1.2.4rc1"),
        ("1.2.4.dev2", "rc", "1.2.4rc1"),
        ("1.2.4rc2.dev0", "rc", "1.2.4rc2"),
        ("1.2.4rc2", "patch", "1.2.4"),
        ("1.3.0rc2", "minor", "1.3.0"),
        ("1.2.4rc2", "minor", "1.3.0"),
        ("2.0.0a1", "major", "2.0.0"),
        ("1.2.4rc2", "stable", "1.2.4"),
        ("1.2.3", "dev", "1.2.4.dev0"),
        ("1.2.4.dev0", "dev", "1.2.4.dev1"),
        ("1.2.4rc1", "dev", "1.2.4rc2.dev0"),
        ("1.2.3", "alpha", "1.2.4a1"),
        ("1.2.3", "post", "1.2.3.post0"),
        ("1.2.3.post0", "post", "1.2.3.post1"),
        ("1.2.3.post1", "patch", "1.2.4"),
    ],
)
def test_a_word_raises_a_part_of_the_version(old: str, word: str, new: str) -> None:
    assert raise_version(old, word) == new


def test_a_phase_that_is_past_is_refused() -> None:
    with pytest.raises(TwofoldError, match="already past 'beta'"):
        raise_version("1.0.0rc1", "beta")


def test_lock_files_recipes_and_the_citation_follow(tmp_path: Path) -> None:
    pyproject = f'{HATCH}{NAME}version = "1.0.0"\n'
    digest = hashlib.sha256(pyproject.rstrip("\n").encode()).hexdigest()
    recipe = 'context:\n  version: "1.0.0"\npackage:\n  version: ${{ version }}\n'
    meta = "{% set version = '1.0.0' %}\npackage:\n  version: {{ version }}\n"
    files = {
        "pyproject.toml": pyproject,
        "uv.lock": UV_LOCK,
        "pixi.lock": PIXI_LOCK.format(digest),
        "recipe/recipe.yaml": f"{recipe}build:\n  number: 3\n",
        "conda/meta.yaml": meta,
        "CITATION.cff": "cff-version: 1.2.0\nversion: 1.0.0\n",
        "codemeta.json": '{"version": "1.0.0", "softwareVersion": "1.0.0"}',
        "docs/conf.py": 'release = "1.0.0"\nversion = "1.0"\n',
        "pixi.toml": '[workspace]\nversion = "1.0.0"\n',
    }
    root = write(tmp_path, files)
    for change in plan_version(root, "1.0.1").changes:
        change.apply()
    assert (root / "uv.lock").read_text() == UV_LOCK.replace(
        'demo-pkg"\nversion = "1.0.0"', 'demo-pkg"\nversion = "1.0.1"'
    )
    after = (root / "pyproject.toml").read_text()
    lock = PIXI_LOCK.format(hashlib.sha256(after.rstrip("\n").encode()).hexdigest())
    assert (root / "pixi.lock").read_text() == lock.replace(
        "demo-pkg\n  version: 1.0.0", "demo-pkg\n  version: 1.0.1"
    )
    changed = recipe.replace("1.0.0", "1.0.1") + "build:\n  number: 3\n"
    assert (root / "recipe/recipe.yaml").read_text() == changed
    assert (root / "conda/meta.yaml").read_text() == meta.replace("1.0.0", "1.0.1")
    assert (root / "CITATION.cff").read_text() == "cff-version: 1.2.0\nversion: 1.0.1\n"
    for name in ("codemeta.json", "docs/conf.py", "pixi.toml"):
        assert (root / name).read_text() == files[name].replace("1.0.0", "1.0.1")


@pytest.mark.parametrize(
    ("wanted", "written"),
    [("rc", "1.0.1-rc.1"), ("dev", "1.0.1-dev.0"), ("post", "1.0.0-post.0"), ("2", "2.0.0")],
)
def test_cargo_gets_the_version_in_the_form_it_reads(
    wanted: str, written: str, tmp_path: Path
) -> None:
    root = write(tmp_path, WRITTEN["maturin, of a workspace"])
    for change in plan_version(root, wanted).changes:
        change.apply()
    for name in ("Cargo.toml", "Cargo.lock"):
        assert f'version = "{written}"\n' in (root / name).read_text()
    assert plan_version(root, "current").changes == ()


def test_a_tuple_of_numbers_stays_one(tmp_path: Path) -> None:
    files = WRITTEN["setuptools, in a folder of its own"] | {"code/py/v.py": "V = (1, 0, 0)\n"}
    root = write(tmp_path, files)
    for wanted, tuple_of in (("1.2.0", "(1, 2, 0)"), ("1.2.1rc1", '(1, 2, "1rc1")')):
        for change in plan_version(root, wanted).changes:
            change.apply()
        assert (root / "code/py/v.py").read_text() == f"V = {tuple_of}\n"


def test_a_version_of_a_recipe_that_is_computed_is_left_alone(tmp_path: Path) -> None:
    recipe = '{% set major = "1" %}\npackage:\n  name: a\n  version: {{ major }}.0\n'
    with pytest.raises(TwofoldError, match="no version was found"):
        plan_version(write(tmp_path, {"meta.yaml": recipe}), "minor")


def test_a_lock_file_of_the_workspace_above_follows(tmp_path: Path) -> None:
    member = write(
        tmp_path / "packages" / "demo", {"pyproject.toml": f'{HATCH}{NAME}version = "1.0.0"\n'}
    )
    lock = UV_LOCK.replace('editable = "."', 'editable = "packages/demo"')
    (tmp_path / "uv.lock").write_text(lock)
    (tmp_path / ".git").mkdir()
    plan = plan_version(member, "patch")
    assert {change.path.name for change in plan.changes} == {"uv.lock", "pyproject.toml"}
    assert plan.tag == "demo-pkg-v1.0.1"


def test_the_recipe_that_is_built_gets_the_version_whatever_it_had(tmp_path: Path) -> None:
    files = {
        "pyproject.toml": f'{HATCH}{NAME}version = "1.0.0"\n',
        "meta.yml": "package: {name: demo-pkg, version: 0.9.0}\n",
        "recipe/meta.yaml": "package:\n  name: other\n  version: 0.9.0\n",
    }
    changes = plan_version(write(tmp_path, files), "1.1.0").changes
    assert {change.path.name for change in changes} == {"pyproject.toml", "meta.yml"}
    assert changes[0].after == b"package: {name: demo-pkg, version: 1.1.0}\n"


@pytest.mark.parametrize(
    "files",
    [
        {"pyproject.toml": f'{HATCH}{DYNAMIC}\n[tool.hatch.version]\nsource = "vcs"\n'},
        {"pyproject.toml": f"{SETUPTOOLS}{DYNAMIC}\n[tool.setuptools_scm]\n"},
        {"pyproject.toml": f"{use('setuptools.build_meta', 'setuptools-scm>=8')}{DYNAMIC}"},
        {"pyproject.toml": f'{PDM}{DYNAMIC}\n[tool.pdm.version]\nsource = "scm"\n'},
        {"pyproject.toml": f'{TWOFOLD}{DYNAMIC}\n[tool.twofold.version]\nfrom = "git"\n'},
        {"setup.py": SETUP.format("", "None, use_scm_version=True")},
    ],
    ids=["hatch-vcs", "setuptools-scm", "required", "pdm", "twofold", "setup.py"],
)
def test_a_version_from_tags_is_set_by_a_tag(
    files: dict[str, str], twofold: Callable[..., Any], tmp_path: Path
) -> None:
    root = write(tmp_path / "demo", files)
    git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "Begin")
    git(root, "tag", "v1.0.0")
    assert get_current_version(root, read_version(root)) == "1.0.0"
    ran = twofold("version", "minor", "--json", cwd=root)
    assert (ran.code, ran.json["tag"], ran.json["files"]) == (0, "v1.1.0", []), ran.err
    assert git(root, "tag").split() == ["v1.0.0", "v1.1.0"]
    ran = twofold("version", "1.1.0", "--dry-run", cwd=root)
    assert (ran.code, "would change" in ran.err) == (0, False)
    assert "is 1.1.0 already" in ran.err
    git(root, "commit", "-q", "--allow-empty", "-m", "More")
    ran = twofold("version", "1.1.0", "--json", cwd=root)
    assert ran.code == 1
    assert "the tag v1.1.0 already exists, on another commit" in ran.out


def test_the_command_shows_sets_and_can_be_tried(
    twofold: Callable[..., Any], tmp_path: Path
) -> None:
    root = write(tmp_path / "demo", WRITTEN["poetry"])
    assert twofold("version", cwd=root).out == "demo-pkg 1.0.0\n"
    dry = twofold("version", "patch", "--dry-run", cwd=root)
    assert (dry.code, dry.out) == (0, "demo-pkg 1.0.0 -> 1.0.1\n")
    assert "would change: pyproject.toml" in dry.err
    assert twofold("version", cwd=root).out == "demo-pkg 1.0.0\n"
    assert twofold("version", "1.0.1", cwd=root).code == 0
    lower = twofold("version", "0.9", cwd=root)
    assert "0.9 is lower than the current version 1.0.1" in lower.err
    wrong = twofold("version", "next", cwd=root)
    assert "the current version is 1.0.1; write the new one like 1.2.0" in wrong.err


@pytest.mark.parametrize("value", ["1", '"("', '["a"]', "{version = 1}", "2020-01-01"])
@pytest.mark.parametrize(
    "key",
    [
        *("project", "tool", "build-system", "tool.poetry", "tool.hatch", "tool.hatch.version"),
        *("tool.hatch.version.pattern", "tool.hatch.version.path", "tool.pdm", "tool.flit.module"),
        *("tool.setuptools.dynamic", "tool.setuptools.dynamic.version.file", "tool.twofold"),
        *("tool.setuptools.package-dir", "tool.setuptools.packages.find", "build-system.requires"),
        *("tool.scikit-build.metadata.version", "tool.maturin.manifest-path"),
    ],
)
def test_a_setting_of_another_type_is_no_version(key: str, value: str, tmp_path: Path) -> None:
    root = write(tmp_path, {"pyproject.toml": f"{key} = {value}\n"})
    with pytest.raises(TwofoldError, match="no version was found"):
        plan_version(root, "minor")
