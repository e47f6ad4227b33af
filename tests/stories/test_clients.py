"""Each unmodified client against the registry: uv, twine, pip, anaconda-client, py-rattler."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clients.installers import Clients


@pytest.fixture
def project(clients: Clients, tmp_path: Path) -> Path:
    clients.twofold("new", "my_package", cwd=tmp_path)
    clients.twofold("build", cwd=tmp_path / "my_package")
    return tmp_path / "my_package"


USE = "import my_package; print(my_package.function1())"


def test_uv_publishes_and_installs(clients: Clients, project: Path, tmp_path: Path) -> None:
    clients.run("uv", "publish", *clients.glob(project, "dist/*"), cwd=project)
    python = clients.venv(tmp_path / "venv")
    clients.run(
        "uv", "pip", "install", "--python", python, "--no-config", "my_package", cwd=tmp_path
    )
    assert clients.run(python, "-c", USE, cwd=tmp_path).strip()


def test_twine_uploads_the_same_files_twice_and_reports_other_ones(
    clients: Clients, project: Path
) -> None:
    files = clients.glob(project, "dist/*")
    clients.run("twine", "upload", *files, cwd=project)
    clients.run("twine", "upload", *files, cwd=project)
    (project / "src" / "my_package" / "module1.py").write_text("other = 1\n", encoding="utf-8")
    (project / "src" / "my_package" / "__init__.py").write_text("", encoding="utf-8")
    clients.twofold("build", cwd=project)
    message = clients.run("twine", "upload", *files, cwd=project, code=1)
    assert "File already exists" in message


def test_a_wrong_token_is_reported_by_twine(clients: Clients, project: Path) -> None:
    wrong = Clients(
        clients.registry, clients.offline, {**clients.environment, "TWINE_PASSWORD": "wrong"}
    )
    message = wrong.run("twine", "upload", *clients.glob(project, "dist/*"), cwd=project, code=1)
    assert "403" in message or "401" in message
    assert "token" in message.lower()


def test_anaconda_uploads_a_conda_package_and_a_wheel_for_both_worlds(
    clients: Clients, project: Path, tmp_path: Path
) -> None:
    clients.anaconda_login(cwd=tmp_path)
    (package,) = project.glob("conda-bld/noarch/*.conda")
    (wheel,) = project.glob("dist/*.whl")
    clients.run("anaconda", "upload", package, cwd=project)
    clients.run("anaconda", "upload", wheel, cwd=project)
    python = clients.venv(tmp_path / "venv")
    clients.run(python, "-m", "pip", "install", "my_package", cwd=tmp_path)
    assert clients.run(python, "-c", USE, cwd=tmp_path).strip()
    prefix = tmp_path / "conda-env"
    clients.conda_install("my_package", prefix)
    assert clients.run(clients.conda_python(prefix), "-c", USE, cwd=tmp_path).strip()


@pytest.mark.slow
def test_anaconda_uploads_the_conda_package_of_a_wheel_that_is_there_already(
    clients: Clients, project: Path, tmp_path: Path
) -> None:
    """The registry made the same package of the wheel: what is there already is no mistake."""
    clients.anaconda_login(cwd=tmp_path)
    (package,) = project.glob("conda-bld/noarch/*.conda")
    (wheel,) = project.glob("dist/*.whl")
    clients.run("anaconda", "upload", wheel, cwd=project)
    clients.run("anaconda", "upload", package, cwd=project)
    clients.run("anaconda", "upload", "--skip-existing", package, cwd=project)
