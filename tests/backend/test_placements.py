"""Files at places of their own: data, sources, other import paths, metapackages, scripts."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import CommandResult
from tests.factories.sample_projects import BuiltFiles, call_hook
from twofold.formats.conda_reader import open_part
from twofold_build.errors import ProjectErrors
from twofold_build.plan import make_plan

SYSTEM = '[build-system]\nrequires = ["twofold-build"]\nbuild-backend = "twofold_build"\n'


def write(root: Path, settings: str, files: dict[str, str], project: str = "") -> Path:
    """A project `placed` 1.0 with these settings and files."""
    head = f'{SYSTEM}[project]\nname = "placed"\nversion = "1.0"\ndescription = "A sample"\n'
    for path, text in {"pyproject.toml": f"{head}{project}\n{settings}", **files}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8", newline="")
    return root


def build(root: Path) -> BuiltFiles:
    """Build both files through the hooks."""
    out = root.parent / "out"
    return BuiltFiles(
        out / call_hook("build_sdist", root, out), out / call_hook("build_wheel", root, out)
    )


def own_files(files: BuiltFiles) -> set[str]:
    """The wheel's files outside .dist-info."""
    return {path for path in files.wheel_files if ".dist-info/" not in path}


PACKAGE = {"src/placed/__init__.py": "", "src/placed/lab/main.js": "1", "install.json": "{}"}


def test_data_lie_at_any_place_of_the_prefix(tmp_path: Path) -> None:
    settings = """
[tool.twofold.wheel.data.data]
"src/placed/lab" = "share/jupyter/labextensions/placed"
"install.json" = "share/jupyter/labextensions/placed/install.json"
[tool.twofold.wheel.data.headers]
"install.json" = "renamed.h"
"""
    files = build(write(tmp_path / "project", settings, PACKAGE))
    data = "placed-1.0.data"
    assert own_files(files) == {
        "placed/__init__.py",
        "placed/lab/main.js",
        f"{data}/data/share/jupyter/labextensions/placed/main.js",
        f"{data}/data/share/jupyter/labextensions/placed/install.json",
        f"{data}/headers/renamed.h",
    }
    assert {"install.json", "src/placed/lab/main.js"} <= set(files.sdist_files)


def test_modules_come_from_several_sources(tmp_path: Path) -> None:
    settings = (
        '[tool.twofold]\nsource = ["src", "lib", "."]\nmodules = ["a", "ns.b", "ns.c", "top"]\n'
    )
    code = {"src/a.py": "", "src/ns/b/__init__.py": "", "lib/ns/c/__init__.py": "", "top.py": ""}
    root = write(tmp_path / "project", settings, code)
    assert own_files(build(root)) == {"a.py", "ns/b/__init__.py", "ns/c/__init__.py", "top.py"}
    editable = tmp_path / "out" / call_hook("build_editable", root, tmp_path / "out")
    lines = zipfile.ZipFile(editable).read("_placed.pth").decode().splitlines()
    assert lines == [str(root / "src"), str(root / "lib"), str(root)]


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        ({"lib/impl": "placed"}, {"placed/__init__.py", "placed/deep/data.txt"}),
        ({"lib/impl/": "./placed/"}, {"placed/__init__.py", "placed/deep/data.txt"}),
        ({"lib/impl": "ns.old/placed".replace(".", "/")}, {"ns/old/placed/__init__.py"}),
        ({"lib": "."}, {"impl/__init__.py", "impl/deep/data.txt"}),
        ({"one.py": "placed.py"}, {"placed.py"}),
        ({"lib/impl/__init__.py": "placed/__init__.py", "one.py": "placed/b.py"}, {"placed/b.py"}),
    ],
)
def test_a_folder_or_file_is_packed_under_another_import_path(
    paths: dict[str, str], expected: set[str], tmp_path: Path
) -> None:
    table = "".join(f'"{path}" = "{place}"\n' for path, place in paths.items())
    code = {"lib/impl/__init__.py": "", "lib/impl/deep/data.txt": "x", "one.py": ""}
    settings = f"[tool.twofold]\nmodules = []\n[tool.twofold.wheel.paths]\n{table}"
    files = build(write(tmp_path / "project", settings, code))
    assert expected <= own_files(files)
    for path in paths:
        assert any(name.startswith(path.rstrip("/")) for name in files.sdist_files)


