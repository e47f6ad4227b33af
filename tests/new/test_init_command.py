"""`twofold init` as a command: what it writes, runs, compares and reports."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import CommandResult
from tests.new.migrated import write_project
from twofold.new.migrate import Difference, compare_wheels

SETUP = """\
from setuptools import setup, find_packages

def version():
    return "1.0." + str(len("abc"))

setup(
    name="my_package",
    version=version(),
    author="Ada",
    author_email="ada@example.org",
    license="MIT",
    url="https://example.org",
    install_requires=["numpy" + ">=1.24" if True else ""],
    packages=find_packages(),
    scripts=["go"],
)
"""
FILES = {
    "setup.py": SETUP,
    "go": "#!/usr/bin/env python\n",
    "my_package/__init__.py": "",
    "my_package/data.txt": "",
    "README.md": "",
}
Twofold = Callable[..., object]


def test_modules_alone_become_a_project_that_builds(tmp_path: Path, twofold: Twofold) -> None:
    root = write_project(
        tmp_path, {"one.py": "import two\n", "two.py": "x = 1\n", "README.md": "# Hi\n"}
    )
    ran = twofold("init", root)
    assert ran.code == 0, ran.err
    assert "wrote" in ran.out and "from the code" in ran.out
    ran = twofold("build", root, "--only", "wheel")
    assert ran.code == 0, ran.err
    (wheel,) = (root / "dist").glob("*.whl")
    assert {"one.py", "two.py"} <= set(zipfile.ZipFile(wheel).namelist())


def test_the_line_ends_of_a_file_stay(tmp_path: Path, twofold: Twofold) -> None:
    root = write_project(tmp_path, {"one.py": ""})
    (root / "pyproject.toml").write_bytes(b"[tool.ruff]\r\nline-length = 100\r\n")
    assert twofold("init", root).code == 0
    data = (root / "pyproject.toml").read_bytes()
    assert b"line-length = 100\r\n" in data and data.count(b"\n") == data.count(b"\r\n")


def test_a_dry_run_shows_the_difference_and_writes_nothing(
    tmp_path: Path, twofold: Twofold
) -> None:
    old = "[tool.ruff]\nline-length = 100\n"
    root = write_project(tmp_path, {"one.py": "", "pyproject.toml": old})
    ran = twofold("init", root, "--dry-run")
    assert ran.code == 0 and '+name = "one"' in ran.out
    assert (root / "pyproject.toml").read_text() == old
    output = twofold("init", root, "--dry-run", "--json").json
    assert output["name"] == "one" and not output["written"] and output["differences"] is None
    assert sorted(path.name for path in root.iterdir()) == ["one.py", "pyproject.toml"]


def test_a_program_is_run_where_it_must_be_and_both_wheels_are_compared(
    tmp_path: Path, twofold: Twofold
) -> None:
    root = write_project(tmp_path, FILES)
    ran = twofold("init", root, "--verify", "--json")
    assert ran.code == 0, ran.err
    output = ran.json
    assert 'version = "1.0.3"' in output["text"] and '"numpy>=1.24"' in output["text"]
    assert any("version, dependencies" in remark for remark in output["remarks"])
    assert output["lost"] == []
    kinds = {(one["kind"], one["old"] or one["new"]): one["same"] for one in output["differences"]}
    assert kinds.pop(("file", "my_package/data.txt")) == ""
    assert all(kinds.values()), kinds
    # A build of setuptools leaves traces: not in the project.
    assert sorted(p.name for p in root.iterdir()) == [
        "README.md", "go", "my_package", "pyproject.toml", "setup.py",
    ]  # fmt: skip


def test_static_runs_nothing(tmp_path: Path, twofold: Twofold) -> None:
    root = write_project(tmp_path, FILES)
    ran = twofold("init", root, "--static")
    assert ran.code == 0, ran.err
    assert "version (computed by a program, which was not run)" in ran.out
    assert 'version = "0.0.0"' in (root / "pyproject.toml").read_text()


def test_a_backend_that_fails_is_reported_with_its_output(tmp_path: Path, twofold: Twofold) -> None:
    root = write_project(
        tmp_path, {"setup.py": "raise SystemExit('no way')\nsetup(version=v())", "x.py": ""}
    )
    ran = twofold("init", root)
    assert ran.code == 1 and "no way" in ran.err and "--static runs nothing" in ran.err
    assert "Traceback" not in ran.err.partition("error:")[2]
    assert not (root / "pyproject.toml").exists()


def test_bare_modules_have_no_earlier_build_to_compare_with(
    tmp_path: Path, twofold: Twofold
) -> None:
    root = write_project(tmp_path, {"x.py": ""})
    ran = twofold("init", root, "--verify")
    assert (
        ran.code == 1
        and "had no earlier build" in ran.err
        and not (root / "pyproject.toml").exists()
    )


def test_a_recipe_beside_the_code_is_read(tmp_path: Path, twofold: Twofold) -> None:
    recipe = (
        "package:\n  name: my_package\n  version: 1.0.0\nbuild:\n  number: 0\n"
        "requirements:\n  build:\n    - python\n    - setuptools\n  run:\n    - numpy >=1.24\n"
        "about:\n  license: MIT\n  summary: What it is for\n"
    )
    root = write_project(tmp_path, {"my_package/__init__.py": "", "meta.yaml": recipe})
    ran = twofold("init", root, "--json")
    assert ran.code == 0, ran.err
    text = ran.json["text"]
    for line in ('version = "1.0.0"', '"numpy>=1.24"', 'license = "MIT"', "What it is for"):
        assert line in text


def test_mistakes_that_only_the_user_can_correct_are_reported(
    tmp_path: Path, twofold: Twofold
) -> None:
    setup = "setup(name='my_package', version='1', classifiers=['No :: Such'], keywords=['a,b'])\n"
    root = write_project(tmp_path, {"setup.py": setup, "my_package.py": ""})
    ran = twofold("init", root)
    assert (
        ran.code == 1
        and "would have mistakes from the old files, so it is not written" in ran.err
        and "keyword" in ran.err
    )
    assert not (root / "pyproject.toml").exists()
    ran = twofold("init", root, "--json", "--static")
    assert ran.code == 1 and "keyword" in ran.json["errors"][0]["message"]


def wheel(folder: Path, metadata: str, files: dict[str, str]) -> Path:
    path = folder / "x-1-py3-none-any.whl"
    folder.mkdir()
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in {**files, "x-1.dist-info/METADATA": metadata}.items():
            archive.writestr(name, text)
    return path


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("Requires-Dist: A >= 1", "Requires-Dist: a>=1", []),
        ("Requires-Dist: a", "", [Difference("Requires-Dist", "a", "")]),
        ("Summary: x", "Summary: y", [Difference("Summary", "x", "y")]),
        ("Keywords: b a", "Keywords: a,b", []),
        ("Requires-Python: >=3, <4", "Requires-Python: <4,>=3", []),
        ("Metadata-Version: 2.1", "Metadata-Version: 2.4", []),
        ("Summary: ", "", []),
        ("", "Import-Namespace: google", []),
    ],
)
def test_metadata_is_compared_by_meaning(
    tmp_path: Path, old: str, new: str, found: list[Difference]
) -> None:
    texts = [f"Name: x\n{text}\n" for text in (old, new)]
    wheels = [wheel(tmp_path / str(n), text, {}) for n, text in enumerate(texts)]
    assert compare_wheels(*wheels) == found


def test_files_and_contents_are_compared(tmp_path: Path) -> None:
    points = "[console_scripts]\na = x:a\nb=x:b\n"
    old = wheel(tmp_path / "old", "Name: x\n", {
        "x.py": "1", "gone.py": "", "x-1.dist-info/LICENSE": "l", "x-1.data/scripts/go": "",
        "x-1.dist-info/entry_points.txt": points, "x-1.dist-info/RECORD": "1",
    })  # fmt: skip
    new = wheel(tmp_path / "new", "Name: x\n", {
        "x.py": "2", "come.py": "", "x-1.dist-info/licenses/LICENSE": "l",
        "x-1.dist-info/entry_points.txt": "[console_scripts]\nb = x:b\na = x:a\n\n",
    })  # fmt: skip
    assert [str(one) for one in compare_wheels(old, new)] == [
        "file: only old: data/scripts/go",
        "file: only old: gone.py",
        "file: only new: come.py",
        "content: x.py -> x.py",
    ]


def test_code_that_a_build_would_refuse_is_reported_and_nothing_written(
    tmp_path: Path, twofold: Callable[..., CommandResult]
) -> None:
    setup = "from setuptools import setup\nsetup(name='my_package', version='1')\n"
    code = "__all__ = ['gone']\n"
    root = write_project(tmp_path, {"setup.py": setup, "my_package.py": code})
    ran = twofold("init", root, "--static")
    assert ran.code == 1 and "TF104" in ran.err and "my_package.py:1" in ran.err
    assert not (root / "pyproject.toml").exists()
    (root / "pyproject.toml").write_text('[tool.twofold.check]\nignore = ["TF104"]\n', "utf-8")
    assert twofold("init", root, "--static").code == 0
    assert twofold("build", root, "--only", "wheel").code == 0
