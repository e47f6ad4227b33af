"""poetry, pdm, hatch and flit, unmodified: they publish, are told why not, and install again.

poetry and pdm pin what they stand on, so each is installed by pip in an environment of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.factories.packages import make_wheel
from tests.server.conftest import Place

Tool = Callable[[str, str], Path]


@dataclass(frozen=True)
class Shell:
    """Command lines in the surroundings of one client."""

    cwd: Path
    environment: dict[str, str]

    def __call__(self, *words: str | Path, code: int | None = 0, **environment: str) -> str:
        """The output in one line; `code` None is any but 0."""
        kept = {key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"}
        done = subprocess.run(
            [str(word) for word in words],
            cwd=self.cwd,
            env={**kept, **self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        right = done.returncode != 0 if code is None else done.returncode == code
        assert right, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return " ".join((done.stdout + done.stderr).split())


@pytest.fixture(scope="session")
def tool(tmp_path_factory: pytest.TempPathFactory) -> Tool:
    """The program of a requirement, in a virtual environment of its own."""
    made: dict[str, Path] = {}

    def install(requirement: str, program: str) -> Path:
        if requirement not in made:
            folder = tmp_path_factory.mktemp("tool") / program
            subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
            scripts = folder / ("Scripts" if os.name == "nt" else "bin")
            pip = [str(scripts / "python"), "-m", "pip", "install", "-q", requirement]
            subprocess.run(pip, check=True, timeout=300)
            made[requirement] = scripts / program
        return made[requirement]

    return install


def project(folder: Path, backend: str, name: str = "my-lib") -> Path:
    """A small project for a backend's own build, without isolation."""
    module = folder / "src" / name.replace("-", "_")
    module.mkdir(parents=True)
    (module / "__init__.py").write_text('"""x"""\nx = 1\n', encoding="utf-8")
    build, _, entry = backend.partition(":")
    text = f"""\
        [project]
        name = "{name}"
        version = "1.0.0"
        description = "x"
        requires-python = ">=3.11"
        [build-system]
        requires = ["{build}"]
        build-backend = "{entry}"
        """
    (folder / "pyproject.toml").write_text(textwrap.dedent(text), encoding="utf-8")
    return folder


def change(folder: Path) -> None:
    """Other code, so other bytes under the same names."""
    for path in folder.glob("src/*/__init__.py"):
        path.write_text('"""x"""\nx = 2\n', encoding="utf-8")
    for path in folder.glob("dist/*"):
        path.unlink()


def application(folder: Path, table: str) -> Path:
    folder.mkdir()
    text = '[project]\nname = "app"\nversion = "0.1"\nrequires-python = ">=3.11"\n'
    (folder / "pyproject.toml").write_text(text + textwrap.dedent(table), encoding="utf-8")
    return folder


def imported(folder: Path) -> str:
    python = folder / ".venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    words = [str(python), "-c", "import my_lib; print(my_lib.x)"]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.slow
def test_poetry_publishes_is_given_the_reason_of_a_refusal_adds_and_installs(
    served: Place, tmp_path: Path, tool: Tool
) -> None:
    poetry = tool("poetry", "poetry")
    own = {
        "HOME": str(tmp_path),
        "POETRY_REPOSITORIES_OURS_URL": f"{served.channel}/legacy/",
        "POETRY_HTTP_BASIC_OURS_USERNAME": "__token__",
        "POETRY_HTTP_BASIC_OURS_PASSWORD": served.token,
        "POETRY_VIRTUALENVS_IN_PROJECT": "true",
        "POETRY_CACHE_DIR": str(tmp_path / "cache"),
    }
    shell = Shell(project(tmp_path / "lib", "poetry-core:poetry.core.masonry.api"), own)
    publish = (poetry, "publish", "--build", "-r", "ours", "--no-ansi", "-n")
    shell(*publish)
    shell(*publish)
    assert "Invalid token" in shell(*publish, code=1, POETRY_HTTP_BASIC_OURS_PASSWORD="wrong")
    change(shell.cwd)
    assert "HTTP Error 400: File already exists" in shell(*publish, code=1)
    shell(*publish, "--skip-existing")
    app = application(
        tmp_path / "app",
        f"""\
        [tool.poetry]
        package-mode = false
        [[tool.poetry.source]]
        name = "ours"
        url = "{served.channel}/simple/"
        priority = "primary"
        """,
    )
    shell = Shell(app, own)
    shell(poetry, "add", "--no-ansi", "-n", "my-lib")
    assert imported(app) == "1"
    assert "my_lib-1.0.0-py3-none-any.whl" in (app / "poetry.lock").read_text(encoding="utf-8")
    shell(poetry, "install", "--no-ansi", "-n")
    message = shell(poetry, "add", "--no-ansi", "-n", "nothing-here", code=1)
    assert "Could not find a matching version of package nothing-here" in message


