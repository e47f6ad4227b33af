"""`twofold init` for keys that a program computes, in whole or in part, read from the old wheel."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.new.migrated import make_wheel, migrate, migrate_with_wheel, write_project
from twofold.new.migrate import MigrationTools, RecipeFacts, plan_migration
from twofold.source_analysis import InstalledDistributions

CODE = {"my_package/__init__.py": "", "setup.py": ""}
HEAD = "from setuptools import setup\n"
CONDITIONAL = """extras_require={':python_version < "3.11"': ["tomli"]}"""
BOTH = 'Requires-Dist: requests>=2\nRequires-Dist: tomli; python_version < "3.11"\n'
HATCH = "[build-system]\nrequires = ['hatchling']\nbuild-backend = 'hatchling.build'\n"


def setup(arguments: str) -> dict[str, str]:
    return {**CODE, "setup.py": f"{HEAD}setup(name='my_package', version='1', {arguments})\n"}


@pytest.mark.parametrize(
    "files",
    [
        setup(f"install_requires=reqs(), {CONDITIONAL}"),
        {
            **setup("install_requires=reqs()"),
            "setup.cfg": "[options]\ninstall_requires =\n  requests>=2\n",
        },
        setup("install_requires=['requests>=2'], extras_require=extras()"),
        setup("install_requires=['requests>=2'], extras_require={key(): ['tomli']}"),
    ],
    ids=["marker key", "setup.cfg has a part", "computed extras", "computed key"],
)
def test_dependencies_that_are_partly_computed_come_whole_from_the_wheel(
    tmp_path: Path, files: dict[str, str]
) -> None:
    found = migrate_with_wheel(tmp_path, files, BOTH)
    wanted = ["requests>=2", "tomli;python_version<'3.11'"]
    dependencies = [
        text.replace(" ", "").replace('"', "'") for text in found.project["dependencies"]
    ]
    assert dependencies == wanted
    assert found.dropped == []
    assert any("read from a wheel" in remark for remark in found.plan.remarks)


def test_the_wheel_takes_precedence_over_a_recipe_beside_the_code(tmp_path: Path) -> None:
    root = write_project(tmp_path, {**setup("install_requires=reqs()"), "meta.yaml": ""})
    wheel = make_wheel(tmp_path, BOTH)
    recipe = RecipeFacts(name="my_package", version="1", run=["python", "numpy"])
    tools = MigrationTools(lambda: wheel, lambda _: recipe, InstalledDistributions())
    plan = plan_migration(root, tools)
    assert '"requests>=2"' in plan.text and "numpy" not in plan.text
    assert [str(one) for one in plan.dropped] == [
        "meta.yaml: dependencies = ['numpy'] (its own backend has another value)"
    ]


def test_the_comment_of_a_requirement_that_was_read_stays(tmp_path: Path) -> None:
    text = (
        f"{HEAD}setup(name='my_package', version='1', install_requires=[\n"
        "    'requests >=2',  # for HTTP\n"
        "], extras_require=extras())\n"
    )
    found = migrate_with_wheel(tmp_path, {**CODE, "setup.py": text}, BOTH)
    assert '"requests >=2", # for HTTP' in found.text


@pytest.mark.parametrize(
    ("files", "metadata", "points", "key", "value"),
    [
        (
            setup("url='https://a.example', project_urls=urls()"),
            "Home-page: https://a.example\nProject-URL: Source, https://b.example\n"
            "Download-URL: https://c.example\n",
            "",
            "urls",
            {"Homepage": "https://a.example", "Source": "https://b.example",
             "Download": "https://c.example"},
        ),
        (
            {**CODE, "setup.py": HEAD, "pyproject.toml": f"{HATCH}[project]\nname='my_package'\n"
             "version='1'\ndynamic=['scripts']\n"},
            "",
            "[console_scripts]\ngo = my_package:go\n",
            "scripts",
            {"go": "my_package:go"},
        ),
        (
            {**setup("entry_points=points()"), "setup.cfg":
             "[options.entry_points]\nconsole_scripts =\n  old = my_package:old\n"},
            "",
            "[console_scripts]\ngo = my_package:go\n",
            "scripts",
            {"go": "my_package:go"},
        ),
        (
            setup("extras_require={'a': more(), 'b': ['x']}"),
            'Provides-Extra: a\nProvides-Extra: b\nRequires-Dist: x; extra == "b"\n',
            "",
            "optional-dependencies",
            {"a": [], "b": ["x"]},
        ),
        (
            setup("extras_require=extras()"),
            'Requires-Dist: x; (python_version < "3.9") and (extra == "a" or extra == "b")\n',
            "",
            "optional-dependencies",
            {"a": ['x; python_version < "3.9"'], "b": ['x; python_version < "3.9"']},
        ),
        (
            {**setup("author='Ada', author_email=mail()")},
            "Author: Ada\nAuthor-email: ada@example.org\n",
            "",
            "authors",
            [{"name": "Ada", "email": "ada@example.org"}],
        ),
    ],
    ids=["urls", "scripts", "entry points of two files", "empty extra", "shared extra", "person"],
)  # fmt: skip
def test_any_key_that_is_partly_computed_comes_whole_from_the_wheel(
    tmp_path: Path, files: dict[str, str], metadata: str, points: str, key: str, value: object
) -> None:
    found = migrate_with_wheel(tmp_path, files, metadata, points)
    assert found.project[key] == value


def test_a_value_that_the_wheel_does_not_have_is_reported(tmp_path: Path) -> None:
    files = {**CODE, "setup.py": "import x\n", "setup.cfg": "[metadata]\ndescription = Old\n"}
    found = migrate_with_wheel(tmp_path, files, "Summary: New\n")
    assert found.project["description"] == "New"
    assert found.dropped == ["setup.cfg:2: description = Old (its own backend has another value)"]


def test_every_file_of_a_list_of_requirements_is_read(tmp_path: Path) -> None:
    cfg = (
        "[metadata]\nname = my_package\nversion = 1\n[options]\n"
        "install_requires = file: a.txt, b.txt\n"
        "[options.extras_require]\nmore = file: c.txt\n"
    )
    files = {"setup.cfg": cfg, "a.txt": "one\n", "b.txt": "two\n", "c.txt": "# why\nthree\n"}
    found = migrate(tmp_path, {**files, "my_package.py": ""})
    assert found.project["dependencies"] == ["one", "two"]
    assert found.project["optional-dependencies"] == {"more": ["three"]}


def test_a_static_migration_names_each_key_that_is_partly_computed(tmp_path: Path) -> None:
    found = migrate(tmp_path, setup(f"install_requires=reqs(), {CONDITIONAL}"))
    assert found.dropped == ["setup.py:2: dependencies (computed by a program, which was not run)"]
    assert found.project["dependencies"] == ['tomli ; python_version < "3.11"']


def test_the_dependencies_of_project_are_not_extended_by_setup_py(tmp_path: Path) -> None:
    project = "[project]\nname='my_package'\nversion='1'\ndependencies=['requests']\n"
    found = migrate(tmp_path, {**setup(CONDITIONAL), "pyproject.toml": project})
    assert found.project["dependencies"] == ["requests"]
    assert any("tomli" in one for one in found.dropped)


def test_a_computed_list_beside_a_marker_key_is_kept_by_a_real_build(
    tmp_path: Path, twofold: Callable[..., object]
) -> None:
    text = (
        "from setuptools import setup\n"
        "def reqs(): return open('requirements.txt').read().split()\n"
        "setup(name='my_package', version='1.0', packages=['my_package'],\n"
        f"      install_requires=reqs(), {CONDITIONAL})\n"
    )
    root = write_project(
        tmp_path, {**CODE, "setup.py": text, "requirements.txt": "requests>=2\nclick\n"}
    )
    ran = twofold("init", root, "--verify", "--json")
    assert ran.code == 0, ran.err
    assert [one for one in ran.json["differences"] if not one["same"]] == []
    assert twofold("build", root, "--only", "wheel").code == 0
    (wheel,) = (root / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        metadata = archive.read("my_package-1.0.dist-info/METADATA").decode()
    assert metadata.count("Requires-Dist") == 3


def test_a_requirement_that_no_installer_reads_is_reported(tmp_path: Path) -> None:
    """poetry-core writes alternatives into METADATA that PEP 508 does not have."""
    metadata = "Requires-Dist: click\nRequires-Dist: e (>=1,<2 || >=3)\n"
    found = migrate_with_wheel(tmp_path, setup("install_requires=read()"), metadata)
    assert found.project["dependencies"] == ["click"]
    assert any("e (>=1,<2 || >=3)" in one for one in found.dropped)
