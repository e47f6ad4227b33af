"""What people see: the unmodified clients' own words, in success and in refusal."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.factories.packages import make_conda, make_sdist, make_wheel
from tests.server.conftest import Place


def run(*words: str | Path, code: int = 0, **environment: str) -> str:
    done = subprocess.run(
        [str(word) for word in words],
        env={**os.environ, "OTEL_SDK_DISABLED": "true", **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return " ".join((done.stdout + done.stderr).split())


def twine(place: Place, *files: Path, token: str = "", code: int = 0) -> str:
    words = ["twine", "--no-color", "upload", "--disable-progress-bar", *files]
    words += ["--repository-url", f"{place.channel}/legacy/", "-u", "__token__"]
    return run(*words, "-p", token or place.token, code=code, COLUMNS="200")


def test_twine_uploads_and_repeats_and_is_given_the_reason_of_a_refusal(
    served: Place, tmp_path: Path
) -> None:
    wheel, sdist = make_wheel(tmp_path), make_sdist(tmp_path)
    twine(served, wheel, sdist)
    twine(served, wheel, sdist)
    make_wheel(tmp_path, code="other = 1\n")
    assert "File already exists" in twine(served, wheel, code=1)
    assert "Invalid token" in twine(served, sdist, token="twofold-wrong", code=1)


def test_uv_publishes_and_is_given_the_reason_of_a_refusal(served: Place, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path)
    command = ["uv", "publish", "--publish-url", f"{served.channel}/legacy/", wheel]
    run(*command, UV_PUBLISH_TOKEN=served.token)
    run(*command, UV_PUBLISH_TOKEN=served.token)
    make_wheel(tmp_path, code="other = 1\n")
    assert "File already exists" in run(*command, code=2, UV_PUBLISH_TOKEN=served.token)


def test_pip_finds_what_was_uploaded(served: Place, tmp_path: Path) -> None:
    served.publish(make_wheel(tmp_path / "in", "my_package", "1.0"))
    served.publish(make_wheel(tmp_path / "in", "my_package", "2.0rc1"))
    words = ["pip", "download", "--no-deps", "--isolated", "-d", tmp_path / "out"]
    run(*words, "--index-url", f"{served.channel}/simple/", "my_package")
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["my_package-1.0-py3-none-any.whl"]


@pytest.mark.slow  # tests/stories/test_clients.py uploads with it in every run
def test_anaconda_logs_in_uploads_shows_and_removes(served: Place, tmp_path: Path) -> None:
    run("anaconda", "config", "--set", "url", f"{served.url}/api")
    run("anaconda", "login", "--username", "owner", "--password", served.token)
    message = run("anaconda", "upload", make_conda(tmp_path, "from_conda"))
    assert "Upload complete" in message
    run("anaconda", "upload", make_wheel(tmp_path, "from_wheel"))
    run("anaconda", "upload", make_sdist(tmp_path, "from_sdist"))
    assert "1.0.0" in run("anaconda", "show", "owner/from_conda")
    assert "from_conda-1.0.0" in served.get("/main/noarch/repodata.json").text
    assert "from_wheel-1.0.0" in served.get("/main/noarch/repodata.json").text
    assert "from_sdist-1.0.0" in served.get("/main/simple/from-sdist/").text
    name = "from_wheel/1.0.0/from_wheel-1.0.0-py3-none-any.whl"
    run("anaconda", "remove", "-f", f"owner/{name}")
    assert "from_wheel" not in served.get("/main/noarch/repodata.json").text


@pytest.mark.slow
def test_anaconda_reports_a_wrong_password(served: Place) -> None:
    run("anaconda", "config", "--set", "url", f"{served.url}/api")
    message = run("anaconda", "login", "--username", "owner", "--password", "wrong", code=1)
    assert "Invalid" in message
