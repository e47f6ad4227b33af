"""Mirrors of a channel: the serials they compare, and bandersnatch itself."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.factories.packages import make_sdist, make_wheel
from tests.server.conftest import Place
from twofold.server.registry import lifecycle

JSON = {"Accept": "application/vnd.pypi.simple.v1+json"}


def list_serials(place: Place, form: dict[str, str] = JSON) -> tuple[int, dict[str, int]]:
    answer = place.get("/main/simple/", **form)
    value = answer.json()
    assert answer.headers["X-PyPI-Last-Serial"] == str(value["meta"]["_last-serial"])
    return value["meta"]["_last-serial"], {
        project["name"]: project["_last-serial"] for project in value["projects"]
    }


def test_a_serial_rises_with_each_change_of_its_project_alone(
    served: Place, tmp_path: Path
) -> None:
    served.publish(make_wheel(tmp_path, "alpha"))
    served.publish(make_wheel(tmp_path, "beta"))
    last, before = list_serials(served)
    assert last == max(before.values()) and before["alpha"] < before["beta"]
    served.publish(make_wheel(tmp_path, "alpha", "1.1.0"))
    lifecycle.yank(served.registry, served.owner, "main", "alpha", "1.0.0")
    newest, after = list_serials(served)
    assert after["beta"] == before["beta"]
    assert newest == after["alpha"] == last + 2


@pytest.mark.parametrize("token", [False, True], ids=["anonymous", "with a token"])
def test_every_page_of_a_project_has_the_serial_of_the_list(
    served: Place, tmp_path: Path, token: bool
) -> None:
    for name in ("alpha", "Beta_x"):
        served.publish(make_wheel(tmp_path, name))
    for name, serial in list_serials(served)[1].items():
        for path in (
            f"/main/simple/{name}/",
            f"/main/pypi/{name}/json",
            f"/main/pypi/{name}/1.0.0/json",
        ):
            answer = served.get(path, served.token if token else None)
            assert answer.headers["X-PyPI-Last-Serial"] == str(serial), path
            etag = answer.headers["ETag"]
            unchanged = served.get(path, served.token if token else None, If_None_Match=etag)
            assert unchanged.status_code == 304
            assert unchanged.headers["X-PyPI-Last-Serial"] == str(serial), path
        assert served.get(f"/main/pypi/{name}/json").json()["last_serial"] == serial


def test_the_json_api_names_files_by_a_path_as_on_pypi(served: Place, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "alpha")
    served.publish(wheel)
    [file] = served.get("/main/pypi/alpha/json").json()["urls"]
    assert file["url"].startswith(f"{served.url}/packages/main/")
    assert served.get(file["url"].removeprefix(served.url)).content == wheel.read_bytes()


def test_a_quarantined_project_is_not_in_the_json_api(served: Place, tmp_path: Path) -> None:
    served.publish(make_wheel(tmp_path, "alpha"))
    lifecycle.set_status(served.registry, served.owner, "main", "alpha", "quarantined")
    assert served.get("/main/pypi/alpha/json").status_code == 404


@pytest.fixture(scope="session")
def bandersnatch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """bandersnatch 6 in an environment of its own: it wants other versions than we do."""
    folder = tmp_path_factory.mktemp("bandersnatch") / "venv"
    uv = shutil.which("uv")
    assert uv is not None
    subprocess.run([uv, "venv", "-q", folder], check=True, timeout=120)
    python = folder / "bin" / "python"
    command = [uv, "pip", "install", "-q", "--python", python, "bandersnatch>=6,<7"]
    subprocess.run(command, check=True, timeout=300)
    return folder / "bin" / "bandersnatch"


@pytest.mark.slow
def test_bandersnatch_mirrors_a_channel_and_follows_its_changes(
    served: Place, tmp_path: Path, bandersnatch: Path
) -> None:
    for name, version in (("alpha", "1.0"), ("alpha", "1.1"), ("Gamma.Delta", "0.1+local.1")):
        served.publish(make_wheel(tmp_path, name, version))
    served.publish(make_sdist(tmp_path, "alpha", "1.1"))
    mirror, settings = tmp_path / "mirror", tmp_path / "bandersnatch.conf"
    settings.write_text(
        f"""[mirror]
directory = {mirror}
master = {served.channel}
allow-non-https = true
api-method = simple
json = true
timeout = 10
workers = 2
verifiers = 2
hash-index = false
stop-on-error = true
compare-method = hash
""",
        "utf-8",
    )

    def run() -> set[str]:
        command = [bandersnatch, "-c", settings, "mirror"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        assert " ERROR: " not in done.stderr and "malformed" not in done.stderr, done.stderr
        return {path.name for path in (mirror / "web").rglob("*-*.*") if path.is_file()}

    first = run()
    assert {"alpha-1.0-py3-none-any.whl", "alpha-1.1.tar.gz"} <= first
    assert "gamma_delta-0.1+local.1-py3-none-any.whl" in first
    assert (mirror / "status").read_text().strip() == str(list_serials(served)[0])
    served.publish(make_wheel(tmp_path, "late"))
    lifecycle.delete_release(served.registry, served.owner, "main", "alpha", "1.0")
    assert "late-1.0.0-py3-none-any.whl" in run()
    page = (mirror / "web" / "simple" / "alpha" / "index.html").read_text()
    assert "alpha-1.1-py3" in page and "alpha-1.0-" not in page
