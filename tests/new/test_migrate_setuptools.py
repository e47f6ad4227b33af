"""`twofold init` for setup.py, setup.cfg, [tool.setuptools] and MANIFEST.in, read statically."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.new.migrated import migrate
from twofold.errors import TwofoldError

SETUP_PY = '''\
"""Set up."""
import os
from setuptools import setup, find_packages

NAME = "my_package"
here = os.path.dirname(__file__)
REQUIRES = [
    "numpy>=1.24",  # arrays
    "requests",
]
open("ran", "w")
with open(os.path.join(here, "README.md"), encoding="utf-8") as f:
    long_description = f.read()

setup(
    name=NAME,
    version="1.2.0",
    description="What it " + "is for",
    long_description=long_description,
    long_description_content_type="text/markdown",
    author="Ada Lovelace",
    author_email="ada@example.org",
    maintainer="A, B",
    maintainer_email="a@example.org, b@example.org",
    license="BSD 3-Clause",
    url="https://example.org",
    project_urls={"Source": f"https://example.org/{NAME}"},
    packages=find_packages("src", exclude=["tests", "my_package.experiments", "*.internal"]),
    package_dir={"": "src"},
    package_data={NAME: ["*.json"]},
    include_package_data=True,
    python_requires=">=3.9",
    install_requires=REQUIRES + ["tomli; python_version < '3.11'"],
    extras_require={"plot": ["matplotlib"], ":sys_platform == 'win32'": ["colorama"]},
    entry_points={
        "console_scripts": ["go = my_package.cli:main", "stop=my_package.cli:stop"],
        "my.plugins": ["one = my_package.plugin"],
    },
    keywords="a, b c",
    classifiers=["Programming Language :: Python :: 3", "License :: OSI Approved :: BSD License"],
    tests_require=["pytest"],
    zip_safe=False,
    cmdclass={"build": Custom},
    data_files=[("share/x", ["x.txt"])],
    obsolete_key=3,
)
'''
TREE = {
    "README.md": "# Mine\n",
    "src/my_package/__init__.py": "",
    "src/my_package/experiments/__init__.py": "",
    "src/my_package/data.json": "{}",
}


def test_setup_py_is_read_without_running_it(tmp_path: Path) -> None:
    found = migrate(tmp_path, {**TREE, "setup.py": SETUP_PY})
    assert found.project == {
        "name": "my_package",
        "version": "1.2.0",
        "description": "What it is for",
        "readme": "README.md",
        "requires-python": ">=3.9",
        "license": "BSD-3-Clause",
        "authors": [{"name": "Ada Lovelace", "email": "ada@example.org"}],
        "maintainers": [
            {"name": "A", "email": "a@example.org"},
            {"name": "B", "email": "b@example.org"},
        ],
        "keywords": ["a", "b c"],
        "classifiers": ["Programming Language :: Python :: 3"],
        "dependencies": [
            "numpy>=1.24",
            "requests",
            "tomli; python_version < '3.11'",
            "colorama ; sys_platform == 'win32'",
        ],
        "urls": {"Homepage": "https://example.org", "Source": "https://example.org/my_package"},
        "scripts": {"go": "my_package.cli:main", "stop": "my_package.cli:stop"},
        "entry-points": {"my.plugins": {"one": "my_package.plugin"}},
        "optional-dependencies": {"plot": ["matplotlib"]},
    }
    assert found.settings == {
        "wheel": {"exclude": ["**/my_package/experiments/**", "**/internal/**"]}
    }
    assert found.document["dependency-groups"] == {"test": ["pytest"]}
    assert '"numpy>=1.24", # arrays' in found.text
    assert not (tmp_path / "my_package" / "ran").exists()


def test_what_find_packages_leaves_out_is_left_out(tmp_path: Path) -> None:
    setup = "setup(name='x', version='1', packages=find_packages(exclude=['t', 't.*']))\n"
    files = {"setup.py": setup, "x/__init__.py": "", "t/__init__.py": "", "y/__init__.py": ""}
    assert migrate(tmp_path, files).settings["modules"] == ["x", "y"]


def test_what_cannot_be_carried_over_is_listed_with_its_line(tmp_path: Path) -> None:
    found = migrate(tmp_path, {**TREE, "setup.py": SETUP_PY})
    assert found.dropped == [
        "setup.py:44: data_files = [('share/x', ['x.txt'])]",
        "setup.py:43: cmdclass = {'build': Custom}",
        "setup.py:45: obsolete_key = 3",
    ]
    assert any("License :: OSI Approved :: BSD" in remark for remark in found.plan.remarks)


def test_what_a_program_computes_is_listed_when_nothing_is_run(tmp_path: Path) -> None:
    setup = "from setuptools import setup\nsetup(name='x', version=v(), install_requires=r())\n"
    found = migrate(tmp_path, {"x.py": "", "setup.py": setup})
    assert found.dropped == [
        "setup.py:2: version (computed by a program, which was not run)",
        "setup.py:2: dependencies (computed by a program, which was not run)",
    ]


@pytest.mark.parametrize(
    "code",
    [
        "deps = ['a']\ndeps.append('b')",
        "deps = ['a']\nif x:\n    deps = ['b']",
        "deps = ['a']\ndeps += x",
    ],
)
def test_a_name_that_changes_is_not_taken_for_what_it_was(tmp_path: Path, code: str) -> None:
    setup = f"{code}\nsetup(name='x', version='1', install_requires=deps)\n"
    found = migrate(tmp_path, {"x.py": "", "setup.py": setup})
    assert "dependencies" not in found.project and len(found.dropped) == 1


SETUP_CFG = """\
# The project
[metadata]
name = my_package
version = attr: my_package.__version__
description = What it is for
long_description = file: README.md, CHANGES.md
author = Ada
author_email = ada@example.org
license = MIT
license_files = LICENSE
url = https://example.org
project_urls =
    Source = https://example.org/source
