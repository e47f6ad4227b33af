"""`twofold init` for modules without any metadata, and for lists of requirements."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.new.migrated import migrate, migrate_with_wheel, write_project
from twofold.errors import TwofoldError
from twofold.new.migrate import MigrationTools, plan_migration
from twofold.source_analysis import InstalledDistributions

MODULE1 = '''\
"""What it is for.

More."""
import os
import numpy as np
from yaml import safe_load
import not_installed
try:
    import orjson
except ImportError:
    orjson = None
__version__ = "2.1"
'''
MIT = "MIT License\n\nPermission is hereby granted, free of charge, to any person ...\n"


def environment(**versions: str) -> InstalledDistributions:
    """An environment with numpy, PyYAML and orjson in the versions given."""
    return InstalledDistributions(
        versions, {"numpy": ("numpy",), "yaml": ("PyYAML",), "orjson": ("orjson",)}
    )


def test_a_folder_of_modules_becomes_a_project(tmp_path: Path) -> None:
    found = migrate(
        tmp_path,
        {
            "my_package/__init__.py": MODULE1,
            "my_package/module2.py": "import my_package.module1\nfrom . import module3\n",
            "tests/test_it.py": "import pytest\nimport my_package\n",
            "setup_notes.md": "",
            "README.md": "# Mine\n",
            "LICENSE": MIT,
        },
        environment(numpy="1.26.4", PyYAML="6.0.1+local", orjson="3.9"),
    )
    assert found.project == {
        "name": "my_package",
        "dynamic": ["version"],
        "description": "What it is for.",
        "readme": "README.md",
        "requires-python": ">=3.11",
        "license": "MIT",
        "dependencies": ["not_installed", "numpy>=1.26.4", "PyYAML>=6.0.1"],
        "optional-dependencies": {"all": ["orjson>=3.9"]},
    }
    assert found.settings == {"version": {"from": "module", "path": "my_package/__init__.py"}}
    assert found.document["dependency-groups"] == {"test": ["pytest"]}
    assert found.document["build-system"]["build-backend"] == "twofold_build"
    assert any("my_package/__init__.py:7" in remark for remark in found.plan.remarks)
    assert found.dropped == []


def test_single_modules_are_named_when_the_project_is_called_otherwise(tmp_path: Path) -> None:
    found = migrate(tmp_path, {"one.py": "import two\n", "two.py": "x = 1\n", "test_one.py": ""})
    assert found.project["name"] == "my_package"
    assert found.settings == {"modules": ["one", "two"]}
    assert found.project["version"] == "0.1.0"
    assert "no version found: using 0.1.0" in found.plan.remarks


def test_the_only_module_names_the_project(tmp_path: Path) -> None:
    found = migrate(tmp_path, {"tool.py": "", "setup_notes.md": ""})
    assert found.project["name"] == "tool" and found.settings == {}


def test_a_name_that_no_table_has_is_called_a_guess(tmp_path: Path) -> None:
    remarks = migrate(tmp_path, {"m.py": "import z3, not_installed, anyio_x\n"}).plan.remarks
    guesses = [remark.split("'")[1] for remark in remarks if "a guess" in remark]
    assert guesses == ["import not_installed", "import anyio_x"]


def test_imports_that_no_list_has_are_reported(tmp_path: Path) -> None:
    files = {"tool.py": MODULE1, "requirements.txt": "numpy\n"}
    remarks = plan_migration(
        write_project(tmp_path, files), MigrationTools(environment=environment(PyYAML="6.0"))
    ).remarks
    missing = [remark for remark in remarks if "no list here names" in remark]
    assert [remark.split("'")[1] for remark in missing] == ["yaml", "not_installed"]
    assert missing[0].startswith("tool.py:6: ")
    assert "PyYAML" in missing[0]


def test_requirements_txt_is_taken_with_comments_and_files_it_names(tmp_path: Path) -> None:
    found = migrate(
        tmp_path,
        {
            "m.py": "",
            "requirements.txt": "# why numpy\nnumpy>=1.24\n\nrequests[socks]==2.31 ; "
            "python_version < '3.13'  # pinned\n-r more.txt\n-e .\n--index-url https://x.test/\n"
            "a @ https://x.test/a.whl\nb==1 --hash=sha256:00\n./local\n",
            "more.txt": "rich\n-r requirements.txt\n",
            "requirements-dev.txt": "pytest>=8\n",
        },
    )
    assert found.project["dependencies"] == [
        "numpy>=1.24",
        "requests[socks]==2.31 ; python_version < '3.13'",
        "rich",
        "a @ https://x.test/a.whl",
        "b==1",
    ]
    assert '"numpy>=1.24", # why numpy' in found.text and "# pinned" in found.text
    assert found.document["dependency-groups"] == {"dev": ["pytest>=8"]}
    assert [one.partition(":")[0] + ":" + one.split(":")[1] for one in found.dropped] == [
        "requirements.txt:7",
        "requirements.txt:9",
        "requirements.txt:10",
    ]


def test_environment_yml_is_taken_with_names_of_pypi(tmp_path: Path) -> None:
    found = migrate(
        tmp_path,
        {
            "m.py": "",
            "environment.yml": "name: here\nchannels: [conda-forge]\ndependencies:\n"
            "  - python=3.12\n  - pip\n  - conda-forge::numpy >=1.24,<3\n  - matplotlib-base=3.8\n"
            "  - pyyaml=6.0.1=py312_0\n  - msgpack-python\n  - pytorch 2.*|3.*\n"
            "  - pip:\n    - rich>=13\n    - -e .\n    - --pre\n",
        },
    )
    assert found.project["requires-python"] == ">=3.12"
    assert found.project["dependencies"] == [
        "numpy>=1.24,<3",
        "matplotlib==3.8.*",
        "pyyaml==6.0.1.*",
        "msgpack",
        "torch",
        "rich>=13",
    ]
    dropped = "\n".join(found.dropped)
    assert (
        "py312_0" in dropped
        and "2.*|3.*" in dropped
        and "channels" in dropped
        and "--pre" in dropped
    )


def test_a_folder_without_python_and_a_migrated_one_are_refused(tmp_path: Path) -> None:
    root = write_project(tmp_path, {"README.md": ""})
    with pytest.raises(TwofoldError, match="no Python module"):
        plan_migration(root, MigrationTools())
    root = write_project(tmp_path, {"m.py": ""})
    (root / "pyproject.toml").write_text(
        plan_migration(root, MigrationTools()).text, encoding="utf-8"
    )
    with pytest.raises(TwofoldError, match="uses twofold-build already"):
        plan_migration(root, MigrationTools())


def test_keys_above_every_table_stay_there(tmp_path: Path) -> None:
    old = "# top\ntool.ruff.line-length = 100  # wide\n\n[tool.mypy]\nstrict = true\n"
    found = migrate(tmp_path, {"m.py": "", "pyproject.toml": old})
    assert found.text.startswith("# top\ntool.ruff.line-length = 100  # wide\n\n[build-system]\n")
    assert found.document["tool"] == {"ruff": {"line-length": 100}, "mypy": {"strict": True}}


def test_a_pyproject_of_tools_alone_keeps_every_byte_of_them(tmp_path: Path) -> None:
    old = "# Mine, since 2019\n\n[tool.ruff]  # strict\nline-length = 100 # wide\n\n# last\n"
    found = migrate(tmp_path, {"m.py": "", "pyproject.toml": old})
    assert found.text.startswith("# Mine, since 2019\n\n[build-system]\n")
    assert "[tool.ruff]  # strict\nline-length = 100 # wide\n\n# last\n" in found.text


@pytest.mark.parametrize(
    ("file", "hint"),
    [
        ("my-tool/__init__.py", "rename my-tool to my_tool"),
        ("my-script.py", "rename my-script.py to my_script.py"),
        ("libs/one/pyproject.toml", "migrate each by itself: libs/one"),
        ("explore.ipynb", "notebooks are not modules"),
    ],
)
def test_a_folder_without_modules_gets_a_hint(file: str, hint: str, tmp_path: Path) -> None:
    with pytest.raises(TwofoldError, match="no Python module found") as caught:
        migrate(tmp_path, {file: ""})
    assert hint in caught.value.problems[0].hint


def test_projects_below_are_not_namespaces_and_odd_names_are_reported(
    tmp_path: Path,
) -> None:
    found = migrate(
        tmp_path,
        {
            "mine.py": "",
            "my-script.py": "import mine",
            "libs/one/pyproject.toml": "",
            "libs/one/src/one/__init__.py": "",
            "space/part/__init__.py": "",
        },
    )
    assert found.settings["modules"] == ["mine", "space.part"]
    assert (
        "my-script.py is not packed: no module can be imported by that name" in found.plan.remarks
    )


def test_a_name_in_a_divided_namespace_is_its_own_distribution(tmp_path: Path) -> None:
    held = {"google": ("googleapis-common-protos",)}
    found = migrate(
        tmp_path,
        {"m.py": "from google.cloud import storage\nimport google.cloud.bigquery\n"},
        InstalledDistributions({"googleapis-common-protos": "1.0"}, held),
    )
    assert found.project["dependencies"] == ["google-cloud-bigquery", "google-cloud-storage"]


def test_names_that_no_distribution_has_are_no_dependencies(tmp_path: Path) -> None:
    code = (
        '"""X."""\nfrom typing import TYPE_CHECKING\nimport _cffi_backend\nimport _own_extension\n'
        "if TYPE_CHECKING:\n    from _typeshed import StrPath\n    import pandas\n"
    )
    found = migrate(tmp_path, {"mytool.py": code})
    assert found.project["dependencies"] == ["cffi"]
    assert "optional-dependencies" not in found.project and found.plan.problems == ()
    assert any("mytool.py:4: no distribution can be called '_own" in r for r in found.plan.remarks)


@pytest.mark.parametrize(
    "code",
    [
        "from ._version import __version__\n",
        "from .about import __version__, __author__\n",
        "from my_package._version import __version__ as __version__\n",
    ],
)
@pytest.mark.parametrize("kind", ["bare", "flit", "setuptools"])
def test_an_imported_version_is_read_from_the_module_that_has_it(
    tmp_path: Path, code: str, kind: str
) -> None:
    files = {"my_package/__init__.py": f'"""X."""\n{code}', "my_package/about.py": "x = 1\n"}
    place = "my_package/about.py" if ".about" in code else "my_package/_version.py"
    files[place] = "__version__ = '1.2'\n"
    dynamic = "[project]\nname = 'my_package'\ndynamic = ['version']\n"
    tables = {
        "flit": "[build-system]\nbuild-backend = 'flit_core.buildapi'\n",
        "setuptools": "[tool.setuptools.dynamic]\nversion = {attr = 'my_package.__version__'}\n",
    }
    if kind != "bare":
        files["pyproject.toml"] = f"{tables[kind]}{dynamic}"
    found = migrate(tmp_path, files)
    assert found.settings["version"] == {"from": "module", "path": place}
    assert found.plan.problems == ()


def test_a_computed_version_of_flit_comes_from_the_wheel(tmp_path: Path) -> None:
    text = "[build-system]\nbuild-backend = 'flit_core.buildapi'\n"
    project = "[project]\nname = 'my_package'\ndynamic = ['version']\ndescription = 'x'\n"
    code = '"""X."""\n__version__ = ".".join(["1", "0"])\n'
    files = {"pyproject.toml": f"{text}{project}", "my_package/__init__.py": code}
    assert migrate_with_wheel(tmp_path, files, "").project["version"] == "1"


def test_no_password_of_a_url_is_printed(tmp_path: Path) -> None:
    lines = (
        "--index-url https://ada:pass1@example.org/simple\n"
        "--extra-index-url https://pass2@example.org/simple\n"
        "-f https://ada:pass3@example.org/files\nnumpy\n"
    )
    channel = "https://example.org/t/pass4/channel"
    environment = f"channels:\n- {channel}\ndependencies:\n- pip:\n  - -i https://a:pass5@e.org/s\n"
    for files in ({"requirements.txt": lines}, {"environment.yml": environment}):
        found = migrate(tmp_path, {**files, "x.py": ""})
        assert found.dropped and "pass" not in "\n".join([*found.dropped, found.text])


def test_an_environment_reads_the_requirements_that_it_names(tmp_path: Path) -> None:
    environment = (
        "dependencies:\n- python>=3.11\n- numpy\n- pytorch-gpu\n- pytorch-cpu>=2\n"
        "- pip:\n  - -r requirements/base.txt\n  - requests\n  - -r missing.txt\n"
    )
    files = {
        "environment.yml": environment,
        "requirements/base.txt": "rich>=13\nnumpy\n",
        "x.py": "",
    }
    found = migrate(tmp_path, files)
    assert found.project["dependencies"][:1] == ["numpy"]
    names = [text.rstrip(">=0123456789") for text in found.project["dependencies"]]
    assert names == ["numpy", "torch", "torch", "rich", "requests"]
    assert "environment.yml: pip: -r missing.txt (no such file)" in found.dropped


def test_requirements_that_an_environment_lists_too_are_not_called_dropped(tmp_path: Path) -> None:
    files = {
        "mod.py": "x = 1\n",
        "requirements.txt": "flask\nclick>=8\n",
        "environment.yml": "dependencies:\n- python\n- pip:\n  - -r requirements.txt\n",
    }
    found = migrate(tmp_path, files)
    assert found.project["dependencies"] == ["flask", "click>=8"] and found.dropped == []
    files["environment.yml"] = "dependencies: [flask]\n"
    found = migrate(tmp_path, files)
    assert any("click>=8" in one and "flask" not in one for one in found.dropped)