@pytest.mark.slow
def test_pdm_publishes_skips_what_is_there_adds_and_installs(
    served: Place, tmp_path: Path, tool: Tool
) -> None:
    """Of a refusal pdm shows the status alone; the reason is in the log that it names."""
    pdm = tool("pdm[locked]", "pdm")  # with the versions it was released with
    own = {
        "HOME": str(tmp_path),
        "PDM_CHECK_UPDATE": "false",
        "PDM_PUBLISH_REPO": f"{served.channel}/legacy/",
        "PDM_PUBLISH_USERNAME": "__token__",
        "PDM_PUBLISH_PASSWORD": served.token,
    }
    lib = project(tmp_path / "lib", "hatchling:hatchling.build")
    shell = Shell(lib, own)
    build = (sys.executable, "-m", "build", "-q", "--no-isolation", ".")
    publish = (pdm, "publish", "--no-build")
    shell(*build)
    shell(*publish)
    shell(*publish)
    assert "401" in shell(*publish, code=1, PDM_PUBLISH_PASSWORD="wrong")
    change(lib)
    shell(*build)
    assert "400" in shell(*publish, code=1)
    assert "already exist" in shell(*publish, "--skip-existing")
    app = application(
        tmp_path / "app",
        f"""\
        [tool.pdm]
        distribution = false
        [[tool.pdm.source]]
        name = "pypi"
        url = "{served.channel}/simple/"
        """,
    )
    shell = Shell(app, own)
    shell(pdm, "add", "my-lib")
    assert imported(app) == "1"
    shell(pdm, "install")
    assert "Unable to find candidates for nothing-here" in shell(
        pdm, "add", "nothing-here", code=None
    )


def test_hatch_publishes_and_is_given_the_reason_of_a_refusal(
    served: Place, tmp_path: Path
) -> None:
    wheel = make_wheel(tmp_path / "dist", "my_lib")
    shell = Shell(tmp_path, {"HOME": str(tmp_path), "HATCH_INDEX_USER": "__token__"})
    publish = ("hatch", "--no-color", "publish", "-n", "-r", f"{served.channel}/legacy/", wheel)
    shell(*publish, HATCH_INDEX_AUTH=served.token)
    shell(*publish, HATCH_INDEX_AUTH=served.token)
    make_wheel(tmp_path / "dist", "my_lib", code="x = 2\n")
    assert "400 File already exists" in shell(*publish, code=1, HATCH_INDEX_AUTH=served.token)


def test_flit_publishes_and_is_given_the_reason_of_a_refusal(served: Place, tmp_path: Path) -> None:
    lib = project(tmp_path / "lib", "flit_core:flit_core.buildapi")
    shell = Shell(
        lib,
        {
            "HOME": str(tmp_path),
            "FLIT_INDEX_URL": f"{served.channel}/legacy/",
            "FLIT_USERNAME": "__token__",
            "FLIT_PASSWORD": served.token,
        },
    )
    shell("flit", "publish", "--no-use-vcs")
    shell("flit", "publish", "--no-use-vcs")
    change(lib)
    assert "File already exists" in shell("flit", "publish", "--no-use-vcs", code=None)