classifiers =
    Programming Language :: Python :: 3
    License :: OSI Approved :: MIT License
keywords = one, two
platforms = any

[options]
packages = find:
package_dir =
    = lib
python_requires = >=3.9
install_requires =
    numpy>=1.24
    # why requests
    requests
    importlib-metadata; python_version<"3.8"
zip_safe = no

[options.packages.find]
where = lib
exclude =
    tests*

[options.extras_require]
test = pytest; hypothesis>=6

[options.entry_points]
console_scripts =
    go = my_package.cli:main

[options.package_data]
* = *.txt

[flake8]
max-line-length = 100

[bdist_wheel]
universal = 1

[egg_info]
tag_build =
tag_date = 0
"""


def test_setup_cfg_is_read(tmp_path: Path) -> None:
    found = migrate(
        tmp_path,
        {
            "setup.cfg": SETUP_CFG,
            "setup.py": "from setuptools import setup\nsetup()\n",
            "README.md": "",
            "CHANGES.md": "",
            "LICENSE": "",
            "lib/my_package/__init__.py": "__version__ = '3.1'\n",
        },
    )
    assert found.project == {
        "name": "my_package",
        "dynamic": ["version"],
        "description": "What it is for",
        "readme": "README.md",
        "requires-python": ">=3.9",
        "license": "MIT",
        "license-files": ["LICENSE"],
        "authors": [{"name": "Ada", "email": "ada@example.org"}],
        "keywords": ["one", "two"],
        "classifiers": ["Programming Language :: Python :: 3"],
        "dependencies": [
            "numpy>=1.24",
            "requests",
            'importlib-metadata; python_version<"3.8"',
        ],
        "urls": {"Homepage": "https://example.org", "Source": "https://example.org/source"},
        "scripts": {"go": "my_package.cli:main"},
        "optional-dependencies": {"test": ["pytest", "hypothesis>=6"]},
    }
    assert found.settings == {
        "source": "lib",
        "version": {"from": "module", "path": "lib/my_package/__init__.py"},
    }
    assert '"requests", # why requests' in found.text
    assert found.dropped == [
        "setup.cfg [bdist_wheel]: universal = 1 (a command of setuptools)",
        "setup.cfg:6: further readme files: CHANGES.md (PyPI shows one file)",
    ]


def test_setup_py_takes_precedence_over_setup_cfg_key_by_key(tmp_path: Path) -> None:
    found = migrate(
        tmp_path,
        {
            "setup.cfg": "[metadata]\nname = x\nversion = 2\nauthor_email = ada@example.org\n"
            "keywords = a, b\nclassifiers =\n  Environment :: Console\n"
            "[options]\ninstall_requires = attrs\npython_requires = >=3.9\n"
            "[options.entry_points]\nconsole_scripts =\n  x = x:main\n",
            "setup.py": "from setuptools import setup\nsetup(name='x', version='1', author='Ada',\n"
            "  keywords=['a', 'b'], install_requires=['requests', 'click'],\n"
            "  entry_points={'gui_scripts': ['y=x:main']})\n",
            "x.py": "",
        },
    )
    assert found.project["version"] == "1"
    assert found.project["dependencies"] == ["requests", "click"]
    assert found.project["requires-python"] == ">=3.9"
    assert found.project["authors"] == [{"name": "Ada", "email": "ada@example.org"}]
    assert "scripts" not in found.project and found.project["gui-scripts"] == {"y": "x:main"}
    assert found.dropped == [
        "setup.cfg:3: version = 2 (setuptools takes the value of setup.py:2)",
        "setup.cfg:9: install_requires = ['attrs'] (setuptools takes the value of setup.py:3)",
        "setup.cfg: entry_points = {'console_scripts': ['x = x:main']} "
        "(setuptools takes the value of setup.py:4)",
    ]


TOOL = """\
[build-system]
requires = ["setuptools>=61", "setuptools-scm"]
build-backend = "setuptools.build_meta"