def test_a_placed_package_needs_no_other_module_and_gives_the_import_name(tmp_path: Path) -> None:
    settings = '[tool.twofold.wheel.paths]\n"lib/impl" = "elsewhere"\n'
    root = write(tmp_path / "project", settings, {"lib/impl/__init__.py": ""})
    assert "Import-Name: elsewhere\n" in build(root).metadata


@pytest.mark.parametrize(
    ("path", "place", "imported"),
    [
        ("lib/placed", "placed", ["placed", "placed.inner.deep"]),
        ("lib/impl", "placed", ["placed", "placed.inner.deep"]),
        ("lib/impl", "space/placed", ["space.placed", "space.placed.inner.deep"]),
        ("lib/impl", "shown/placed", ["shown.placed", "shown.placed.inner.deep"]),
        ("lib/plain", "placed", ["placed.mod"]),
        ("lib/plain/mod.py", "placed.py", ["placed"]),
        ("lib/plain/mod.py", "shown/new.py", ["shown.new"]),
    ],
)
def test_an_editable_install_shows_a_placed_module_in_its_own_folder(
    path: str, place: str, imported: list[str], tmp_path: Path
) -> None:
    settings = '[tool.twofold]\nmodules = ["shown"]\n[tool.twofold.wheel.paths]\n'
    settings += f'"{path}" = "{place}"\n'
    package = {f"lib/{name}/__init__.py": "" for name in ("impl", "placed")}
    deep = {f"lib/{name}/inner/deep.py": "x = 1" for name in ("impl", "placed")}
    code = {"src/shown/__init__.py": "", "lib/plain/mod.py": "", **package, **deep}
    root = write(tmp_path / "project", settings, code)
    wheel = tmp_path / "out" / call_hook("build_editable", root, tmp_path / "out")
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    program = (
        f"import site, importlib; site.addsitedir({str(site)!r})\n"
        f"for name in {imported!r}: print(importlib.import_module(name).__file__)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert all(Path(line).is_relative_to(root) for line in ran.stdout.split())
    assert len(ran.stdout.split()) == len(imported)


def test_a_named_file_is_packed_although_git_ignores_it(tmp_path: Path) -> None:
    settings = '[tool.twofold.wheel.paths]\n"made/table.bin" = "placed/table.bin"\n'
    code = {
        "src/placed/__init__.py": "",
        "made/table.bin": "1",
        "made/more": "",
        ".gitignore": "made",
    }
    files = build(write(tmp_path / "project", settings, code))
    assert own_files(files) == {"placed/__init__.py", "placed/table.bin"}
    assert "made/more" not in files.sdist_files


def test_two_files_at_one_place_are_a_mistake(tmp_path: Path) -> None:
    settings = '[tool.twofold.wheel.paths]\n"one.py" = "placed/__init__.py"\n'
    root = write(tmp_path / "p", settings, {"src/placed/__init__.py": "", "one.py": ""})
    with pytest.raises(ProjectErrors, match="would both be"):
        make_plan(root)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('"absent" = "placed/x"', "does not exist"),
        ('"../outside" = "placed/x"', "leaves the project"),
        ('"." = "placed"', "is the whole project"),
        ('"one.py" = "../x"', "leaves the wheel"),
        ('"one.py" = "/etc/x"', "is absolute"),
        ('"one.py" = "C:/x"', "is absolute"),
        ('"one.py" = "placed/"', "is a folder"),
        ('"one.py" = "."', "is a folder"),
        ('"one.py" = ""', "is not a path"),
        ('"one.py" = "a//b"', "is not a path"),
        ('"one.py" = "a\\\\b"', "backslash"),
        ('"one.py" = 7', "must be a string"),
        ('"one.py" = "placed-1.0.dist-info/x"', "written by the build alone"),
    ],
)
@pytest.mark.parametrize("table", ["paths", "data.data", "data.scripts"])
def test_a_wrong_place_is_reported_with_its_line(
    table: str, line: str, message: str, tmp_path: Path
) -> None:
    settings = f"[tool.twofold.wheel.{table}]\n{line}\n"
    root = write(tmp_path / "p", settings, {"src/placed/__init__.py": "", "one.py": ""})
    with pytest.raises(ProjectErrors) as caught:
        make_plan(root)
    (problem,) = caught.value.problems
    assert message in problem.message
    assert problem.hint
    assert problem.where.startswith("pyproject.toml:")