[project]  # ours
name = "my_package"  # the name
dynamic = ["version", "readme", "dependencies"]
requires-python = ">=3.9"
license = {text = "MIT"}
classifiers = [
    "License :: OSI Approved :: MIT License",
    "Typing :: Typed",  # typed
]

[tool.setuptools]
packages = ["my_package", "my_package.sub"]  # two
package-dir = {"" = "lib"}
include-package-data = true

[tool.setuptools.dynamic]
readme = {file = ["README.md"]}
dependencies = {file = ["requirements.in"]}

[tool.setuptools.exclude-package-data]
my_package = ["*.secret"]

[tool.setuptools_scm]
write_to = "lib/my_package/_version.py"

[tool.black]
line-length = 100  # wide
"""


def test_project_tables_keep_their_form_and_comments(tmp_path: Path) -> None:
    found = migrate(
        tmp_path,
        {
            "pyproject.toml": TOOL,
            "README.md": "",
            "requirements.in": "# deps\nnumpy\nrich>=13\n",
            "lib/my_package/__init__.py": "",
            "lib/my_package/sub/__init__.py": "",
            "lib/my_package/other/__init__.py": "",
        },
    )
    assert found.project == {
        "name": "my_package",
        "dynamic": ["version"],
        "readme": "README.md",
        "requires-python": ">=3.9",
        "license": "MIT",
        "classifiers": ["Typing :: Typed"],
        "dependencies": ["numpy", "rich>=13"],
    }
    assert found.settings == {
        "source": "lib",
        "version": {"from": "git"},
        "wheel": {"exclude": ["**/my_package/*.secret", "lib/my_package/other/**"]},
    }
    assert '[project]  # ours\nname = "my_package"  # the name\n' in found.text
    assert "[tool.black]\nline-length = 100  # wide\n" in found.text
    assert "setuptools" not in found.text.replace("# packages: two", "")
    assert len(found.dropped) == 1 and "write_to = lib/my_package/_version.py" in found.dropped[0]


def test_manifest_in_becomes_includes_and_excludes_of_the_sdist(tmp_path: Path) -> None:
    found = migrate(
        tmp_path,
        {
            "setup.py": "from setuptools import setup\nsetup(name='x', version='1')\n",
            "x.py": "",
            "MANIFEST.in": "include CHANGES *.rst\nrecursive-include docs *.md\ngraft examples\n"
            "prune examples/big\nglobal-exclude *.pyc *.log\nexclude secret.txt\n"
            "odd thing\nrecursive-include\n",
            "CHANGES": "",
            "docs/a/b.md": "",
            "examples/e.py": "",
        },
    )
    assert found.settings["sdist"] == {
        "include": ["CHANGES", "docs/**/*.md", "examples/**"],
        "exclude": ["examples/big/**", "**/*.log", "secret.txt"],
    }
    assert found.dropped == [
        "MANIFEST.in:7: odd thing (not a command of MANIFEST.in)",
        "MANIFEST.in:8: recursive-include (not a command of MANIFEST.in)",
    ]


@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(["setup.py", "setup.cfg", "pyproject.toml"]), st.data())
def test_no_damage_to_an_old_file_ends_in_a_traceback(name: str, data: st.DataObject) -> None:
    lines = {"setup.py": SETUP_PY, "setup.cfg": SETUP_CFG, "pyproject.toml": TOOL}[name].split("\n")
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(lines) - 1))
        line = lines[at]
        place = data.draw(st.integers(0, len(line)))
        mark = data.draw(st.sampled_from(["", *"[]{}\"'=,#() %:;*\u00fc"]))
        lines[at : at + 1] = data.draw(
            st.sampled_from([[], [line, line], [line[:place] + mark + line[place + 1 :]]])
        )
        lines = lines or [""]
    with tempfile.TemporaryDirectory() as folder:
        try:
            migrate(Path(folder), {**TREE, name: "\n".join(lines)})
        except TwofoldError as error:
            assert all(problem.message for problem in error.problems)


def test_extension_modules_are_reported_with_an_alternative(tmp_path: Path) -> None:
    setup = "from setuptools import setup\nsetup(name='x', version='1', ext_modules=[E('x')])\n"
    found = migrate(tmp_path, {"x.py": "", "setup.py": setup})
    assert len(found.dropped) == 1 and "keep setuptools as the backend" in found.dropped[0]


def test_scripts_of_a_folder_of_their_own_are_kept(tmp_path: Path) -> None:
    setup = "setup(name='x', version='1', scripts=['bin/go', 'bin/stop'])\n"
    files = {"x.py": "", "setup.py": setup, "bin/go": "", "bin/stop": ""}
    assert migrate(tmp_path, files).settings == {"wheel": {"data": {"scripts": "bin"}}}
    found = migrate(tmp_path, {**files, "bin/other": ""})
    placed = {"bin/go": "go", "bin/stop": "stop"}
    assert found.settings == {"wheel": {"data": {"scripts": placed}}} and not found.dropped


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("setup.py", "setup(\n"),
        ("setup.cfg", "no section\n"),
        ("pyproject.toml", "[project\n"),
        ("pyproject.toml", 'a = "\xe9"\n'),
        ("environment.yml", "a: [\n"),
        ("environment.yml", "- a\n"),
    ],
)
def test_a_file_that_cannot_be_read_is_reported(tmp_path: Path, name: str, text: str) -> None:
    root = tmp_path / "my_package"
    root.mkdir()
    (root / name).write_bytes(text.encode("latin-1"))
    with pytest.raises(TwofoldError) as caught:
        migrate(tmp_path, {"x.py": ""})
    assert name in caught.value.problems[0].where