@pytest.mark.parametrize(
    "setting", ["source = []", "source = [7]", "source = 7", 'source = ["src", "absent"]']
)
def test_a_wrong_source_is_reported(setting: str, tmp_path: Path) -> None:
    root = write(tmp_path / "p", f"[tool.twofold]\n{setting}\n", {"src/placed/__init__.py": ""})
    with pytest.raises(ProjectErrors) as caught:
        make_plan(root)
    assert "[tool.twofold] source" in caught.value.problems[0].where


def test_a_metapackage_is_its_requirements_in_both_worlds(
    tmp_path: Path, twofold: Callable[..., CommandResult]
) -> None:
    root = write(
        tmp_path / "project",
        "[tool.twofold]\nmodules = []\n",
        {},
        'requires-python = ">=3.11"\ndependencies = ["packaging>=20", "rich"]\n',
    )
    ran = twofold("build", root, "--json")
    assert ran.code == 0, ran.err
    assert isinstance(ran.json, dict)
    paths = {one["kind"]: Path(one["path"]) for one in ran.json["artifacts"]}
    names = zipfile.ZipFile(paths["wheel"]).namelist()
    assert all(name.startswith("placed-1.0.dist-info/") for name in names)
    with open_part(paths["conda"], "info") as info:
        index = next(info.read() for member in info if member.path == "info/index.json")
    assert b"packaging >=20" in index
    assert b'"rich"' in index
    assert twofold("check", root).code == 0
    assert twofold("check", *paths.values()).code == 0


def test_without_a_module_the_hint_names_the_metapackage(tmp_path: Path) -> None:
    with pytest.raises(ProjectErrors) as caught:
        make_plan(write(tmp_path / "p", "", {}))
    assert "set [tool.twofold] modules ([] for none)" in caught.value.problems[0].hint


@pytest.mark.parametrize(
    ("line", "packed"),
    [
        ("#!/usr/bin/env python\n", "#!python\n"),
        ("#!/usr/bin/env python3.12\n", "#!python\n"),
        ("#!/usr/bin/env -S python3 -u\n", "#!python -u\n"),
        ("#! /usr/local/bin/python3 -E\n", "#!python -E\n"),
        ("#!/usr/bin/pythonw\n", "#!pythonw\n"),
        ("#!python\n", "#!python\n"),
        ("#!python3\r\n", "#!python\n"),
        ("#!/bin/sh\n", "#!/bin/sh\n"),
        ("#!/usr/bin/env bash\n", "#!/usr/bin/env bash\n"),
        ("#!/usr/bin/env pypy3\n", "#!/usr/bin/env pypy3\n"),
        ("#!/opt/python-tools/run\n", "#!/opt/python-tools/run\n"),
        ("#!\n", "#!\n"),
        ("# python\n", "# python\n"),
        ("", ""),
    ],
)
def test_the_interpreter_of_a_script_is_left_to_installers(
    line: str, packed: str, tmp_path: Path
) -> None:
    settings = '[tool.twofold.wheel.data]\nscripts = "bin"\n'
    code = {"src/placed/__init__.py": "", "bin/run": f"{line}print(1)\n"}
    files = build(write(tmp_path / "project", settings, code))
    assert files.wheel_files["placed-1.0.data/scripts/run"].decode() == f"{packed}print(1)\n"
    assert files.sdist_files["bin/run"].decode() == f"{line}print(1)\n"


def test_an_installed_script_runs_with_the_python_of_its_environment(tmp_path: Path) -> None:
    settings = '[tool.twofold.wheel.data.scripts]\n"bin/show.py" = "show"\n'
    script = "#!/usr/bin/env python3\nimport sys\nprint(sys.prefix)\n"
    code = {"src/placed/__init__.py": "", "bin/show.py": script}
    files = build(write(tmp_path / "project", settings, code))
    target = tmp_path / "env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", target], check=True)
    install = ["-m", "pip", "--python", target / "bin/python", "install", "--no-index", files.wheel]
    subprocess.run([sys.executable, *install], check=True, capture_output=True)
    shown = subprocess.run([target / "bin/show"], check=True, capture_output=True, text=True)
    assert shown.stdout.strip() == str(target)
